//! Windows that grow, on the h2 crate: the policy, its one PING, and the readers' gauge.

use std::task::Context;
use std::time::{Duration, Instant};

use h2::{Ping, PingPong};

use super::gauge::Gauge;
use crate::http2::bdp::Bdp;
use crate::http2::ping::SharedPing;
use crate::now;

/// h2's PINGs: one at a time, for keepalive and for measuring windows.
#[derive(Default)]
pub(super) struct Pings {
    shared: SharedPing,
    /// Once it is taken, h2 registers a waker each time it is driven: it is taken with the first
    /// PING.
    handle: Option<PingPong>,
}

/// The peer has answered a PING.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) at: Instant,
    pub(super) round_trip: Duration,
}

impl Pings {
    pub(super) const fn in_flight(&self) -> bool {
        self.shared.in_flight()
    }

    /// Sends a PING unless one is under way, which serves as well; true if this one is new. Where
    /// h2 refuses, the connection is ending anyway.
    pub(super) fn ask(&mut self, now: Instant, take: impl FnOnce() -> Option<PingPong>) -> bool {
        if !self.shared.ask(now) {
            return false;
        }
        if self.handle.is_none() {
            self.handle = take();
        }
        if let Some(handle) = &mut self.handle {
            let _ = handle.send_ping(Ping::opaque());
        }
        true
    }

    /// The answer to the PING that is under way, once it is there.
    pub(super) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Option<Answer> {
        if !self.in_flight() || self.handle.as_mut()?.poll_pong(cx).is_pending() {
            return None;
        }
        let at = now();
        let round_trip = self.shared.acknowledged(at)?;
        Some(Answer { at, round_trip })
    }
}

/// Measures whether the streams of a connection need larger windows.
pub(super) struct Growth {
    bdp: Bdp,
    /// Its PING is under way.
    sampling: bool,
}

/// What the driver has to do for the windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// A PING was handed to h2.
    Asked,
    /// A window of this many bytes is wished for; [`Growth::settle`] is to follow.
    Wish(u32),
}

impl Growth {
    pub(super) fn new(bdp: Bdp, gauge: &Gauge) -> Self {
        let this = Self {
            bdp,
            sampling: false,
        };
        this.watch(gauge);
        this
    }

    /// A stream has got as far as was to be watched for, or a PING was answered.
    pub(super) fn step(
        &mut self,
        gauge: &Gauge,
        pings: &mut Pings,
        answer: Option<Answer>,
        take: impl FnOnce() -> Option<PingPong>,
    ) -> Step {
        if self.sampling {
            let Some(answer) = answer else {
                return Step::Nothing;
            };
            self.sampling = false;
            let sample = gauge.most();
            let wish = self.bdp.measured(sample, answer.round_trip);
            tracing::trace!(sample, round_trip = ?answer.round_trip, ?wish, "window measured");
            if let Some(wish) = wish {
                return Step::Wish(wish);
            }
            self.watch(gauge);
        } else if gauge.is_due() {
            // Keepalive's PING went out earlier: it would measure another interval.
            if pings.ask(now(), take) {
                self.sampling = true;
                gauge.begin(u64::MAX);
                return Step::Asked;
            }
            self.watch(gauge);
        }
        Step::Nothing
    }

    /// What became of the wish: the new window, or none.
    pub(super) fn settle(&mut self, granted: Option<u32>, gauge: &Gauge) {
        match granted {
            Some(window) => self.bdp.grown(window),
            None => self.bdp.refused(),
        }
        self.watch(gauge);
    }

    fn watch(&self, gauge: &Gauge) {
        match self.bdp.watch_bytes() {
            Some(bytes) => gauge.begin(bytes),
            None => gauge.stop(),
        }
    }
}
