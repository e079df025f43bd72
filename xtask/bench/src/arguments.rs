//! The command lines of the programs; `cargo xtask bench` writes them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// What every server program takes.
#[derive(Clone, Debug)]
pub struct ServerArguments {
    /// One thread for everything, instead of tokio's default.
    pub single_thread: bool,
}

/// What every client program takes.
#[derive(Clone, Debug)]
pub struct ClientArguments {
    /// Where the server listens.
    pub address: SocketAddr,
    /// Connections, each with calls of its own.
    pub connections: usize,
    /// Calls in flight on each connection.
    pub in_flight: usize,
    /// Bytes of payload in each direction.
    pub payload: usize,
    /// Not measured.
    pub warmup: Duration,
    /// Measured.
    pub duration: Duration,
    /// The process whose CPU time is counted as the server's.
    pub server_pid: u32,
    /// One thread for everything, instead of tokio's default.
    pub single_thread: bool,
}

impl ServerArguments {
    /// From this process's command line.
    ///
    /// Errors: a text for the screen.
    pub fn parse() -> Result<Self, String> {
        Words::from_process().map(|words| Self {
            single_thread: words.single_thread,
        })
    }
}

impl ClientArguments {
    /// From this process's command line.
    ///
    /// Errors: a text for the screen.
    pub fn parse() -> Result<Self, String> {
        let words = Words::from_process()?;
        Ok(Self {
            address: words.value("address")?,
            connections: words.value("connections")?,
            in_flight: words.value("in-flight")?,
            payload: words.value("payload")?,
            warmup: Duration::from_secs_f64(words.value("warmup")?),
            duration: Duration::from_secs_f64(words.value("seconds")?),
            server_pid: words.value("server-pid")?,
            single_thread: words.single_thread,
        })
    }
}

/// A runtime as the programs' users would have it.
pub(crate) fn runtime(single_thread: bool) -> std::io::Result<Runtime> {
    let mut builder = if single_thread {
        Builder::new_current_thread()
    } else {
        Builder::new_multi_thread()
    };
    builder.enable_all().build()
}

/// `--name value` pairs, and `--st`.
struct Words {
    values: HashMap<String, String>,
    single_thread: bool,
}

impl Words {
    fn from_process() -> Result<Self, String> {
        let mut found = Self {
            values: HashMap::new(),
            single_thread: false,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let name = word
                .strip_prefix("--")
                .ok_or_else(|| format!("{word:?} is no option"))?;
            if name == "st" {
                found.single_thread = true;
                continue;
            }
            let value = words
                .next()
                .ok_or_else(|| format!("--{name} has no value"))?;
            found.values.insert(name.to_owned(), value);
        }
        Ok(found)
    }

    fn value<T: FromStr>(&self, name: &str) -> Result<T, String> {
        let text = self
            .values
            .get(name)
            .ok_or_else(|| format!("--{name} is missing"))?;
        text.parse()
            .map_err(|_| format!("--{name} {text}: not a value"))
    }
}
