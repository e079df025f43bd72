//! A timer that never expires: what is to be woken by an event must not live off its patience.

use std::task::{Context, Poll};
use std::time::Instant;

use trunkline_core::Deadline;

#[derive(Debug)]
pub(crate) struct Timer;

impl Timer {
    pub(crate) const fn new(_deadline: Option<Deadline>) -> Self {
        Self
    }

    pub(crate) const fn poll_expired(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

pub(crate) fn now() -> Instant {
    Instant::now()
}
