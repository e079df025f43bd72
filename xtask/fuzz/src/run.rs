//! One input through one target, with every panic noticed wherever it happens.

use std::cell::Cell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, Once, PoisonError};

use crate::Target;

/// What went wrong with an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where the panic was: file and line. Two failures of one place are taken for the same, unless
    /// they begin with different words in brackets.
    pub place: String,
    /// What it said.
    pub message: String,
}

impl Failure {
    /// Whether both are taken for the same.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.place == other.place && self.word() == other.word()
    }

    fn word(&self) -> Option<&str> {
        let (word, _) = self.message.strip_prefix('[')?.split_once(']')?;
        Some(word)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Panics since the run began, on whatever thread: a runtime swallows those of its tasks.
static PANICS: Mutex<Vec<Failure>> = Mutex::new(Vec::new());

/// Runs take turns, so that each finds its own panics.
static TURN: Mutex<()> = Mutex::new(());

/// Gives the input to the target.
///
/// Errors: the first panic, in the target itself or in any task or thread that it started.
pub fn run(target: &Target, input: &[u8]) -> Result<(), Failure> {
    listen();
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    panics().clear();
    let unwound = WATCHED.with(|watched| {
        watched.set(true);
        let unwound = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
        watched.set(false);
        unwound
    });
    let mut seen = std::mem::take(&mut *panics());
    match unwound {
        // The last one is what unwound: a panic that was caught came before.
        Err(_) => Err(seen.pop().unwrap_or_else(|| Failure {
            place: "unknown".to_owned(),
            message: "panicked without a word".to_owned(),
        })),
        Ok(()) if target.catches_panics => Ok(()),
        Ok(()) => match seen.into_iter().next() {
            Some(first) => Err(first),
            None => Ok(()),
        },
    }
}

thread_local! {
    /// Whether this thread runs a target: its panics are not for the screen.
    static WATCHED: Cell<bool> = const { Cell::new(false) };

    /// Whether it runs what an assertion of h2's may end.
    static CATCHES: Cell<bool> = const { Cell::new(false) };
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        // With RUST_BACKTRACE=1 this tells the way to a finding.
        let shown = std::env::var_os("TRUNKLINE_FUZZ_SHOW").is_some();
        panic::set_hook(Box::new(move |info| {
            if is_last_count_of_h2(info) || is_assertion_of_h2(info) {
                return;
            }
            if WATCHED.get() || is_runtimes() {
                let message = info.payload_as_str().unwrap_or("(no text)").to_owned();
                let place = info.location().map(ToString::to_string);
                panics().push(Failure {
                    place: place.unwrap_or_default(),
                    message,
                });
            }
            if shown || !WATCHED.get() && !is_runtimes() {
                before(info);
            }
        }));
    });
}

/// In debug builds h2 asserts, when a connection is dropped, that it counts no stream any more; one whose
/// reset was queued and never written still counts. Nothing comes of it: all that is left to do is to
/// free the memory.
fn is_last_count_of_h2(info: &panic::PanicHookInfo<'_>) -> bool {
    let place = info
        .location()
        .is_some_and(|place| place.file().ends_with("proto/streams/counts.rs"));
    place && info.payload_as_str() == Some(LAST_COUNT)
}

/// What h2 says then.
pub(crate) const LAST_COUNT: &str = "assertion failed: !self.has_streams()";

/// In debug builds h2 asserts that what it resets a stream for it has found itself. What comes behind a reset of
/// its user's is refused with the user's reason, and is not. The differential fuzzing shows it as something
/// that h2 does; nowhere else is it let through.
fn is_assertion_of_h2(info: &panic::PanicHookInfo<'_>) -> bool {
    let place = info
        .location()
        .is_some_and(|place| place.file().ends_with("proto/connection.rs"));
    place && info.payload_as_str() == Some(ASSERTION) && CATCHES.get()
}

/// What h2 says then.
const ASSERTION: &str = "assertion `left == right` failed\n  left: User\n right: Library";

/// Polls what is h2's; `None` if that assertion fails.
///
/// # Panics
/// As `poll` does otherwise.
#[cfg(not(test))]
pub(crate) fn asserting<T>(poll: impl FnOnce() -> T) -> Option<T> {
    CATCHES.set(true);
    let unwound = panic::catch_unwind(AssertUnwindSafe(poll));
    CATCHES.set(false);
    match unwound {
        Ok(polled) => Some(polled),
        Err(panic)
            if panic
                .downcast_ref::<String>()
                .is_some_and(|text| text == ASSERTION) =>
        {
            None
        }
        Err(panic) => panic::resume_unwind(panic),
    }
}

/// Whether this is a thread of a tokio runtime's.
fn is_runtimes() -> bool {
    std::thread::current()
        .name()
        .is_some_and(|name| name.starts_with("tokio"))
}

fn panics() -> std::sync::MutexGuard<'static, Vec<Failure>> {
    PANICS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Failure, run};
    use crate::Target;

    fn target(run: fn(&[u8]), catches_panics: bool) -> Target {
        Target {
            name: "test",
            about: "",
            max_bytes: 10,
            catches_panics,
            run,
        }
    }

    #[test]
    fn a_panic_is_a_failure_with_its_place() {
        let failure = run(
            &target(|input| assert!(input.is_empty(), "of bytes"), false),
            b"x",
        );
        let failure = failure.expect_err("it panicked");
        assert_eq!(failure.message, "of bytes");
        assert!(failure.place.contains("run.rs:"), "{failure}");
    }

    #[test]
    fn failures_of_one_place_may_differ_by_a_word() {
        let shown = |text: &str| Failure {
            place: "here".to_owned(),
            message: text.to_owned(),
        };
        assert!(shown("one").is_like(&shown("other")));
        assert!(shown("[late] one").is_like(&shown("[late] other")));
        assert!(!shown("[late] one").is_like(&shown("[early] one")));
    }

    #[test]
    fn a_panic_that_a_runtime_swallows_is_one_too() {
        fn swallowed(_: &[u8]) {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(async {
                let task = tokio::spawn(async { panic!("in a task") });
                assert!(task.await.is_err());
            });
        }
        let failure = run(&target(swallowed, false), b"").expect_err("it panicked");
        assert_eq!(failure.message, "in a task");
        assert_eq!(run(&target(swallowed, true), b""), Ok(()));
    }
}
