//! How far a run has come, on a terminal.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

const BAR: usize = 24;

/// A line that is written over and over; nothing where nobody looks.
pub(super) struct Progress {
    begin: Instant,
    done: usize,
    total: usize,
    is_shown: bool,
}

impl Progress {
    pub(super) fn new(total: usize) -> Self {
        Self {
            begin: Instant::now(),
            done: 0,
            total,
            is_shown: stderr().is_terminal(),
        }
    }

    /// This begins now.
    pub(super) fn now(&mut self, what: &str) {
        if self.is_shown {
            let line = line(self.done, self.total, self.begin.elapsed(), what);
            eprint!("\r\x1b[2K{line}");
            let _ = stderr().flush();
        }
        self.done += 1;
    }

    /// Makes room for other lines.
    pub(super) fn clear(&self) {
        if self.is_shown {
            eprint!("\r\x1b[2K");
        }
    }
}

fn line(done: usize, total: usize, elapsed: Duration, what: &str) -> String {
    let total = total.max(1);
    let full = (BAR * done / total).min(BAR);
    let left = match u32::try_from(done) {
        Ok(done @ 1..) => {
            let each = elapsed / done;
            let left = each * u32::try_from(total).unwrap_or(done).saturating_sub(done);
            format!("{}:{:02} left", left.as_secs() / 60, left.as_secs() % 60)
        }
        _ => String::new(),
    };
    format!(
        "[{}{}] {done}/{total} {left}  {what}",
        "#".repeat(full),
        ".".repeat(BAR - full)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_is_left_is_that_of_what_is_left() {
        let line = line(10, 40, Duration::from_secs(30), "x");
        assert!(line.starts_with("[######.................."), "{line}");
        assert!(line.contains("10/40 1:30 left  x"), "{line}");
    }
}
