//! When a channel that nobody uses lets go of its connections.
//!
//! 1. Calls write nothing for it but what they write anyway: how many were begun is counted, and how
//!    many are open is known.
//! 2. The control loop looks six times per timeout. A call open, or one begun since the last look:
//!    the channel is in use as of now.
//! 3. Nothing for as long as the timeout: the channel goes IDLE. So it does that at most a sixth
//!    of the timeout later than the last call would have it, and never earlier.
//!
//! Source: gRPC document "Connectivity Semantics and API", IDLE; the default is that of the other
//! gRPC libraries.

use std::time::{Duration, Instant};

/// Looks within the timeout.
const LOOKS: u32 = 6;

/// The shortest timeout: what is shorter would look without a pause while a call is open.
const MIN_TIMEOUT: Duration = Duration::from_secs(1);

/// The running decision. It is told the time and never reads a clock.
#[derive(Debug)]
pub(crate) struct Idleness {
    /// `None`: never.
    timeout: Option<Duration>,
    watching: Option<Watching>,
}

#[derive(Debug)]
struct Watching {
    begun: u64,
    used_at: Instant,
    look_at: Option<Instant>,
}

impl Idleness {
    pub(crate) fn new(timeout: Option<Duration>) -> Self {
        Self {
            timeout: timeout.map(|timeout| timeout.max(MIN_TIMEOUT)),
            watching: None,
        }
    }

    /// A connection is wanted: the timeout counts from here.
    pub(crate) fn start(&mut self, now: Instant) {
        if let Some(watching) = &mut self.watching {
            watching.used_at = now;
        } else if let Some(timeout) = self.timeout {
            self.watching = Some(Watching {
                begun: 0,
                used_at: now,
                look_at: now.checked_add(timeout / LOOKS),
            });
        }
    }

    /// The channel is IDLE.
    pub(crate) fn stop(&mut self) {
        self.watching = None;
    }

    /// When [`look`](Self::look) is due.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.watching.as_ref()?.look_at
    }

    /// Looks, if it is due: `begun` calls so far, and whether any is open. True: go IDLE.
    pub(crate) fn look(&mut self, now: Instant, begun: u64, open: bool) -> bool {
        let (Some(timeout), Some(watching)) = (self.timeout, &mut self.watching) else {
            return false;
        };
        if watching.look_at.is_none_or(|at| now < at) {
            return false;
        }
        watching.look_at = now.checked_add(timeout / LOOKS);
        if open || watching.begun != begun {
            watching.begun = begun;
            watching.used_at = now;
            return false;
        }
        let idle = now.saturating_duration_since(watching.used_at) >= timeout;
        if idle {
            self.stop();
        }
        idle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Looks whenever it is due until `end`, and tells when it wants to go idle.
    fn run(idle: &mut Idleness, end: Instant, calls: impl Fn(Instant) -> (u64, bool)) -> Instant {
        loop {
            let Some(now) = idle.wake_at().filter(|at| *at <= end) else {
                return end;
            };
            let (begun, open) = calls(now);
            if idle.look(now, begun, open) {
                return now;
            }
        }
    }

    #[test]
    fn goes_idle_after_the_timeout_and_at_most_a_sixth_later() {
        let t0 = Instant::now();
        for minute in 0..60 {
            let mut idle = Idleness::new(Some(30 * MINUTE));
            idle.start(t0);
            let last = t0 + minute * MINUTE;
            let went = run(&mut idle, t0 + 1_000 * MINUTE, |now| {
                (u64::from(now >= last), now <= last)
            });
            let after = went - last;
            assert!((30 * MINUTE..=36 * MINUTE).contains(&after), "{after:?}");
            assert_eq!(idle.wake_at(), None, "until it is started again");
            idle.start(went);
            assert_eq!(idle.wake_at(), Some(went + 5 * MINUTE));
        }
    }

    #[test]
    fn an_open_call_or_short_ones_between_the_looks_keep_it_awake() {
        let t0 = Instant::now();
        let end = t0 + 1_000 * MINUTE;
        let mut idle = Idleness::new(Some(30 * MINUTE));
        idle.start(t0);
        assert_eq!(run(&mut idle, end, |_| (1, true)), end);
        let mut idle = Idleness::new(Some(30 * MINUTE));
        idle.start(t0);
        let short = |now: Instant| ((now - t0).as_secs() / 1_500, false);
        assert_eq!(run(&mut idle, end, short), end, "one per 25 minutes");
    }

    /// Without a call, after the connection was lost and nobody wanted another for long.
    #[test]
    fn a_connection_that_is_asked_for_is_kept_for_the_timeout() {
        let t0 = Instant::now();
        let mut idle = Idleness::new(Some(30 * MINUTE));
        idle.start(t0);
        let asked = t0 + 29 * MINUTE;
        assert_eq!(run(&mut idle, asked, |_| (0, false)), asked);
        idle.start(asked);
        let went = run(&mut idle, t0 + 1_000 * MINUTE, |_| (0, false));
        assert!((30 * MINUTE..=36 * MINUTE).contains(&(went - asked)));
    }

    #[test]
    fn looks_too_early_change_nothing_and_off_is_off() {
        let t0 = Instant::now();
        let mut idle = Idleness::new(Some(30 * MINUTE));
        idle.start(t0);
        idle.start(t0 + MINUTE);
        assert!(!idle.look(t0 + MINUTE, 0, false));
        assert_eq!(idle.wake_at(), Some(t0 + 5 * MINUTE));
        let mut off = Idleness::new(None);
        off.start(t0);
        assert_eq!(off.wake_at(), None);
        assert!(!off.look(t0 + 1_000 * MINUTE, 0, false));
    }

    /// Else a call that is open would have the control loop look without a pause.
    #[test]
    fn a_timeout_of_nothing_looks_now_and_then_all_the_same() {
        let t0 = Instant::now();
        for timeout in [Duration::ZERO, Duration::from_nanos(5)] {
            let mut idle = Idleness::new(Some(timeout));
            idle.start(t0);
            let looks = std::cell::Cell::new(0);
            let end = t0 + MINUTE;
            let busy = run(&mut idle, end, |_| {
                looks.set(looks.get() + 1);
                assert!(looks.get() <= 1_000, "{timeout:?}");
                (1, true)
            });
            assert_eq!(busy, end);
        }
    }
}
