//! A client's stream: its sending side and its receiving side, untyped.

use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use trunkline_core::protocol::ResponseHead;
use trunkline_core::{Encoding, Metadata, Status};

use super::Interim;
use super::engine::{ByEngine, by_engine};
use super::h2::{RequestStream as H2Requests, ResponseStream as H2Responses};
use super::native::{RequestStream as NativeRequests, ResponseStream as NativeResponses};
use crate::stream::Decompress;

/// What a response begins with.
pub(crate) type Head = ResponseHead;

/// The sending side of a client's streaming call, for a [`SendHalf`](crate::stream::SendHalf).
/// Dropped before END_STREAM it cancels the call.
#[derive(Debug)]
pub struct RequestStream(pub(super) ByEngine<H2Requests, NativeRequests>);

impl RequestStream {
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

    pub(crate) fn half_close(&self) {
        by_engine!(&self.0, of => of.half_close());
    }

    pub(crate) fn abort(&self, status: Status) {
        by_engine!(&self.0, of => of.abort(status));
    }
}

/// The receiving side of a client's call, for a [`RecvHalf`](crate::stream::RecvHalf). Dropped
/// before its end it cancels the call.
#[derive(Debug)]
pub struct ResponseStream(pub(super) ByEngine<H2Responses, NativeResponses>);

impl ResponseStream {
    #[inline]
    pub(crate) fn max_receive_bytes(&self) -> usize {
        by_engine!(&self.0, of => of.max_receive_bytes())
    }

    /// The address of the server that this stream goes to.
    pub(crate) fn address(&self) -> &crate::Address {
        by_engine!(&self.0, of => of.address())
    }

    /// True while a sender may still send.
    pub(crate) fn sender_is_open(&self) -> bool {
        by_engine!(&self.0, of => of.sender_is_open())
    }

    /// True while the call can be put on another stream: it has a sender, nothing was answered,
    /// and not too much was sent.
    pub(crate) fn may_restart(&self) -> bool {
        by_engine!(&self.0, of => of.may_restart())
    }

    /// The peer has refused the stream. Its place is free at once: the call may need it to go
    /// out again.
    pub(crate) fn refused(&mut self) {
        by_engine!(&mut self.0, of => of.refused());
    }

    /// What the answer begins with, behind at most so many interim responses.
    #[inline]
    pub(crate) fn poll_head(
        &mut self,
        interim: &mut Interim,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Head, Status>> {
        by_engine!(&mut self.0, of => of.poll_head(interim, cx))
    }

    /// Whether the deadline has passed that the stream was started with; `None` where its
    /// connection does not watch that.
    #[inline]
    pub(crate) fn has_expired(&self) -> Option<bool> {
        match &self.0 {
            ByEngine::H2(_) => None,
            ByEngine::Native(of) => of.has_expired(),
        }
    }

    /// What messages in this encoding are decompressed with.
    pub(crate) fn decompress(&self, encoding: Encoding) -> Option<Decompress> {
        by_engine!(&self.0, of => of.decompress(encoding))
    }

    /// The next chunk of the body; `None` before the trailers.
    #[inline]
    pub(crate) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Status>> {
        by_engine!(&mut self.0, of => of.poll_chunk(cx))
    }

    /// What the trailers say; `None` if the stream ended without.
    #[inline]
    pub(crate) fn poll_trailers(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Result<Metadata, Status>>, Status>> {
        by_engine!(&mut self.0, of => of.poll_trailers(cx))
    }

    /// The call has ended with the peer's word; a sender that still lives fails with `status`.
    #[inline]
    pub(crate) fn end(&mut self, status: impl FnOnce() -> Status) {
        by_engine!(&mut self.0, of => of.end(status));
    }

    /// The call ends here: RST_STREAM CANCEL, and a sender fails with the same status.
    pub(crate) fn abort(&mut self, status: Status) {
        by_engine!(&mut self.0, of => of.abort(status));
    }
}
