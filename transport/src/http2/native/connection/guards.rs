//! Where the machine asks its guard: one line per kind of nuisance.

use super::super::frame::Fatal;
use super::super::stream::{Receiving, Stream};
use super::{Core, Role, StreamKey};

impl Core {
    /// The peer has broken a rule of a stream.
    pub(super) fn provoked(&mut self) -> Result<(), Fatal> {
        self.guard.stream_error(self.now)
    }

    /// The peer has reset a stream that is closed by now.
    pub(super) fn was_reset(&mut self, key: StreamKey) -> Result<(), Fatal> {
        let now = self.now;
        match self.streams.get(key) {
            Some(stream) if self.role == Role::Server => {
                let age = now.saturating_duration_since(stream.opened);
                self.guard.reset(age, now)
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

    pub(super) fn sent_data(&mut self) {
        self.guard.sent_data();
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
