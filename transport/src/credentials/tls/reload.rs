//! Certificates that change on disk while connections come and go.
//!
//! Nothing watches in the background: a handshake looks at the files first, if nobody has for a
//! while. So a server without connections costs nothing, and the first connection after a change
//! sees it.
//!
//! 1. [`Look`] decides when to look again and whether what was read is worth trying.
//! 2. [`Current`] reads the files on the runtime's threads for blocking work, one look at a time.
//!    The handshake that looks waits for it, at most [`PATIENCE`]; others go on with what there is.
//! 3. What cannot be used is logged once, and what there was stays in use.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::TlsError;
use crate::now;
use crate::sync::Mutex;

/// Between two looks. Half of what people are willing to wait for a new certificate, and nothing
/// for a system to read a few files.
pub(super) const EVERY: Duration = Duration::from_secs(1);

/// How long a handshake waits for a look: a file system may hang.
const PATIENCE: Duration = Duration::from_secs(1);

/// No certificate file is that long: a hundred chains fit.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// When to look again, and at what.
#[derive(Debug)]
struct Look {
    every: Duration,
    next: Instant,
    looking: bool,
    /// What was last tried, good or bad.
    tried: u64,
}

impl Look {
    fn new(every: Duration, now: Instant, tried: u64) -> Self {
        Self {
            every,
            next: now + every,
            looking: false,
            tried,
        }
    }

    /// Asked by each handshake: true where it has to look, and to say [`over`](Self::over).
    fn due(&mut self, now: Instant) -> bool {
        let due = !self.looking && now >= self.next;
        self.looking |= due;
        due
    }

    /// Whether what was read is to be tried: not what was tried before.
    fn is_new(&mut self, read: u64) -> bool {
        std::mem::replace(&mut self.tried, read) != read
    }

    fn over(&mut self, now: Instant) {
        self.looking = false;
        self.next = now + self.every;
    }
}

/// Makes what handshakes use from the contents of the files.
type Make<C> = Box<dyn Fn(&[Vec<u8>]) -> Result<C, TlsError> + Send + Sync>;

/// What handshakes use now. Without files it never changes.
pub(super) struct Current<C>(Arc<Inner<C>>);

struct Inner<C> {
    files: Vec<PathBuf>,
    make: Make<C>,
    state: Mutex<State<C>>,
}

struct State<C> {
    value: C,
    look: Look,
}

impl<C> Clone for Current<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Clone + Send + Sync + 'static> Current<C> {
    /// Reads the files for the first time, and blocks while it does.
    pub(super) fn new(files: Vec<PathBuf>, make: Make<C>) -> Result<Self, TlsError> {
        let contents = read(&files)?;
        let value = make(&contents)?;
        let look = Look::new(EVERY, now(), fingerprint(&contents));
        Ok(Self(Arc::new(Inner {
            files,
            make,
            state: Mutex::new(State { value, look }),
        })))
    }

    /// What to use in a handshake that begins now.
    pub(super) async fn get(&self) -> C {
        if !self.0.files.is_empty() && self.0.state.lock().look.due(now()) {
            let turn = Turn(Arc::clone(&self.0));
            // Who listens to this thread hears what the other one says.
            let dispatch = tracing::dispatcher::get_default(Clone::clone);
            let looked = tokio::task::spawn_blocking(move || {
                tracing::dispatcher::with_default(&dispatch, || turn.look());
            });
            if tokio::time::timeout(PATIENCE, looked).await.is_err() {
                tracing::warn!(files = ?self.0.files, "reading certificates takes long");
            }
        }
        self.0.state.lock().value.clone()
    }
}

/// The one look under way; however it ends, the next one may begin.
struct Turn<C>(Arc<Inner<C>>);

impl<C> Turn<C> {
    fn look(&self) {
        let inner = &*self.0;
        let read = read(&inner.files);
        let print = match &read {
            Ok(contents) => fingerprint(contents),
            Err(error) => fingerprint(&[error.to_string().into_bytes()]),
        };
        if !inner.state.lock().look.is_new(print) {
            return;
        }
        match read.and_then(|contents| (inner.make)(&contents)) {
            Ok(value) => {
                inner.state.lock().value = value;
                tracing::info!(files = ?inner.files, "certificates reloaded");
            }
            Err(error) => {
                tracing::warn!(files = ?inner.files, %error, "certificates cannot be reloaded; the old ones stay in use");
            }
        }
    }
}

impl<C> Drop for Turn<C> {
    fn drop(&mut self) {
        self.0.state.lock().look.over(now());
    }
}

/// Tells contents apart without keeping keys for that.
fn fingerprint(contents: &[Vec<u8>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    contents.hash(&mut hasher);
    hasher.finish()
}

/// The contents of all of them.
pub(super) fn read(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, TlsError> {
    let each = files.iter().map(|path| {
        let unreadable = |text: String| TlsError::Unreadable { text }.of(path);
        let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
        let mut contents = Vec::new();
        let mut bounded = file.take(MAX_FILE_BYTES + 1);
        let length = bounded.read_to_end(&mut contents);
        let length = length.map_err(|error| unreadable(error.to_string()))?;
        if u64::try_from(length).is_ok_and(|length| length <= MAX_FILE_BYTES) {
            Ok(contents)
        } else {
            Err(unreadable(format!(
                "it is larger than {MAX_FILE_BYTES} bytes"
            )))
        }
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_apart_and_one_at_a_time_and_tried_once() {
        let t0 = Instant::now();
        let mut look = Look::new(EVERY, t0, 1);
        assert!(!look.due(t0), "just read");
        assert!(look.due(t0 + EVERY));
        assert!(!look.due(t0 + 5 * EVERY), "one at a time");
        assert!(!look.is_new(1), "unchanged");
        look.over(t0 + 5 * EVERY);
        assert!(!look.due(t0 + 5 * EVERY + EVERY / 2));

        assert!(look.due(t0 + 6 * EVERY));
        assert!(look.is_new(2));
        look.over(t0 + 6 * EVERY);
        assert!(look.due(t0 + 7 * EVERY));
        assert!(!look.is_new(2), "good or bad, it is tried once");
        assert!(look.is_new(1), "the old one again is news");
    }
}
