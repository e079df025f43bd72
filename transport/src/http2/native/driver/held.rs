//! What a server's connection holds for others, as its machine counts it, and its part of the whole.

use super::Driver;
use super::closing::Death;
use crate::http2::native::frame::{Fatal, Reason};

/// Memory is short, and what this connection holds is in its output already.
pub(super) const UNTAKEN: &str =
    "held_too_much: it does not take what is written (setting max_held_bytes)";

impl Driver {
    /// After a batch: what is held now counts.
    pub(super) fn hold(&mut self) {
        let held = self.held();
        if let Some(holder) = &mut self.holder {
            holder.hold(held);
            self.core.set_pressure(holder.pressure(), self.now);
        }
    }

    /// All connections together hold too much, and this one most. Where no stream holds any of it the
    /// connection itself is let go of: to be asked again would help nobody.
    pub(super) fn shed(&mut self) {
        let held = self.held();
        let Some(holder) = &mut self.holder else {
            return;
        };
        if holder.must_let_go(held) {
            tracing::warn!(
                peer = %self.link.peer().address(),
                held,
                "the server's connections hold more than max_held_bytes: the largest stream is reset"
            );
            if !self.core.shed(self.now) {
                let why = Fatal::new(Reason::NO_ERROR, UNTAKEN);
                self.death.get_or_insert(Death::Fatal(why));
                return;
            }
            let held = self.held();
            if let Some(holder) = &mut self.holder {
                holder.let_go(held);
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

    fn held(&self) -> u64 {
        let output = u64::try_from(self.out.len()).unwrap_or(u64::MAX);
        self.core.held().saturating_add(output)
    }
}
