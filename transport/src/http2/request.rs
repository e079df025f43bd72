//! A server's stream: what answers one RPC, and what it receives, untyped.

use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use trunkline_core::{Metadata, Status};

use super::engine::{ByEngine, by_engine};
use super::h2::{RequestBody as H2Body, Responder as H2Responder, SharedStream as H2Shared};
use super::native::{
    RequestBody as NativeBody, Responder as NativeResponder, SharedStream as NativeShared,
};
use super::{Finished, ResponseForm};

/// The receiving side of an RPC whose request is one message.
#[derive(Debug)]
pub struct RequestBody(pub(super) ByEngine<H2Body, NativeBody>);

impl RequestBody {
    /// Takes what came next, as it came; `None` once the client has half-closed. Its window is
    /// given back.
    ///
    /// # Errors
    /// What became of the stream or the connection.
    #[inline]
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Status>> {
        by_engine!(&mut self.0, of => of.poll_chunk(cx))
    }
}

/// The sending side of an RPC that is answered by one message, owned by the RPC's task alone.
///
/// Dropped without an answer it resets the stream with INTERNAL_ERROR.
#[derive(Debug)]
pub struct Responder(pub(super) ByEngine<H2Responder, NativeResponder>);

impl Responder {
    /// Ready once the client has reset the stream or the connection is gone; says which.
    ///
    /// Only for the RPC's own task: the stream keeps one waker for it.
    #[inline]
    pub fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        by_engine!(&mut self.0, of => of.poll_reset(cx))
    }

    /// Answers: head, message and trailers, queued back to back so that they leave together.
    ///
    /// `frame` is the message with its five-byte prefix. A client that is gone is no error.
    #[inline]
    pub fn reply(self, form: &ResponseForm, headers: &Metadata, frame: Bytes, trailers: &Metadata) {
        by_engine!(self.0, of => of.reply(form, headers, frame, trailers));
    }

    /// Answers with a status alone (Trailers-Only). A client that is gone is no error.
    pub fn fail(self, status: &Status) {
        by_engine!(self.0, of => of.fail(status));
    }

    /// Makes the stream one whose halves may be in different tasks. The body must be the same
    /// stream's; with one of another engine it is as if the responder had been dropped.
    #[must_use]
    pub fn share(self, body: RequestBody, form: ResponseForm) -> SharedStream {
        SharedStream(match (self.0, body.0) {
            (ByEngine::H2(of), ByEngine::H2(body)) => ByEngine::H2(of.share(body, form)),
            (ByEngine::Native(of), ByEngine::Native(body)) => {
                ByEngine::Native(of.share(body, form))
            }
            (ByEngine::H2(of), ByEngine::Native(_)) => ByEngine::H2(of.give_up()),
            (ByEngine::Native(of), ByEngine::H2(_)) => ByEngine::Native(of.give_up()),
        })
    }
}

/// A server's streaming RPC, as its runner and its two halves share it.
#[derive(Clone, Debug)]
pub struct SharedStream(ByEngine<H2Shared, NativeShared>);

impl SharedStream {
    /// Ready once the client has reset the stream or the connection is gone; says which.
    ///
    /// Only for the RPC's own task.
    #[inline]
    pub fn poll_reset(&self, cx: &mut Context<'_>) -> Poll<Status> {
        by_engine!(&self.0, of => of.poll_reset(cx))
    }

    /// Ends the RPC with its one response: head, message and trailers, queued back to back.
    ///
    /// `frame` is the message with its five-byte prefix.
    pub fn reply(&self, headers: Metadata, frame: Bytes, trailers: &Metadata) {
        by_engine!(&self.0, of => of.reply(headers, frame, trailers));
    }

    /// Adds response headers behind those that are there; too late once they are sent.
    pub fn add_headers(&self, headers: Metadata) {
        by_engine!(&self.0, of => of.add_headers(headers));
    }

    /// The trailers that were set so far.
    #[must_use]
    pub fn trailers(&self) -> Metadata {
        by_engine!(&self.0, of => of.trailers())
    }

    /// Takes out the trailers that were set so far.
    #[must_use]
    pub fn take_trailers(&self) -> Metadata {
        by_engine!(&self.0, of => of.take_trailers())
    }

    /// Ends the RPC: the messages sent so far, then the trailers; a status alone if it fails, nothing
    /// was sent, and its handler has set no headers. From then on both halves fail. Calling it again changes nothing.
    pub fn finish(&self, outcome: Result<&Metadata, &Status>) {
        by_engine!(&self.0, of => of.finish(outcome));
    }

    /// Ends the RPC when nobody may wait for the client to read: with trailers if the stream has
    /// window, otherwise with RST_STREAM CANCEL.
    pub fn finish_now(&self, status: &Status) -> Finished {
        by_engine!(&self.0, of => of.finish_now(status))
    }

    /// The same on a connection that is about to close. Without window nothing is said: the client
    /// learns from the connection's end that the server is gone, UNAVAILABLE.
    pub fn finish_last(&self, status: &Status) -> Finished {
        by_engine!(&self.0, of => of.finish_last(status))
    }

    /// True once the RPC was ended from this side.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        by_engine!(&self.0, of => of.is_finished())
    }

    #[inline]
    pub(crate) fn push(
        &self,
        size: usize,
        goes_on: bool,
        write: impl FnOnce(&mut BytesMut) -> Result<(), Status>,
    ) -> Result<(), Status> {
        match &self.0 {
            ByEngine::H2(of) => of.push(size, write),
            ByEngine::Native(of) => of.push(size, goes_on, write),
        }
    }

    #[inline]
    pub(crate) fn push_frame(&self, frame: Bytes) -> Result<(), Status> {
        by_engine!(&self.0, of => of.push_frame(frame))
    }

    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        by_engine!(&self.0, of => of.waiting())
    }

    /// Bytes that may be pushed until so many wait.
    pub(crate) fn room_below(&self, below: usize) -> usize {
        match &self.0 {
            ByEngine::H2(of) => below.saturating_sub(of.waiting()),
            ByEngine::Native(of) => of.room_below(below),
        }
    }

    #[inline]
    pub(crate) fn poll_below(
        &self,
        below: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Status>> {
        by_engine!(&self.0, of => of.poll_below(below, cx))
    }

    #[inline]
    pub(crate) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Status> {
        by_engine!(&self.0, of => of.poll_closed(cx))
    }

    /// The response headers so far; `None` once they are sent.
    pub(crate) fn headers(&self) -> Option<Metadata> {
        by_engine!(&self.0, of => of.headers())
    }

    pub(crate) fn with_headers<R>(&self, edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        by_engine!(&self.0, of => of.with_headers(edit))
    }

    pub(crate) fn with_trailers<R>(&self, edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        by_engine!(&self.0, of => of.with_trailers(edit))
    }

    pub(crate) fn send_headers(&self) -> Result<(), Status> {
        by_engine!(&self.0, of => of.send_headers())
    }

    #[inline]
    pub(crate) fn poll_chunk(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Status>> {
        by_engine!(&self.0, of => of.poll_chunk(cx))
    }

    pub(crate) fn drop_body(&self) {
        by_engine!(&self.0, of => of.drop_body());
    }
}
