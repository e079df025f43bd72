//! Our own two programs, which take the flags that the interop programs of others take.

use super::cases::{self, SOAK_FLAGS};
use super::peer::{Call, Listen};
use crate::peers::TestCertificates;
use crate::{process, workspace};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The package with our two programs; its folder is `xtask/interop`.
const PACKAGE: &str = "trunkline-interop";

const BUILD_BOUND: Duration = Duration::from_secs(1_200);

/// Builds them; the folder that they are in.
pub(crate) fn build() -> Result<PathBuf, String> {
    let root = workspace::root();
    let mut command = process::cargo();
    command
        .current_dir(&root)
        .args(["build", "--package", PACKAGE, "--bins"]);
    process::run(&mut command, BUILD_BOUND)?;
    folder()
}

/// Where they are once they are built.
pub(super) fn folder() -> Result<PathBuf, String> {
    let target = workspace::target_directory(&workspace::root().join("Cargo.toml"))?;
    Ok(target.join("debug"))
}

pub(super) fn client(folder: &Path, call: &Call<'_>) -> Command {
    let mut command = Command::new(folder.join("interop-client"));
    call_flags(&mut command, call);
    command
}

pub(super) fn server(folder: &Path, listen: &Listen<'_>) -> Command {
    let mut command = Command::new(folder.join("interop-server"));
    listen_flags(&mut command, listen);
    command
}

/// What every client of ours is told, on whatever library it is written.
pub(super) fn call_flags(command: &mut Command, call: &Call<'_>) {
    command
        .arg("--server_host=127.0.0.1")
        .arg(format!("--server_port={}", call.port))
        .arg(format!("--test_case={}", call.case));
    if cases::is_soak(call.case) {
        command.args(SOAK_FLAGS.map(|flag| format!("--{flag}")));
    }
    if let Some(tls) = call.tls {
        let name = TestCertificates::NAME;
        command
            .arg("--use_tls=true")
            .arg(format!("--ca_file={}", tls.ca.display()))
            .arg(format!("--server_host_override={name}"));
    }
}

/// What every server of ours is told.
pub(super) fn listen_flags(command: &mut Command, listen: &Listen<'_>) {
    command.arg(format!("--port={}", listen.port));
    if let Some(tls) = listen.tls {
        command
            .arg("--use_tls=true")
            .arg(format!("--tls_cert_file={}", tls.chain.display()))
            .arg(format!("--tls_key_file={}", tls.key.display()));
    }
}
