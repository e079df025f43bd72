//! The driver for stable Rust: a process for each target, so that one that dies leaves the others.

use super::{Report, bounded, findings, replay};
use crate::process::{self, Captured};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// For making a finding smaller, and for an input that is about to be found to hang.
const GRACE: Duration = Duration::from_secs(180);

/// Looking for the input that a process died of writes each to a file, which takes longer.
const SLOWER: u32 = 5;

pub(super) struct Driver {
    pub(super) program: PathBuf,
    pub(super) seed: u64,
    /// The most inputs besides those of the corpus.
    pub(super) executions: u64,
}

impl Driver {
    pub(super) fn run(&self, name: &str, time: Duration) -> Report {
        let begin = Instant::now();
        let mut report = self.attempt(name, time).unwrap_or_else(|why| Report {
            failure: Some(why),
            ..Report::default()
        });
        report.time = begin.elapsed();
        report
    }

    fn attempt(&self, name: &str, time: Duration) -> Result<Report, String> {
        let folder = findings()?;
        let captured = self.start(name, time, &folder, None)?;
        let mut report = Report {
            executions: executions(&captured.stdout).unwrap_or(0),
            ..Report::default()
        };
        if captured.succeeded() {
            return Ok(report);
        }
        let said = format!("{}{}", captured.stdout, captured.stderr);
        let file = found(&captured.stdout);
        report.failure = Some(match file {
            Some(file) => format!("{}\n{}", said.trim(), replay(name, &file)),
            None => self.trace(name, time, &folder, &captured)?,
        });
        Ok(report)
    }

    /// The process died without a word of its own: the same seed leads to the same input.
    fn trace(
        &self,
        name: &str,
        time: Duration,
        folder: &Path,
        died: &Captured,
    ) -> Result<String, String> {
        let file = folder.join(format!("{name}-seed-{}-fatal", self.seed));
        let again = self.start(name, time * SLOWER, folder, Some(&file))?;
        let how = died.ending();
        let said = died.stderr.trim();
        Ok(if again.succeeded() {
            format!("{how}, and not again with seed {}: {said}", self.seed)
        } else {
            format!("{how}: {said}\n{}", replay(name, &file))
        })
    }

    fn start(
        &self,
        name: &str,
        time: Duration,
        folder: &Path,
        trace: Option<&Path>,
    ) -> Result<Captured, String> {
        let mut command = bounded(&self.program);
        command
            .arg(name)
            .args(["--seconds", &time.as_secs().to_string()])
            .args(["--executions", &self.executions.to_string()])
            .args(["--seed", &self.seed.to_string()])
            .arg("--findings")
            .arg(folder);
        if let Some(file) = trace {
            command.arg("--trace").arg(file);
        }
        let captured = process::capture(&mut command, time + GRACE);
        captured.map_err(|error| format!("{}: {error}", self.program.display()))
    }
}

/// The count in the line that the program ends with.
pub(super) fn executions(said: &str) -> Option<u64> {
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix("executions "))?;
    line.split(' ').next()?.parse().ok()
}

/// The file with the input that failed.
fn found(said: &str) -> Option<PathBuf> {
    let line = said.lines().find_map(|line| line.strip_prefix("finding "));
    line.map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_program_says_is_understood() {
        let said = "executions 12 milliseconds 2000\nframes, seed 1: x\nfinding /tmp/a\n";
        assert_eq!(executions(said), Some(12));
        assert_eq!(found(said), Some(PathBuf::from("/tmp/a")));
        assert_eq!(executions("overflowed its stack"), None);
    }
}
