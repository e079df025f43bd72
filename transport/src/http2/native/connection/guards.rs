//! Where the machine asks its guard: one line per kind of nuisance.

use std::time::Instant;

use super::super::frame::{Fatal, StreamId};
use super::super::guard::Reset;
use super::super::stream::{Receiving, Sending, Stream};
use super::{Core, Role, StreamKey};

impl Core {
    /// The peer has broken a rule of a stream.
    pub(super) fn provoked(&mut self) -> Result<(), Fatal> {
        self.guard.stream_error(self.now)
    }

    /// The peer has reset a stream that is closed by now. Whoever takes answers may cancel as soon
    /// and as often as it likes.
    pub(super) fn was_reset(&mut self, key: StreamKey) -> Result<(), Fatal> {
        let now = self.now;
        match self.streams.get(key) {
            Some(stream) if self.role == Role::Server && stream.sending == Sending::Head => {
                let reset = Reset {
                    age: now.saturating_duration_since(stream.opened),
                    unseen: now.saturating_duration_since(self.looked),
                    timeout: stream.timeout,
                };
                self.guard.reset(&reset, now)
            }
            _ => Ok(()),
        }
    }

    /// A stream beyond our limit, which counts once the peer knows of it.
    pub(super) fn refused(&mut self) -> Result<(), Fatal> {
        if self.local.is_acknowledged() {
            return self.guard.refused(self.now);
        }
        Ok(())
    }

    pub(super) fn was_pinged(&mut self) -> Result<(), Fatal> {
        if let Some(strikes) = &mut self.strikes {
            strikes.ping(self.now, self.open > 0)?;
        }
        self.guard.ping(self.now)
    }

    /// After each batch of reading: whether a header block is begun and not ended.
    pub(in super::super) fn block_unfinished(&mut self, unfinished: bool, now: Instant) {
        self.looked = now;
        self.guard.block(unfinished, now);
    }

    /// What still comes for a stream that we have reset was under way: no more than this.
    pub(super) fn forgive(&mut self, id: StreamId, left: u32) {
        self.closed.reset_by_us(id);
        self.guard.reset_by_us(left);
    }

    /// PRIORITY, unknown frames, frames for closed streams, unasked acknowledgements.
    pub(super) fn useless(&mut self) -> Result<(), Fatal> {
        self.guard.useless(self.now)
    }

    pub(super) fn sent_head(&mut self) {
        self.guard.sent_headers();
        if let Some(strikes) = &mut self.strikes {
            strikes.sent_data_or_headers();
        }
    }

    /// A DATA frame of this length, cut by a window or not.
    pub(super) fn sent_data(&mut self, length: u32, is_cut: bool) {
        self.guard.sent_data(length, is_cut);
        if let Some(strikes) = &mut self.strikes {
            strikes.sent_data_or_headers();
        }
    }

    /// Both sides have ended a stream.
    pub(super) fn completed(&mut self, key: StreamKey) {
        let is_whole = |stream: &Stream| stream.receiving == Receiving::Ended;
        if self.streams.get(key).is_some_and(is_whole) {
            self.guard.completed();
        }
        self.close(key);
    }
}
