//! The connectivity states of one subchannel, as a plain state machine.
//!
//! ```text
//!            connect              connected
//!   IDLE ───────────▶ CONNECTING ───────────▶ READY
//!    ▲                     │ failed             │ lost
//!    │ backoff over        ▼                    │
//!    ├──────────── TRANSIENT_FAILURE ◀──────────┤ too soon
//!    └──────────────────────────────────────────┘
//! ```
//! READY alone proves nothing: a peer may accept every connection only to close it. A connection has
//! proven itself once it has carried a call, or has lived for the wait that a failed attempt would
//! have cost. One that is lost before that *is* a failed attempt, and backoff goes on; after that it
//! is replaced at once, and backoff starts over. A peer that says goodbye (GOAWAY NO_ERROR) is
//! believed once: the first connection that ends like that unproven is replaced at once too, so that
//! a call which comes while a server is being restarted goes on to the next.
//!
//! `shutdown` leads from every state to SHUTDOWN, which nothing leaves.
//! The machine is told the time and never reads a clock.

use std::time::Instant;

use super::backoff::{Backoff, BackoffConfig};

/// Where a subchannel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Idle,
    Connecting,
    Ready,
    TransientFailure,
    Shutdown,
}

/// The state of one subchannel and what it needs to leave it.
#[derive(Debug)]
pub(crate) struct Machine {
    state: State,
    backoff: Backoff,
    attempt_started: Option<Instant>,
    ready_since: Option<Instant>,
    retry_at: Option<Instant>,
    attempts: u32,
}

impl Machine {
    pub(crate) fn new(backoff: BackoffConfig) -> Self {
        Self {
            state: State::Idle,
            backoff: Backoff::new(backoff),
            attempt_started: None,
            ready_since: None,
            retry_at: None,
            attempts: 0,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Attempts since a connection last proved itself.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Asks for a connection; true where an attempt is to be started now.
    pub(crate) fn connect(&mut self, now: Instant) -> bool {
        if self.state != State::Idle {
            return false;
        }
        self.state = State::Connecting;
        self.attempt_started = Some(now);
        self.attempts = self.attempts.saturating_add(1);
        true
    }

    pub(crate) fn connected(&mut self, now: Instant) {
        if self.state == State::Connecting {
            self.state = State::Ready;
            self.ready_since = Some(now);
        }
    }

    pub(crate) fn failed(&mut self, now: Instant) {
        if self.state == State::Connecting {
            self.back_off(now);
        }
    }

    /// The last connection is gone, and the peer had said goodbye. `carried` as for
    /// [`lost`](Self::lost). True where it is believed, although the connection had not proven itself.
    pub(crate) fn left(&mut self, now: Instant, carried: bool) -> bool {
        if self.state == State::Ready && self.attempts <= 1 && !self.is_proven(now, carried) {
            self.state = State::Idle;
            return true;
        }
        self.lost(now, carried);
        false
    }

    /// The last connection is gone. `carried` says whether there was a call on it that the peer took.
    pub(crate) fn lost(&mut self, now: Instant, carried: bool) {
        if self.state != State::Ready {
            return;
        }
        if self.is_proven(now, carried) {
            self.state = State::Idle;
            self.attempts = 0;
            self.backoff.reset();
        } else {
            self.back_off(now);
        }
    }

    fn is_proven(&self, now: Instant, carried: bool) -> bool {
        let since = self.ready_since.unwrap_or(now);
        carried || self.backoff.outlived(since, now)
    }

    fn back_off(&mut self, now: Instant) {
        let started = self.attempt_started.unwrap_or(now);
        self.state = State::TransientFailure;
        self.retry_at = Some(
            started
                .checked_add(self.backoff.next())
                .unwrap_or(now)
                .max(now),
        );
    }

    /// Tells the time; true where the backoff has just ended and the state became IDLE.
    pub(crate) fn tick(&mut self, now: Instant) -> bool {
        let over = self.retry_at.is_some_and(|at| at <= now);
        if self.state == State::TransientFailure && over {
            self.state = State::Idle;
            self.retry_at = None;
            return true;
        }
        false
    }

    /// When `tick` next has something to do.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        match self.state {
            State::TransientFailure => self.retry_at,
            State::Idle | State::Connecting | State::Ready | State::Shutdown => None,
        }
    }

    pub(crate) fn shutdown(&mut self) {
        self.state = State::Shutdown;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn plain() -> Machine {
        let config = BackoffConfig {
            jitter: 0.0,
            ..BackoffConfig::default()
        };
        Machine::new(config)
    }

    #[test]
    fn walks_from_idle_to_ready_and_back() {
        let t0 = Instant::now();
        let mut machine = plain();
        assert_eq!(machine.state(), State::Idle);
        assert!(machine.connect(t0));
        assert!(!machine.connect(t0), "one attempt at a time");
        assert_eq!(machine.state(), State::Connecting);
        machine.connected(t0);
        assert_eq!(machine.state(), State::Ready);
        let t1 = t0 + Duration::from_secs(1);
        machine.lost(t1, false);
        assert_eq!(machine.state(), State::Idle);
        assert!(
            machine.connect(t1),
            "a connection that has lived is replaced without backoff"
        );
    }

    #[test]
    fn failures_back_off_from_the_start_of_the_attempt() {
        let t0 = Instant::now();
        let second = Duration::from_secs(1);
        let mut machine = plain();
        machine.connect(t0);
        machine.failed(t0 + second / 10);
        assert_eq!(machine.state(), State::TransientFailure);
        assert_eq!(machine.wake_at(), Some(t0 + second));
        assert!(!machine.tick(t0 + second / 2));
        assert!(
            !machine.connect(t0 + second / 2),
            "not before the backoff is over"
        );
        assert!(machine.tick(t0 + second));
        assert_eq!(machine.state(), State::Idle);

        let t1 = t0 + second;
        assert!(machine.connect(t1));
        assert_eq!(machine.attempts(), 2);
        machine.failed(t1);
        assert_eq!(machine.wake_at(), Some(t1 + Duration::from_millis(1_600)));

        let t2 = t1 + 2 * second;
        assert!(machine.tick(t2));
        machine.connect(t2);
        machine.failed(t2 + 20 * second);
        assert_eq!(
            machine.wake_at(),
            Some(t2 + 20 * second),
            "a slow failure has used its wait up"
        );
    }

    #[test]
    fn a_proven_connection_resets_backoff_and_attempts() {
        let second = Duration::from_secs(1);
        for (lived, carried) in [(Duration::ZERO, true), (second * 8 / 5, false)] {
            let t0 = Instant::now();
            let mut machine = plain();
            machine.connect(t0);
            machine.failed(t0);
            machine.tick(t0 + second);
            machine.connect(t0);
            machine.connected(t0);
            machine.lost(t0 + lived, carried);
            assert_eq!((machine.state(), machine.attempts()), (State::Idle, 0));
            machine.connect(t0);
            machine.failed(t0);
            assert_eq!(machine.wake_at(), Some(t0 + second));
        }
    }

    #[test]
    fn a_connection_lost_right_after_ready_is_a_failed_attempt() {
        let end = Duration::from_secs(60);
        let t0 = Instant::now();
        let (mut machine, mut now) = (plain(), t0);
        while now < t0 + end {
            assert!(machine.connect(now));
            machine.connected(now);
            now += Duration::from_millis(1);
            machine.lost(now, false);
            assert_eq!(machine.state(), State::TransientFailure);
            now = machine.wake_at().unwrap();
            assert!(machine.tick(now));
        }
        // After 0, 1, 2.6, 5.16, 9.256, 15.81, 26.3 and 43.1 s.
        assert_eq!(machine.attempts(), 8);
    }

    #[test]
    fn a_goodbye_is_believed_once() {
        let second = Duration::from_secs(1);
        let t0 = Instant::now();
        let mut machine = plain();
        for (attempts, state) in [(1, State::Idle), (2, State::TransientFailure)] {
            assert!(machine.connect(t0));
            machine.connected(t0);
            assert_eq!(machine.left(t0, false), attempts == 1);
            assert_eq!((machine.state(), machine.attempts()), (state, attempts));
        }
        assert_eq!(machine.wake_at(), Some(t0 + second));
        // After one that was of use it is believed again.
        assert!(machine.tick(t0 + second) && machine.connect(t0 + second));
        machine.connected(t0 + second);
        assert!(!machine.left(t0 + second, true));
        assert_eq!((machine.state(), machine.attempts()), (State::Idle, 0));
        assert!(machine.connect(t0 + second));
        machine.connected(t0 + second);
        assert!(machine.left(t0 + second, false));
        assert_eq!(machine.state(), State::Idle);
        // A lost connection is none that said goodbye.
        machine.connect(t0 + second);
        machine.connected(t0 + second);
        machine.lost(t0 + second, false);
        assert_eq!(machine.state(), State::TransientFailure);
    }

    #[test]
    fn shutdown_is_final() {
        let t0 = Instant::now();
        let mut machine = plain();
        machine.connect(t0);
        machine.shutdown();
        machine.connected(t0);
        machine.failed(t0);
        machine.lost(t0, false);
        assert!(!machine.tick(t0) && !machine.connect(t0));
        assert_eq!(machine.state(), State::Shutdown);
        assert_eq!(machine.wake_at(), None);
    }
}
