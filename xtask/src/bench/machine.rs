//! Where and with what a run was made.

use crate::{process, workspace};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const BOUND: Duration = Duration::from_secs(30);

/// What figures depend on besides the code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) cpu: String,
    pub(super) cpus: String,
    pub(super) kernel: String,
    pub(super) rustc: String,
    /// What is compared, by name and version.
    pub(super) peers: String,
    /// What is checked out.
    pub(super) revision: String,
    pub(super) date: String,
}

impl Machine {
    pub(super) fn here() -> Self {
        let cpus = std::thread::available_parallelism().map_or(0, usize::from);
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let mut git = Command::new("git");
        git.current_dir(workspace::root())
            .args(["rev-parse", "--short", "HEAD"]);
        let mut rustc = Command::new("rustc");
        rustc.arg("--version");
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        Self {
            cpu: cpu_model(),
            cpus: cpus.to_string(),
            kernel: kernel.trim().to_owned(),
            rustc: says(&mut rustc),
            peers: peers(),
            revision: says(&mut git),
            date: timestamp(seconds),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "cpu": self.cpu,
            "cpus": self.cpus,
            "kernel": self.kernel,
            "rustc": self.rustc,
            "peers": self.peers,
            "revision": self.revision,
            "date": self.date,
        })
    }

    pub(super) fn from_json(value: &Value) -> Self {
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        Self {
            cpu: text("cpu"),
            cpus: text("cpus"),
            kernel: text("kernel"),
            rustc: text("rustc"),
            peers: text("peers"),
            revision: text("revision"),
            date: text("date"),
        }
    }

    /// Instructions of the two can be compared.
    pub(super) fn counts_like(&self, other: &Self) -> bool {
        self.cpu == other.cpu && self.rustc == other.rustc
    }
}

/// How many files a process may have open.
pub(super) fn open_files() -> usize {
    let text = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    soft.unwrap_or(usize::MAX)
}

/// Of the first CPU: its name, family, model and stepping. A virtual machine's name alone may say little.
fn cpu_model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |key: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(name, _)| name.trim() == key);
        found.map_or("?", |(_, value)| value.trim())
    };
    format!(
        "{} ({}/{}/{})",
        field("model name"),
        field("cpu family"),
        field("model"),
        field("stepping")
    )
}

/// From the lock file of the Rust programs, and the requirements of the one in Go.
fn peers() -> String {
    let read = |file: &str| fs::read_to_string(workspace::root().join(file)).unwrap_or_default();
    let lock = read("xtask/bench/Cargo.lock");
    let mut peers: Vec<String> = ["h2", "tonic", "connectrpc"]
        .iter()
        .filter_map(|name| Some(format!("{name} {}", locked(&lock, name)?)))
        .collect();
    let required = read("xtask/bench/go/go.mod");
    let mut lines = required.lines();
    let grpc = lines.find_map(|line| line.trim().strip_prefix("google.golang.org/grpc v"));
    peers.extend(grpc.map(|version| format!("grpc-go {version}")));
    peers.join(", ")
}

/// The version in a lock file of Cargo's.
fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    after.split('"').next()
}

/// Its first line.
fn says(command: &mut Command) -> String {
    process::capture(command, BOUND)
        .ok()
        .and_then(|captured| captured.stdout.lines().next().map(str::to_owned))
        .unwrap_or_default()
}

/// `2026-11-22T15-04-05Z` of seconds since 1970, by the calendar of days since 0000-03-01.
fn timestamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153; // from March
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year + carry;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}-{:02}-{:02}Z",
        rest / 3_600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_lock_file() {
        let lock = "[[package]]\nname = \"tonic\"\nversion = \"0.14.9\"\n";
        assert_eq!(locked(lock, "tonic"), Some("0.14.9"));
        assert_eq!(locked(lock, "h2"), None);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00-00-00Z"),
            (951_782_400, "2000-02-29T00-00-00Z"),
            (1_735_689_599, "2024-12-31T23-59-59Z"),
            (1_795_359_845, "2026-11-22T15-04-05Z"),
        ] {
            assert_eq!(timestamp(seconds), expected);
        }
    }
}
