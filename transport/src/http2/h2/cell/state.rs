//! What waits to be sent on a stream, and how it ends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use trunkline_core::protocol::{write_response_head, write_trailers, write_trailers_only};
use trunkline_core::{Code, Metadata, Origin, Stage, Status};

use super::signal::Signal;
use crate::http2::h2::error::{reset, stream_error};
use crate::http2::h2::fields::{self, Fields};
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
    /// END_STREAM or RST_STREAM is queued.
    pub(super) ended: bool,
}

#[derive(Debug)]
pub(super) enum Out {
    /// A server's stream before its response headers.
    Head(SendResponse<Bytes>, &'static str, Metadata),
    Open(SendStream<Bytes>),
    Closed,
}

impl State {
    pub(super) fn new(out: Out) -> Self {
        Self {
            out,
            chunks: VecDeque::new(),
            tail: BytesMut::new(),
            waiting: 0,
            local: None,
            send_failed: None,
            trailers: Metadata::new(),
            ended: false,
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

    /// True when nothing more can be sent, for whatever reason.
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
    pub(super) fn flush(&mut self, signal: &Arc<Signal>) {
        if self.waiting == 0 || self.ended {
            return;
        }
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
                    self.send_failed = Some(match reset_by {
                        Poll::Ready(reset_by) => closed(reset_by, signal.link()),
                        Poll::Pending => early_end("the stream is closed for sending"),
                    });
                    self.clear();
                    return;
                }
            }
        }
        signal.set_blocked(false);
        self.hand_over();
    }

    /// Ready once the peer has reset the stream or the connection is gone.
    pub(super) fn poll_closed(&mut self, signal: &Signal) -> Poll<Status> {
        let waker = signal.waker();
        let mut cx = Context::from_waker(&waker);
        let polled = match &mut self.out {
            Out::Head(respond, ..) => respond.poll_reset(&mut cx),
            Out::Open(send) => send.poll_reset(&mut cx),
            Out::Closed => return Poll::Pending,
        };
        polled.map(|reset_by| {
            let status = closed(reset_by, signal.link());
            self.send_failed.get_or_insert(status).clone()
        })
    }

    /// Hands all that waits to h2, window or not.
    pub(super) fn hand_over(&mut self) {
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
    pub(super) fn open(&mut self, link: &Link) {
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
    pub(super) fn end(
        &mut self,
        outcome: Result<&Metadata, &Status>,
        trailers: Metadata,
        link: &Link,
    ) {
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

/// What a reset, or the loss of the connection, means to the handler of a server.
pub(crate) fn gone(reset_by: Result<Reason, h2::Error>, link: &Link) -> Status {
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
    .with_origin(Origin::Transport)
    .with_stage(Stage::Request)
}

/// What a reset means to the sender of a stream.
fn closed(reset_by: Result<Reason, h2::Error>, link: &Link) -> Status {
    match reset_by {
        Ok(Reason::NO_ERROR) => early_end("the peer ended the RPC early"),
        Ok(reason) => reset(reason, true, link, Stage::Request),
        Err(error) => stream_error(&error, link, Stage::Request),
    }
}

/// What a sender is told when the RPC ended while it still had something to send.
pub(super) fn early_end(what: &'static str) -> Status {
    Status::new(Code::Cancelled, what)
        .with_origin(Origin::Transport)
        .with_stage(Stage::Request)
}

/// What a half that outlives its RPC is told.
pub(super) fn ended_status(outcome: Result<&Metadata, &Status>) -> Status {
    match outcome {
        Ok(_) => Status::new(Code::Cancelled, "the RPC has ended: its handler returned"),
        Err(status) => status.clone(),
    }
}
