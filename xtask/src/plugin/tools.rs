//! protoc and buf: where they are, and how they get there.

use crate::peers::{self, apt};
use crate::process;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What Debian 12 has, the oldest that our users are likely to have.
const PROTOC: &str = "3.21.12";

/// The release that brings editions to the plugin.
const BUF: &str = "1.75.0";

const INSTALL_BOUND: Duration = Duration::from_secs(300);

/// A program that runs plugins, and what it needs to start.
pub(super) struct Tool {
    program: PathBuf,
    /// Where its libraries are, if not with those of the system.
    libraries: Option<PathBuf>,
}

impl Tool {
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }

    fn starts(&self) -> bool {
        process::capture(self.command().arg("--version"), Duration::from_secs(60))
            .is_ok_and(|captured| captured.succeeded())
    }
}

/// protoc: the pinned one of the peers cache, brought by apt if need be; else whatever the path has.
pub(super) fn protoc() -> Result<Tool, String> {
    let mut why = format!("the protoc {PROTOC} of the peers cache does not start");
    if cached_protoc().is_none()
        && let Err(error) = install_protoc()
    {
        why = error;
    }
    let on_path = Tool {
        program: PathBuf::from("protoc"),
        libraries: None,
    };
    let mut found = cached_protoc().into_iter().chain([on_path]);
    found.find(Tool::starts).ok_or(why)
}

/// buf: the pinned one of the peers cache, brought by npm if need be.
pub(super) fn buf() -> Result<Tool, String> {
    let tool = cached_buf();
    if tool.starts() {
        return Ok(tool);
    }
    if !process::exists("npm", "--version") {
        return Err(format!("no npm to bring buf {BUF}"));
    }
    let folder = buf_folder();
    make(&folder)?;
    println!("installing buf {BUF}, once");
    let mut command = Command::new("npm");
    // Its scripts would only look whether the program came with the package.
    command
        .args([
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
        ])
        .arg(&folder)
        .arg(format!("@bufbuild/buf@{BUF}"));
    process::run(&mut command, INSTALL_BOUND)?;
    if tool.starts() {
        Ok(tool)
    } else {
        Err(format!(
            "npm left no buf that starts in {}",
            folder.display()
        ))
    }
}

/// A line for each: there or not, and what brings it.
pub(crate) fn describe() -> [String; 2] {
    let state = |there: bool| {
        if there {
            "installed"
        } else {
            "missing; `cargo xtask plugin` brings it"
        }
    };
    [
        format!(
            "protoc: {}",
            state(cached_protoc().is_some() || process::exists("protoc", "--version"))
        ),
        format!("buf {BUF}: {}", state(cached_buf().program.is_file())),
    ]
}

/// protoc, its libraries, and the well-known files, which it finds beside itself.
fn install_protoc() -> Result<(), String> {
    println!("fetching protoc {PROTOC}, once");
    let packages = [
        "protobuf-compiler",
        "libprotoc32",
        "libprotobuf32",
        "libprotobuf-dev",
    ];
    let pinned = packages.map(|package| format!("{package}={PROTOC}*"));
    apt::unpack(&protoc_folder(), &pinned)
}

fn cached_protoc() -> Option<Tool> {
    let folder = protoc_folder();
    let program = folder.join("usr/bin/protoc");
    // The folder of the libraries is named after the machine: `x86_64-linux-gnu`.
    let libraries = apt::entries(&folder.join("usr/lib"), "-gnu").pop();
    let well_known = folder.join("usr/include/google/protobuf/any.proto");
    (program.is_file() && well_known.is_file()).then_some(Tool { program, libraries })
}

fn cached_buf() -> Tool {
    Tool {
        program: buf_folder().join("node_modules/.bin/buf"),
        libraries: None,
    }
}

fn protoc_folder() -> PathBuf {
    peers::cache().join(format!("protoc-{PROTOC}"))
}

fn buf_folder() -> PathBuf {
    peers::cache().join(format!("buf-{BUF}"))
}

fn make(folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}
