//! A client's connection, as those who call over it hold it.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;
use trunkline_core::{Stage, Status};

use super::{RequestStream, ResponseStream};
use crate::http2::{ClientConfig, Permit, RequestHead, Usage};
use crate::{BoxIo, Peer};

/// A client's HTTP/2 connection, shared by all who call over it.
#[derive(Clone, Debug)]
pub struct ClientConnection(Infallible);

impl ClientConnection {
    /// Agrees on HTTP/2 with the peer and starts the task that drives the connection.
    ///
    /// # Errors
    /// UNAVAILABLE with stage `http2`, naming the peer and the cause.
    pub async fn handshake(
        io: BoxIo,
        peer: Peer,
        config: &ClientConfig,
        freed: Arc<Notify>,
    ) -> Result<Self, Status> {
        drop((io, peer, config.clone(), freed));
        Err(Status::unavailable("the engine is being built").with_stage(Stage::Http2))
    }

    /// Takes the right to open a stream; `None` at the peer's limit or when nothing more can be
    /// opened here.
    #[must_use]
    pub fn try_permit(&self) -> Option<Permit> {
        match self.0 {}
    }

    /// How many streams are open, and how many may be.
    #[must_use]
    pub fn usage(&self) -> Usage {
        match self.0 {}
    }

    /// False once the connection is lost, closing, or the peer was found to be going away.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match self.0 {}
    }

    /// The other end.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        match self.0 {}
    }

    /// Waits until nothing more can be opened here, and says why. Cancel safe.
    pub async fn closed(&self) -> Status {
        match self.0 {}
    }

    /// True once the peer has closed the connection with GOAWAY ENHANCE_YOUR_CALM after keepalive
    /// had sent PINGs: they came too often for it (gRFC A8), or something else was too much.
    #[must_use]
    pub fn pings_too_often(&self) -> bool {
        match self.0 {}
    }

    /// True once the peer has ended the connection with GOAWAY NO_ERROR: it is being restarted
    /// perhaps, or balances load, and has nothing against another connection.
    #[must_use]
    pub fn said_goodbye(&self) -> bool {
        match self.0 {}
    }

    /// Opens nothing more; the socket closes when the last open stream has ended.
    pub fn close(&self) {
        match self.0 {}
    }

    /// Ends the connection now, for this reason: what is open on it fails with it.
    pub fn abort(&self, why: Status) {
        drop(why);
        match self.0 {}
    }

    /// Waits until the connection is gone, with everything that was open on it. Cancel safe.
    pub async fn ended(&self) -> Status {
        match self.0 {}
    }

    /// How many streams were opened so far.
    #[must_use]
    pub fn opened(&self) -> u64 {
        match self.0 {}
    }

    /// Starts a call whose request is one message: HEADERS, DATA with END_STREAM.
    ///
    /// # Errors
    /// Always surely unprocessed: the call may go to another connection at once.
    pub fn start_single(
        &self,
        _permit: Permit,
        _head: &RequestHead<'_>,
        _frame: Bytes,
        _max_receive_bytes: usize,
    ) -> Result<ResponseStream, Status> {
        match self.0 {}
    }

    /// Starts a call whose requests follow one by one: HEADERS.
    ///
    /// # Errors
    /// As [`start_single`](Self::start_single).
    pub fn start_streaming(
        &self,
        _permit: Permit,
        _head: &RequestHead<'_>,
        _max_receive_bytes: usize,
    ) -> Result<(RequestStream, ResponseStream), Status> {
        match self.0 {}
    }

    /// Starts a call again that [`start_streaming`](Self::start_streaming) has started elsewhere
    /// and that was surely not processed there. Its halves stay what they are.
    ///
    /// # Errors
    /// As [`start_single`](Self::start_single).
    pub(crate) fn restart_streaming(
        &self,
        _permit: Permit,
        _head: &RequestHead<'_>,
        _responses: &mut ResponseStream,
    ) -> Result<(), Status> {
        match self.0 {}
    }
}
