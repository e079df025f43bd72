//! What our own side wants of its streams.

use std::time::Instant;

use super::super::frame::write;
use super::super::stream::{Fin, Receiving, Sending};
use super::held::bytes_of;
use super::place::OutHead;
use super::{Core, Order, StreamKey};

impl Core {
    /// What an RPC's task wants; nothing if its stream is gone.
    pub(in super::super) fn order(&mut self, key: StreamKey, order: Order, now: Instant) {
        self.now = now;
        let Some(stream) = self.streams.get_mut(key) else {
            return;
        };
        if stream.is_closed || self.leaving.is_closed() {
            return;
        }
        let is_open = matches!(stream.queue.fin(), Fin::Open) && stream.sending != Sending::Ended;
        match order {
            Order::Head { head, extra, end } => {
                if end {
                    stream.queue.set_fin(Fin::EndStream);
                }
                self.push_head(key, OutHead::Response(head, extra));
                return;
            }
            Order::Data(payload) if is_open => {
                self.held = self.held.saturating_add(bytes_of(&payload));
                stream.queue.push(payload);
            }
            Order::Trailers(fields) if is_open => stream.queue.set_fin(Fin::Trailers(fields)),
            Order::Finish if is_open => stream.queue.set_fin(Fin::EndStream),
            Order::Data(_) | Order::Trailers(_) | Order::Finish => return,
            Order::Reset(reason) => return self.reset(key, reason),
            Order::Credit(bytes) => return self.credit(key, bytes),
            Order::Ignore => return self.ignore(key),
        }
        if stream.sending == Sending::Body && stream.is_ready() {
            self.ring.push(key);
        }
    }

    /// Its reader is gone, and what had come for it is dropped.
    fn ignore(&mut self, key: StreamKey) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.is_ignored = true;
            let dropped = std::mem::take(&mut stream.unread);
            self.held = self.held.saturating_sub(u64::from(dropped));
            self.taken = self.taken.saturating_add(u64::from(dropped));
        }
    }

    /// Its reader has taken so many bytes.
    fn credit(&mut self, key: StreamKey, bytes: u32) {
        self.took(key, bytes);
        let Some(stream) = self.streams.get_mut(key) else {
            return;
        };
        let taken = bytes.min(stream.unread);
        stream.unread -= taken;
        self.held = self.held.saturating_sub(u64::from(taken));
        self.taken = self.taken.saturating_add(u64::from(taken));
        if stream.receiving == Receiving::Ended {
            return;
        }
        // What was sent beyond the window goes back beside it.
        let beyond = bytes.min(stream.beyond);
        stream.beyond -= beyond;
        let by = stream.recv.credit(bytes - beyond).unwrap_or(0);
        let by = by.saturating_add(beyond);
        if by > 0 {
            write::window_update(stream.id, by, &mut self.control);
        }
    }
}
