//! `consumers`: the programs of tests/consumers, each of which depends on trunkline in its own way, are built
//! without protoc, cmake and C++, their trees are looked at, and they are run.

mod run;
mod tree;

use crate::outcome::Outcome;
use crate::report::Table;
use crate::{process, workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Building everything from nothing, on a small machine that has much else to do.
const BUILD_BOUND: Duration = Duration::from_secs(1_200);

/// One program: `consumer-<name>`.
struct Consumer {
    name: &'static str,
    /// Crates that must not be in its tree.
    without: &'static [&'static str],
}

const CONSUMERS: &[Consumer] = &[
    Consumer {
        name: "core",
        without: &["tokio", "h2", "tracing", "rustls", "trunkline-transport"],
    },
    Consumer {
        name: "transport",
        without: &["trunkline-client", "trunkline-server", "trunkline"],
    },
    Consumer {
        name: "client",
        without: &["trunkline-server", "trunkline", "tower", "axum", "hyper"],
    },
    Consumer {
        name: "server",
        without: &["trunkline-client", "trunkline", "tower", "axum", "hyper"],
    },
    Consumer {
        name: "facade",
        without: &["tower", "axum", "hyper"],
    },
];

pub(crate) fn run(_: &[String]) -> Outcome {
    let places = match Places::new() {
        Ok(places) => places,
        Err(why) => return Outcome::Failed(why),
    };
    let mut table = Table::new(&["consumer", "crates", "to run"]);
    for consumer in CONSUMERS {
        let checked = places
            .build(consumer)
            .and_then(|()| tree::check(&places, consumer));
        match checked {
            Ok(size) => table.row(vec![
                consumer.name.to_owned(),
                size.all.to_string(),
                size.normal.to_string(),
            ]),
            Err(why) => return Outcome::Failed(why),
        }
    }
    let ran = run::alone(&places, &["core", "transport", "facade"])
        .and_then(|()| run::client_and_server(&places));
    println!("\n{}", table.render());
    Outcome::from_result(ran)
}

/// Where the programs are, and what they are built with.
struct Places {
    /// Their workspace.
    folder: PathBuf,
    /// One for all of them: what they share is built once.
    target: PathBuf,
    /// All programs that their builds may find; `None` where the platform's tools cannot be told apart.
    tools: Option<PathBuf>,
}

impl Places {
    fn new() -> Result<Self, String> {
        let root = workspace::root();
        let folder = root.join("tests").join("consumers");
        let target = root.join("target").join("consumers");
        // The versions that everything else here is tested with.
        let lock = fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"));
        lock.map_err(|error| format!("copying Cargo.lock: {error}"))?;
        let tools = match cfg!(target_os = "linux") {
            true => Some(link_tools(&target.join("tools"))?),
            false => None,
        };
        Ok(Self {
            folder,
            target,
            tools,
        })
    }

    /// Cargo in their workspace, which finds a linker and a C compiler, and nothing more.
    fn cargo(&self) -> Command {
        let mut command = process::cargo();
        command
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", &self.target);
        if let Some(tools) = &self.tools {
            command.env("PATH", tools);
            for variable in ["PROTOC", "CMAKE", "CXX", "RUSTC_WRAPPER"] {
                command.env_remove(variable);
            }
        }
        command
    }

    fn build(&self, consumer: &Consumer) -> Result<(), String> {
        let package = format!("consumer-{}", consumer.name);
        let mut command = self.cargo();
        command.args(["build", "--quiet", "--package", &package]);
        process::run(&mut command, BUILD_BOUND)
    }

    fn program(&self, name: &str) -> Command {
        let file = format!("consumer-{name}{}", std::env::consts::EXE_SUFFIX);
        Command::new(self.target.join("debug").join(file))
    }
}

/// Makes a folder with links to the few tools that Rust itself needs.
#[cfg(unix)]
fn link_tools(folder: &Path) -> Result<PathBuf, String> {
    let failed = |what: &str, error: std::io::Error| format!("{what}: {error}");
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| failed("emptying the tools", error))?;
    }
    fs::create_dir_all(folder).map_err(|error| failed("making the tools", error))?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let cargo = process::cargo();
    // Where cargo is, rustc is: beside it, or behind the same rustup.
    let beside = Path::new(cargo.get_program())
        .parent()
        .map(Path::to_path_buf);
    let folders: Vec<PathBuf> = beside
        .into_iter()
        .chain(std::env::split_paths(&path))
        .collect();
    for tool in ["cargo", "rustc", "cc", "ld", "as", "ar"] {
        let Some(found) = folders
            .iter()
            .map(|each| each.join(tool))
            .find(|file| file.is_file())
        else {
            return Err(format!("no {tool} in PATH, which every Rust build needs"));
        };
        std::os::unix::fs::symlink(found, folder.join(tool))
            .map_err(|error| failed("linking the tools", error))?;
    }
    Ok(folder.to_path_buf())
}

#[cfg(not(unix))]
fn link_tools(folder: &Path) -> Result<PathBuf, String> {
    Ok(folder.to_path_buf())
}
