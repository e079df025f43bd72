//! Foreign programs that some gates run: where they are kept, and how they get there.

pub(crate) mod apt;
mod deny;
pub(crate) mod go;
mod grpc_go;
mod grpc_java;
pub(crate) mod scripts;

use crate::{conformance, interop, outcome, plugin, process, tools};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

pub(crate) use deny::{CARGO_DENY_INSTALL, cargo_deny, install_cargo_deny};
pub(crate) use grpc_go::{GRPC_GO, GrpcGo, TestCertificates};
pub(crate) use grpc_java::{GRPC_JAVA, GrpcJava};

/// The folder of the peers: outside the tree, so that a clean clone finds what another one installed.
pub(crate) fn cache() -> PathBuf {
    if let Some(given) = std::env::var_os("TRUNKLINE_PEERS") {
        return given.into();
    }
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    base.or(home)
        .unwrap_or_else(std::env::temp_dir)
        .join("trunkline-peers")
}

const APT_BOUND: Duration = Duration::from_secs(300);

/// OpenSSL's program, which some tests speak with: brought by apt where everything has to be there.
///
/// A failure shows in those tests, which say what is missing.
pub(crate) fn bring_openssl() {
    if outcome::is_ci() && !process::exists("openssl", "version") {
        for arguments in [&["-q", "update"][..], &["-q", "-y", "install", "openssl"]] {
            let _ = process::run(Command::new("apt-get").args(arguments), APT_BOUND);
        }
    }
}

/// A line for each foreign program: there or not, and what brings it.
pub(crate) fn describe() -> Vec<String> {
    let grpc_go = if GrpcGo::is_installed() {
        "installed"
    } else {
        "missing; `cargo xtask interop` builds them (needs Go)"
    };
    let grpc_java = if GrpcJava::is_installed() {
        "installed"
    } else {
        "missing; `cargo xtask interop` fetches them (needs Java and Maven)"
    };
    let deny = if cargo_deny().is_some() {
        "installed".to_owned()
    } else {
        format!("missing; {CARGO_DENY_INSTALL}")
    };
    let openssl = if process::exists("openssl", "version") {
        "installed"
    } else {
        "missing; the tests that speak with it were skipped"
    };
    let mut lines = conformance::describe();
    lines.extend([
        format!("openssl: {openssl}"),
        format!("grpc-go {GRPC_GO} interop client and server: {grpc_go}"),
        format!("grpc-java {GRPC_JAVA} interop clients and server: {grpc_java}"),
        scripts::GRPCIO.describe(),
        scripts::GRPC_JS.describe(),
    ]);
    lines.extend(interop::describe());
    lines.extend([format!("cargo-deny: {deny}")]);
    lines.extend(plugin::describe());
    lines.extend(tools::describe());
    lines
}
