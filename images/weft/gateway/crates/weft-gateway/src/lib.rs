//! Routes, and a server that finishes what it has begun before it stops.

use std::future::Future;
use std::io;
use std::time::Duration;

use axum::body::Bytes;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How a server ended after it was told to stop.
#[derive(Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Every request got its answer.
    Drained,
    /// Requests were still running when the time was up.
    CutOff,
}

/// `GET /` says what this is, `GET /health` that it serves, `POST /echo` gives back what it gets (up to 2 MiB).
pub fn routes() -> Router {
    Router::new()
        .route("/", get(about))
        .route("/health", get(health))
        .route("/echo", post(|body: Bytes| async { body }))
}

async fn about() -> Json<Value> {
    Json(json!({ "name": "weft", "version": env!("CARGO_PKG_VERSION") }))
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Serves until `stop` completes: then takes no new connection, closes idle ones, and gives requests that run at most
/// `drain` to be answered.
///
/// # Errors
/// What the listener says when it can't go on.
pub async fn serve(
    listener: TcpListener,
    drain: Duration,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Stopped> {
    let (stopping, stopped) = oneshot::channel();
    let server = axum::serve(listener, routes()).with_graceful_shutdown(async move {
        stop.await;
        let _ = stopping.send(());
    });
    let mut server = std::pin::pin!(server.into_future());
    tokio::select! {
        ended = &mut server => return ended.map(|()| Stopped::Drained),
        _ = stopped => {}
    }
    match timeout(drain, server).await {
        Ok(ended) => ended.map(|()| Stopped::Drained),
        Err(_) => Ok(Stopped::CutOff),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::oneshot;

    use super::{Stopped, serve};

    const PROMPT: Duration = Duration::from_secs(30);

    async fn start(
        drain: Duration,
    ) -> (
        TcpStream,
        oneshot::Sender<()>,
        tokio::task::JoinHandle<std::io::Result<Stopped>>,
    ) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(serve(listener, drain, async move {
            let _ = stopped.await;
        }));
        (TcpStream::connect(address).await.unwrap(), stop, server)
    }

    #[tokio::test]
    async fn a_request_that_runs_is_answered_before_the_server_stops() {
        let (mut client, stop, server) = start(PROMPT).await;
        let head = b"POST /echo HTTP/1.1\r\nhost: weft\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n";
        client.write_all(head).await.unwrap();
        let mut seen = [0; 25];
        client.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen[..12], b"HTTP/1.1 100", "the handler reads the body");
        stop.send(()).unwrap();
        tokio::task::yield_now().await;
        client.write_all(b"late").await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with("late"), "{answer}");
        assert_eq!(server.await.unwrap().unwrap(), Stopped::Drained);
    }

    #[tokio::test]
    async fn an_idle_connection_holds_nothing_up() {
        let (mut client, stop, server) = start(PROMPT).await;
        client
            .write_all(b"GET /health HTTP/1.1\r\nhost: weft\r\n\r\n")
            .await
            .unwrap();
        let mut seen = [0; 12];
        client.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"HTTP/1.1 200");
        stop.send(()).unwrap();
        assert_eq!(server.await.unwrap().unwrap(), Stopped::Drained);
    }

    #[tokio::test]
    async fn a_request_that_never_ends_is_cut_off() {
        let (mut client, stop, server) = start(Duration::from_millis(50)).await;
        let head = b"POST /echo HTTP/1.1\r\nhost: weft\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n";
        client.write_all(head).await.unwrap();
        let mut seen = [0; 12];
        client.read_exact(&mut seen).await.unwrap();
        stop.send(()).unwrap();
        assert_eq!(server.await.unwrap().unwrap(), Stopped::CutOff);
    }
}
