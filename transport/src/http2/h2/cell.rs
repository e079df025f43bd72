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

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use trunkline_core::protocol::{write_response_head, write_trailers, write_trailers_only};
use trunkline_core::{Code, Metadata, Stage, Status};

use super::body::Body;
use super::error::{reset, stream_error};
use super::fields::{self, Fields};
use super::link::Link;
use crate::http2::Finished;
use crate::sync::Mutex;

/// From here on a message is handed over as its own buffer instead of being copied.
const LARGE: usize = 8 * 1024;

#[derive(Debug)]
pub(crate) struct StreamCell {
    state: Mutex<State>,
    /// The receiving side of a server's stream: here, so that the end of the RPC ends it even if
    /// its half was moved to a task that never looks at it again.
    body: Mutex<Option<Body>>,
    signal: Arc<Signal>,
}

/// The cell's waker.
#[derive(Debug)]
pub(crate) struct Signal {
    wakers: Mutex<Wakers>,
    /// Messages wait in the cell for window: the next wake-up is the driver's to act on.
    blocked: AtomicBool,
    /// Already in the driver's queue.
    queued: AtomicBool,
    link: Arc<Link>,
    cell: Weak<StreamCell>,
    /// Itself, to be queued.
    this: Weak<Self>,
}

#[derive(Debug, Default)]
struct Wakers {
    sender: Option<Waker>,
    receiver: Option<Waker>,
    runner: Option<Waker>,
}

#[derive(Debug)]
struct State {
    out: Out,
    chunks: VecDeque<Bytes>,
    tail: BytesMut,
    waiting: usize,
    /// How this side ended the RPC; both halves fail with it.
    local: Option<Status>,
    /// Why nothing more can be sent; for the sender alone.
    send_failed: Option<Status>,
    trailers: Metadata,
    /// END_STREAM or RST_STREAM is queued.
    ended: bool,
}

#[derive(Debug)]
enum Out {
    /// A server's stream before its response headers.
    Head(SendResponse<Bytes>, &'static str, Metadata),
    Open(SendStream<Bytes>),
    Closed,
}

impl StreamCell {
    /// A client's stream.
    pub(super) fn client(send: SendStream<Bytes>, link: Arc<Link>) -> Arc<Self> {
        Self::new(Out::Open(send), None, link)
    }

    /// A server's stream, before anything was answered.
    pub(super) fn server(
        respond: SendResponse<Bytes>,
        subtype: &'static str,
        body: Body,
        link: Arc<Link>,
    ) -> Arc<Self> {
        let out = Out::Head(respond, subtype, Metadata::new());
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
            state: Mutex::new(State {
                out,
                chunks: VecDeque::new(),
                tail: BytesMut::new(),
                waiting: 0,
                local: None,
                send_failed: None,
                trailers: Metadata::new(),
                ended: false,
            }),
            body: Mutex::new(body),
            signal: Arc::new_cyclic(|this| Signal {
                wakers: Mutex::default(),
                blocked: AtomicBool::new(false),
                queued: AtomicBool::new(false),
                link,
                cell: Weak::clone(cell),
                this: Weak::clone(this),
            }),
        })
    }

    pub(super) fn link(&self) -> &Link {
        &self.signal.link
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
            let before = state.tail.len();
            write(&mut state.tail)?;
            state.waiting += state.tail.len() - before;
        } else {
            // Not under the lock, which the connection's driver may want.
            drop(state);
            let mut own = BytesMut::new();
            write(&mut own)?;
            state = self.state.lock();
            state.check()?;
            state.cut_tail();
            state.waiting += own.len();
            state.chunks.push_back(own.freeze());
        }
        drop(state);
        self.signal.queue();
        Ok(())
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
        state.flush(&self.signal);
        state.check()?;
        if state.waiting < below {
            return Poll::Ready(Ok(()));
        }
        self.signal.wakers.lock().sender = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The driver's turn: hands what waits to h2, as far as there is window.
    pub(super) fn drive(&self) {
        let mut state = self.state.lock();
        let before = state.waiting;
        state.flush(&self.signal);
        let moved = state.waiting < before || state.send_failed.is_some();
        drop(state);
        if moved {
            self.signal.wake_sender();
        }
    }

    /// Client: END_STREAM after all that waits. Failures come out at the receiver.
    pub(super) fn half_close(&self) {
        let mut state = self.state.lock();
        if state.ended {
            return;
        }
        state.ended = true;
        state.hand_over();
        if let Out::Open(send) = &mut state.out {
            let _ = send.send_data(Bytes::new(), true);
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
        match &mut state.out {
            Out::Head(respond, ..) => respond.send_reset(Reason::CANCEL),
            Out::Open(send) => send.send_reset(Reason::CANCEL),
            Out::Closed => {}
        }
        drop(state);
        self.signal.wake_all();
    }

    /// Client: the RPC has ended with the peer's word. A sender that still lives fails.
    pub(super) fn peer_ended(&self, status: Status) {
        let mut state = self.state.lock();
        if state.local.is_none() {
            state.local = Some(status);
        }
        state.clear();
        // Dropped rather than reset by hand: h2 cancels what is not closed by itself.
        let out = std::mem::replace(&mut state.out, Out::Closed);
        drop(state);
        drop(out);
        self.signal.wake_all();
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
        self.signal.wakers.lock().receiver = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn local(&self) -> Option<Status> {
        self.state.lock().local.clone()
    }

    /// Server: the runner's watch for RST_STREAM and for the loss of the connection.
    pub(super) fn poll_reset(&self, cx: &mut Context<'_>) -> Poll<Status> {
        let mut state = self.state.lock();
        self.signal.wakers.lock().runner = Some(cx.waker().clone());
        let waker = self.signal.waker();
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
        drop(state);
        let body = self.body.lock().take();
        drop((out, body));
        self.signal.wake_all();
    }

    /// Server: the end of the RPC when nobody may wait: trailers if they can leave at once.
    pub(super) fn finish_now(&self, status: &Status) -> Finished {
        {
            let mut state = self.state.lock();
            if let Out::Open(send) = &mut state.out {
                send.reserve_capacity(1);
                if send.capacity() == 0 {
                    drop(state);
                    self.abort(status.clone());
                    let body = self.body.lock().take();
                    drop(body);
                    return Finished::Reset;
                }
            }
        }
        self.finish(Err(status));
        Finished::Trailers
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

impl State {
    fn check(&self) -> Result<(), Status> {
        let failed = self.local.as_ref().or(self.send_failed.as_ref());
        failed.map_or(Ok(()), |status| Err(status.clone()))
    }

    fn cut_tail(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(self.tail.split().freeze());
        }
    }

    fn clear(&mut self) {
        self.chunks.clear();
        self.tail = BytesMut::new();
        self.waiting = 0;
    }

    /// Hands what waits to h2 if the stream has any window; asks for window otherwise.
    fn flush(&mut self, signal: &Arc<Signal>) {
        if self.waiting == 0 || self.ended {
            return;
        }
        self.open(&signal.link);
        let Out::Open(send) = &mut self.out else {
            return;
        };
        send.reserve_capacity(self.waiting);
        while send.capacity() == 0 {
            // Before the poll: a wake-up right after it must already find the flag.
            signal.blocked.store(true, Ordering::Release);
            let waker = signal.waker();
            match send.poll_capacity(&mut Context::from_waker(&waker)) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_)) | None) => {
                    let why = why_closed(send, signal);
                    self.send_failed = Some(why);
                    self.clear();
                    return;
                }
            }
        }
        signal.blocked.store(false, Ordering::Release);
        self.hand_over();
    }

    /// Hands all that waits to h2, window or not.
    fn hand_over(&mut self) {
        self.cut_tail();
        let Out::Open(send) = &mut self.out else {
            return;
        };
        for chunk in self.chunks.drain(..) {
            if send.send_data(chunk, false).is_err() {
                break;
            }
        }
        self.waiting = 0;
    }

    /// Server: sends the response headers if they are not yet sent.
    fn open(&mut self, link: &Link) {
        if !matches!(self.out, Out::Head(..)) {
            return;
        }
        let Out::Head(mut respond, subtype, headers) =
            std::mem::replace(&mut self.out, Out::Closed)
        else {
            return;
        };
        let mut head = Fields::default();
        write_response_head(&mut head.sink(), subtype, &headers);
        match respond.send_response(fields::response(head), false) {
            Ok(send) => self.out = Out::Open(send),
            Err(error) => {
                self.send_failed = Some(stream_error(&error, link, Stage::Response));
            }
        }
    }

    /// Server: queues messages and trailers, or trailers alone.
    fn end(&mut self, outcome: Result<&Metadata, &Status>, trailers: Metadata, link: &Link) {
        let mut last = Fields::default();
        if let (Out::Head(respond, _, headers), Err(status), 0) =
            (&mut self.out, outcome, self.waiting)
        {
            let mut status = status.clone();
            status.metadata_mut().extend(std::mem::take(headers));
            status.metadata_mut().extend(trailers);
            write_trailers_only(&mut last.sink(), &status);
            let _ = respond.send_response(fields::response(last), true);
            return;
        }
        self.open(link);
        self.hand_over();
        let Out::Open(send) = &mut self.out else {
            return;
        };
        match outcome {
            Ok(own) if trailers.is_empty() => write_trailers(&mut last.sink(), Ok(own)),
            Ok(own) => {
                let mut all = trailers;
                all.extend(own.clone());
                write_trailers(&mut last.sink(), Ok(&all));
            }
            Err(status) if trailers.is_empty() => write_trailers(&mut last.sink(), Err(status)),
            Err(status) => {
                let mut status = status.clone();
                status.metadata_mut().extend(trailers);
                write_trailers(&mut last.sink(), Err(&status));
            }
        }
        let _ = send.send_trailers(last.into_map());
    }
}

impl Signal {
    fn waker(&self) -> Waker {
        match self.this.upgrade() {
            Some(this) => Waker::from(this),
            None => Waker::noop().clone(),
        }
    }

    fn queue(&self) {
        if !self.queued.swap(true, Ordering::AcqRel)
            && let Some(this) = self.this.upgrade()
        {
            self.link.mark_dirty(this);
        }
    }

    /// The driver's turn for this stream, outside of h2's lock.
    pub(super) fn drive(&self) {
        self.queued.store(false, Ordering::Release);
        if let Some(cell) = self.cell.upgrade() {
            cell.drive();
        }
    }

    fn wake_sender(&self) {
        let sender = self.wakers.lock().sender.take();
        if let Some(sender) = sender {
            sender.wake();
        }
    }

    fn wake_all(&self) {
        let Wakers {
            sender,
            receiver,
            runner,
        } = std::mem::take(&mut *self.wakers.lock());
        for waker in [sender, receiver, runner].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    /// Called by h2 under its lock.
    fn wake_by_ref(self: &Arc<Self>) {
        if self.blocked.swap(false, Ordering::AcqRel) {
            self.queue();
        }
        self.wake_all();
    }
}

/// What a reset, or the loss of the connection, means to the handler of a server.
pub(super) fn gone(reset_by: Result<Reason, h2::Error>, link: &Link) -> Status {
    match reset_by {
        Ok(reason) => Status::new(
            Code::Cancelled,
            reset(reason, true, link, Stage::Request)
                .message()
                .to_owned(),
        ),
        Err(error) => Status::new(
            Code::Cancelled,
            stream_error(&error, link, Stage::Request)
                .message()
                .to_owned(),
        ),
    }
    .with_origin(trunkline_core::Origin::Transport)
    .with_stage(Stage::Request)
}

/// Why the sender of a stream that lives on finds its side closed.
fn why_closed(send: &mut SendStream<Bytes>, signal: &Signal) -> Status {
    match send.poll_reset(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(Reason::NO_ERROR)) => early_end("the peer ended the RPC early"),
        Poll::Ready(Ok(reason)) => reset(reason, true, &signal.link, Stage::Request),
        Poll::Ready(Err(error)) => stream_error(&error, &signal.link, Stage::Request),
        Poll::Pending => early_end("the stream is closed for sending"),
    }
}

/// What a sender is told when the RPC ended while it still had something to send.
pub(super) fn early_end(what: &'static str) -> Status {
    Status::new(Code::Cancelled, what)
        .with_origin(trunkline_core::Origin::Transport)
        .with_stage(Stage::Request)
}

/// What a half that outlives its RPC is told.
fn ended_status(outcome: Result<&Metadata, &Status>) -> Status {
    match outcome {
        Ok(_) => Status::new(Code::Cancelled, "the RPC has ended: its handler returned"),
        Err(status) => status.clone(),
    }
}
