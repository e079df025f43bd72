//! GOAWAY, of the peer and ours (RFC 9113 §6.8).

use std::time::Instant;

use super::super::frame::{Fatal, Reason, StreamId, write};
use super::super::guard::MAX_STREAM_ID;
use super::super::out::Out;
use super::super::ping::Purpose;
use super::super::stream::Stream;
use super::{Control, Core, End, Event, Role};
use crate::http2::drain::Drain;

/// Numbers that a connection uses before it lets a fresh one take over.
const MOST_IDS: u32 = (1 << 31) / 4 * 3;

/// Octets of the peer's text that are kept.
const MAX_TEXT: usize = 256;

/// Who leaves, and how far that is.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    drain: Drain,
    /// Server: nothing was open when the drain began; the last stream before it.
    idle_since: Option<StreamId>,
    /// Server: nothing was opened since, and the drain's PING not answered in time.
    is_mute: bool,
    /// What our GOAWAYs say.
    text: &'static str,
    refuse_new: bool,
    /// Client: its numbers are nearly used up.
    is_exhausted: bool,
    /// Nothing at all happens any more.
    is_closed: bool,
    heard: Option<Box<Goodbye>>,
}

/// What the peer has said last.
#[derive(Debug)]
struct Goodbye {
    last: StreamId,
    reason: Reason,
    text: String,
}

/// What a GOAWAY says, as it is shown.
pub(in super::super) fn printable(text: &[u8]) -> String {
    let text = text.iter().take(MAX_TEXT);
    let text = text.map(|&byte| match byte {
        b' '..=b'~' => char::from(byte),
        _ => '?',
    });
    text.collect()
}

impl Leaving {
    /// Streams that are opened now are reset with REFUSED_STREAM.
    pub(super) fn refuses(&self) -> bool {
        self.refuse_new || self.is_closed || self.drain.is_said()
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// When the second GOAWAY of a drain is due at the latest.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.drain.wake_at()
    }
}

impl Core {
    pub(in super::super) fn control(&mut self, control: Control, now: Instant) {
        self.now = now;
        match control {
            Control::Drain(text) => self.drain(text),
            Control::RefuseNew => self.leaving.refuse_new = true,
            Control::Close(reason, text) => self.shut(reason, text),
        }
    }

    /// Nothing more will come of this connection.
    pub(in super::super) fn is_done(&self) -> bool {
        let leaving = &self.leaving;
        let has_left = leaving.drain.is_said() || leaving.heard.is_some() || leaving.is_exhausted;
        leaving.is_closed || (has_left && self.open == 0)
    }

    /// Server: the peer had nothing to hear while it was let go, and said nothing in all that time.
    pub(in super::super) const fn is_mute(&self) -> bool {
        self.leaving.is_mute
    }

    /// This side has said its last word, whatever is open.
    pub(in super::super) const fn is_closed(&self) -> bool {
        self.leaving.is_closed()
    }

    /// What the peer's GOAWAY said, if there was one.
    pub(in super::super) fn goodbye(&self) -> Option<(&Reason, &str)> {
        let heard = self.leaving.heard.as_deref()?;
        Some((&heard.reason, &heard.text))
    }

    /// The last word after an error: why the connection ends here.
    pub(in super::super) fn fatal(&mut self, fatal: Fatal, out: &mut Out) {
        self.shut(fatal.reason, fatal.text);
        self.place_control(out);
    }

    fn shut(&mut self, reason: Reason, text: &'static str) {
        if !std::mem::replace(&mut self.leaving.is_closed, true) {
            let last = self.ids.taken;
            write::go_away(last, reason, text.as_bytes(), &mut self.control);
        }
    }

    /// Client: whether a stream can be opened at all.
    pub(super) fn may_start(&self) -> bool {
        let leaving = &self.leaving;
        !leaving.is_closed
            && !leaving.drain.is_begun()
            && leaving.heard.is_none()
            && !leaving.is_exhausted
    }

    /// Whether what a window should be is still of interest to anybody.
    pub(super) const fn may_measure(&self) -> bool {
        !self.leaving.is_closed && self.leaving.heard.is_none()
    }

    fn drain(&mut self, text: &'static str) {
        if self.leaving.is_closed || !self.leaving.drain.begin(self.now) {
            return;
        }
        self.leaving.text = text;
        self.leaving.idle_since = (self.open == 0).then_some(self.ids.taken);
        if self.role == Role::Client {
            // A server opens nothing that could cross it.
            return self.conclude();
        }
        self.say(StreamId::MAX);
        if let Some(data) = self.pings.ask(Purpose::Drain, self.now) {
            write::ping(false, data, &mut self.control);
        }
    }

    /// The PING of a drain was answered: whoever hears its first GOAWAY has heard it.
    pub(super) fn conclude(&mut self) {
        if self.leaving.drain.acked() {
            self.say(self.ids.taken);
        }
    }

    /// The same for a peer that does not answer.
    pub(super) fn tick_drain(&mut self) {
        if self.leaving.drain.tick(self.now) {
            self.leaving.is_mute = self.leaving.idle_since == Some(self.ids.taken);
            self.say(self.ids.taken);
        }
    }

    fn say(&mut self, last: StreamId) {
        let text = self.leaving.text.as_bytes();
        write::go_away(last, Reason::NO_ERROR, text, &mut self.control);
    }

    /// So many numbers may be used that a fresh connection should take over. A client says nothing
    /// of it: servers could take a GOAWAY for its last word, and not read what goes out behind it.
    pub(super) fn leave_in_time(&mut self) {
        if self.ids.last.0 >= MOST_IDS {
            self.drain(MAX_STREAM_ID);
        }
        if self.ids.next >= MOST_IDS && !self.leaving.is_exhausted {
            self.leaving.is_exhausted = true;
            let reason = Reason::NO_ERROR;
            self.events.push(Event::GoneAway(StreamId::MAX, reason));
        }
    }

    pub(super) fn peer_go_away(
        &mut self,
        last: StreamId,
        reason: Reason,
        text: &[u8],
    ) -> Result<(), Fatal> {
        self.guard.go_away()?;
        let before = self.leaving.heard.as_deref();
        // It only ever falls.
        let last = before.map_or(last, |before| before.last.min(last));
        self.leaving.heard = Some(Box::new(Goodbye {
            last,
            reason,
            text: printable(text),
        }));
        if self.role == Role::Client {
            self.leave_out(last);
        }
        self.events.push(Event::GoneAway(last, reason));
        Ok(())
    }

    /// Streams above the last one that the server takes: it has not looked at them.
    fn leave_out(&mut self, last: StreamId) {
        let left_out = |stream: &Stream| stream.id > last && !stream.is_closed;
        let entries = self.streams.entries();
        let keys: Vec<_> = entries
            .filter(|(_, stream)| left_out(stream))
            .map(|(key, _)| key)
            .collect();
        for key in keys {
            if let Some(stream) = self.streams.get_mut(key) {
                stream.inbound.end = Some(End::LeftOut);
                self.events.touch(key, &mut stream.marks);
                let (id, left) = (stream.id, stream.recv.left());
                self.forgive(id, left);
            }
            self.close(key);
        }
    }
}
