//! A client's stream: its sending side and its receiving side, untyped.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use trunkline_core::protocol::{read_response_head, read_trailers};
use trunkline_core::{CompressorRegistry, Encoding, Metadata, Status};

use crate::http2::failure::already_ended;
use crate::http2::native::cell::StreamCell;
use crate::http2::native::connection::Inbound;
use crate::http2::native::link::Link;
use crate::http2::{Head, Interim};
use crate::stream::Decompress;

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
    cell: Arc<StreamCell>,
    link: Arc<Link>,
    state: State,
    /// What is left of an answer that was taken as a whole, which has its end.
    rest: Inbound,
    /// With one request message nobody sends beside it.
    is_single: bool,
    max_receive_bytes: usize,
    /// The driver wakes the reader at the call's deadline.
    is_timed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Body,
    Ended,
}

impl ResponseStream {
    pub(super) fn new(
        cell: Arc<StreamCell>,
        link: Arc<Link>,
        is_single: bool,
        max_receive_bytes: usize,
    ) -> Self {
        Self {
            cell,
            link,
            state: State::Head,
            rest: Inbound::default(),
            is_single,
            max_receive_bytes,
            is_timed: false,
        }
    }

    /// The same where the driver wakes the reader at the call's deadline, if it does.
    pub(super) const fn timed(mut self, is_timed: bool) -> Self {
        self.is_timed = is_timed;
        self
    }

    /// Whether the call's deadline has passed; `None` where the driver does not watch it.
    #[inline]
    pub(crate) fn has_expired(&self) -> Option<bool> {
        self.is_timed.then(|| self.cell.has_expired())
    }

    pub(super) const fn cell(&self) -> &Arc<StreamCell> {
        &self.cell
    }

    /// The call is on another connection now.
    pub(super) fn restarted(&mut self, link: &Arc<Link>) {
        self.link = Arc::clone(link);
        self.state = State::Head;
    }

    pub(crate) const fn max_receive_bytes(&self) -> usize {
        self.max_receive_bytes
    }

    /// The address of the server that this stream goes to.
    pub(crate) fn address(&self) -> &crate::Address {
        self.link.peer().address()
    }

    /// True while a sender may still send.
    pub(crate) fn sender_is_open(&self) -> bool {
        !self.is_single && !self.cell.has_ended()
    }

    /// True while the call can be put on another stream: it has a sender, nothing was answered,
    /// and not too much was sent.
    pub(crate) fn may_restart(&self) -> bool {
        !self.is_single && self.state == State::Head && self.cell.may_restart()
    }

    /// The peer has refused the stream. Its place is free already: the call may need it to go out
    /// again.
    pub(crate) const fn refused(&mut self) {}

    /// Interim responses are counted by the connection.
    pub(crate) fn poll_head(
        &mut self,
        _interim: &mut Interim,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Head, Status>> {
        if self.state != State::Head {
            return Poll::Ready(Err(already_ended()));
        }
        let (mut head, is_all) = ready!(self.cell.poll_head(&mut self.rest, cx))?;
        self.state = State::Body;
        if !self.is_single {
            self.cell.commit();
        }
        if head.status == 200 && !is_all && head.fields.is_plain_head() {
            return Poll::Ready(Ok(Head::Stream(Metadata::new(), None)));
        }
        let fields = head.fields.lend();
        Poll::Ready(Ok(match self.link.compression() {
            Some(known) => read_response_head(head.status, is_all, fields, known.registry()),
            None => read_response_head(head.status, is_all, fields, &CompressorRegistry::empty()),
        }))
    }

    /// What messages in this encoding are decompressed with.
    pub(crate) fn decompress(&self, encoding: Encoding) -> Option<Decompress> {
        let compression = self.link.compression();
        compression.map(|compression| compression.decompress(encoding))
    }

    /// The next chunk of the body; `None` before the trailers.
    pub(crate) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Status>> {
        if self.state != State::Body {
            return Poll::Ready(Err(already_ended()));
        }
        if self.rest.end.is_some() {
            return Poll::Ready(Ok(self.rest.take_chunk()));
        }
        self.cell.poll_response(cx)
    }

    /// What the trailers say; `None` if the stream ended without.
    pub(crate) fn poll_trailers(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Result<Metadata, Status>>, Status>> {
        if self.state != State::Body {
            return Poll::Ready(Err(already_ended()));
        }
        let trailers = if self.rest.end.is_some() {
            self.rest.take_trailers()
        } else {
            ready!(self.cell.poll_trailers(cx))?
        };
        Poll::Ready(Ok(trailers.map(|mut fields| {
            if fields.is_plain_ok() {
                return Ok(Metadata::new());
            }
            read_trailers(fields.lend())
        })))
    }

    /// The call has ended with the peer's word; a sender that still lives fails with `status`.
    pub(crate) fn end(&mut self, status: impl FnOnce() -> Status) {
        self.state = State::Ended;
        if self.is_single {
            if self.rest.end.is_none() {
                self.cell.release();
            }
        } else {
            self.cell.peer_ended(status());
        }
    }

    /// The call ends here: RST_STREAM CANCEL, and a sender fails with the same status.
    pub(crate) fn abort(&mut self, status: Status) {
        self.state = State::Ended;
        self.cell.abort(status);
    }
}

impl Drop for ResponseStream {
    fn drop(&mut self) {
        if self.state != State::Ended {
            self.abort(Status::cancelled("Receiver dropped before the call's end"));
        }
    }
}
