//! The one timer of a connection.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::task::coop;
use tokio::time::Sleep;

/// Wakes its task at a time that is told anew at the end of each turn.
///
/// It is moved only to an earlier time, or once it went off: a time that moves on with each turn
/// costs nothing then, and once in a while a turn in vain.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whom it wakes.
    waker: Option<Waker>,
}

impl Alarm {
    /// The task sleeps until something happens, or until this time; ready if that has come.
    pub(super) fn poll(&mut self, at: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = at.map(tokio::time::Instant::from_std) else {
            return Poll::Pending;
        };
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if at < sleep.deadline() || sleep.is_elapsed() {
            self.waker = None;
            sleep.as_mut().reset(at);
        }
        let known = |waker: &Waker| waker.will_wake(cx.waker());
        if self.waker.as_ref().is_some_and(known) {
            return Poll::Pending;
        }
        self.waker = Some(cx.waker().clone());
        // Without budget the timer would not register with the waker, which is only done once.
        pin!(coop::unconstrained(sleep.as_mut())).poll(cx)
    }
}
