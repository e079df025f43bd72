//! Foreign programs that some gates run: where they are kept, and how they get there.

use crate::{outcome, plugin, process};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// grpc-go's interop programs, by the version that the results in our documents were had with.
const GRPC_GO: &str = "v1.83.1";

/// The release that deny.toml was written against; building it takes about five minutes on two cores.
const CARGO_DENY: &str = "0.18.9";

/// What brings cargo-deny to a machine for good.
pub(crate) const CARGO_DENY_INSTALL: &str = "`cargo install cargo-deny --locked` brings it";

const CARGO_INSTALL_BOUND: Duration = Duration::from_secs(1_500);

/// About forty modules to fetch and compile, one package at a time.
const GO_INSTALL_BOUND: Duration = Duration::from_secs(1_500);

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

const GO_ENV_BOUND: Duration = Duration::from_secs(30);

/// grpc-go's two interop programs.
pub(crate) struct GrpcGo {
    pub(crate) client: PathBuf,
    pub(crate) server: PathBuf,
}

impl GrpcGo {
    /// Where they are, installed or not.
    pub(crate) fn expected() -> Self {
        let folder = cache().join(format!("grpc-go-{GRPC_GO}"));
        Self {
            client: folder.join("client"),
            server: folder.join("server"),
        }
    }

    pub(crate) fn is_installed(&self) -> bool {
        self.client.is_file() && self.server.is_file()
    }

    /// Builds them by pinned version if they are not there yet.
    ///
    /// Errors: no Go toolchain, or the build failed.
    pub(crate) fn install() -> Result<Self, String> {
        let programs = Self::expected();
        if programs.is_installed() {
            return Ok(programs);
        }
        if !process::exists("go", "version") {
            return Err(format!(
                "no Go toolchain to build grpc-go {GRPC_GO}'s interop programs with"
            ));
        }
        let folder = programs
            .client
            .parent()
            .map(PathBuf::from)
            .unwrap_or_default();
        std::fs::create_dir_all(&folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        println!("installing grpc-go {GRPC_GO}'s interop programs, once; this takes minutes");
        let mut command = Command::new("go");
        command
            .current_dir(&folder)
            .env("GOBIN", &folder)
            .env("GOFLAGS", "-mod=mod")
            .args(["install", "-p", "1"])
            .arg(format!("google.golang.org/grpc/interop/client@{GRPC_GO}"))
            .arg(format!("google.golang.org/grpc/interop/server@{GRPC_GO}"));
        process::run(&mut command, GO_INSTALL_BOUND)?;
        if programs.is_installed() {
            Ok(programs)
        } else {
            Err(format!(
                "go install left no client and server in {}",
                folder.display()
            ))
        }
    }
}

/// The certificates that grpc-go's interop programs are tested with. They are read where Go keeps its modules, and are
/// nowhere in this tree.
pub(crate) struct TestCertificates {
    /// Who signed the server's.
    pub(crate) ca: PathBuf,
    /// For `*.test.google.fr`, among others.
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl TestCertificates {
    /// A name that the server's certificate is for.
    pub(crate) const NAME: &str = "foo.test.google.fr";

    /// Looks for them in the Go module cache, where building the programs has put them; brings them back where
    /// only the programs were kept.
    ///
    /// Errors: no Go toolchain to ask for the cache, or nothing to fill it with.
    pub(crate) fn find() -> Result<Self, String> {
        let mut command = Command::new("go");
        command.args(["env", "GOMODCACHE"]);
        let asked = process::capture(&mut command, GO_ENV_BOUND).map_err(|error| {
            format!("no Go toolchain to find grpc-go's test certificates with: {error}")
        })?;
        let module = format!("google.golang.org/grpc@{GRPC_GO}");
        let folder = PathBuf::from(asked.stdout.trim())
            .join(&module)
            .join("testdata");
        if let Some(found) = Self::of(&folder) {
            return Ok(found);
        }
        let mut command = Command::new("go");
        // Outside of any module.
        command
            .current_dir(std::env::temp_dir())
            .args(["mod", "download", &module]);
        let missing = || format!("no test certificates of grpc-go in {}", folder.display());
        process::run(&mut command, GO_INSTALL_BOUND)
            .map_err(|why| format!("{}: {why}", missing()))?;
        Self::of(&folder).ok_or_else(missing)
    }

    fn of(folder: &Path) -> Option<Self> {
        let found = Self {
            ca: folder.join("ca.pem"),
            chain: folder.join("server1.pem"),
            key: folder.join("server1.key"),
        };
        let files = [&found.ca, &found.chain, &found.key];
        let all = files.iter().all(|file| file.is_file());
        all.then_some(found)
    }
}

/// cargo-deny: the pinned one of the peers cache, else whatever the path has.
pub(crate) fn cargo_deny() -> Option<PathBuf> {
    let cached = cargo_deny_folder().join("bin/cargo-deny");
    let candidates = [cached, PathBuf::from("cargo-deny")];
    candidates
        .into_iter()
        .find(|program| process::exists(program, "--version"))
}

/// Builds the pinned cargo-deny into the peers cache.
pub(crate) fn install_cargo_deny() -> Result<PathBuf, String> {
    println!("installing cargo-deny {CARGO_DENY}, once; this takes minutes");
    let folder = cargo_deny_folder();
    let mut command = process::cargo();
    // Outside this workspace: neither its lock file nor its settings are this program's.
    command
        .current_dir(std::env::temp_dir())
        .args([
            "install",
            "cargo-deny",
            "--locked",
            "--version",
            CARGO_DENY,
            "--root",
        ])
        .arg(&folder);
    process::run(&mut command, CARGO_INSTALL_BOUND)?;
    cargo_deny().ok_or_else(|| format!("cargo install left no program in {}", folder.display()))
}

fn cargo_deny_folder() -> PathBuf {
    cache().join(format!("cargo-deny-{CARGO_DENY}"))
}

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
    let grpc_go = if GrpcGo::expected().is_installed() {
        "installed"
    } else {
        "missing; `cargo xtask interop` builds them (needs Go)"
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
    let mut lines = vec![
        format!("openssl: {openssl}"),
        format!("grpc-go {GRPC_GO} interop client and server: {grpc_go}"),
        format!("cargo-deny: {deny}"),
    ];
    lines.extend(plugin::describe());
    lines
}
