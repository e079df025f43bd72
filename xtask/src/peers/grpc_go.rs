//! grpc-go's interop programs, and the certificates that they are tested with.

use super::go;
use crate::process;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const GO_ENV_BOUND: Duration = Duration::from_secs(30);

/// By the version that the results in our documents were had with.
const PROGRAMS: go::Tool = go::Tool {
    name: "grpc-go",
    version: GRPC_GO,
    packages: &[
        "google.golang.org/grpc/interop/client",
        "google.golang.org/grpc/interop/server",
    ],
    pins: &[],
    programs: &["client", "server"],
};

pub(crate) const GRPC_GO: &str = "v1.83.1";

/// grpc-go's two interop programs.
pub(crate) struct GrpcGo {
    /// Where `client` and `server` are.
    pub(crate) folder: PathBuf,
}

impl GrpcGo {
    pub(crate) fn is_installed() -> bool {
        PROGRAMS.is_installed()
    }

    /// Builds them if they are not there yet.
    ///
    /// Errors: no Go toolchain, or the build failed.
    pub(crate) fn install() -> Result<Self, String> {
        let folder = PROGRAMS.install()?;
        Ok(Self { folder })
    }
}

/// The certificates that interop programs are tested with. They are read where their peers came from, and are nowhere
/// in this tree.
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

    /// Looks for grpc-go's in the Go module cache, where building the programs has put them; brings them back where
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
        process::run(&mut command, go::INSTALL_BOUND)
            .map_err(|why| format!("{}: {why}", missing()))?;
        Self::of(&folder).ok_or_else(missing)
    }

    /// Those of a folder that has them under the names they have everywhere.
    pub(super) fn of(folder: &Path) -> Option<Self> {
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
