//! A server's stream: what answers one RPC, and what it receives, untyped.

use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use trunkline_core::{Metadata, Status};

use crate::http2::{Finished, ResponseForm};

/// The receiving side of an RPC whose request is one message.
#[derive(Debug)]
pub struct RequestBody(Infallible);

impl RequestBody {
    /// Takes what came next, as it came; `None` once the client has half-closed. Its window is
    /// given back.
    ///
    /// # Errors
    /// What became of the stream or the connection.
    pub fn poll_chunk(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Status>> {
        match self.0 {}
    }
}

/// The sending side of an RPC that is answered by one message, owned by the RPC's task alone.
///
/// Dropped without an answer it resets the stream with INTERNAL_ERROR.
#[derive(Debug)]
pub struct Responder(Infallible);

impl Responder {
    /// Ready once the client has reset the stream or the connection is gone; says which.
    pub fn poll_reset(&mut self, _cx: &mut Context<'_>) -> Poll<Status> {
        match self.0 {}
    }

    /// Answers: head, message and trailers, queued back to back so that they leave together.
    pub fn reply(
        self,
        _form: &ResponseForm,
        _headers: &Metadata,
        _frame: Bytes,
        _trailers: &Metadata,
    ) {
        match self.0 {}
    }

    /// Answers with a status alone (Trailers-Only). A client that is gone is no error.
    pub fn fail(self, _status: &Status) {
        match self.0 {}
    }

    /// Makes the stream one whose halves may be in different tasks.
    #[must_use]
    pub fn share(self, _body: RequestBody, _form: ResponseForm) -> SharedStream {
        match self.0 {}
    }

    /// The reset of a dropped one, and a stream that has ended with it.
    pub(in crate::http2) fn give_up(self) -> SharedStream {
        match self.0 {}
    }
}

/// A server's streaming RPC, as its runner and its two halves share it.
#[derive(Clone, Debug)]
pub struct SharedStream(Infallible);

impl SharedStream {
    /// Ready once the client has reset the stream or the connection is gone; says which.
    pub fn poll_reset(&self, _cx: &mut Context<'_>) -> Poll<Status> {
        match self.0 {}
    }

    /// Ends the RPC with its one response: head, message and trailers, queued back to back.
    pub fn reply(&self, _headers: Metadata, _frame: Bytes, _trailers: &Metadata) {
        match self.0 {}
    }

    /// Adds response headers behind those that are there; too late once they are sent.
    pub fn add_headers(&self, _headers: Metadata) {
        match self.0 {}
    }

    /// The trailers that were set so far.
    #[must_use]
    pub fn trailers(&self) -> Metadata {
        match self.0 {}
    }

    /// Takes out the trailers that were set so far.
    #[must_use]
    pub fn take_trailers(&self) -> Metadata {
        match self.0 {}
    }

    /// Ends the RPC: the messages sent so far, then the trailers.
    pub fn finish(&self, _outcome: Result<&Metadata, &Status>) {
        match self.0 {}
    }

    /// Ends the RPC when nobody may wait for the client to read.
    pub fn finish_now(&self, _status: &Status) -> Finished {
        match self.0 {}
    }

    /// The same on a connection that is about to close.
    pub fn finish_last(&self, _status: &Status) -> Finished {
        match self.0 {}
    }

    /// True once the RPC was ended from this side.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn push(
        &self,
        _size: usize,
        _write: impl FnOnce(&mut BytesMut) -> Result<(), Status>,
    ) -> Result<(), Status> {
        match self.0 {}
    }

    pub(crate) fn push_frame(&self, _frame: Bytes) -> Result<(), Status> {
        match self.0 {}
    }

    pub(crate) fn waiting(&self) -> usize {
        match self.0 {}
    }

    pub(crate) fn poll_below(
        &self,
        _below: usize,
        _cx: &mut Context<'_>,
    ) -> Poll<Result<(), Status>> {
        match self.0 {}
    }

    pub(crate) fn poll_closed(&self, _cx: &mut Context<'_>) -> Poll<Status> {
        match self.0 {}
    }

    /// The response headers so far; `None` once they are sent.
    pub(crate) fn headers(&self) -> Option<Metadata> {
        match self.0 {}
    }

    pub(crate) fn with_headers<R>(&self, _edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        match self.0 {}
    }

    pub(crate) fn with_trailers<R>(&self, _edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        match self.0 {}
    }

    pub(crate) fn send_headers(&self) -> Result<(), Status> {
        match self.0 {}
    }

    pub(crate) fn poll_chunk(&self, _cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Status>> {
        match self.0 {}
    }

    pub(crate) fn drop_body(&self) {
        match self.0 {}
    }
}
