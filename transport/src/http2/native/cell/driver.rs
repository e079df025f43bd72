//! A cell as the driver of its connection sees it.

use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;

use super::StreamCell;
use super::outbox::Outbox;
use super::state::State;
use crate::http2::native::connection::{End, Inbound, MEMORY_SHORT, StreamKey};
use crate::http2::native::frame::Reason;
use crate::http2::native::lent::Lent;
use crate::http2::native::link::{Link, wake};

/// What becomes of a call that is to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Begun {
    Yes(StreamKey),
    /// Its caller is gone.
    Dropped,
    /// Nothing can be opened on this connection any more.
    Refused,
}

impl StreamCell {
    /// Client: opens the stream, unless its caller is gone.
    ///
    /// A call that has moved here has a sender already: what that has sent before the driver knew
    /// the stream, and which it could not collect then, is looked at again.
    pub(in super::super) fn begin(
        self: &Arc<Self>,
        open: impl FnOnce() -> Option<StreamKey>,
        wakers: &mut Vec<Waker>,
    ) -> Begun {
        let mut state = self.state.lock();
        if state.outbox.get().is_some_and(Outbox::is_reset) {
            state.outbox.close();
            state.is_closed = true;
            return Begun::Dropped;
        }
        let Some(key) = open() else {
            state.is_unprocessed = true;
            state.stopped(End::LeftOut, wakers);
            return Begun::Refused;
        };
        state.key = Some(key);
        if state.outbox.get().is_some_and(|outbox| !outbox.is_empty()) {
            wakers.extend(self.queue(&mut state));
        }
        Begun::Yes(key)
    }

    /// Takes what is to be done for the stream, if it is on this connection.
    pub(in super::super) fn collect(&self, link: &Arc<Link>) -> Option<(StreamKey, Lent<Outbox>)> {
        let mut state = self.state.lock();
        if !Arc::ptr_eq(&state.link, link) {
            // It has moved on.
            return None;
        }
        state.is_queued = false;
        if state.stop.is_some() {
            state.fail();
            let wakers = state.take_wakers(None);
            drop(state);
            wakers.call();
            return None;
        }
        let key = state.key?;
        Some((key, state.take_outbox()))
    }

    /// Brings what has come.
    pub(in super::super) fn deliver(
        &self,
        link: &Arc<Link>,
        key: StreamKey,
        inbound: &mut Inbound,
        wakers: &mut Vec<Waker>,
    ) {
        let mut state = self.state.lock();
        if !state.is_on(link, key) {
            return;
        }
        state.receive(inbound);
        match inbound.end.take() {
            None => {}
            Some(End::Clean) => {
                state.inbound.end = Some(End::Clean);
                if state.is_client {
                    // Nobody listens to the rest of the request.
                    state.stopped(End::Clean, wakers);
                }
            }
            Some(end) => state.stopped(end, wakers),
        }
        if let Some(receiver) = state.receiver.take() {
            wakers.push(receiver);
        }
    }

    /// So many bytes of its data are in the output.
    pub(in super::super) fn sent(
        &self,
        link: &Arc<Link>,
        key: StreamKey,
        bytes: u32,
        wakers: &mut Vec<Waker>,
    ) {
        let mut state = self.state.lock();
        if !state.is_on(link, key) {
            return;
        }
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        state.waiting = state.waiting.saturating_sub(bytes);
        wakers.extend(state.ready_sender());
    }

    /// Its data waits for window, or does not any more.
    pub(in super::super) fn set_blocked(&self, link: &Arc<Link>, key: StreamKey, blocked: bool) {
        let mut state = self.state.lock();
        if state.is_on(link, key) {
            state.is_blocked = blocked;
        }
    }

    /// Client: its deadline has passed. What becomes of the call is its reader's to say.
    pub(in super::super) fn expire(&self, wakers: &mut Vec<Waker>) {
        let mut state = self.state.lock();
        state.is_late = true;
        wakers.extend(state.receiver.take());
    }

    /// The connection is gone. `unprocessed`: the peer can have seen nothing of it.
    pub(in super::super) fn lose(
        &self,
        link: &Arc<Link>,
        unprocessed: bool,
        wakers: &mut Vec<Waker>,
    ) {
        let mut state = self.state.lock();
        if !Arc::ptr_eq(&state.link, link) {
            return;
        }
        state.is_unprocessed = unprocessed;
        state.stopped(End::Lost, wakers);
    }

    /// Client: puts the call on another connection, because it was surely not processed on its
    /// first one: all that was sent there goes out again. Only once, and only before the first
    /// answer. What is to be sent, and whether that is all; `None` if the call was ended meanwhile.
    pub(in super::super) fn restart(&self, link: &Arc<Link>) -> Option<(Bytes, bool)> {
        let mut state = self.state.lock();
        if !state.may_restart() {
            return None;
        }
        let resent = state.resend();
        let old = std::mem::replace(&mut state.link, Arc::clone(link));
        state.key = None;
        state.is_queued = false;
        state.is_closed = false;
        state.inbound.clear();
        state.inbound.end = None;
        state.freed = 0;
        state.is_blocked = false;
        state.stop = None;
        state.has_failed = false;
        state.is_unprocessed = false;
        let sender = state.ready_sender();
        drop(state);
        drop(old);
        wake(sender);
        Some(resent)
    }
}

impl State {
    fn is_on(&self, link: &Arc<Link>, key: StreamKey) -> bool {
        self.key == Some(key) && Arc::ptr_eq(&self.link, link)
    }

    /// All but the end.
    fn receive(&mut self, from: &mut Inbound) {
        if self.is_unread {
            from.drop_body();
        }
        self.inbound.store_all(from);
    }

    /// It was ended from outside.
    fn stopped(&mut self, end: End, wakers: &mut Vec<Waker>) {
        if self.inbound.end != Some(End::Clean) || !self.is_client {
            self.inbound.end = Some(end);
        }
        self.stop = Some(end);
        if end == End::Fault(Reason::ENHANCE_YOUR_CALM, MEMORY_SHORT) {
            self.inbound.drop_body();
        }
        self.is_closed |= end != End::Clean || self.is_client;
        self.is_blocked = false;
        if end == End::Lost || self.waiting > 0 {
            self.fail();
        }
        self.wake_all(wakers);
    }
}
