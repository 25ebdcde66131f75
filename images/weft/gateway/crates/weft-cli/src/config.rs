//! `config.json`, and what the environment says instead.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, io};

use serde::{Deserialize, Serialize};

/// What `config.json` holds; every key may be left out.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Config {
    /// Where the gateway listens. `WEFT_LISTEN` wins.
    pub listen: SocketAddr,
    /// Seconds that running requests get once the gateway is told to stop; container engines kill after 10.
    pub drain_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 8080)),
            drain_seconds: 9,
        }
    }
}

impl Config {
    /// From `WEFT_CONFIG`, by default `~/.clawft/config.json`; the defaults where no file is.
    pub fn load() -> Result<Self, String> {
        let mut config = Self::read(&path())?;
        if let Ok(listen) = env::var("WEFT_LISTEN") {
            config.listen = listen.parse().map_err(|_| {
                format!("WEFT_LISTEN: expected an address such as 0.0.0.0:8080, found {listen:?}")
            })?;
        }
        Ok(config)
    }

    fn read(path: &Path) -> Result<Self, String> {
        match fs::read_to_string(path) {
            Ok(text) => serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(format!("{} can't be read: {e}", path.display())),
        }
    }

    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }

    /// As `weft config init` prints it.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data")
    }
}

fn path() -> PathBuf {
    match env::var_os("WEFT_CONFIG") {
        Some(path) => path.into(),
        None => Path::new(&env::var_os("HOME").unwrap_or_default()).join(".clawft/config.json"),
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn what_init_prints_is_what_a_file_left_out_means() {
        let printed: Config = serde_json::from_str(&Config::default().to_json()).unwrap();
        assert_eq!(printed, Config::default());
        assert_eq!(
            serde_json::from_str::<Config>("{}").unwrap(),
            Config::default()
        );
    }

    #[test]
    fn a_key_that_nobody_reads_is_refused() {
        let error = serde_json::from_str::<Config>(r#"{ "port": 80 }"#).unwrap_err();
        assert!(
            error.to_string().contains("unknown field `port`"),
            "{error}"
        );
    }
}
