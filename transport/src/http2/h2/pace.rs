//! When a connection's driver runs: at once, or after those whose work it could take along.

use std::task::{Context, Poll, ready};

use tokio::runtime::{Handle, RuntimeFlavor};

/// Lets a driver step back once per wake-up.
///
/// On a multi-thread runtime a finished RPC wakes the connection's driver at once, which would
/// write one response and sleep again. Having queued itself behind the tasks that are ready, it
/// writes their responses together. On one thread the tasks run first anyway.
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

    /// Pending at the first poll of a wake-up with several calls in flight; ready from then on,
    /// until [`sleep`](Self::sleep).
    pub(super) fn poll_turn(&mut self, in_flight: usize, cx: &mut Context<'_>) -> Poll<()> {
        if self.awake {
            return Poll::Ready(());
        }
        if self.multi_thread && !self.stepped_back && in_flight > 1 {
            self.stepped_back = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.stepped_back = false;
        self.awake = true;
        Poll::Ready(())
    }

    /// The driver is about to sleep.
    pub(super) const fn sleep(&mut self) {
        self.awake = false;
    }

    /// One whole round: [`poll_turn`](Self::poll_turn) for a driver that never returns early.
    pub(super) fn poll_round(&mut self, in_flight: usize, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.poll_turn(in_flight, cx));
        self.sleep();
        Poll::Ready(())
    }
}
