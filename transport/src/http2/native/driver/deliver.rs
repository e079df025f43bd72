//! What has happened, for those whom it concerns.

use std::sync::Arc;

use super::{Driver, Slot, Turn};
use crate::http2::failure::left_out;
use crate::http2::native::cell::StreamCell;
use crate::http2::native::connection::{Event, StreamKey, printable};
use crate::http2::native::frame::Reason;
use crate::http2::native::guard::TOO_MANY_PINGS;
use crate::http2::native::head::Head;
use trunkline_core::Stage;

impl Driver {
    /// Hands over, up to what the driver's owner has to know, and wakes those who wait at the end.
    pub(super) fn deliver(&mut self) -> Option<Turn> {
        while let Some(event) = self.events.get(self.next_event).copied() {
            self.next_event += 1;
            if let Some(turn) = self.hand_over(event) {
                return Some(turn);
            }
        }
        self.events.clear();
        self.next_event = 0;
        self.wake_all();
        None
    }

    fn hand_over(&mut self, event: Event) -> Option<Turn> {
        match event {
            Event::Accept(key) => return self.accept(key),
            Event::Touched(key) => self.touched(key),
            Event::Sent(key, bytes) => {
                if let Some(slot) = slot(&self.streams, key)
                    && slot.has_sender
                {
                    slot.cell.sent(&self.link, key, bytes, &mut self.wakers);
                }
            }
            Event::Blocked(key, blocked) => {
                if let Some(cell) = cell(&self.streams, key) {
                    cell.set_blocked(&self.link, key, blocked);
                }
            }
            Event::Closed(key) => drop(self.remove(key)),
            Event::Limit(limit) => self.set_limit(limit),
            Event::Settled => {
                self.is_settled = true;
                return Some(Turn::Settled);
            }
            Event::GoneAway(_, reason) => self.peer_goes_away(reason),
        }
        None
    }

    fn accept(&mut self, key: StreamKey) -> Option<Turn> {
        let inbound = self.core.inbound(key)?;
        let Some(Head::Request(head)) = inbound.take_head() else {
            return None;
        };
        let cell = StreamCell::server(Arc::clone(&self.link), key, inbound);
        self.insert(Slot {
            key,
            cell: Arc::clone(&cell),
            permit: None,
            is_forsaken: false,
            has_sender: true,
            deadline: None,
        });
        Some(Turn::Accepted(cell, head))
    }

    fn touched(&mut self, key: StreamKey) {
        let cell = cell(&self.streams, key);
        if let (Some(cell), Some(inbound)) = (cell, self.core.inbound(key)) {
            cell.deliver(&self.link, key, inbound, &mut self.wakers);
        }
    }

    pub(super) fn set_limit(&self, limit: u32) {
        if let Some(slots) = &self.slots {
            slots.set_limit(usize::try_from(limit).unwrap_or(usize::MAX));
        }
    }

    /// What a stream that the peer leaves out is told is there before the stream hears of it.
    pub(super) fn note_goodbye(&self) {
        let Some((reason, text)) = self.core.goodbye() else {
            return;
        };
        self.name_goodbye(*reason, text);
    }

    fn name_goodbye(&self, reason: Reason, text: &str) {
        if self.link.has_goodbye() {
            return;
        }
        self.link.set_goodbye(match text {
            "" => reason.to_string(),
            text => format!("{reason}: {text}"),
        });
    }

    /// Client, before it looks at a GOAWAY that leaves nothing out yet: the calls that wait to be
    /// opened go out now, ahead of the answer to the PING behind it, after which the server takes
    /// none. From here on nobody asks for more.
    pub(super) fn open_before_goodbye(&mut self, reason: Reason, text: &[u8]) {
        if self.slots.is_none() || !self.link.is_open() {
            return;
        }
        self.name_goodbye(reason, &printable(text));
        let (peer, said) = (self.link.peer(), self.link.goodbye());
        self.link.drain(left_out(said, peer, Stage::Request));
        self.take_mail();
        self.core.place_heads(&mut self.out, self.now);
    }

    fn peer_goes_away(&self, reason: Reason) {
        let text = self.core.goodbye().map_or("", |(_, text)| text);
        match reason {
            Reason::NO_ERROR => self.link.set_said_goodbye(),
            Reason::ENHANCE_YOUR_CALM => {
                // Where it says why, it is known; not all do.
                let by_pings = matches!(text, "" | TOO_MANY_PINGS);
                let by_measuring = text == TOO_MANY_PINGS && self.core.has_measured();
                if (by_pings && self.core.has_asked_for_life()) || by_measuring {
                    self.link.set_pings_too_often();
                }
            }
            _ => {}
        }
        let Some(slots) = &self.slots else {
            return;
        };
        let (peer, said) = (self.link.peer(), self.link.goodbye());
        tracing::debug!(peer = %peer.address(), said, "the server is going away");
        self.link.drain(left_out(said, peer, Stage::Request));
        slots.wake_all();
    }
}

/// Without a clone: the driver's other parts are used beside it.
fn slot(streams: &[Option<Slot>], key: StreamKey) -> Option<&Slot> {
    let index = usize::try_from(key.slot).ok()?;
    let slot = streams.get(index)?.as_ref()?;
    (slot.key == key).then_some(slot)
}

fn cell(streams: &[Option<Slot>], key: StreamKey) -> Option<&StreamCell> {
    slot(streams, key).map(|slot| &*slot.cell)
}
