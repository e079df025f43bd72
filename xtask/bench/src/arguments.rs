//! The command lines of the programs; `cargo xtask bench` writes them.

use crate::Shape;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// What every server program takes.
#[derive(Clone, Debug)]
pub struct ServerArguments {
    /// One thread for everything, instead of tokio's default.
    pub single_thread: bool,
    /// A folder with `cert.pem` and `key.pem`: TLS instead of plaintext, where the program has it.
    pub tls: Option<PathBuf>,
    /// What calls look like, for a server that does not read their paths.
    pub shape: Shape,
    /// Bytes of payload in each message.
    pub payload: usize,
    /// Messages of each stream.
    pub messages: u64,
    /// Runtimes of one thread each, for a server that has them; 0 is one for each processor.
    pub workers: Option<usize>,
    /// What a stream may have unread, instead of the server's default.
    pub window: Option<u32>,
}

/// What every program that calls takes.
#[derive(Clone, Debug)]
pub struct ClientArguments {
    /// Where the server listens.
    pub address: SocketAddr,
    /// What calls look like.
    pub shape: Shape,
    /// Connections, each with calls of its own.
    pub connections: usize,
    /// Calls in flight on each connection.
    pub in_flight: usize,
    /// Bytes of payload in each message.
    pub payload: usize,
    /// Messages of each stream.
    pub messages: u64,
    /// Not measured.
    pub warmup: Duration,
    /// Measured.
    pub duration: Duration,
    /// Exactly so many calls (of a ping-pong: messages) instead of a duration.
    pub calls: Option<u64>,
    /// Calls per second over all connections, whatever the answers do, instead of a next call for each answer.
    pub rate: Option<f64>,
    /// Streams that are opened on the first connection and never read.
    pub unread: usize,
    /// The process whose CPU time is counted as the server's.
    pub server_pid: u32,
    /// One thread for everything, instead of tokio's default.
    pub single_thread: bool,
    /// The folder with the server's `cert.pem`: TLS instead of plaintext.
    pub tls: Option<PathBuf>,
}

impl ServerArguments {
    /// From this process's command line.
    ///
    /// Errors: a text for the screen.
    pub fn parse() -> Result<Self, String> {
        let words = Words::from_process()?;
        Ok(Self {
            single_thread: words.single_thread,
            tls: words.optional("tls")?,
            shape: words.or("shape", Shape::Unary)?,
            payload: words.or("payload", 64)?,
            messages: words.or("messages", 1_000)?,
            workers: words.optional("workers")?,
            window: words.optional("window")?,
        })
    }
}

impl ClientArguments {
    /// From this process's command line.
    ///
    /// Errors: a text for the screen.
    pub fn parse() -> Result<Self, String> {
        let words = Words::from_process()?;
        let seconds = |name| Ok::<_, String>(Duration::from_secs_f64(words.or(name, 0.0)?));
        Ok(Self {
            address: words.optional("address")?.ok_or("--address is missing")?,
            shape: words.or("shape", Shape::Unary)?,
            connections: words.or("connections", 1)?,
            in_flight: words.or("in-flight", 1)?,
            payload: words.or("payload", 64)?,
            messages: words.or("messages", 1_000)?,
            warmup: seconds("warmup")?,
            duration: seconds("seconds")?,
            calls: words.optional("calls")?,
            rate: words.optional("rate")?,
            unread: words.or("unread", 0)?,
            server_pid: words.or("server-pid", 0)?,
            single_thread: words.single_thread,
            tls: words.optional("tls")?,
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
pub(crate) struct Words {
    values: HashMap<String, String>,
    single_thread: bool,
}

impl Words {
    pub(crate) fn from_process() -> Result<Self, String> {
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

    pub(crate) fn optional<T: FromStr>(&self, name: &str) -> Result<Option<T>, String> {
        let value = self.values.get(name).map(|text| {
            text.parse()
                .map_err(|_| format!("--{name} {text}: not a value"))
        });
        value.transpose()
    }

    pub(crate) fn or<T: FromStr>(&self, name: &str, default: T) -> Result<T, String> {
        Ok(self.optional(name)?.unwrap_or(default))
    }
}
