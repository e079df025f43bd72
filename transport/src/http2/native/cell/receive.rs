//! The receiving half of a cell.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use trunkline_core::{Stage, Status};

use super::outbox::Outbox;
use super::state::{State, set_waker};
use super::{StreamCell, wake};
use crate::http2::failure;
use crate::http2::native::connection::{End, Inbound};
use crate::http2::native::frame::Reason;
use crate::http2::native::head::{FieldList, Head, Response};

impl StreamCell {
    /// Client: the response's head; true with it if it is all there is. What follows it is put into
    /// `rest`, with its end, if all of it is here already.
    pub(in super::super) fn poll_head(
        self: &Arc<Self>,
        rest: &mut Inbound,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Response, bool), Status>> {
        self.poll(cx, |state| {
            let Some(Head::Response(head)) = state.inbound.take_head() else {
                return state.response_end(None);
            };
            let is_all = state.inbound.parts().is_some_and(|parts| parts.is_all);
            state.take_rest(rest);
            Some(Ok((head, is_all)))
        })
    }

    /// Client: the next chunk of the body; `None` before the trailers.
    pub(in super::super) fn poll_response(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Status>> {
        self.poll(cx, |state| match state.take_chunk() {
            Some(chunk) => Some(Ok(Some(chunk))),
            None => state.response_end(Some(None)),
        })
    }

    /// Client: the trailers, after the last chunk; `None` if the stream ended without.
    pub(in super::super) fn poll_trailers(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<FieldList>, Status>> {
        self.poll(cx, |state| match state.inbound.take_trailers() {
            Some(trailers) => Some(Ok(Some(trailers))),
            None => state.response_end(Some(None)),
        })
    }

    /// Server: the next chunk of the request; `None` once the client has half-closed.
    pub(in super::super) fn poll_request(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Status>> {
        self.poll(cx, State::request_chunk)
    }

    /// Server: the receiving side has ended, nothing more will be read from it. The driver hears of
    /// it where there is, or may come, something that would be held for nobody.
    pub(in super::super) fn drop_body(self: &Arc<Self>) {
        let mut state = self.state.lock();
        let inbound = &state.inbound;
        let would_be_held = inbound.has_body() || inbound.end.is_none();
        let concerns = !state.is_unread && !state.ended && would_be_held;
        state.drop_body();
        if concerns {
            state.outbox.open().set_ignored();
            let driver = self.queue(&mut state);
            drop(state);
            wake(driver);
        }
    }

    /// Looks, and leaves the receiver's waker where there is nothing.
    fn poll<T>(
        self: &Arc<Self>,
        cx: &Context<'_>,
        look: impl FnOnce(&mut State) -> Option<T>,
    ) -> Poll<T> {
        let mut state = self.state.lock();
        if let Some(found) = look(&mut state) {
            if state.outbox.get().is_some_and(Outbox::has_credit) {
                let driver = self.queue(&mut state);
                drop(state);
                wake(driver);
            }
            return Poll::Ready(found);
        }
        let old = set_waker(&mut state.receiver, cx);
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl State {
    /// Client: the same as reading it piece by piece, where the answer has come as a whole. Its
    /// window is nobody's any more, and its driver has forgotten it.
    fn take_rest(&mut self, rest: &mut Inbound) {
        if self.inbound.end == Some(End::Clean) && self.is_closed {
            *rest = self.inbound.take_all();
        }
    }

    /// What is taken is given back to the peer as window, in steps: each is an order.
    fn take_chunk(&mut self) -> Option<Bytes> {
        let chunk = self.inbound.take_chunk()?;
        let taken = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
        self.freed = self.freed.saturating_add(taken);
        // A server counts what its handlers leave unread, also of requests that are complete.
        let is_over = self.is_client && self.inbound.end.is_some();
        if self.freed >= self.link.release_at() && !is_over {
            self.outbox
                .open()
                .add_credit(std::mem::take(&mut self.freed));
        }
        Some(chunk)
    }

    fn request_chunk(&mut self) -> Option<Result<Option<Bytes>, Status>> {
        if !self.is_unread {
            if let Some(chunk) = self.take_chunk() {
                return Some(Ok(Some(chunk)));
            }
            match self.inbound.end {
                Some(End::Clean) => return Some(Ok(None)),
                Some(end) => {
                    let lost = self.status_of(end, Stage::Request);
                    return Some(Err(failure::gone(&lost)));
                }
                None => {}
            }
        }
        self.told().map(Err)
    }

    /// Client: how the stream has ended, if it has; `clean` is what a clean end means here.
    fn response_end<T>(&self, clean: Option<T>) -> Option<Result<T, Status>> {
        // What came from outside came first, but for the reset behind an early answer.
        let (end, from_outside) = match (self.inbound.end, clean) {
            (Some(End::Clean), Some(clean)) => return Some(Ok(clean)),
            (Some(end @ (End::Clean | End::Fault(..) | End::Reset(Reason::NO_ERROR))), _) => {
                (Some(end), false)
            }
            (Some(end @ (End::Reset(_) | End::LeftOut | End::Lost)), _) => (Some(end), true),
            (None, _) => (None, false),
        };
        if !from_outside && let Some(told) = self.told() {
            return Some(Err(told));
        }
        end.map(|end| Err(self.status_of(end, Stage::Response)))
    }
}
