//! A server of either make while it runs.

use super::peer::{Listen, ServerCommand};
use crate::engines::Engine;
use crate::peers::TestCertificates;
use crate::process;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// From the start of a server to its first accepted connection.
const START_BOUND: Duration = Duration::from_secs(20);

/// A port that was free a moment ago may be taken now.
const START_ATTEMPTS: usize = 3;

/// A server process; ended by id when dropped.
pub(crate) struct Running {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Running {
    /// Starts a server on a port of our choice and waits until it accepts.
    ///
    /// Errors: it cannot be started, ended at once, or does not accept within its bound.
    pub(crate) fn start(
        server: (ServerCommand, &Path),
        tls: Option<&TestCertificates>,
        engine: Option<Engine>,
    ) -> Result<Self, String> {
        let mut why = String::new();
        for _ in 0..START_ATTEMPTS {
            match Self::try_start(server, tls, engine) {
                Ok(running) => return Ok(running),
                Err(error) => why = format!("the server: {error}"),
            }
        }
        Err(why)
    }

    fn try_start(
        server: (ServerCommand, &Path),
        tls: Option<&TestCertificates>,
        engine: Option<Engine>,
    ) -> io::Result<Self> {
        let (command, folder) = server;
        let port = free_port()?;
        let name = format!("trunkline-interop-{}-{port}.log", std::process::id());
        let log = std::env::temp_dir().join(name);
        let file = File::create(&log)?;
        let mut command = command(folder, &Listen { port, tls });
        if let Some(engine) = engine {
            engine.set(&mut command);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        let mut running = Self { child, port, log };
        running.wait_until_ready()?;
        Ok(running)
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// How it ended and what it said, if it did end.
    pub(crate) fn died(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        Some(format!("{status}\n{said}"))
    }

    fn wait_until_ready(&mut self) -> io::Result<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let end = Instant::now() + START_BOUND;
        while Instant::now() < end {
            if let Some(how) = self.died() {
                return Err(io::Error::other(how));
            }
            if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "does not accept connections",
        ))
    }
}

/// One that nobody has and that was not given to another server of this run, which may not have bound it yet.
fn free_port() -> io::Result<u16> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        if given.insert(port) {
            return Ok(port);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        process::kill_tree(&mut self.child);
        let _ = std::fs::remove_file(&self.log);
    }
}
