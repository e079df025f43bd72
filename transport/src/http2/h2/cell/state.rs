//! What waits to be sent on a stream, and how it ends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use trunkline_core::protocol::{write_response_head, write_trailers, write_trailers_only};
use trunkline_core::{Metadata, Stage, Status};

use super::signal::Signal;
use crate::http2::ResponseForm;
use crate::http2::failure::{self, early_end};
use crate::http2::h2::error::{reset, stream_error};
use crate::http2::h2::fields::{self, Fields, send_chunk};
use crate::http2::h2::link::Link;

#[derive(Debug)]
pub(super) struct State {
    pub(super) out: Out,
    chunks: VecDeque<Bytes>,
    tail: BytesMut,
    pub(super) waiting: usize,
    /// How this side ended the RPC; both halves fail with it.
    pub(super) local: Option<Status>,
    /// Why nothing more can be sent; for the sender alone.
    send_failed: Option<Status>,
    pub(super) trailers: Metadata,
    /// Server: the handler has set response headers of its own.
    pub(super) own_headers: bool,
    /// END_STREAM or RST_STREAM is queued.
    pub(super) ended: bool,
    /// Who waits for what happens on the stream.
    pub(super) signal: Arc<Signal>,
    /// Client: what was sent so far, while it may have to be sent once more.
    kept: Option<Kept>,
}

/// The messages of a call that was not answered yet.
#[derive(Debug, Default)]
struct Kept {
    chunks: Vec<Bytes>,
    bytes: usize,
    /// The stream is gone. The receiving half knows whether the call may go out again; until it
    /// has said so, what is sent is kept too. This is what the sender is told when it is too much.
    gone: Option<Status>,
}

/// Bytes that are kept of a call until its first answer; one that has sent more is not restarted.
const KEEP_LIMIT: usize = 256 * 1024;

#[derive(Debug)]
pub(super) enum Out {
    /// A server's stream before its response headers.
    Head(SendResponse<Bytes>, ResponseForm, Metadata),
    Open(SendStream<Bytes>),
    Closed,
}

impl State {
    pub(super) fn new(out: Out, signal: Arc<Signal>) -> Self {
        Self {
            out,
            chunks: VecDeque::new(),
            tail: BytesMut::new(),
            waiting: 0,
            local: None,
            send_failed: None,
            trailers: Metadata::new(),
            own_headers: false,
            ended: false,
            signal,
            kept: None,
        }
    }

    /// Client: from now on what is sent is kept.
    pub(super) fn keep(&mut self) {
        self.kept = Some(Kept::default());
    }

    pub(super) fn commit(&mut self) {
        self.kept = None;
    }

    pub(super) const fn may_restart(&self) -> bool {
        self.kept.is_some() && self.local.is_none() && self.send_failed.is_none()
    }

    /// Puts the call on a new stream and gives back who waited on the old one.
    pub(super) fn restart(
        &mut self,
        send: SendStream<Bytes>,
        signal: Arc<Signal>,
    ) -> Result<Arc<Signal>, SendStream<Bytes>> {
        if !self.may_restart() {
            return Err(send);
        }
        let Some(kept) = self.kept.take() else {
            return Err(send);
        };
        let mut waiting = std::mem::replace(&mut self.chunks, kept.chunks.into());
        self.waiting += kept.bytes;
        self.chunks.append(&mut waiting);
        self.out = Out::Open(send);
        if self.ended {
            self.half_close();
        }
        Ok(std::mem::replace(&mut self.signal, signal))
    }

    /// Client: END_STREAM after all that waits, window or not.
    pub(super) fn half_close(&mut self) {
        self.ended = true;
        self.hand_over();
        if let Out::Open(send) = &mut self.out {
            let _ = send.send_data(Bytes::new(), true);
        }
    }

    /// Appends what `write` writes to what waits.
    pub(super) fn append(
        &mut self,
        write: impl FnOnce(&mut BytesMut) -> Result<(), Status>,
    ) -> Result<(), Status> {
        let before = self.tail.len();
        write(&mut self.tail)?;
        self.waiting += self.tail.len() - before;
        Ok(())
    }

    /// Appends a message in a buffer of its own, without copying it.
    pub(super) fn append_large(&mut self, message: Bytes) {
        self.cut_tail();
        self.waiting += message.len();
        self.chunks.push_back(message);
    }

    /// True once the sender was found to have no stream to send on.
    pub(super) const fn has_failed(&self) -> bool {
        self.send_failed.is_some()
    }

    pub(super) fn check(&self) -> Result<(), Status> {
        let failed = self.local.as_ref().or(self.send_failed.as_ref());
        failed.map_or(Ok(()), |status| Err(status.clone()))
    }

    fn cut_tail(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(self.tail.split().freeze());
        }
    }

    pub(super) fn clear(&mut self) {
        self.chunks.clear();
        self.tail = BytesMut::new();
        self.waiting = 0;
    }

    /// Hands what waits to h2 if the stream has any window; asks for window otherwise.
    pub(super) fn flush(&mut self) {
        if self.waiting == 0 || self.ended {
            return;
        }
        let signal = Arc::clone(&self.signal);
        self.open(signal.link());
        let Out::Open(send) = &mut self.out else {
            return;
        };
        send.reserve_capacity(self.waiting);
        while send.capacity() == 0 {
            // Before the poll: a wake-up right after it must already find the mark.
            signal.set_blocked(true);
            let waker = signal.waker();
            match send.poll_capacity(&mut Context::from_waker(&waker)) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_)) | None) => {
                    let reset_by = send.poll_reset(&mut Context::from_waker(Waker::noop()));
                    let why = match reset_by {
                        Poll::Ready(reset_by) => closed(reset_by, signal.link()),
                        Poll::Pending => early_end("the stream is closed for sending"),
                    };
                    return self.fail(why);
                }
            }
        }
        signal.set_blocked(false);
        self.hand_over();
    }

    /// Nothing more can be sent on this stream.
    fn fail(&mut self, why: Status) {
        let waiting = self.waiting;
        if let Some(kept) = &mut self.kept
            && kept.bytes + waiting <= KEEP_LIMIT
        {
            kept.gone.get_or_insert(why);
            return;
        }
        self.send_failed.get_or_insert(why);
        self.kept = None;
        self.clear();
    }

    /// True while the receiving half has to say whether the call goes out again.
    pub(super) fn is_undecided(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.gone.is_some())
    }

    /// Ready once the peer has reset the stream or the connection is gone.
    pub(super) fn poll_closed(&mut self) -> Poll<Status> {
        let waker = self.signal.waker();
        let mut cx = Context::from_waker(&waker);
        let polled = match &mut self.out {
            Out::Head(respond, ..) => respond.poll_reset(&mut cx),
            Out::Open(send) => send.poll_reset(&mut cx),
            Out::Closed => return Poll::Pending,
        };
        let reset_by = ready!(polled);
        let refused = matches!(reset_by, Ok(Reason::REFUSED_STREAM));
        let why = closed(reset_by, self.signal.link());
        self.fail(why.clone());
        if refused && self.is_undecided() {
            return Poll::Pending;
        }
        Poll::Ready(self.send_failed.clone().unwrap_or(why))
    }

    /// Hands all that waits to h2, window or not.
    pub(super) fn hand_over(&mut self) {
        self.cut_tail();
        let Out::Open(send) = &mut self.out else {
            return;
        };
        for chunk in self.chunks.drain(..) {
            if let Some(kept) = &mut self.kept {
                kept.bytes += chunk.len();
                kept.chunks.push(chunk.clone());
            }
            // A stream that is gone says so when it is next asked for window.
            let _ = send_chunk(send, chunk, false);
        }
        self.waiting = 0;
        if self
            .kept
            .as_ref()
            .is_some_and(|kept| kept.bytes > KEEP_LIMIT)
        {
            self.kept = None;
        }
    }

    /// Server: sends the response headers if they are not yet sent.
    pub(super) fn open(&mut self, link: &Link) {
        if !matches!(self.out, Out::Head(..)) {
            return;
        }
        let Out::Head(mut respond, form, headers) = std::mem::replace(&mut self.out, Out::Closed)
        else {
            return;
        };
        let mut head = Fields::default();
        let encoding = form.encoding.as_ref();
        write_response_head(&mut head.sink(), form.subtype, encoding, &headers);
        match respond.send_response(fields::response(head), false) {
            Ok(send) => self.out = Out::Open(send),
            Err(error) => {
                self.send_failed = Some(stream_error(&error, link, Stage::Response));
            }
        }
    }

    /// Server: queues messages and trailers, or a status alone: where the RPC fails before its
    /// first message and its handler has set no headers. What others have set goes with the status
    /// then: clients may repeat a call that was answered by a status alone (gRFC A6).
    pub(super) fn end(
        &mut self,
        outcome: Result<&Metadata, &Status>,
        trailers: Metadata,
        link: &Link,
    ) {
        let mut last = Fields::default();
        if let (Out::Head(respond, _, headers), Err(status), 0, false) =
            (&mut self.out, outcome, self.waiting, self.own_headers)
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

/// What a reset, or the loss of the connection, means to the handler of a server.
pub(crate) fn gone(reset_by: Result<Reason, h2::Error>, link: &Link) -> Status {
    failure::gone(&match reset_by {
        Ok(reason) => reset(reason, true, link, Stage::Request),
        Err(error) => stream_error(&error, link, Stage::Request),
    })
}

/// What a reset means to the sender of a stream.
fn closed(reset_by: Result<Reason, h2::Error>, link: &Link) -> Status {
    match reset_by {
        Ok(Reason::NO_ERROR) => early_end("the peer ended the RPC early"),
        Ok(reason) => reset(reason, true, link, Stage::Request),
        Err(error) => stream_error(&error, link, Stage::Request),
    }
}
