//! The stream cell: what the sender, the receiver and the runner of one streaming RPC share.
//!
//! h2 keeps one waker for everything that concerns a stream's send side, so two tasks that poll
//! it (a sender that waits for window, a runner that watches for RST_STREAM) would steal each
//! other's wake-ups. Therefore only the cell polls h2's send side, always with a waker of its
//! own, the [`Signal`], which fans out to all who wait.
//!
//! Locks, outermost first: `StreamCell::state` or `StreamCell::body`, then h2's own, then the
//! small ones of `Signal` and `Link`. h2 calls wakers under its lock, so a `Signal` neither
//! takes the outer locks nor ever drops an h2 handle.

mod signal;
mod state;

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use trunkline_core::{Metadata, Status};

use self::state::{Out, State};
use super::body::Body;
use super::link::Link;
use crate::http2::failure::{early_end, ended_status};
use crate::http2::{Finished, ResponseForm};
use crate::sync::Mutex;

pub(super) use self::signal::Signal;
pub(super) use self::state::gone;

/// From here on a message is handed over as its own buffer instead of being copied.
const LARGE: usize = 8 * 1024;

#[derive(Debug)]
pub(crate) struct StreamCell {
    state: Mutex<State>,
    /// The receiving side of a server's stream: here, so that the end of the RPC ends it even if
    /// its half was moved to a task that never looks at it again.
    body: Mutex<Option<Body>>,
    /// The connection it was made for.
    link: Arc<Link>,
}

/// The handles of a stream that ends with its connection.
pub(super) struct Unsaid {
    _out: Out,
    _body: Option<Body>,
}

impl std::fmt::Debug for Unsaid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unsaid")
    }
}

impl StreamCell {
    /// A client's stream.
    pub(super) fn client(send: SendStream<Bytes>, link: Arc<Link>) -> Arc<Self> {
        let cell = Self::new(Out::Open(send), None, link);
        cell.state.lock().keep();
        cell
    }

    /// A server's stream, before anything was answered.
    pub(super) fn server(
        respond: SendResponse<Bytes>,
        form: ResponseForm,
        body: Body,
        link: Arc<Link>,
    ) -> Arc<Self> {
        let out = Out::Head(respond, form, Metadata::new());
        Self::new(out, Some(body), link)
    }

    /// A server's stream that was answered before.
    pub(super) fn ended(link: Arc<Link>) -> Arc<Self> {
        let cell = Self::new(Out::Closed, None, link);
        cell.abort(early_end("the RPC was answered before"));
        cell
    }

    fn new(out: Out, body: Option<Body>, link: Arc<Link>) -> Arc<Self> {
        Arc::new_cyclic(|cell| Self {
            state: Mutex::new(State::new(out, Signal::new(cell, Arc::clone(&link)))),
            body: Mutex::new(body),
            link,
        })
    }

    /// Client: puts the call on a new stream, because its first one was surely not processed: all
    /// that was sent on that one goes out again. Only once, and only before the first answer.
    ///
    /// Gives the new stream back if the call cannot be put on it any more.
    pub(super) fn restart(
        self: &Arc<Self>,
        send: SendStream<Bytes>,
        link: Arc<Link>,
    ) -> Result<(), SendStream<Bytes>> {
        let signal = Signal::new(&Arc::downgrade(self), link);
        let mut state = self.state.lock();
        let before = state.restart(send, signal)?;
        state.signal.queue();
        drop(state);
        // They register with the new signal.
        before.wake_all();
        Ok(())
    }

    /// Client: true while [`restart`](Self::restart) is possible.
    pub(super) fn may_restart(&self) -> bool {
        self.state.lock().may_restart()
    }

    /// Client: the server has answered, so nothing will be sent twice.
    pub(super) fn commit(&self) {
        self.state.lock().commit();
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// Takes one message of about `size` bytes, which `write` appends. The driver, woken by the
    /// first of a batch, hands it on.
    pub(super) fn push(
        &self,
        size: usize,
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
        state.signal.queue();
        Ok(())
    }

    /// Takes one message in its frame.
    pub(super) fn push_frame(&self, frame: Bytes) -> Result<(), Status> {
        let mut state = self.state.lock();
        state.check()?;
        if frame.len() < LARGE {
            state.append(|buffer| {
                buffer.extend_from_slice(&frame);
                Ok(())
            })?;
        } else {
            state.append_large(frame);
        }
        state.signal.queue();
        Ok(())
    }

    /// Takes one message that is encoded already, right before [`finish`](Self::finish).
    pub(super) fn push_encoded(&self, frame: Bytes) {
        let mut state = self.state.lock();
        if !state.ended {
            state.append_large(frame);
        }
    }

    /// Bytes that wait for the driver or for window.
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().waiting
    }

    /// Ready when fewer than `below` bytes wait.
    pub(super) fn poll_below(
        &self,
        below: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Status>> {
        let mut state = self.state.lock();
        state.check()?;
        if state.waiting < below {
            return Poll::Ready(Ok(()));
        }
        state.flush();
        state.check()?;
        // What a refused call sends is kept: it need not wait for window.
        if state.waiting < below || state.is_undecided() {
            return Poll::Ready(Ok(()));
        }
        state.signal.set_sender(cx.waker());
        Poll::Pending
    }

    /// Ready once nothing more can be sent, and why: for a sender that has nothing to send now.
    pub(super) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Status> {
        let mut state = self.state.lock();
        if let Err(status) = state.check() {
            return Poll::Ready(status);
        }
        state.signal.set_sender(cx.waker());
        state.poll_closed()
    }

    /// The driver's turn: hands what waits to h2, as far as there is window.
    pub(super) fn drive(&self) {
        let mut state = self.state.lock();
        let before = state.waiting;
        state.flush();
        if state.waiting < before || state.has_failed() {
            state.signal.wake_sender();
        }
    }

    /// Client: END_STREAM after all that waits. Failures come out at the receiver.
    pub(super) fn half_close(&self) {
        let mut state = self.state.lock();
        if !state.ended {
            state.half_close();
        }
    }

    /// Ends the RPC from this side with RST_STREAM CANCEL. Both halves then fail with `status`.
    pub(super) fn abort(&self, status: Status) {
        let mut state = self.state.lock();
        if state.local.is_none() {
            state.local = Some(status);
        }
        state.ended = true;
        state.clear();
        // Let go of as well: a half that is kept must not keep its connection.
        let mut out = std::mem::replace(&mut state.out, Out::Closed);
        match &mut out {
            Out::Head(respond, ..) => respond.send_reset(Reason::CANCEL),
            Out::Open(send) => send.send_reset(Reason::CANCEL),
            Out::Closed => {}
        }
        let signal = Arc::clone(&state.signal);
        drop(state);
        drop(out);
        signal.wake_all();
    }

    /// Client: the RPC has ended with the peer's word. A sender that still lives fails.
    pub(super) fn peer_ended(&self, status: Status) {
        let mut state = self.state.lock();
        if state.local.is_none() {
            state.local = Some(status);
        }
        state.clear();
        let mut out = std::mem::replace(&mut state.out, Out::Closed);
        if let Out::Open(send) = &mut out {
            // Nothing goes out if all was sent.
            send.send_reset(Reason::CANCEL);
        }
        let signal = Arc::clone(&state.signal);
        drop(state);
        drop(out);
        signal.wake_all();
    }

    /// True once this side has queued its END_STREAM or a reset.
    pub(super) fn has_ended(&self) -> bool {
        self.state.lock().ended
    }

    /// How this side ended the RPC, if it did. Otherwise the receiver is woken when it does.
    pub(super) fn poll_local(&self, cx: &mut Context<'_>) -> Poll<Status> {
        let state = self.state.lock();
        if let Some(status) = &state.local {
            return Poll::Ready(status.clone());
        }
        state.signal.set_receiver(cx.waker());
        Poll::Pending
    }

    pub(super) fn local(&self) -> Option<Status> {
        self.state.lock().local.clone()
    }

    /// Server: the runner's watch for RST_STREAM and for the loss of the connection.
    pub(super) fn poll_reset(&self, cx: &mut Context<'_>) -> Poll<Status> {
        let mut state = self.state.lock();
        state.signal.set_runner(cx.waker());
        let waker = state.signal.waker();
        let mut cell = Context::from_waker(&waker);
        let polled = match &mut state.out {
            Out::Head(respond, ..) => respond.poll_reset(&mut cell),
            Out::Open(send) => send.poll_reset(&mut cell),
            Out::Closed => return Poll::Pending,
        };
        drop(state);
        polled.map(|reason| gone(reason, self.link()))
    }

    /// Server: runs `edit` on the response headers, unless they are already sent.
    pub(super) fn with_headers<R>(&self, edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        match &mut self.state.lock().out {
            Out::Head(_, _, headers) => Some(edit(headers)),
            Out::Open(_) | Out::Closed => None,
        }
    }

    /// Server: runs `edit` on the trailers, unless the RPC has ended.
    pub(super) fn with_trailers<R>(&self, edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        let mut state = self.state.lock();
        (!state.ended).then(|| edit(&mut state.trailers))
    }

    /// Server: the same for the handler, whose headers are sent as such even if it fails.
    pub(super) fn with_own_headers<R>(&self, edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        let mut state = self.state.lock();
        let Out::Head(_, _, headers) = &mut state.out else {
            return None;
        };
        let edited = edit(headers);
        state.own_headers = !headers.is_empty();
        Some(edited)
    }

    /// Server: sends the response headers now, if they are not yet sent.
    pub(super) fn send_headers(&self) -> Result<(), Status> {
        let mut state = self.state.lock();
        state.check()?;
        state.open(self.link());
        state.check()
    }

    /// Server: the end of the RPC. All that was sent goes out first, however small the window.
    pub(super) fn finish(&self, outcome: Result<&Metadata, &Status>) {
        let mut state = self.state.lock();
        if state.ended {
            return;
        }
        state.ended = true;
        state.local.get_or_insert_with(|| ended_status(outcome));
        let trailers = std::mem::take(&mut state.trailers);
        state.end(outcome, trailers, self.link());
        let out = std::mem::replace(&mut state.out, Out::Closed);
        let signal = Arc::clone(&state.signal);
        drop(state);
        let body = self.body.lock().take();
        drop((out, body));
        signal.wake_all();
    }

    /// Server: ends the RPC when nobody may wait for the client to read: with trailers if the
    /// stream has window, otherwise by RST_STREAM.
    pub(super) fn finish_now(&self, status: &Status) -> Finished {
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
    pub(super) fn finish_last(&self, status: &Status) -> Finished {
        if self.has_window() {
            self.finish(Err(status));
            return Finished::Trailers;
        }
        let mut state = self.state.lock();
        if state.local.is_none() {
            state.local = Some(status.clone());
        }
        state.ended = true;
        state.clear();
        let out = std::mem::replace(&mut state.out, Out::Closed);
        let signal = Arc::clone(&state.signal);
        drop(state);
        let body = self.body.lock().take();
        // h2 would reset what nobody holds.
        self.link.keep_to_the_end(Unsaid {
            _out: out,
            _body: body,
        });
        signal.wake_all();
        Finished::Reset
    }

    /// Whether what is written now does not wait for the client; true where nothing can be any more.
    fn has_window(&self) -> bool {
        let mut state = self.state.lock();
        let Out::Open(send) = &mut state.out else {
            return true;
        };
        send.reserve_capacity(1);
        send.capacity() > 0
    }

    /// Server: runs `read` on the receiving side; `None` once the RPC has ended.
    pub(super) fn with_body<R>(&self, read: impl FnOnce(&mut Body) -> R) -> Option<R> {
        self.body.lock().as_mut().map(read)
    }

    /// Server: the receiving side has ended, nothing more will be read from it.
    pub(super) fn drop_body(&self) {
        let body = self.body.lock().take();
        drop(body);
    }
}
