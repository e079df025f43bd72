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

    /// Whether a driver ever steps back here.
    pub(super) const fn steps_back(&self) -> bool {
        self.multi_thread
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

/// True where tasks that are ready run one after the other, so that one that queues itself behind
/// them finds their work done.
pub(super) fn runs_on_one_thread() -> bool {
    Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::CurrentThread)
}

/// Guesses that may be wrong in a row before only one in [`RETRY`] is made.
const CREDIT: u8 = 8;
const RETRY: u8 = 32;

/// The calls of a server's connection around its driver's last turn, to tell whether more answers
/// will be ready right away when one is.
///
/// 1. Nothing was answered since the last turn: the socket woke the driver. No.
/// 2. A call that began in the last turn is not yet answered. Its task was spawned just before
///    and is probably ready to run: yes.
/// 3. Only older calls are open, which wait for something. They may wait for the same thing, so
///    the answer is yes as long as that proves right, and now and then when it did not.
#[derive(Debug)]
pub(super) struct Recent {
    before: usize,
    after: usize,
    credit: u8,
    skipped: u8,
    guessed_at: Option<usize>,
}

impl Recent {
    pub(super) const fn new() -> Self {
        Self {
            before: 0,
            after: 0,
            credit: CREDIT,
            skipped: 0,
            guessed_at: None,
        }
    }

    /// Whether more answers are expected right away, now that so many calls are open.
    pub(super) const fn expects_more(&mut self, open: usize) -> bool {
        if open >= self.after || open == 0 {
            return false;
        }
        if open > self.before {
            return true;
        }
        if self.credit == 0 && self.skipped < RETRY {
            self.skipped += 1;
            return false;
        }
        self.guessed_at = Some(open);
        true
    }

    /// A turn begins with so many calls open.
    pub(super) const fn begin(&mut self, open: usize) {
        self.before = open;
        if let Some(guessed_at) = self.guessed_at.take() {
            self.skipped = 0;
            self.credit = if open < guessed_at {
                CREDIT
            } else {
                self.credit.saturating_sub(1)
            };
        }
    }

    /// The turn has ended with so many.
    pub(super) const fn end(&mut self, open: usize) {
        self.after = open;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_a_turn(before: usize, after: usize) -> Recent {
        let mut recent = Recent::new();
        recent.begin(before);
        recent.end(after);
        recent
    }

    #[test]
    fn more_answers_are_expected_of_calls_that_just_began() {
        let mut recent = after_a_turn(3, 3 + 4);
        recent.credit = 0;
        assert!(
            !recent.expects_more(7),
            "nothing was answered: the socket woke us"
        );
        assert!(recent.expects_more(6), "one of four");
        assert!(!recent.expects_more(3), "all four: only old ones are left");
        let mut recent = after_a_turn(0, 1);
        assert!(!recent.expects_more(0), "a single call has no siblings");
    }

    #[test]
    fn old_calls_are_expected_as_long_as_they_come_together() {
        let mut recent = after_a_turn(200, 200);
        for open in (1..200).rev().step_by(10) {
            assert!(recent.expects_more(open));
            recent.begin(open - 1);
            recent.end(open - 1);
        }
        let mut recent = after_a_turn(200, 200);
        let mut guesses = 0;
        for open in (100..200).rev() {
            guesses += usize::from(recent.expects_more(open));
            recent.begin(open);
            recent.end(open);
        }
        assert_eq!(guesses, usize::from(CREDIT) + 2, "each came alone");
    }
}
