//! Frames for streams that are not open: of the future, of the past, or on their way when we reset.

use super::super::frame::{Fatal, Reason, StreamId};
use super::{Core, Role};

impl Core {
    /// Nobody has opened it yet (RFC 9113 §5.1, "idle").
    pub(super) const fn is_idle(&self, id: StreamId) -> bool {
        match self.role {
            Role::Server => !id.is_client() || id.0 > self.ids.last.0,
            // Streams of a server's own begin with PUSH_PROMISE, which is never allowed.
            Role::Client => !id.is_client() || id.0 >= self.ids.next,
        }
    }

    pub(super) fn late_data(&mut self, id: StreamId, flow: u32) -> Result<(), Fatal> {
        if self.is_idle(id) {
            return Err(Fatal::protocol("DATA for a stream that was never opened"));
        }
        if self.closed.is_forgivable(id) {
            return self.guard.late_data(flow, self.now);
        }
        Err(closed("DATA for a closed stream"))
    }

    /// The block was decoded.
    pub(super) fn late_headers(&mut self, id: StreamId) -> Result<(), Fatal> {
        if self.is_idle(id) {
            return Err(Fatal::protocol(
                "HEADERS for a stream that was never opened",
            ));
        }
        if self.closed.is_forgivable(id) {
            return self.useless();
        }
        if self.role == Role::Server && id.0 > self.ids.gap.0 && id.0 < self.ids.last.0 {
            return Err(Fatal::protocol("a stream number below the last one"));
        }
        Err(closed("HEADERS for a closed stream"))
    }

    pub(super) fn late_update(&mut self, id: StreamId) -> Result<(), Fatal> {
        if self.is_idle(id) {
            return Err(Fatal::protocol(
                "WINDOW_UPDATE for a stream that was never opened",
            ));
        }
        self.guard.window_update(self.now)
    }

    /// A frame that does no harm to a stream that is gone.
    pub(super) fn late(&mut self, id: StreamId, idle: &'static str) -> Result<(), Fatal> {
        if self.is_idle(id) {
            return Err(Fatal::protocol(idle));
        }
        self.useless()
    }
}

const fn closed(text: &'static str) -> Fatal {
    Fatal::new(Reason::STREAM_CLOSED, text)
}
