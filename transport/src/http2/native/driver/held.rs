//! What a server's connection holds for others, as its machine counts it, and its part of the whole.

use std::task::Context;

use super::Driver;
use super::closing::Death;
use crate::http2::held::{FREE, Holder, Pressure, STALLED};
use crate::http2::native::frame::{Fatal, Reason};
use crate::http2::native::out::Out;
use crate::now;

/// Memory is short, and what this connection holds is in its output already.
pub(super) const UNTAKEN: &str =
    "held_too_much: it does not take what is written (setting max_held_bytes)";

impl Driver {
    /// Before output is placed, and after a batch: what is held now counts.
    pub(super) fn hold(&mut self) {
        let (held, taken) = (self.held(), self.taken());
        let Some(holder) = &mut self.holder else {
            return;
        };
        holder.hold(held, taken, self.now);
        let pressure = holder.pressure();
        if pressure > Pressure::Low {
            self.core.set_pressure(pressure, holder.share(), self.now);
            self.set_sparing(true);
        } else if self.is_sparing {
            self.core.set_pressure(Pressure::Low, u64::MAX, self.now);
            // One that holds little goes on so, as long as others have to.
            let is_short = holder.pressure_of_all() > Pressure::Low;
            self.set_sparing(is_short);
        }
    }

    /// At its beginning a connection does as the others do.
    pub(super) fn spare(&mut self) {
        let pressure = self.holder.as_ref().map(Holder::pressure_of_all);
        self.set_sparing(pressure > Some(Pressure::Low));
    }

    fn set_sparing(&mut self, is_sparing: bool) {
        if std::mem::replace(&mut self.is_sparing, is_sparing) != is_sparing {
            self.link.set_sparing(is_sparing);
        }
    }

    /// What was placed is no longer where it was counted: a connection whose streams have much to
    /// say looks first how much of it may go at once.
    #[inline]
    pub(super) fn hold_ahead(&mut self) {
        if self.core.held() > FREE {
            self.hold();
        }
    }

    /// All connections together hold too much, and this one is to let go first. Where its peer takes
    /// nothing at all, or no stream holds any of it, the connection itself is let go of: to be asked
    /// again would help nobody.
    pub(super) fn shed(&mut self) {
        let held = self.held();
        let Some(holder) = &mut self.holder else {
            return;
        };
        if holder.must_let_go(held, self.now) {
            let is_stuck = self.stall.has_lasted(STALLED, self.now);
            tracing::warn!(
                peer = %self.link.peer().address(),
                held,
                is_stuck,
                "the server's connections hold more than max_held_bytes: the largest stream is \
                 reset, or its connection closed if it takes nothing"
            );
            if is_stuck || !self.core.shed(self.now) {
                // One that ends already, for another reason, answers by that end.
                let why = Fatal::new(Reason::NO_ERROR, UNTAKEN);
                self.death.get_or_insert(Death::Fatal(why));
                return;
            }
            let held = self.held();
            if let Some(holder) = &mut self.holder {
                holder.let_go(held, self.now);
            }
        }
    }

    /// Nothing has happened for a while.
    pub(super) fn rest(&mut self) {
        let held = self.held();
        if let Some(holder) = &mut self.holder {
            holder.rest(held);
        }
    }

    /// While the last words are on their way, what is left of them counts. True if all connections
    /// together hold too much and this one is to let go first: nobody else is told before it has
    /// answered, so it does not wait until its peer has taken them.
    pub(super) fn must_end(&mut self, cx: &Context<'_>) -> bool {
        let held = self.held();
        let Some(holder) = &mut self.holder else {
            return false;
        };
        // One that is told after this is woken; one that was told before is seen to be.
        self.link.park_for_shed(cx.waker());
        if !holder.was_told() {
            holder.rest(held);
            return false;
        }
        let must_end = holder.must_let_go(held, now());
        if must_end {
            tracing::warn!(
                peer = %self.link.peer().address(),
                held,
                "the server's connections hold more than max_held_bytes: one that ends is closed \
                 before its last words are taken"
            );
        }
        must_end
    }

    /// The connection is over: it may be kept for a while, but holds nothing.
    pub(super) fn hold_nothing(&mut self) {
        self.out = Out::default();
        self.holder = None;
    }

    fn held(&self) -> u64 {
        let output = u64::try_from(self.out.len()).unwrap_or(u64::MAX);
        self.core.held().saturating_add(output)
    }

    /// All that the peer and the readers of its streams ever took.
    fn taken(&self) -> u64 {
        self.core.taken().saturating_add(self.out.taken())
    }
}
