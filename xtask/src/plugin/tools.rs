//! protoc and buf: where they are, and how they get there.

use crate::{peers, process};
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
    let mut why = format!("no apt to bring protoc {PROTOC}");
    if cached_protoc().is_none()
        && process::exists("apt-get", "--version")
        && process::exists("dpkg", "--version")
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

/// Unpacks Debian's packages beside each other, so that nothing of the system changes.
fn install_protoc() -> Result<(), String> {
    let folder = protoc_folder();
    make(&folder)?;
    println!("fetching protoc {PROTOC}, once");
    // Lists may be too old to name files that are still there; whoever may not refresh them has some.
    let _ = process::run(
        Command::new("apt-get").args(["-q", "update"]),
        INSTALL_BOUND,
    );
    let mut download = Command::new("apt-get");
    download.current_dir(&folder).args(["-q", "download"]);
    for package in [
        "protobuf-compiler",
        "libprotoc32",
        "libprotobuf32",
        // The well-known files; protoc finds them beside itself.
        "libprotobuf-dev",
    ] {
        download.arg(format!("{package}={PROTOC}*"));
    }
    process::run(&mut download, INSTALL_BOUND)?;
    for package in entries(&folder, ".deb") {
        let mut unpack = Command::new("dpkg");
        unpack.arg("--extract").arg(&package).arg(&folder);
        process::run(&mut unpack, INSTALL_BOUND)?;
    }
    Ok(())
}

fn cached_protoc() -> Option<Tool> {
    let folder = protoc_folder();
    let program = folder.join("usr/bin/protoc");
    // The folder of the libraries is named after the machine: `x86_64-linux-gnu`.
    let libraries = entries(&folder.join("usr/lib"), "-gnu").pop();
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

fn entries(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect()
}
