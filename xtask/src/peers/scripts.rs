//! Peers whose programs are scripts of ours, in `xtask/interop/peers`: what is installed is the library that they
//! are written on, by lock file, into a folder of the cache.

use super::cache;
use crate::{process, workspace};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const INSTALL_BOUND: Duration = Duration::from_secs(600);

/// A library, and the lock files that it is installed by.
#[derive(Debug)]
pub(crate) struct Library {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// The programs that have to be there first, with an argument that makes each end at once.
    tools: &'static [(&'static str, &'static str)],
    /// In the folder of the scripts. They are copied beside what they brought, to know when that is stale.
    locks: &'static [&'static str],
    install: fn(&Path) -> Result<(), String>,
}

pub(crate) const GRPCIO: Library = Library {
    name: "grpcio",
    version: "1.85.1",
    tools: &[("python3", "--version")],
    locks: &["requirements.txt"],
    install: install_grpcio,
};

pub(crate) const GRPC_JS: Library = Library {
    name: "grpc-js",
    version: "1.14.7",
    tools: &[("node", "--version"), ("npm", "--version")],
    locks: &["package.json", "package-lock.json"],
    install: install_grpc_js,
};

impl Library {
    /// Where the library is, installed or not.
    pub(crate) fn folder(&self) -> PathBuf {
        cache().join(format!("{}-{}", self.name, self.version))
    }

    /// Where our programs on it are.
    pub(crate) fn scripts(&self) -> PathBuf {
        workspace::root()
            .join("xtask/interop/peers")
            .join(self.name)
    }

    /// Brings it if it is not there, or not by these lock files; the folder that it is in.
    ///
    /// Errors: no interpreter or no package manager, or the installation failed.
    pub(crate) fn install(&self) -> Result<PathBuf, String> {
        let folder = self.folder();
        let title = format!("{} {}", self.name, self.version);
        for (tool, probe) in self.tools {
            if !process::exists(tool, probe) {
                return Err(format!("no {tool} for our programs on {title}"));
            }
        }
        if self.is_installed() {
            return Ok(folder);
        }
        println!("installing {title}, once");
        std::fs::create_dir_all(&folder).map_err(|error| told(&folder, &error))?;
        let kept = self.locks.iter().map(|lock| folder.join(lock));
        for lock in kept {
            let _ = std::fs::remove_file(lock);
        }
        (self.install)(&folder)?;
        // The last one says that all is there.
        for lock in self.locks {
            let from = self.scripts().join(lock);
            std::fs::copy(&from, folder.join(lock)).map_err(|error| told(&from, &error))?;
        }
        Ok(folder)
    }

    pub(crate) fn is_installed(&self) -> bool {
        let folder = self.folder();
        self.locks.iter().all(|lock| {
            let wanted = std::fs::read(self.scripts().join(lock)).ok();
            wanted.is_some() && wanted == std::fs::read(folder.join(lock)).ok()
        })
    }

    /// A line for the list of foreign peers.
    pub(crate) fn describe(&self) -> String {
        let state = if self.is_installed() {
            "installed".to_owned()
        } else {
            let tools: Vec<&str> = self.tools.iter().map(|(tool, _)| *tool).collect();
            let tools = tools.join(" and ");
            format!("missing; `cargo xtask interop` installs it (needs {tools})")
        };
        format!("{} {}: {state}", self.name, self.version)
    }
}

/// The interpreter that has grpcio, in the folder of the library.
pub(crate) fn python(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}

/// Where Node finds grpc-js, in the folder of the library.
pub(crate) fn node_modules(folder: &Path) -> PathBuf {
    folder.join("node_modules")
}

fn install_grpcio(folder: &Path) -> Result<(), String> {
    let mut command = Command::new("python3");
    command.args(["-m", "venv", "--clear"]).arg(folder);
    process::run(&mut command, INSTALL_BOUND)?;
    let mut command = Command::new(python(folder));
    // Without a wheel it would be built for an hour.
    command
        .args(["-m", "pip", "install", "--quiet", "--require-hashes"])
        .args(["--only-binary", ":all:", "--requirement"])
        .arg(GRPCIO.scripts().join("requirements.txt"));
    process::run(&mut command, INSTALL_BOUND)
}

fn install_grpc_js(folder: &Path) -> Result<(), String> {
    for lock in GRPC_JS.locks {
        let from = GRPC_JS.scripts().join(lock);
        std::fs::copy(&from, folder.join(lock)).map_err(|error| told(&from, &error))?;
    }
    let mut command = Command::new("npm");
    // The one script of its packages only looks at their versions.
    command
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .arg("--prefix")
        .arg(folder);
    let installed = process::run(&mut command, INSTALL_BOUND);
    if installed.is_err() {
        for lock in GRPC_JS.locks {
            let _ = std::fs::remove_file(folder.join(lock));
        }
    }
    installed
}

fn told(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
