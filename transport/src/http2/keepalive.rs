//! Whether the peer of a connection still lives: the settings of both sides, and the one policy
//! behind them.
//!
//! The algorithm is that of gRFC A8, "Client-side Keepalive", and A9 for servers:
//! 1. As long as something arrives, the peer lives and nothing is asked.
//! 2. Once nothing has arrived for `time`, one PING asks. A client asks only while calls are open,
//!    unless it was told otherwise: without one it goes *dormant*, and the first call that begins
//!    after such a silence asks at once.
//! 3. No acknowledgement within `timeout`: the peer is dead, and the connection is closed.
//! 4. A peer that sends plenty meanwhile lives too: its acknowledgement may be queued behind what
//!    it sends. A few control frames are not plenty: on a path that has gone dead in one direction
//!    the PINGs of two sides would otherwise keep each other alive for ever.

use std::time::{Duration, Instant};

/// The shortest `time` of a client. gRFC A8: more often is no keepalive but load.
const MIN_CLIENT_TIME: Duration = Duration::from_secs(10);

/// The shortest `time` of a server, which may serve clients on its own machine.
const MIN_SERVER_TIME: Duration = Duration::from_secs(1);

/// What a peer has to send while a PING is unanswered to prove that it lives: more than a few
/// PINGs, SETTINGS and WINDOW_UPDATEs of 9 to 50 bytes each.
const PROOF_BYTES: u64 = 256;

/// When a client asks a silent server whether it still lives. Off by default.
///
/// Turn it on where calls wait long for answers, or where something on the way (a NAT, a load
/// balancer) forgets silent connections. A server may refuse to be asked often: grpc-go's closes
/// connections that ask more than once in five minutes, unless its operator allows more.
///
/// ```
/// use std::time::Duration;
/// use trunkline_transport::http2::Keepalive;
///
/// let mut keepalive = Keepalive::every(Duration::from_secs(300));
/// keepalive.timeout = Duration::from_secs(10);
/// assert_eq!(keepalive.time, Some(Duration::from_secs(300)));
/// assert_eq!(Keepalive::default().time, None);
/// ```
///
/// Source: gRFC A8.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keepalive {
    /// How long nothing may arrive until a PING asks. Default `None`: never asked, because a server
    /// that was not told to expect it may close the connection. Less than 10 s counts as 10 s.
    pub time: Option<Duration>,
    /// How long the answer may take before the connection is given up and its calls end with
    /// UNAVAILABLE. Default 20 s: longer than any path takes that is of use.
    pub timeout: Duration,
    /// Whether to ask also while no call is open. Default no: a lost connection that nobody uses
    /// harms nobody, and asking keeps radios and servers awake.
    pub without_calls: bool,
}

impl Keepalive {
    /// Asks after `time` of silence, with the other settings at their defaults.
    #[must_use]
    pub fn every(time: Duration) -> Self {
        Self {
            time: Some(time),
            ..Self::default()
        }
    }

    /// Asks half as often from now on, because a server was asked too often; says how often that
    /// is, or `None` where nobody is asked. Source: gRFC A8.
    pub fn back_off(&mut self) -> Option<Duration> {
        let time = self.effective_time()?.saturating_mul(2);
        self.time = Some(time);
        self.time
    }

    fn effective_time(&self) -> Option<Duration> {
        self.time.map(|time| time.max(MIN_CLIENT_TIME))
    }

    pub(super) fn policy(&self, now: Instant) -> Option<Policy> {
        let time = self.effective_time()?;
        Some(Policy::new(time, self.timeout, self.without_calls, now))
    }
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            time: None,
            timeout: Duration::from_secs(20),
            without_calls: false,
        }
    }
}

/// When a server asks a silent client whether it still lives, calls or not, and how often clients
/// may ask.
///
/// A client that asks too often costs more than it learns: more than two PINGs that come too early
/// end its connection with GOAWAY ENHANCE_YOUR_CALM and `too_many_pings`. Whenever the server has
/// sent HEADERS or DATA, the count begins anew. The engine on the h2 crate does not see PINGs and
/// lets them all pass.
///
/// Source: gRFC A9, and A8 for what clients may do; the defaults are theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerKeepalive {
    /// How long nothing may arrive until a PING asks; it may come an eighth earlier. Default 2 h:
    /// rare enough to cost nothing, and clients that vanished without a goodbye do not pile up.
    /// `None` never asks. Less than 1 s counts as 1 s.
    pub time: Option<Duration>,
    /// How long the answer may take before the connection is given up and its handlers are
    /// cancelled. Default 20 s.
    pub timeout: Duration,
    /// How often a client may ask while it has calls open. Default: every 5 min.
    pub permit_time: Duration,
    /// Whether a client may ask as often while it has no call open. Default no: then every 2 h, or
    /// every `permit_time` where that is longer.
    pub permit_without_calls: bool,
}

impl ServerKeepalive {
    /// Asks after `time` of silence, with the other settings at their defaults.
    #[must_use]
    pub fn every(time: Duration) -> Self {
        Self {
            time: Some(time),
            ..Self::default()
        }
    }

    pub(super) fn policy(&self, now: Instant) -> Option<Policy> {
        let time = self.time?.max(MIN_SERVER_TIME);
        Some(Policy::new(time, self.timeout, true, now))
    }
}

impl Default for ServerKeepalive {
    fn default() -> Self {
        Self {
            time: Some(Duration::from_secs(2 * 60 * 60)),
            timeout: Duration::from_secs(20),
            permit_time: Duration::from_secs(5 * 60),
            permit_without_calls: false,
        }
    }
}

/// What the connection has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Wait,
    Ping,
    /// The peer is dead: close the connection.
    Close,
}

/// The running decision for one connection. It is told the time and never reads a clock.
#[derive(Debug)]
pub(super) struct Policy {
    time: Duration,
    timeout: Duration,
    without_calls: bool,
    /// When something last arrived.
    heard: Instant,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Listening,
    /// Silent for long enough to ask, but no call needs to know.
    Dormant,
    Asked {
        at: Instant,
        bytes: u64,
    },
}

impl Policy {
    fn new(time: Duration, timeout: Duration, without_calls: bool, now: Instant) -> Self {
        Self {
            time,
            timeout,
            without_calls,
            heard: now,
            state: State::Listening,
        }
    }

    /// So many bytes have arrived, the last of them at `at`.
    pub(super) fn heard(&mut self, bytes: u64, at: Instant) {
        self.heard = self.heard.max(at);
        if let State::Asked { bytes: so_far, .. } = &mut self.state {
            *so_far = so_far.saturating_add(bytes);
            if *so_far >= PROOF_BYTES {
                self.state = State::Listening;
            }
        }
    }

    /// The PING was acknowledged.
    pub(super) fn acknowledged(&mut self, now: Instant) {
        self.heard = self.heard.max(now);
        self.state = State::Listening;
    }

    /// The time of [`wake_at`](Self::wake_at) has come, or a call began while this was dormant.
    pub(super) fn tick(&mut self, now: Instant, has_calls: bool) -> Action {
        match self.state {
            State::Listening | State::Dormant => {
                if now.saturating_duration_since(self.heard) < self.time {
                    self.state = State::Listening;
                    Action::Wait
                } else if has_calls || self.without_calls {
                    self.state = State::Asked { at: now, bytes: 0 };
                    Action::Ping
                } else {
                    self.state = State::Dormant;
                    Action::Wait
                }
            }
            State::Asked { at, .. } => {
                if now.saturating_duration_since(at) < self.timeout {
                    Action::Wait
                } else {
                    Action::Close
                }
            }
        }
    }

    /// When [`tick`](Self::tick) is due; `None` while dormant, or when that is beyond any clock.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        match self.state {
            State::Listening => self.heard.checked_add(self.time),
            State::Dormant => None,
            State::Asked { at, .. } => at.checked_add(self.timeout),
        }
    }

    /// True while only a call can make this ask.
    pub(super) fn is_dormant(&self) -> bool {
        self.state == State::Dormant
    }

    pub(super) const fn time(&self) -> Duration {
        self.time
    }

    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn client() -> (Policy, Instant) {
        let t0 = Instant::now();
        let keepalive = Keepalive::every(30 * S);
        (keepalive.policy(t0).unwrap(), t0)
    }

    #[test]
    fn a_peer_that_talks_is_never_asked() {
        let (mut policy, t0) = client();
        for n in 1..100 {
            policy.heard(1, t0 + n * 29 * S);
            assert_eq!(policy.tick(t0 + (n * 29 + 28) * S, true), Action::Wait);
            assert_eq!(policy.wake_at(), Some(t0 + (n * 29 + 30) * S));
        }
    }

    #[test]
    fn a_silent_peer_is_asked_once_and_then_closed() {
        let (mut policy, t0) = client();
        assert_eq!(policy.wake_at(), Some(t0 + 30 * S));
        assert_eq!(policy.tick(t0 + 30 * S, true), Action::Ping);
        assert_eq!(policy.wake_at(), Some(t0 + 50 * S));
        assert_eq!(policy.tick(t0 + 40 * S, true), Action::Wait);
        assert_eq!(policy.tick(t0 + 50 * S, true), Action::Close);
    }

    #[test]
    fn an_answer_starts_over() {
        let (mut policy, t0) = client();
        assert_eq!(policy.tick(t0 + 30 * S, true), Action::Ping);
        policy.heard(17, t0 + 31 * S);
        policy.acknowledged(t0 + 31 * S);
        assert_eq!(policy.wake_at(), Some(t0 + 61 * S));
        assert_eq!(policy.tick(t0 + 61 * S, true), Action::Ping);
    }

    #[test]
    fn much_that_arrives_is_an_answer_but_a_few_pings_are_none() {
        let (mut policy, t0) = client();
        assert_eq!(policy.tick(t0 + 30 * S, true), Action::Ping);
        for n in 31..45 {
            policy.heard(17, t0 + n * S);
        }
        assert_eq!(policy.tick(t0 + 50 * S, true), Action::Close, "238 bytes");
        policy.heard(18, t0 + 49 * S);
        assert_eq!(policy.tick(t0 + 50 * S, true), Action::Wait, "256 bytes");
        assert_eq!(policy.wake_at(), Some(t0 + 79 * S));
    }

    #[test]
    fn nobody_asks_without_calls_and_the_first_call_after_a_silence_does() {
        let (mut policy, t0) = client();
        assert_eq!(policy.tick(t0 + 30 * S, false), Action::Wait);
        assert!(policy.is_dormant());
        assert_eq!(policy.wake_at(), None);
        assert_eq!(policy.tick(t0 + 300 * S, true), Action::Ping);
        policy.acknowledged(t0 + 301 * S);
        assert_eq!(policy.tick(t0 + 331 * S, false), Action::Wait);
        policy.heard(9, t0 + 340 * S);
        assert_eq!(policy.tick(t0 + 341 * S, true), Action::Wait, "heard of it");
        assert_eq!(policy.wake_at(), Some(t0 + 370 * S));

        let t0 = Instant::now();
        let mut keepalive = Keepalive::every(30 * S);
        keepalive.without_calls = true;
        let mut always = keepalive.policy(t0).unwrap();
        assert_eq!(always.tick(t0 + 30 * S, false), Action::Ping);
    }

    #[test]
    fn settings_have_bounds_and_defaults() {
        let t0 = Instant::now();
        assert!(Keepalive::default().policy(t0).is_none(), "off");
        let often = Keepalive::every(S).policy(t0).unwrap();
        assert_eq!((often.time(), often.timeout()), (10 * S, 20 * S));
        let mut less = Keepalive::every(S);
        assert_eq!(less.back_off(), Some(20 * S));
        assert_eq!(less.back_off(), Some(40 * S));
        assert_eq!(Keepalive::default().back_off(), None);
        let server = ServerKeepalive::default().policy(t0).unwrap();
        assert_eq!((server.time(), server.timeout()), (7_200 * S, 20 * S));
        assert_eq!(
            ServerKeepalive::every(Duration::ZERO)
                .policy(t0)
                .unwrap()
                .time(),
            S
        );
        let never = Keepalive::every(Duration::MAX).policy(t0).unwrap();
        assert_eq!(never.wake_at(), None);
    }
}
