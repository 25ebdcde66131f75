//! Asks the gateway that should be running beside.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// For each of connecting, writing and reading; a HEALTHCHECK gives all of it 5 s.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Ok only where `/health` of the gateway that listens on `listen` answers 200.
pub fn check(listen: SocketAddr) -> Result<(), String> {
    let address = reachable(listen);
    let status =
        ask(address).map_err(|e| format!("the gateway on {address} does not answer: {e}"))?;
    if status.split(' ').nth(1) == Some("200") {
        return Ok(());
    }
    Err(format!("the gateway on {address} answers {status:?}"))
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!("GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 512];
    while !answer.contains(&b'\n') && answer.len() < 4096 {
        match stream.read(&mut buffer)? {
            0 => break,
            n => answer.extend_from_slice(&buffer[..n]),
        }
    }
    let text = String::from_utf8_lossy(&answer);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// An address to connect to: one that stands for all interfaces is reached by loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::thread;

    use super::check;

    fn answering(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(answer.as_bytes());
        });
        address
    }

    #[test]
    fn an_answer_of_200_alone_is_healthy() {
        assert_eq!(check(answering("HTTP/1.1 200 OK\r\n\r\n")), Ok(()));
        for answer in ["HTTP/1.1 503 Service Unavailable\r\n\r\n", "200\r\n", ""] {
            assert!(check(answering(answer)).is_err(), "{answer:?}");
        }
    }

    #[test]
    fn nobody_listening_is_not_healthy() {
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        assert!(check(address).unwrap_err().contains("does not answer"));
    }
}
