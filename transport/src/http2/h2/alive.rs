//! Keepalive on the h2 crate: the policy, the one PING, and the timer of a connection's driver.
//!
//! What a driver's wake-up costs without anything to do: one look at the timer's flag. How much
//! was read is a counter of the socket's wrapper, looked at
//! - by a client, which asked for keepalive, at each wake-up, together with the clock: it must not
//!   ask a moment too early;
//! - by a server, whose keepalive is always on, only when the timer fires, eight times per
//!   `time`. It takes what arrived since the last look as arrived right after that look, and so
//!   asks up to an eighth too early, which harms nobody.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use h2::PingPong;
use tokio::task::coop;
use tokio::time::Sleep;

use super::growth::{Answer, Pings};
use crate::http2::keepalive::{Action, Policy};
use crate::now;

/// Looks of a server within its keepalive time.
const LOOKS: u32 = 8;

/// What the driver has to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Liveness {
    Nothing,
    /// A PING of keepalive was handed to h2: drive it once more, so that it is written.
    Asked,
    /// The same with what measures or grows the streams' window.
    Changed,
    /// The peer has not answered within this time.
    Dead(Duration),
}

impl Liveness {
    /// The same, unless there is nothing to do for keepalive and something for the windows.
    pub(super) const fn or_changed(self, changed: bool) -> Self {
        match self {
            Self::Nothing if changed => Self::Changed,
            other => other,
        }
    }
}

/// The keepalive of one connection.
pub(super) struct Alive {
    policy: Policy,
    timer: Alarm,
    /// The counter of read bytes at the last look.
    read: u64,
    looked: Instant,
    /// How often to look at the least; `None`: at each wake-up.
    look_every: Option<Duration>,
}

impl Alive {
    /// For a client: exact.
    pub(super) fn client(policy: Policy) -> Self {
        Self::new(policy, None)
    }

    /// For a server: coarse, and free while there is nothing to do.
    pub(super) fn server(policy: Policy) -> Self {
        let every = policy.time() / LOOKS;
        Self::new(policy, Some(every))
    }

    fn new(policy: Policy, look_every: Option<Duration>) -> Self {
        let mut this = Self {
            policy,
            timer: Alarm::default(),
            read: 0,
            looked: now(),
            look_every,
        };
        this.set_timer();
        this
    }

    /// A server's driver has nothing to do for keepalive: so it is at most wake-ups.
    #[inline]
    pub(super) fn is_idle(&mut self, cx: &mut Context<'_>) -> bool {
        self.timer.poll(cx).is_pending()
    }

    /// The driver's turn, after h2 has read what there was, perhaps the `answer` to a PING. `read`
    /// gives the counter, `handle` h2's handle when it is first needed.
    pub(super) fn poll(
        &mut self,
        pings: &mut Pings,
        answer: Option<Answer>,
        read: impl Fn() -> u64,
        handle: impl FnOnce() -> Option<PingPong>,
        has_calls: bool,
        cx: &mut Context<'_>,
    ) -> Liveness {
        let due = self.timer.poll(cx).is_ready();
        let was_asked = answer.is_some() || pings.in_flight();
        if self.look_every.is_none() {
            self.look(read(), now);
        }
        if let Some(answer) = answer {
            tracing::trace!(round_trip = ?answer.round_trip, "PING answered");
            self.policy.acknowledged(answer.at);
        }
        let is_woken = has_calls && self.policy.is_dormant();
        if !due && !is_woken {
            // The answer may have come long before its time was over.
            if was_asked && self.policy.wake_at() < self.timer.at {
                self.arm(cx);
            }
            return Liveness::Nothing;
        }
        self.tick(pings, read, handle, has_calls, cx)
    }

    fn tick(
        &mut self,
        pings: &mut Pings,
        read: impl Fn() -> u64,
        handle: impl FnOnce() -> Option<PingPong>,
        has_calls: bool,
        cx: &mut Context<'_>,
    ) -> Liveness {
        let now = now();
        if self.look_every.is_some() {
            let before = self.looked;
            self.look(read(), || before);
            self.looked = now;
        }
        let liveness = match self.policy.tick(now, has_calls) {
            Action::Wait => Liveness::Nothing,
            Action::Close => return Liveness::Dead(self.policy.timeout()),
            Action::Ping => {
                pings.ask(now, handle);
                Liveness::Asked
            }
        };
        self.arm(cx);
        liveness
    }

    fn look(&mut self, read: u64, at: impl Fn() -> Instant) {
        if read != self.read {
            self.policy.heard(read.wrapping_sub(self.read), at());
            self.read = read;
        }
    }

    fn arm(&mut self, cx: &mut Context<'_>) {
        self.set_timer();
        // Registers with the new alarm.
        if self.timer.poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    fn set_timer(&mut self) {
        let look = self
            .look_every
            .and_then(|every| self.looked.checked_add(every));
        let due = self.policy.wake_at();
        self.timer.set(match (due, look) {
            (Some(due), Some(look)) => Some(due.min(look)),
            (due, look) => due.or(look),
        });
    }
}

/// A timer that its task may poll at each wake-up for next to nothing.
#[derive(Debug, Default)]
struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// `None`: it is not armed.
    at: Option<Instant>,
    waker: Option<Waker>,
}

impl Alarm {
    fn set(&mut self, at: Option<Instant>) {
        self.waker = None;
        self.at = at;
        if let Some(at) = at {
            match &mut self.sleep {
                Some(sleep) => sleep.as_mut().reset(at.into()),
                None => self.sleep = Some(Box::pin(tokio::time::sleep_until(at.into()))),
            }
        }
    }

    #[inline]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(sleep) = self.sleep.as_mut().filter(|_| self.at.is_some()) else {
            return Poll::Pending;
        };
        if sleep.is_elapsed() {
            return Poll::Ready(());
        }
        let known = |waker: &Waker| waker.will_wake(cx.waker());
        if self.waker.as_ref().is_some_and(known) {
            return Poll::Pending;
        }
        self.waker = Some(cx.waker().clone());
        // Without budget the timer would not register with the waker, which is only done once.
        pin!(coop::unconstrained(sleep.as_mut())).poll(cx)
    }
}
