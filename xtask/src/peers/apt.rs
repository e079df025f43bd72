//! Debian's packages, unpacked beside each other in a folder of the cache: nothing of the system changes.

use crate::process;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const INSTALL_BOUND: Duration = Duration::from_secs(300);

/// Downloads packages, each as `name=version` where `*` stands for any rest, and unpacks them.
///
/// Errors: no apt here, it does not have one of them, or no room.
pub(crate) fn unpack(folder: &Path, packages: &[String]) -> Result<(), String> {
    for (tool, probe) in [("apt-get", "--version"), ("dpkg", "--version")] {
        if !process::exists(tool, probe) {
            return Err(format!("no {tool} to bring {}", packages.join(" ")));
        }
    }
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    // Lists may be too old to name files that are still there; whoever may not refresh them has some.
    let _ = process::run(
        Command::new("apt-get").args(["-q", "update"]),
        INSTALL_BOUND,
    );
    let mut download = Command::new("apt-get");
    download.current_dir(folder).args(["-q", "download"]);
    process::run(download.args(packages), INSTALL_BOUND)?;
    for package in entries(folder, ".deb") {
        let mut unpack = Command::new("dpkg");
        unpack.arg("--extract").arg(&package).arg(folder);
        process::run(&mut unpack, INSTALL_BOUND)?;
    }
    Ok(())
}

/// What of a folder ends so.
pub(crate) fn entries(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect()
}
