//! A client of ours on grpc-go, for the cases that the official ones leave open.

use super::ours::call_flags;
use super::peer::{BOTH, Call, Client, Installed, Peer};
use crate::peers::{TestCertificates, cache, go};
use crate::{process, workspace};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) const PEER: Peer = Peer {
    name: "go-extra",
    suite: "our client on grpc-go 1.83.1",
    install,
    clients: &[Client {
        variant: "",
        command: client,
        cases: CASES,
    }],
    servers: &[],
    securities: BOTH,
};

const CASES: &[&str] = &[
    "trunkline_metadata",
    "trunkline_status_messages",
    "trunkline_status_details",
    "trunkline_early_answer",
    "trunkline_first_reply",
    "trunkline_deadlines",
];

/// A line for the list of foreign peers.
pub(super) fn describe() -> String {
    let state = if folder().join("client").is_file() {
        "installed"
    } else {
        "missing; `cargo xtask interop` builds it (needs Go)"
    };
    format!("our client on grpc-go: {state}")
}

fn folder() -> PathBuf {
    cache().join("grpc-go-extra")
}

/// Builds it each time: Go knows what has changed.
fn install() -> Result<Installed, String> {
    if !process::exists("go", "version") {
        return Err("no Go toolchain to build our client on grpc-go with".to_owned());
    }
    let folder = folder();
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut command = Command::new("go");
    command
        .current_dir(workspace::root().join("xtask/interop/peers/grpc-go"))
        .args(["build", "-p", "1", "-o"])
        .arg(folder.join("client"))
        .arg(".");
    process::run(&mut command, go::INSTALL_BOUND)?;
    Ok(Installed {
        folder,
        certificates: TestCertificates::find(),
    })
}

fn client(folder: &Path, call: &Call<'_>) -> Command {
    let mut command = Command::new(folder.join("client"));
    call_flags(&mut command, call);
    command
}
