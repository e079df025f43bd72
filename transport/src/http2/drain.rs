//! How a connection stops taking streams without losing one that is under way (RFC 9113 §6.8).
//!
//! 1. GOAWAY with the largest number there is says: open nothing more. A PING goes behind it.
//! 2. Once the PING is answered, the peer has read that GOAWAY, and all it had opened before has
//!    arrived. Now GOAWAY with the last number that was taken. Without an answer this comes after a
//!    second: long enough for most paths, and what is lost then was refused surely unprocessed.

use std::time::{Duration, Instant};

/// How long the answer to the PING is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Told what happens and when; it reads no clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Drain {
    #[default]
    No,
    /// The first GOAWAY is said.
    Announced { since: Instant },
    /// Both are.
    Said,
}

impl Drain {
    /// Begin; true if the first GOAWAY and its PING are to be sent, false if they were before.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        let begins = *self == Self::No;
        if begins {
            *self = Self::Announced { since: now };
        }
        begins
    }

    /// The PING of the first GOAWAY is answered; true if the second GOAWAY is to be sent.
    pub(super) fn acked(&mut self) -> bool {
        let says = matches!(self, Self::Announced { .. });
        if says {
            *self = Self::Said;
        }
        says
    }

    /// The time of [`wake_at`](Self::wake_at) has come, perhaps; true if the second GOAWAY is to
    /// be sent.
    pub(super) fn tick(&mut self, now: Instant) -> bool {
        self.wake_at().is_some_and(|at| at <= now) && self.acked()
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        match self {
            Self::Announced { since } => since.checked_add(PATIENCE),
            Self::No | Self::Said => None,
        }
    }

    /// The peer was told to open nothing more.
    pub(super) fn is_begun(&self) -> bool {
        *self != Self::No
    }

    /// The last number was said: what the peer opens above it is ignored.
    pub(super) fn is_said(&self) -> bool {
        *self == Self::Said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_answer_brings_the_last_number() {
        let (mut drain, t0) = (Drain::default(), Instant::now());
        assert!(!drain.is_begun() && drain.wake_at().is_none());
        assert!(drain.begin(t0));
        assert!(!drain.begin(t0 + MS), "once");
        assert!(drain.is_begun() && !drain.is_said());
        assert!(!drain.tick(t0 + 20 * MS));
        assert!(drain.acked() && drain.is_said());
        assert!(!drain.acked() && !drain.tick(t0 + 5_000 * MS));
        assert!(!drain.begin(t0 + 5_000 * MS) && drain.wake_at().is_none());
    }

    #[test]
    fn a_peer_that_does_not_answer_is_told_after_a_second() {
        let (mut drain, t0) = (Drain::default(), Instant::now());
        assert!(!drain.acked(), "nothing was asked");
        drain.begin(t0);
        assert_eq!(drain.wake_at(), Some(t0 + 1_000 * MS));
        assert!(!drain.tick(t0 + 999 * MS));
        assert!(drain.tick(t0 + 1_000 * MS) && drain.is_said());
        assert!(!drain.acked(), "too late");
    }
}
