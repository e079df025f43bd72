//! Programs that the Go toolchain builds by pinned version.

use super::cache;
use crate::process;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Some forty modules to fetch and compile, one package at a time.
pub(crate) const INSTALL_BOUND: Duration = Duration::from_secs(1_500);

/// Programs of one module, kept in a folder of their own: many are just named `client` and `server`.
#[derive(Debug)]
pub(crate) struct Tool {
    /// For people and for the folder.
    pub(crate) name: &'static str,
    /// A tag, or a commit's pseudo-version.
    pub(crate) version: &'static str,
    /// What `go install` is told, without the version.
    pub(crate) packages: &'static [&'static str],
    /// Modules and versions that it builds with, where it does not say so itself.
    pub(crate) pins: &'static [(&'static str, &'static str)],
    /// What it leaves behind.
    pub(crate) programs: &'static [&'static str],
}

impl Tool {
    /// Where the programs are, installed or not.
    pub(crate) fn folder(&self) -> PathBuf {
        cache().join(format!("{}-{}", self.name, self.version))
    }

    pub(crate) fn is_installed(&self) -> bool {
        let folder = self.folder();
        let mut programs = self.programs.iter();
        programs.all(|program| folder.join(program).is_file())
    }

    /// Builds what is not there yet; the folder with the programs.
    ///
    /// Errors: no Go toolchain, or the build failed.
    pub(crate) fn install(&self) -> Result<PathBuf, String> {
        let folder = self.folder();
        if self.is_installed() {
            return Ok(folder);
        }
        let title = format!("{} {}", self.name, self.version);
        if !process::exists("go", "version") {
            return Err(format!("no Go toolchain to build {title} with"));
        }
        std::fs::create_dir_all(&folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        println!("installing {title}, once; this takes minutes");
        let mut command = Command::new("go");
        command
            .current_dir(&folder)
            .env("GOBIN", &folder)
            .env("GOFLAGS", "-mod=mod")
            .args(["install", "-p", "1"]);
        if self.pins.is_empty() {
            let versioned = |package| format!("{package}@{}", self.version);
            command.args(self.packages.iter().map(versioned));
        } else {
            std::fs::write(folder.join("go.mod"), self.module())
                .map_err(|error| format!("{}: {error}", folder.display()))?;
            command.args(self.packages);
        }
        process::run(&mut command, INSTALL_BOUND)?;
        if self.is_installed() {
            Ok(folder)
        } else {
            let wanted = self.programs.join(", ");
            Err(format!(
                "go install left no {wanted} in {}",
                folder.display()
            ))
        }
    }

    /// A module of our own around it: the only place where what it leaves open can be said.
    fn module(&self) -> String {
        let mut text = format!("module {}\n", self.name);
        for (module, version) in self.pins {
            text.push_str(&format!("require {module} {version}\n"));
        }
        text
    }

    /// A line for the list of foreign peers; `command` is the subcommand that installs it.
    pub(crate) fn describe(&self, command: &str) -> String {
        let state = if self.is_installed() {
            "installed".to_owned()
        } else {
            format!("missing; `cargo xtask {command}` builds it (needs Go)")
        };
        format!("{} {}: {state}", self.name, self.version)
    }
}
