//! The one PING that a connection may have in flight, shared by all who want an answer.
//!
//! HTTP/2 allows many, but engines allow one, and one is enough: whoever asks while a PING is
//! under way is answered by that one's acknowledgement, which says the same about the peer. Each
//! acknowledgement also measures the round trip.

use std::time::{Duration, Instant};

/// A plain value: told what happens and when, it says whether a PING is to be sent.
#[derive(Debug, Default)]
pub(super) struct SharedPing {
    sent_at: Option<Instant>,
}

impl SharedPing {
    /// Somebody wants to know whether the peer answers; true where a PING is to be sent for it.
    pub(super) const fn ask(&mut self, now: Instant) -> bool {
        if self.sent_at.is_some() {
            return false;
        }
        self.sent_at = Some(now);
        true
    }

    /// The peer has acknowledged the PING: how long that took, if one was sent.
    pub(super) fn acknowledged(&mut self, now: Instant) -> Option<Duration> {
        let sent_at = self.sent_at.take()?;
        Some(now.saturating_duration_since(sent_at))
    }

    pub(super) const fn in_flight(&self) -> bool {
        self.sent_at.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_in_flight_and_answers_all_who_ask() {
        let t0 = Instant::now();
        let second = Duration::from_secs(1);
        let mut ping = SharedPing::default();
        assert!(ping.ask(t0));
        assert!(!ping.ask(t0 + second), "the first one answers both");
        assert!(ping.in_flight());
        assert_eq!(ping.acknowledged(t0 + 2 * second), Some(2 * second));
        assert!(!ping.in_flight());
        assert_eq!(ping.acknowledged(t0 + 9 * second), None, "nobody had asked");
        assert!(ping.ask(t0 + 9 * second));
    }
}
