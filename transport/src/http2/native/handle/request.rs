//! A server's stream: what answers one RPC, and what it receives, untyped.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use trunkline_core::protocol::Reject;
use trunkline_core::{Metadata, Status};

use crate::http2::native::cell::StreamCell;
use crate::http2::native::head::write;
use crate::http2::{Finished, ResponseForm};

/// The receiving side of an RPC whose request is one message.
#[derive(Debug)]
pub(crate) struct RequestBody(Arc<StreamCell>);

impl RequestBody {
    pub(super) const fn new(cell: Arc<StreamCell>) -> Self {
        Self(cell)
    }

    /// Takes what came next, as it came; `None` once the client has half-closed. Its window is
    /// given back.
    ///
    /// # Errors
    /// What became of the stream or the connection.
    pub(crate) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Status>> {
        self.0.poll_request(cx)
    }
}

/// The sending side of an RPC that is answered by one message, owned by the RPC's task alone.
///
/// Dropped without an answer it resets the stream with INTERNAL_ERROR.
#[derive(Debug)]
pub(crate) struct Responder {
    cell: Arc<StreamCell>,
    is_answered: bool,
}

impl Responder {
    pub(super) const fn new(cell: Arc<StreamCell>) -> Self {
        Self {
            cell,
            is_answered: false,
        }
    }

    /// Ready once the client has reset the stream or the connection is gone; says which.
    ///
    /// Only for the RPC's own task: the stream keeps one waker for it.
    pub(crate) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        self.cell.poll_reset(cx)
    }

    /// Answers: head, message and trailers, queued back to back so that they leave together.
    ///
    /// `frame` is the message with its five-byte prefix. A client that is gone is no error.
    pub(crate) fn reply(
        mut self,
        form: &ResponseForm,
        headers: &Metadata,
        frame: Bytes,
        trailers: &Metadata,
    ) {
        self.is_answered = true;
        let head = write::response(form, headers);
        let last = write::trailers(Ok(trailers), &Metadata::new());
        self.cell.answer(head, Some((frame, last)));
    }

    /// Answers with a status alone (Trailers-Only). A client that is gone is no error.
    pub(crate) fn fail(mut self, status: &Status) {
        self.is_answered = true;
        let none = Metadata::new();
        let head = write::trailers_only(status, &none, &none);
        self.cell.answer(head, None);
    }

    /// Answers a request that reaches no handler.
    pub(super) fn reject(mut self, reject: &Reject) {
        self.is_answered = true;
        self.cell.answer(write::reject(reject), None);
    }

    /// Makes the stream one whose halves may be in different tasks.
    pub(crate) fn share(mut self, _body: RequestBody, form: ResponseForm) -> SharedStream {
        self.is_answered = true;
        self.cell.share(form);
        SharedStream(Arc::clone(&self.cell))
    }

    /// The reset of a dropped one, and a stream that has ended with it.
    pub(in crate::http2) fn give_up(self) -> SharedStream {
        SharedStream(Arc::clone(&self.cell))
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if !self.is_answered {
            self.cell.forsake();
        }
    }
}

/// A server's streaming RPC, as its runner and its two halves share it.
#[derive(Clone, Debug)]
pub(crate) struct SharedStream(Arc<StreamCell>);

impl SharedStream {
    /// Ready once the client has reset the stream or the connection is gone; says which.
    ///
    /// Only for the RPC's own task.
    pub(crate) fn poll_reset(&self, cx: &mut Context<'_>) -> Poll<Status> {
        self.0.poll_reset(cx)
    }

    /// Ends the RPC with its one response: head, message and trailers, queued back to back.
    ///
    /// `frame` is the message with its five-byte prefix.
    pub(crate) fn reply(&self, headers: Metadata, frame: Bytes, trailers: &Metadata) {
        self.0.reply(headers, frame, trailers);
    }

    /// Adds response headers behind those that are there; too late once they are sent.
    pub(crate) fn add_headers(&self, headers: Metadata) {
        if !headers.is_empty() {
            self.0.with_headers(|all| all.extend(headers));
        }
    }

    /// The trailers that were set so far.
    pub(crate) fn trailers(&self) -> Metadata {
        let trailers = self.0.with_trailers(|trailers| trailers.clone());
        trailers.unwrap_or_default()
    }

    /// Takes out the trailers that were set so far.
    pub(crate) fn take_trailers(&self) -> Metadata {
        self.0.with_trailers(std::mem::take).unwrap_or_default()
    }

    /// Ends the RPC: the messages sent so far, then the trailers; a status alone if it fails,
    /// nothing was sent, and its handler has set no headers. From then on both halves fail. Calling
    /// it again changes nothing.
    pub(crate) fn finish(&self, outcome: Result<&Metadata, &Status>) {
        self.0.finish(outcome);
    }

    /// Ends the RPC when nobody may wait for the client to read: with trailers if the stream has
    /// window, otherwise with RST_STREAM CANCEL.
    pub(crate) fn finish_now(&self, status: &Status) -> Finished {
        self.0.finish_now(status)
    }

    /// The same on a connection that is about to close. Without window nothing is said: the client
    /// learns from the connection's end that the server is gone, UNAVAILABLE.
    pub(crate) fn finish_last(&self, status: &Status) -> Finished {
        self.0.finish_last(status)
    }

    /// True once the RPC was ended from this side.
    pub(crate) fn is_finished(&self) -> bool {
        self.0.has_ended()
    }

    pub(crate) fn push(
        &self,
        size: usize,
        goes_on: bool,
        write: impl FnOnce(&mut BytesMut) -> Result<(), Status>,
    ) -> Result<(), Status> {
        self.0.push(size, goes_on, write)
    }

    pub(crate) fn push_frame(&self, frame: Bytes) -> Result<(), Status> {
        self.0.push_frame(frame)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.0.waiting()
    }

    pub(crate) fn room_below(&self, below: usize) -> usize {
        self.0.room_below(below)
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

    /// The response headers so far; `None` once they are sent.
    pub(crate) fn headers(&self) -> Option<Metadata> {
        self.0.with_headers(|headers| headers.clone())
    }

    pub(crate) fn with_headers<R>(&self, edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        self.0.with_own_headers(edit)
    }

    pub(crate) fn with_trailers<R>(&self, edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        self.0.with_trailers(edit)
    }

    pub(crate) fn send_headers(&self) -> Result<(), Status> {
        self.0.send_headers()
    }

    pub(crate) fn poll_chunk(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Status>> {
        self.0.poll_request(cx)
    }

    pub(crate) fn drop_body(&self) {
        self.0.drop_body();
    }
}
