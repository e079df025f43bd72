//! Deadlines on the runtime's clock.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::Sleep;
use trunkline_core::Deadline;

/// The present moment on tokio's clock, which tests may pause.
#[must_use]
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A deadline that costs nothing until somebody has to wait for it.
///
/// It registers with the runtime's timer at its first `Pending`, so a call that is answered at
/// once never touches the timer.
#[derive(Debug)]
pub struct Timer {
    deadline: Option<Deadline>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// A timer for `deadline`; without one it never expires.
    #[must_use]
    pub const fn new(deadline: Option<Deadline>) -> Self {
        Self {
            deadline,
            sleep: None,
        }
    }

    /// The deadline it watches.
    #[must_use]
    pub const fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Ready once the deadline has passed; pending for ever without one.
    pub fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.instant().into())));
        sleep.as_mut().poll(cx)
    }
}
