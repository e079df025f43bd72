//! The deadlines of a client's calls, which the connection's one timer watches.
//!
//! A timer per call costs more than most calls take to be answered. All that is known here is a time
//! before which none has to be looked for: it falls with each call that has an earlier one, and when
//! it comes all streams are looked at, once. Calls that end early leave nothing behind. Where all
//! have the same timeout, as is usual, that is one look per timeout.

use std::time::Instant;

use super::Driver;

impl Driver {
    /// A stream has this deadline.
    pub(super) fn watch_deadline(&mut self, at: Instant) {
        if self.soonest.is_none_or(|soonest| at < soonest) {
            self.soonest = Some(at);
        }
    }

    /// Tells those whose deadline has passed; they are woken with all others of this turn.
    pub(super) fn expire_late(&mut self) {
        let mut soonest: Option<Instant> = None;
        for slot in self.streams.iter_mut().flatten() {
            let Some(at) = slot.deadline else {
                continue;
            };
            if at <= self.now {
                slot.deadline = None;
                slot.cell.expire(&mut self.wakers);
            } else if soonest.is_none_or(|soonest| at < soonest) {
                soonest = Some(at);
            }
        }
        self.soonest = soonest;
    }
}
