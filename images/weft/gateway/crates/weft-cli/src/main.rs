//! The program `weft`.

mod config;
mod health;
mod whoami;

use std::env;
use std::process::ExitCode;

use config::Config;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use weft_gateway::{Stopped, serve};

const USAGE: &str = "usage: weft COMMAND

  gateway       serve until SIGTERM or SIGINT, then answer what runs and stop
  health        print ok where the gateway answers, fail where it does not
  config init   print the default config.json
  whoami        print the user that weft runs as
  version       print the version";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("weft: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<(), String> {
    match words {
        ["gateway"] => return gateway(&Config::load()?),
        ["health"] => {
            health::check(Config::load()?.listen)?;
            println!("ok");
        }
        ["config", "init"] => println!("{}", Config::default().to_json()),
        ["whoami"] => println!("{}", whoami::name()?),
        ["version" | "--version" | "-V"] => println!("weft {}", env!("CARGO_PKG_VERSION")),
        ["help" | "--help" | "-h"] => println!("{USAGE}"),
        _ => return Err(format!("no such command: {:?}\n{USAGE}", words.join(" "))),
    }
    Ok(())
}

#[tokio::main]
async fn gateway(config: &Config) -> Result<(), String> {
    // Before anything is served: whoever starts this may stop it at any time.
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| format!("SIGTERM: {e}"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| format!("SIGINT: {e}"))?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|e| format!("can't listen on {}: {e}", config.listen))?;
    eprintln!("weft: gateway listens on {}", config.listen);
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        eprintln!("weft: stopping");
    };
    match serve(listener, config.drain(), stop).await {
        Ok(Stopped::Drained) => Ok(()),
        Ok(Stopped::CutOff) => Err(format!(
            "requests still ran after {} s",
            config.drain_seconds
        )),
        Err(e) => Err(format!("the gateway ended: {e}")),
    }
}
