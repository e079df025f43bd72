//! Peers that take nothing: of the socket, and of single streams.

use std::time::{Duration, Instant};

use super::frame::{Fatal, Reason};
use super::guard::WRITE_TIMEOUT;

/// How long streams may stall at the most while memory is short.
const UNDER_PRESSURE: Duration = Duration::from_secs(60);

/// How many looks at the streams there are within the time that one may stall.
const LOOKS: u32 = 8;

/// A socket that takes nothing although bytes wait: its peer is gone, or reads on purpose nothing.
#[derive(Debug)]
pub(super) struct WriteStall {
    timeout: Option<Duration>,
    /// Since when nothing was taken of what waits.
    since: Option<Instant>,
    taken: u64,
}

impl WriteStall {
    pub(super) const fn new(timeout: Option<Duration>) -> Self {
        Self {
            timeout,
            since: None,
            taken: 0,
        }
    }

    /// After each write: all bytes the socket ever took, and whether more wait.
    #[inline]
    pub(super) fn wrote(&mut self, taken: u64, waiting: bool, now: Instant) {
        if !waiting {
            self.since = None;
        } else if self.since.is_none() || taken != self.taken {
            self.since = Some(now);
        }
        self.taken = taken;
    }

    /// The time of [`wake_at`](Self::wake_at) has come, perhaps.
    pub(super) fn tick(&self, now: Instant) -> Result<(), Fatal> {
        if self.wake_at().is_some_and(|at| at <= now) {
            return Err(Fatal::new(Reason::NO_ERROR, WRITE_TIMEOUT));
        }
        Ok(())
    }

    /// Whether the socket has taken nothing for so long although bytes wait.
    pub(super) fn has_lasted(&self, time: Duration, now: Instant) -> bool {
        let since = self.since.map(|since| now.saturating_duration_since(since));
        since.is_some_and(|since| since >= time)
    }

    #[inline]
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.since?.checked_add(self.timeout?)
    }
}

/// When the streams that wait for window are to be looked at: a few times within the time that
/// each may wait, and not at all while none does.
#[derive(Debug)]
pub(super) struct StreamStalls {
    timeout: Option<Duration>,
    under_pressure: bool,
    next: Option<Instant>,
}

impl StreamStalls {
    pub(super) const fn new(timeout: Option<Duration>) -> Self {
        Self {
            timeout,
            under_pressure: false,
            next: None,
        }
    }

    /// A stream has begun to wait.
    #[inline]
    pub(super) fn blocked(&mut self, now: Instant) {
        if self.next.is_none() {
            self.next = self.look_after(now);
        }
    }

    /// Memory is short: streams may wait less.
    pub(super) fn set_pressure(&mut self, under_pressure: bool, now: Instant) {
        if self.under_pressure != under_pressure {
            self.under_pressure = under_pressure;
            self.next = self.next.and_then(|_| self.look_after(now));
        }
    }

    /// Whether the streams are to be looked at now: those that have waited for so long have waited
    /// enough. [`looked`](Self::looked) is to follow.
    pub(super) fn due(&self, now: Instant) -> Option<Duration> {
        if self.next? > now {
            return None;
        }
        self.patience()
    }

    /// They were looked at, and some still wait, or none does.
    pub(super) fn looked(&mut self, some_wait: bool, now: Instant) {
        self.next = if some_wait {
            self.look_after(now)
        } else {
            None
        };
    }

    pub(super) const fn wake_at(&self) -> Option<Instant> {
        self.next
    }

    fn look_after(&self, now: Instant) -> Option<Instant> {
        now.checked_add(self.patience()? / LOOKS)
    }

    fn patience(&self) -> Option<Duration> {
        let timeout = self.timeout?;
        Some(if self.under_pressure {
            timeout.min(UNDER_PRESSURE)
        } else {
            timeout
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_socket_that_takes_nothing_for_its_time_is_given_up() {
        let t0 = Instant::now();
        let mut stall = WriteStall::new(Some(30 * S));
        stall.wrote(100, true, t0);
        stall.wrote(100, true, t0 + 20 * S);
        assert_eq!(stall.wake_at(), Some(t0 + 30 * S));
        stall.tick(t0 + 29 * S).unwrap();
        let fatal = stall.tick(t0 + 30 * S).unwrap_err();
        assert_eq!(fatal.text, "write_timeout");
    }

    #[test]
    fn a_slow_socket_lives_and_one_without_work_is_not_timed() {
        let t0 = Instant::now();
        let mut stall = WriteStall::new(Some(30 * S));
        for n in 0..1_000 {
            stall.wrote(u64::from(n), true, t0 + n * 29 * S);
            stall.tick(t0 + n * 29 * S + 28 * S).unwrap();
        }
        stall.wrote(2_000, false, t0 + 29_000 * S);
        assert_eq!(stall.wake_at(), None);
        stall.tick(t0 + 90_000 * S).unwrap();
        stall.wrote(2_000, true, t0 + 90_000 * S);
        assert_eq!(stall.wake_at(), Some(t0 + 90_030 * S), "from the new bytes");
        let mut never = WriteStall::new(None);
        never.wrote(1, true, t0);
        assert_eq!(never.wake_at(), None);
        never.tick(t0 + 90_000 * S).unwrap();
    }

    #[test]
    fn streams_are_looked_at_only_while_some_wait() {
        let t0 = Instant::now();
        let mut stalls = StreamStalls::new(Some(300 * S));
        assert_eq!((stalls.wake_at(), stalls.due(t0)), (None, None));
        stalls.blocked(t0);
        stalls.blocked(t0 + S);
        let look = t0 + 300 * S / 8;
        assert_eq!(stalls.wake_at(), Some(look));
        assert_eq!(stalls.due(look - S), None);
        assert_eq!(stalls.due(look), Some(300 * S));
        stalls.looked(true, look);
        assert_eq!(stalls.wake_at(), Some(look + 300 * S / 8));
        stalls.looked(false, look);
        assert_eq!(stalls.wake_at(), None);
        let mut never = StreamStalls::new(None);
        never.blocked(t0);
        assert_eq!(never.wake_at(), None);
    }

    #[test]
    fn under_pressure_a_minute_is_enough() {
        let t0 = Instant::now() + 400 * S;
        let mut stalls = StreamStalls::new(Some(300 * S));
        stalls.set_pressure(true, t0);
        assert_eq!(stalls.wake_at(), None, "nobody waits");
        stalls.blocked(t0);
        let look = t0 + 60 * S / 8;
        assert_eq!(stalls.wake_at(), Some(look));
        assert_eq!(stalls.due(look), Some(60 * S));
        stalls.set_pressure(false, look);
        assert_eq!(stalls.wake_at(), Some(look + 300 * S / 8));
        let mut short = StreamStalls::new(Some(S));
        short.set_pressure(true, t0);
        short.blocked(t0);
        assert_eq!(short.wake_at(), Some(t0 + S / 8), "never longer than set");
    }
}
