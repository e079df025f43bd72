//! Output with the time in front, so that one sees what waited for what.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Prints a line like `println!`, but does not mind when nobody reads on: `... | head` is no error.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => {{
        use ::std::io::Write as _;
        let _ = writeln!(::std::io::stdout(), $($text)*);
    }};
}

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
    pub fn heading(&self, text: impl fmt::Display) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        say!("\n{text}");
    }

    /// Prints what somebody has to say.
    pub fn note(&self, who: &str, text: impl fmt::Display) {
        let started = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let milliseconds = started.elapsed().as_millis();
        let mut lines = wrap(&text.to_string(), WIDTH).into_iter();
        say!(
            "{milliseconds:6} ms  {who:<7} {}",
            lines.next().unwrap_or_default()
        );
        for line in lines {
            say!("{:19}{line}", "");
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
