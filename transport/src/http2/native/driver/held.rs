//! What a server's connection holds for others, as its machine counts it, and its part of the whole.

use super::Driver;

impl Driver {
    /// After a batch: what is held now counts.
    pub(super) fn hold(&mut self) {
        let held = self.held();
        if let Some(holder) = &mut self.holder {
            holder.hold(held);
            self.core.set_pressure(holder.pressure(), self.now);
        }
    }

    /// All connections together hold too much, and this one most.
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
            self.core.shed(self.now);
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
