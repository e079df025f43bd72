//! A client's stream: its sending side and its receiving side, untyped.

use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use trunkline_core::{Encoding, Metadata, Status};

use crate::http2::{Head, Interim};
use crate::stream::Decompress;

/// The sending side of a client's streaming call, for a [`SendHalf`](crate::stream::SendHalf).
/// Dropped before END_STREAM it cancels the call.
#[derive(Debug)]
pub struct RequestStream(Infallible);

impl RequestStream {
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

    pub(crate) fn half_close(&self) {
        match self.0 {}
    }

    pub(crate) fn abort(&self, _status: Status) {
        match self.0 {}
    }
}

/// The receiving side of a client's call, for a [`RecvHalf`](crate::stream::RecvHalf). Dropped
/// before its end it cancels the call.
#[derive(Debug)]
pub struct ResponseStream(Infallible);

impl ResponseStream {
    pub(crate) fn max_receive_bytes(&self) -> usize {
        match self.0 {}
    }

    /// The address of the server that this stream goes to.
    pub(crate) fn address(&self) -> &crate::Address {
        match self.0 {}
    }

    /// True while a sender may still send.
    pub(crate) fn sender_is_open(&self) -> bool {
        match self.0 {}
    }

    /// True while the call can be put on another stream: it has a sender, nothing was answered,
    /// and not too much was sent.
    pub(crate) fn may_restart(&self) -> bool {
        match self.0 {}
    }

    /// The peer has refused the stream. Its place is free at once: the call may need it to go
    /// out again.
    pub(crate) fn refused(&mut self) {
        match self.0 {}
    }

    pub(crate) fn poll_head(
        &mut self,
        _interim: &mut Interim,
        _cx: &mut Context<'_>,
    ) -> Poll<Result<Head, Status>> {
        match self.0 {}
    }

    /// What messages in this encoding are decompressed with.
    pub(crate) fn decompress(&self, _encoding: Encoding) -> Option<Decompress> {
        match self.0 {}
    }

    /// The next chunk of the body; `None` before the trailers.
    pub(crate) fn poll_chunk(
        &mut self,
        _cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Status>> {
        match self.0 {}
    }

    /// What the trailers say; `None` if the stream ended without.
    pub(crate) fn poll_trailers(
        &mut self,
        _cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Result<Metadata, Status>>, Status>> {
        match self.0 {}
    }

    /// The call has ended with the peer's word; a sender that still lives fails with `status`.
    pub(crate) fn end(&mut self, _status: impl FnOnce() -> Status) {
        match self.0 {}
    }

    /// The call ends here: RST_STREAM CANCEL, and a sender fails with the same status.
    pub(crate) fn abort(&mut self, _status: Status) {
        match self.0 {}
    }
}
