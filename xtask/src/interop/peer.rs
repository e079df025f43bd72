//! Interop programs of either make: how each is told its port and its case.

use crate::peers::TestCertificates;
use crate::process;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// From the start of a server to its first accepted connection.
const START_BOUND: Duration = Duration::from_secs(10);

/// A port that was free a moment ago may be taken now.
const START_ATTEMPTS: usize = 3;

#[derive(Clone, Copy)]
enum Make {
    /// Go's `flag`: `-name=value`.
    GrpcGo,
    Trunkline,
}

/// A client program.
pub(super) struct Client<'a> {
    program: PathBuf,
    make: Make,
    tls: Option<&'a TestCertificates>,
}

impl<'a> Client<'a> {
    pub(super) fn grpc_go(program: &Path, tls: Option<&'a TestCertificates>) -> Self {
        Self {
            program: program.to_owned(),
            make: Make::GrpcGo,
            tls,
        }
    }

    pub(super) fn trunkline(program: &Path, tls: Option<&'a TestCertificates>) -> Self {
        Self {
            program: program.to_owned(),
            make: Make::Trunkline,
            tls,
        }
    }

    /// The command that runs one case; exit code 0 means that it passed.
    pub(super) fn command(&self, port: u16, case: &str) -> Command {
        let mut command = Command::new(&self.program);
        match self.make {
            Make::GrpcGo => command
                .arg("-server_host=127.0.0.1")
                .arg(format!("-server_port={port}"))
                .arg(format!("-test_case={case}")),
            Make::Trunkline => command.arg(format!("127.0.0.1:{port}")).arg(case),
        };
        match (self.make, self.tls) {
            (_, None) => {}
            (Make::GrpcGo, Some(tls)) => {
                let name = TestCertificates::NAME;
                command
                    .args(["-use_tls", "-use_test_ca"])
                    .arg(format!("-ca_file={}", tls.ca.display()))
                    .arg(format!("-server_host_override={name}"));
            }
            (Make::Trunkline, Some(tls)) => {
                command
                    .arg("--tls")
                    .arg(&tls.ca)
                    .arg(TestCertificates::NAME);
            }
        }
        command
    }
}

/// A server program.
pub(super) struct Server<'a> {
    program: PathBuf,
    make: Make,
    tls: Option<&'a TestCertificates>,
}

impl<'a> Server<'a> {
    pub(super) fn grpc_go(program: &Path, tls: Option<&'a TestCertificates>) -> Self {
        Self {
            program: program.to_owned(),
            make: Make::GrpcGo,
            tls,
        }
    }

    pub(super) fn trunkline(program: &Path, tls: Option<&'a TestCertificates>) -> Self {
        Self {
            program: program.to_owned(),
            make: Make::Trunkline,
            tls,
        }
    }

    /// Starts it on a port of our choice and waits until it accepts.
    ///
    /// Errors: it cannot be started, ended at once, or does not accept within its bound.
    pub(super) fn start(&self) -> Result<Running, String> {
        let mut why = String::new();
        for _ in 0..START_ATTEMPTS {
            match self.try_start() {
                Ok(running) => return Ok(running),
                Err(error) => why = format!("server {}: {error}", self.program.display()),
            }
        }
        Err(why)
    }

    fn try_start(&self) -> io::Result<Running> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let log = std::env::temp_dir().join(format!(
            "trunkline-interop-{}-{port}.log",
            std::process::id()
        ));
        let file = File::create(&log)?;
        let mut command = Command::new(&self.program);
        match self.make {
            Make::GrpcGo => command.arg(format!("-port={port}")),
            Make::Trunkline => command.arg(format!("127.0.0.1:{port}")),
        };
        match (self.make, self.tls) {
            (_, None) => {}
            (Make::GrpcGo, Some(tls)) => {
                command
                    .arg("-use_tls")
                    .arg(format!("-tls_cert_file={}", tls.chain.display()))
                    .arg(format!("-tls_key_file={}", tls.key.display()));
            }
            (Make::Trunkline, Some(tls)) => {
                command.arg("--tls").arg(&tls.chain).arg(&tls.key);
            }
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        let mut running = Running { child, port, log };
        running.wait_until_ready()?;
        Ok(running)
    }
}

/// A server process; ended by id when dropped.
pub(super) struct Running {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Running {
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// How it ended and what it said, if it did end.
    pub(super) fn died(&mut self) -> Option<String> {
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

impl Drop for Running {
    fn drop(&mut self) {
        process::kill_tree(&mut self.child);
        let _ = std::fs::remove_file(&self.log);
    }
}
