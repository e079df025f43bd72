//! The stream cell: what the tasks of one RPC and the driver of its connection share.
//!
//! The halves of the RPC put into it what is to be sent and queue it for the driver, once until the
//! driver has looked; the driver puts into it what has come, once per stream and batch. One short
//! lock, and three places for wakers: sender, receiver and runner may be three tasks, and none takes
//! the wake-ups of another. A waker is stored under the lock under which what it waits for was found
//! missing, and taken under the same lock by whoever brings it.

mod driver;
mod outbox;
mod receive;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use trunkline_core::{Metadata, Status};

use self::state::{Response, State, set_waker};
use super::connection::{End, Inbound, StreamKey};
use super::frame::Reason;
use super::head::{ResponseHead, write};
use super::hpack::Fields;
use super::link::{Link, wake};
use crate::http2::{Finished, ResponseForm};
use crate::sync::Mutex;

pub(super) use self::driver::Begun;
pub(super) use self::outbox::Outbox;

/// From here on a message, or a batch of them, is handed over as its own buffer instead of being
/// appended to one that grows: such buffers are used again.
const LARGE: usize = 1024;

/// One stream, from both sides.
#[derive(Debug)]
pub(super) struct StreamCell {
    state: Mutex<State>,
}

/// Wakers to be called once nothing is locked.
#[derive(Debug, Default)]
struct Wakers {
    all: [Option<Waker>; 4],
}

impl Wakers {
    fn call(self) {
        self.all.into_iter().for_each(wake);
    }
}

impl StreamCell {
    /// A client's stream, opened with so many bytes for whose way a sender waits; `is_all` if those are
    /// all. What follows them is kept until the first answer, so that the call may be started again.
    pub(super) fn client(link: Arc<Link>, waiting: usize, is_all: bool) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::client(link, waiting, is_all)),
        })
    }

    /// A server's stream, with what has come of it so far.
    pub(super) fn server(link: Arc<Link>, key: StreamKey, inbound: &mut Inbound) -> Arc<Self> {
        // Filled in where it lies: a value that is changed before it is put there is copied at each
        // step.
        let cell = Arc::new(Self {
            state: Mutex::new(State::new(link, Some(key))),
        });
        let mut state = cell.state.lock();
        state.inbound.end = inbound.end.take();
        state.stop = state.inbound.end.filter(|end| *end != End::Clean);
        // Opened and reset at once: its handler hears of it, if it looks.
        state.is_closed = state.stop.is_some();
        state.inbound.store_all(inbound);
        drop(state);
        cell
    }

    /// Server: from now on halves in different tasks use it.
    pub(super) fn share(&self, form: ResponseForm) {
        let mut state = self.state.lock();
        if !state.ended {
            state.response = Response::new(form);
        }
    }

    /// Queues the stream for its driver, unless it is queued already.
    fn queue(self: &Arc<Self>, state: &mut State) -> Option<Waker> {
        self.queue_as(state, true)
    }

    fn queue_as(self: &Arc<Self>, state: &mut State, is_urgent: bool) -> Option<Waker> {
        if state.is_queued {
            if is_urgent && std::mem::take(&mut state.may_wait) {
                state.link.hurry();
            }
            return None;
        }
        if state.is_closed && state.stop.is_none() {
            return None;
        }
        state.is_queued = true;
        state.may_wait = !is_urgent;
        state.link.post(self, is_urgent)
    }

    /// Takes one message of about `size` bytes, which `write` appends; if it `goes_on`, many more
    /// are about to follow.
    ///
    /// Messages that are sent until the driver runs become one DATA frame: that is how they are
    /// merged when there are many and prompt when there are few.
    pub(super) fn push(
        self: &Arc<Self>,
        size: usize,
        goes_on: bool,
        write: impl FnOnce(&mut BytesMut) -> Result<(), Status>,
    ) -> Result<(), Status> {
        let mut state = self.state.lock();
        state.check()?;
        if size < LARGE {
            state.append(write)?;
        } else {
            // Not under the lock, which the connection's driver may want.
            drop(state);
            let mut own = BytesMut::new();
            write(&mut own)?;
            state = self.state.lock();
            state.check()?;
            state.append_large(own.freeze());
        }
        state.open();
        let driver = self.queue_as(&mut state, !goes_on);
        drop(state);
        wake(driver);
        Ok(())
    }

    /// Takes one message in its frame.
    pub(super) fn push_frame(self: &Arc<Self>, frame: Bytes) -> Result<(), Status> {
        let mut state = self.state.lock();
        state.check()?;
        state.append_frame(frame);
        state.open();
        let driver = self.queue(&mut state);
        drop(state);
        wake(driver);
        Ok(())
    }

    /// Bytes that wait for the driver, for window or for the socket.
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().waiting
    }

    /// Bytes that may be pushed until so many wait: none, or fewer, where memory is short.
    pub(super) fn room_below(&self, below: usize) -> usize {
        let state = self.state.lock();
        let below = state.link.may_wait_below(below);
        below.saturating_sub(state.waiting)
    }

    /// Ready when fewer than `below` bytes wait.
    pub(super) fn poll_below(
        &self,
        below: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Status>> {
        let mut state = self.state.lock();
        state.check()?;
        let below = state.link.may_wait_below(below);
        // What a refused call sends is kept: it need not wait for window.
        if state.waiting < below || state.is_undecided() {
            return Poll::Ready(Ok(()));
        }
        if state.stop.is_some() {
            state.fail();
            state.check()?;
        }
        let old = state.wait_to_send(below, cx);
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Ready once nothing more can be sent, and why: for a sender that has nothing to send now.
    pub(super) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Status> {
        let mut state = self.state.lock();
        if let Some(status) = state.closed() {
            return Poll::Ready(status);
        }
        let old = state.wait_to_send(0, cx);
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Client: END_STREAM after all that waits. Failures come out at the receiver.
    pub(super) fn half_close(self: &Arc<Self>) {
        let mut state = self.state.lock();
        if state.ended {
            return;
        }
        state.ended = true;
        state.outbox.open().set_end();
        let driver = self.queue(&mut state);
        drop(state);
        wake(driver);
    }

    /// Ends the RPC from this side with RST_STREAM CANCEL. Both halves then fail with `status`.
    pub(super) fn abort(self: &Arc<Self>, status: Status) {
        let mut state = self.state.lock();
        state.fail_locally(status);
        self.reset(state, Reason::CANCEL);
    }

    /// Client: the RPC has ended with the peer's word. A sender that still lives fails.
    pub(super) fn peer_ended(self: &Arc<Self>, status: Status) {
        let mut state = self.state.lock();
        state.fail_locally(status);
        self.reset(state, Reason::CANCEL);
    }

    /// Client: the same for a call that has no sender.
    pub(super) fn release(self: &Arc<Self>) {
        let state = self.state.lock();
        if !state.is_closed {
            self.reset(state, Reason::CANCEL);
        }
    }

    /// Resets the stream, unless it is gone already, and tells all who wait.
    fn reset(self: &Arc<Self>, mut state: impl std::ops::DerefMut<Target = State>, why: Reason) {
        state.ended = true;
        state.clear();
        let mut driver = None;
        if !state.is_closed {
            state.outbox.open().set_reset(why);
            driver = self.queue(&mut state);
        }
        let wakers = state.take_wakers(driver);
        drop(state);
        wakers.call();
    }

    /// Server: nobody has answered. INTERNAL_ERROR tells the client so.
    pub(super) fn forsake(self: &Arc<Self>) {
        let state = self.state.lock();
        if !state.ended {
            self.reset(state, Reason::INTERNAL_ERROR);
        }
    }

    /// True once this side has queued its END_STREAM or a reset.
    pub(super) fn has_ended(&self) -> bool {
        self.state.lock().ended
    }

    /// Client: true once its deadline has passed. The reader, which looks when it has found nothing
    /// and left its waker, sees that or is woken.
    pub(super) fn has_expired(&self) -> bool {
        self.state.lock().is_late
    }

    /// Client: true while the call may be started again elsewhere.
    pub(super) fn may_restart(&self) -> bool {
        self.state.lock().may_restart()
    }

    /// Client: the server has answered, so nothing will be sent twice.
    pub(super) fn commit(&self) {
        let kept = self.state.lock().kept.take();
        drop(kept);
    }

    /// Server: the runner's watch for RST_STREAM and for the loss of the connection.
    pub(super) fn poll_reset(&self, cx: &mut Context<'_>) -> Poll<Status> {
        let mut state = self.state.lock();
        if let Some(status) = state.gone() {
            return Poll::Ready(status);
        }
        let old = set_waker(&mut state.runner, cx);
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Server: the whole answer of an RPC that has no other halves: its head, perhaps a message,
    /// perhaps trailers.
    pub(super) fn answer(
        self: &Arc<Self>,
        head: (ResponseHead, Fields),
        rest: Option<(Bytes, Fields)>,
    ) {
        let mut state = self.state.lock();
        if state.ended {
            return;
        }
        state.ended = true;
        state.outbox.open().set_head(head, rest.is_none());
        if let Some((frame, trailers)) = rest {
            state.append_large(frame);
            state.outbox.open().set_trailers(trailers);
        }
        let driver = self.queue(&mut state);
        drop(state);
        wake(driver);
    }

    /// Server: runs `edit` on the response headers, unless they are already sent.
    pub(super) fn with_headers<R>(&self, edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        let mut state = self.state.lock();
        let unsent = state.response.unsent()?;
        Some(edit(&mut unsent.headers))
    }

    /// Server: the same for the handler, whose headers are sent as such even if it fails.
    pub(super) fn with_own_headers<R>(&self, edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        let mut state = self.state.lock();
        let unsent = state.response.unsent()?;
        let edited = edit(&mut unsent.headers);
        unsent.has_own_headers = !unsent.headers.is_empty();
        Some(edited)
    }

    /// Server: runs `edit` on the trailers, unless the RPC has ended.
    pub(super) fn with_trailers<R>(&self, edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        let mut state = self.state.lock();
        if state.ended {
            return None;
        }
        state.response.with_trailers(edit)
    }

    /// Server: sends the response headers now, if they are not yet sent.
    pub(super) fn send_headers(self: &Arc<Self>) -> Result<(), Status> {
        let mut state = self.state.lock();
        state.check()?;
        if state.open() {
            let driver = self.queue(&mut state);
            drop(state);
            wake(driver);
        }
        Ok(())
    }

    /// Server: takes one message that is encoded already and ends the RPC with it.
    pub(super) fn reply(self: &Arc<Self>, headers: Metadata, frame: Bytes, trailers: &Metadata) {
        let mut state = self.state.lock();
        if let Some(unsent) = state.response.unsent() {
            unsent.headers.extend(headers);
        }
        if !state.ended && state.stop.is_none() {
            state.append_large(frame);
        }
        drop(state);
        self.finish(Ok(trailers));
    }

    /// Server: the end of the RPC. All that was sent goes out first, however small the window.
    pub(super) fn finish(self: &Arc<Self>, outcome: Result<&Metadata, &Status>) {
        let mut state = self.state.lock();
        if state.ended {
            return;
        }
        match outcome {
            Ok(_) => state.return_locally(),
            Err(status) => state.fail_locally(status.clone()),
        }
        state.end(outcome);
        state.drop_body();
        let driver = self.queue(&mut state);
        let wakers = state.take_wakers(driver);
        drop(state);
        wakers.call();
    }

    /// Server: ends the RPC when nobody may wait for the client to read: with trailers if what is
    /// ahead of them has window, otherwise by RST_STREAM.
    pub(super) fn finish_now(self: &Arc<Self>, status: &Status) -> Finished {
        if self.has_window() {
            self.finish(Err(status));
            return Finished::Trailers;
        }
        self.abort(status.clone());
        self.drop_body();
        Finished::Reset
    }

    /// Server: the same on a connection that is about to close. Without window nothing is said: its
    /// end tells the client that the server is gone, where a reset would tell it CANCELLED, as if
    /// the call had been given up.
    pub(super) fn finish_last(self: &Arc<Self>, status: &Status) -> Finished {
        if self.has_window() {
            self.finish(Err(status));
            return Finished::Trailers;
        }
        let mut state = self.state.lock();
        state.fail_locally(status.clone());
        state.ended = true;
        state.clear();
        state.drop_body();
        let wakers = state.take_wakers(None);
        drop(state);
        wakers.call();
        Finished::Reset
    }

    /// Whether what is written now does not wait for the client; true where nothing can be any more.
    fn has_window(&self) -> bool {
        let state = self.state.lock();
        !state.is_blocked || state.stop.is_some()
    }
}
