//! When a connection's driver runs: at once, or after those whose work it could take along.

use std::task::{Context, Poll};

use tokio::runtime::{Handle, RuntimeFlavor};

/// Lets a driver step back once per wake-up.
///
/// On a multi-thread runtime a call that has just been answered (or made) wakes the connection's
/// driver before its siblings had their turn; the driver would write one message and sleep again.
/// Having queued itself behind the tasks that are ready, it writes theirs together. On one thread
/// the tasks run first anyway.
#[derive(Debug)]
pub(super) struct Pace {
    multi_thread: bool,
    stepped_back: bool,
    awake: bool,
}

impl Pace {
    pub(super) fn new() -> Self {
        let multi_thread = Handle::try_current()
            .is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
        Self {
            multi_thread,
            stepped_back: false,
            awake: false,
        }
    }

    /// Pending at the first poll of a wake-up if siblings are `expected` to be ready too; ready
    /// from then on, until [`sleep`](Self::sleep).
    pub(super) fn poll_turn(
        &mut self,
        expected: impl FnOnce() -> bool,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if self.awake {
            return Poll::Ready(());
        }
        if self.multi_thread && !self.stepped_back && expected() {
            self.stepped_back = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.stepped_back = false;
        self.awake = true;
        Poll::Ready(())
    }

    /// True between the turn that was given and the next sleep.
    pub(super) const fn is_awake(&self) -> bool {
        self.awake
    }

    /// The driver is about to sleep.
    pub(super) const fn sleep(&mut self) {
        self.awake = false;
    }

    /// The driver is about to sleep, and has started a single task since it woke.
    ///
    /// tokio tells no other worker of a single new task, and the worker that will run it is the
    /// one that watches all sockets: a handler that blocked its thread would stop every
    /// connection. Queueing the driver once more makes another worker take the watch.
    pub(super) fn sleep_beside_one(&mut self, cx: &mut Context<'_>) {
        self.awake = false;
        if self.multi_thread {
            cx.waker().wake_by_ref();
        }
    }
}

/// The calls of a server's connection around its driver's last turn.
///
/// A call that began in that turn and is not yet answered, while another one is, is probably
/// ready to run: its task was spawned just before. Calls that are older wait for something else.
#[derive(Debug, Default)]
pub(super) struct Recent {
    before: usize,
    after: usize,
}

impl Recent {
    /// A turn begins with so many calls open.
    pub(super) const fn begin(&mut self, open: usize) {
        self.before = open;
    }

    /// The turn has ended with so many.
    pub(super) const fn end(&mut self, open: usize) {
        self.after = open;
    }

    /// Whether more answers are expected right away, now that so many are open.
    pub(super) const fn expects_more(&self, open: usize) -> bool {
        open < self.after && open > self.before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_answers_are_expected_only_of_calls_that_just_began() {
        let mut recent = Recent::default();
        recent.begin(3);
        recent.end(3 + 4);
        assert!(
            !recent.expects_more(7),
            "nothing was answered: the socket woke us"
        );
        assert!(recent.expects_more(6), "one of four");
        assert!(!recent.expects_more(3), "all four: only old ones are left");
        recent.begin(3);
        recent.end(4);
        assert!(!recent.expects_more(3), "a single call has no siblings");
    }
}
