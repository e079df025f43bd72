//! The connectivity states of one subchannel, as a plain state machine.
//!
//! ```text
//!            connect              connected
//!   IDLE ───────────▶ CONNECTING ───────────▶ READY
//!    ▲                     │ failed             │ lost
//!    │ backoff over        ▼                    │
//!    ├──────────── TRANSIENT_FAILURE            │
//!    └──────────────────────────────────────────┘
//! ```
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
    retry_at: Option<Instant>,
    attempts: u32,
}

impl Machine {
    pub(crate) fn new(backoff: BackoffConfig) -> Self {
        Self {
            state: State::Idle,
            backoff: Backoff::new(backoff),
            attempt_started: None,
            retry_at: None,
            attempts: 0,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Attempts since the subchannel was last READY.
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

    pub(crate) fn connected(&mut self) {
        if self.state == State::Connecting {
            self.state = State::Ready;
            self.attempts = 0;
            self.backoff.reset();
        }
    }

    pub(crate) fn failed(&mut self, now: Instant) {
        if self.state == State::Connecting {
            let started = self.attempt_started.unwrap_or(now);
            self.state = State::TransientFailure;
            self.retry_at = Some(
                started
                    .checked_add(self.backoff.next())
                    .unwrap_or(now)
                    .max(now),
            );
        }
    }

    /// The last connection is gone.
    pub(crate) fn lost(&mut self) {
        if self.state == State::Ready {
            self.state = State::Idle;
        }
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
        machine.connected();
        assert_eq!(machine.state(), State::Ready);
        machine.lost();
        assert_eq!(machine.state(), State::Idle);
        assert!(
            machine.connect(t0),
            "a lost connection is replaced without backoff"
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
    fn ready_resets_backoff_and_attempts() {
        let t0 = Instant::now();
        let mut machine = plain();
        machine.connect(t0);
        machine.failed(t0);
        machine.tick(t0 + Duration::from_secs(1));
        machine.connect(t0);
        machine.connected();
        assert_eq!(machine.attempts(), 0);
        machine.lost();
        machine.connect(t0);
        machine.failed(t0);
        assert_eq!(machine.wake_at(), Some(t0 + Duration::from_secs(1)));
    }

    #[test]
    fn shutdown_is_final() {
        let t0 = Instant::now();
        let mut machine = plain();
        machine.connect(t0);
        machine.shutdown();
        machine.connected();
        machine.failed(t0);
        machine.lost();
        assert!(!machine.tick(t0) && !machine.connect(t0));
        assert_eq!(machine.state(), State::Shutdown);
        assert_eq!(machine.wake_at(), None);
    }
}
