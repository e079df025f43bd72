//! Output with the time in front, so that one sees what waited for what.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Prints lines like `   52 ms  server  dropped`: the time since the last heading, who, what.
///
/// Clones share the clock.
#[derive(Clone, Debug)]
pub struct Timeline(Arc<Mutex<Instant>>);

impl Timeline {
    /// Starts the clock.
    #[must_use]
    pub fn start() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// Prints a heading and sets the clock to zero.
    #[expect(clippy::print_stdout, reason = "the output of the examples")]
    pub fn heading(&self, text: impl fmt::Display) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        println!("\n{text}");
    }

    /// Prints what somebody has to say.
    #[expect(clippy::print_stdout, reason = "the output of the examples")]
    pub fn note(&self, who: &str, text: impl fmt::Display) {
        let started = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let milliseconds = started.elapsed().as_millis();
        let mut lines = wrap(&text.to_string(), WIDTH).into_iter();
        println!(
            "{milliseconds:6} ms  {who:<7} {}",
            lines.next().unwrap_or_default()
        );
        for line in lines {
            println!("{:19}{line}", "");
        }
    }
}

/// Columns that a text may take beside time and name.
const WIDTH: usize = 78;

/// Cuts a text into lines of at most so many columns, at spaces.
#[must_use]
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}
