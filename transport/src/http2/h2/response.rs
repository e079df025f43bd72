//! A client's stream: its sending side and its receiving side, untyped.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use h2::client::ResponseFuture;
use h2::{Reason, SendStream};
use trunkline_core::protocol::{ResponseHead, read_response_head, read_trailers};
use trunkline_core::{CompressorRegistry, Encoding, Metadata, Stage, Status};

use super::body::Body;
use super::cell::StreamCell;
use super::error::stream_error;
use super::fields;
use super::interim::{Interim, MAX_INTERIM, NoHead};
use super::link::Link;
use crate::http2::failure::{already_ended, too_many_interim};
use crate::http2::slots::Permit;
use crate::stream::Decompress;

/// What a response begins with.
pub(crate) type Head = ResponseHead;

/// The sending side of a client's streaming call, for a [`SendHalf`](crate::stream::SendHalf).
/// Dropped before END_STREAM it cancels the call.
#[derive(Debug)]
pub(crate) struct RequestStream(Arc<StreamCell>);

impl RequestStream {
    pub(super) const fn new(cell: Arc<StreamCell>) -> Self {
        Self(cell)
    }

    pub(crate) fn push(
        &self,
        size: usize,
        write: impl FnOnce(&mut BytesMut) -> Result<(), Status>,
    ) -> Result<(), Status> {
        self.0.push(size, write)
    }

    pub(crate) fn push_frame(&self, frame: Bytes) -> Result<(), Status> {
        self.0.push_frame(frame)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.0.waiting()
    }

    pub(crate) fn poll_below(
        &self,
        below: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Status>> {
        self.0.poll_below(below, cx)
    }

    pub(crate) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Status> {
        self.0.poll_closed(cx)
    }

    pub(crate) fn half_close(&self) {
        self.0.half_close();
    }

    pub(crate) fn abort(&self, status: Status) {
        self.0.abort(status);
    }
}

impl Drop for RequestStream {
    fn drop(&mut self) {
        if !self.0.has_ended() {
            self.0
                .abort(Status::cancelled("Sender dropped without finish()"));
        }
    }
}

/// The receiving side of a client's call, for a [`RecvHalf`](crate::stream::RecvHalf). Dropped
/// before its end it cancels the call.
#[derive(Debug)]
pub(crate) struct ResponseStream {
    state: State,
    stream: Stream,
    permit: Option<Permit>,
    max_receive_bytes: usize,
}

#[derive(Debug)]
enum State {
    Head(ResponseFuture),
    Body(Body),
    Ended,
}

/// With one request message nobody else holds the stream; otherwise its sender does.
#[derive(Debug)]
enum Stream {
    /// The sending side too if the request may still wait for window when the answer comes.
    Single(Arc<Link>, Option<SendStream<Bytes>>),
    Streaming(Arc<StreamCell>, Arc<Link>),
}

impl ResponseStream {
    pub(super) const fn single(
        response: ResponseFuture,
        send: Option<SendStream<Bytes>>,
        link: Arc<Link>,
        permit: Permit,
        max_receive_bytes: usize,
    ) -> Self {
        Self {
            state: State::Head(response),
            stream: Stream::Single(link, send),
            permit: Some(permit),
            max_receive_bytes,
        }
    }

    pub(super) const fn streaming(
        response: ResponseFuture,
        cell: Arc<StreamCell>,
        link: Arc<Link>,
        permit: Permit,
        max_receive_bytes: usize,
    ) -> Self {
        Self {
            state: State::Head(response),
            stream: Stream::Streaming(cell, link),
            permit: Some(permit),
            max_receive_bytes,
        }
    }

    pub(crate) const fn max_receive_bytes(&self) -> usize {
        self.max_receive_bytes
    }

    pub(crate) fn address(&self) -> &crate::Address {
        self.stream.link().peer().address()
    }

    pub(crate) fn sender_is_open(&self) -> bool {
        match &self.stream {
            Stream::Single(..) => false,
            Stream::Streaming(cell, _) => !cell.has_ended(),
        }
    }

    pub(crate) fn may_restart(&self) -> bool {
        match &self.stream {
            Stream::Single(..) => false,
            Stream::Streaming(cell, _) => {
                matches!(self.state, State::Head(_)) && cell.may_restart()
            }
        }
    }

    pub(crate) fn refused(&mut self) {
        self.give_back(false);
    }

    /// Puts the call on a new stream, with all that was sent. Only once.
    pub(super) fn restart(
        &mut self,
        response: ResponseFuture,
        send: SendStream<Bytes>,
        link: &Arc<Link>,
        permit: Permit,
    ) {
        let Stream::Streaming(cell, old_link) = &mut self.stream else {
            return;
        };
        if cell.restart(send, Arc::clone(link)).is_err() {
            // Ended by this side meanwhile, which both halves know; the new stream is cancelled.
            link.retire(permit);
            return;
        }
        self.state = State::Head(response);
        *old_link = Arc::clone(link);
        // The old one was given back when the stream was refused.
        self.permit = Some(permit);
    }

    pub(crate) fn poll_head(
        &mut self,
        interim: &mut Interim,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Head, Status>> {
        let State::Head(response) = &mut self.state else {
            return Poll::Ready(Err(already_ended()));
        };
        match interim.poll(response, cx) {
            Poll::Pending => self.stream.poll_local(cx).map(Err),
            Poll::Ready(Err(NoHead::Failed(error))) => Poll::Ready(Err(self.stream.error(&error))),
            Poll::Ready(Err(NoHead::TooManyInterim)) => Poll::Ready(Err(too_many_interim(
                MAX_INTERIM,
                self.stream.link().peer(),
            ))),
            Poll::Ready(Ok(response)) => {
                let (head, recv) = response.into_parts();
                let body = Body::new(recv);
                let end = body.is_end_stream();
                let fields = fields::iter(head.headers);
                let status = head.status.as_u16();
                let read = match self.stream.link().compression() {
                    Some(known) => read_response_head(status, end, fields, known.registry()),
                    None => read_response_head(status, end, fields, &CompressorRegistry::empty()),
                };
                self.state = State::Body(body);
                if let Stream::Streaming(cell, _) = &self.stream {
                    cell.commit();
                }
                Poll::Ready(Ok(read))
            }
        }
    }

    pub(crate) fn decompress(&self, encoding: Encoding) -> Option<Decompress> {
        let compression = self.stream.link().compression();
        compression.map(|compression| compression.decompress(encoding))
    }

    pub(crate) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Status>> {
        let State::Body(body) = &mut self.state else {
            return Poll::Ready(Err(already_ended()));
        };
        match body.poll_chunk(self.stream.link(), cx) {
            Poll::Pending => self.stream.poll_local(cx).map(Err),
            Poll::Ready(chunk) => Poll::Ready(chunk.map_err(|error| self.stream.error(&error))),
        }
    }

    pub(crate) fn poll_trailers(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Result<Metadata, Status>>, Status>> {
        let State::Body(body) = &mut self.state else {
            return Poll::Ready(Err(already_ended()));
        };
        let trailers = ready!(body.poll_trailers(cx));
        Poll::Ready(match trailers {
            Ok(trailers) => Ok(trailers.map(|map| read_trailers(fields::iter(map)))),
            Err(error) => Err(self.stream.error(&error)),
        })
    }

    pub(crate) fn end(&mut self, status: impl FnOnce() -> Status) {
        let closed = match (&self.state, &self.stream) {
            // Both sides have ended it: h2 counts it no more.
            (State::Body(body), Stream::Single(_, None)) => body.is_end_stream(),
            _ => false,
        };
        self.state = State::Ended;
        match &mut self.stream {
            Stream::Single(_, None) => {}
            Stream::Single(_, send) => {
                if let Some(mut send) = send.take() {
                    // Nothing goes out if all was sent.
                    send.send_reset(Reason::CANCEL);
                }
            }
            Stream::Streaming(cell, _) => cell.peer_ended(status()),
        }
        self.give_back(closed);
    }

    pub(crate) fn abort(&mut self, status: Status) {
        match &mut self.stream {
            Stream::Single(_, send) => *send = None,
            Stream::Streaming(cell, _) => cell.abort(status),
        }
        self.state = State::Ended;
        self.give_back(false);
    }

    /// The permit is free when the stream is closed, and that may have to be written first.
    fn give_back(&mut self, closed: bool) {
        match self.permit.take() {
            Some(permit) if !closed => self.stream.link().retire(permit),
            permit => drop(permit),
        }
    }
}

impl Drop for ResponseStream {
    fn drop(&mut self) {
        if !matches!(self.state, State::Ended) {
            self.abort(Status::cancelled("Receiver dropped before the call's end"));
        }
    }
}

impl Stream {
    fn link(&self) -> &Link {
        match self {
            Self::Single(link, _) | Self::Streaming(_, link) => link,
        }
    }

    /// Ready once this side has ended the call otherwise than by reading it to its end.
    fn poll_local(&self, cx: &mut Context<'_>) -> Poll<Status> {
        match self {
            Self::Single(..) => Poll::Pending,
            Self::Streaming(cell, _) => cell.poll_local(cx),
        }
    }

    fn error(&self, error: &h2::Error) -> Status {
        // What came from outside came first, but for the reset behind an early answer.
        let reset = error.is_reset() && error.reason() != Some(Reason::NO_ERROR);
        let from_outside = error.is_remote() && (reset || error.is_go_away()) || error.is_io();
        let local = match self {
            Self::Streaming(cell, _) if !from_outside => cell.local(),
            Self::Single(..) | Self::Streaming(..) => None,
        };
        local.unwrap_or_else(|| stream_error(error, self.link(), Stage::Response))
    }
}
