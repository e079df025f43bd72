//! A server's pace for its clients' PINGs.
//!
//! gRFC A8, "Server Enforcement": a PING that comes too soon after the one before is a strike;
//! more than two strikes end the connection. Whenever the server sends HEADERS or DATA, strikes
//! and clock begin anew: a client that measures a path by what it receives is never struck.

use std::time::{Duration, Instant};

use super::frame::{Fatal, Reason};
use super::guard::TOO_MANY_PINGS;

/// Strikes that end nothing yet.
const MAX_STRIKES: u8 = 2;

/// Between PINGs while no stream is open, unless those are permitted.
const IDLE_INTERVAL: Duration = Duration::from_secs(2 * 60 * 60);

#[derive(Debug)]
pub(super) struct Strikes {
    interval: Duration,
    without_streams: bool,
    /// The last PING since HEADERS or DATA were sent.
    last: Option<Instant>,
    strikes: u8,
}

impl Strikes {
    /// `interval` is the least between two PINGs; `without_streams`: also while none is open.
    pub(super) const fn new(interval: Duration, without_streams: bool) -> Self {
        Self {
            interval,
            without_streams,
            last: None,
            strikes: 0,
        }
    }

    /// A PING has come that is not an ACK.
    pub(super) fn ping(&mut self, now: Instant, has_streams: bool) -> Result<(), Fatal> {
        let interval = if has_streams || self.without_streams {
            self.interval
        } else {
            self.interval.max(IDLE_INTERVAL)
        };
        let Some(last) = self.last.replace(now) else {
            return Ok(());
        };
        if now.saturating_duration_since(last) >= interval {
            return Ok(());
        }
        self.strikes = self.strikes.saturating_add(1);
        if self.strikes > MAX_STRIKES {
            return Err(Fatal::new(Reason::ENHANCE_YOUR_CALM, TOO_MANY_PINGS));
        }
        Ok(())
    }

    #[inline]
    pub(super) fn sent_data_or_headers(&mut self) {
        self.last = None;
        self.strikes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn strikes(without_streams: bool) -> (Strikes, Instant) {
        (Strikes::new(5 * MINUTE, without_streams), Instant::now())
    }

    #[test]
    fn the_third_strike_ends_the_connection() {
        let (mut strikes, t0) = strikes(false);
        for n in 0..3 {
            strikes.ping(t0 + n * MINUTE, true).unwrap();
        }
        let fatal = strikes.ping(t0 + 3 * MINUTE, true).unwrap_err();
        let expected = Fatal::new(Reason::ENHANCE_YOUR_CALM, "too_many_pings");
        assert_eq!(fatal, expected);
    }

    #[test]
    fn a_client_at_the_permitted_pace_is_never_struck() {
        let (mut strikes, t0) = strikes(false);
        for n in 0..1_000 {
            strikes.ping(t0 + n * 5 * MINUTE, true).unwrap();
        }
    }

    #[test]
    fn without_streams_the_pace_is_two_hours_unless_permitted() {
        let (mut strict, t0) = strikes(false);
        for n in 0..3 {
            strict.ping(t0 + n * 100 * MINUTE, false).unwrap();
        }
        strict.ping(t0 + 300 * MINUTE, false).unwrap_err();
        let (mut strict, t0) = strikes(false);
        let (mut permitted, _) = strikes(true);
        for n in 0..100 {
            strict.ping(t0 + n * 120 * MINUTE, false).unwrap();
            permitted.ping(t0 + n * 5 * MINUTE, false).unwrap();
        }
    }

    #[test]
    fn what_the_server_sends_forgives_everything() {
        let (mut strikes, t0) = strikes(false);
        for n in 0..1_000 {
            strikes.ping(t0 + n * MINUTE, true).unwrap();
            strikes.ping(t0 + n * MINUTE, true).unwrap();
            strikes.sent_data_or_headers();
        }
    }
}
