//! What is known of a peer, as data: a file beside this one holds each.

use crate::peers::TestCertificates;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Another implementation of gRPC, with programs that speak the interop cases.
pub(super) struct Peer {
    /// As `--peer` takes it.
    pub(super) name: &'static str,
    /// The suite in the report: who wrote the programs, and their version.
    pub(super) suite: &'static str,
    /// Brings the programs by pinned version if they are not there yet. What is missing for that is the error.
    pub(super) install: fn() -> Result<Installed, String>,
    /// Those of its clients that call our server.
    pub(super) clients: &'static [Client],
    /// Those of its servers that our client calls.
    pub(super) servers: &'static [Server],
    pub(super) securities: &'static [Security],
}

/// Where a peer is on this machine.
pub(super) struct Installed {
    pub(super) folder: PathBuf,
    /// What it is called with over TLS, or why there is none: as bad as a missing tool.
    pub(super) certificates: Result<TestCertificates, String>,
}

/// What a connection is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    Plaintext,
    Tls,
}

pub(super) const BOTH: &[Security] = &[Security::Plaintext, Security::Tls];

/// How a client is started, given the folder that its programs are in.
pub(super) type ClientCommand = fn(&Path, &Call<'_>) -> Command;

/// How a server is started, given the folder that its programs are in.
pub(crate) type ServerCommand = fn(&Path, &Listen<'_>) -> Command;

/// A client program.
pub(super) struct Client {
    /// Tells a peer's clients apart; empty where there is one.
    pub(super) variant: &'static str,
    /// The command that runs one case; exit code 0 means that it passed.
    pub(super) command: ClientCommand,
    /// The cases that it has, by name. One that vanishes from the program is a failure, not a skip.
    pub(super) cases: &'static [&'static str],
}

/// A server program.
pub(super) struct Server {
    /// Tells a peer's servers apart; empty where there is one.
    pub(super) variant: &'static str,
    /// The command that serves on one port of the loopback until it is ended.
    pub(super) command: ServerCommand,
    /// The cases whose features it has, by name.
    pub(super) cases: &'static [&'static str],
}

/// What a client is to do.
pub(super) struct Call<'a> {
    pub(super) port: u16,
    pub(super) case: &'a str,
    /// `None` is plaintext.
    pub(super) tls: Option<&'a TestCertificates>,
}

/// Where a server is to listen.
pub(crate) struct Listen<'a> {
    pub(crate) port: u16,
    /// `None` is plaintext.
    pub(crate) tls: Option<&'a TestCertificates>,
}
