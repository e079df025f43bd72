//! A server's connection: it drives the socket and yields the streams that clients open.

use std::convert::Infallible;
use std::task::{Context, Poll};

use http::header::{HeaderName, HeaderValue};
use trunkline_core::protocol::Reject;
use trunkline_core::{Stage, Status};

use super::{RequestBody, Responder};
use crate::http2::ServerConfig;
use crate::{BoxIo, Peer};

/// A server's HTTP/2 connection, owned by the one task that drives it.
#[derive(Debug)]
pub struct ServerConnection(Infallible);

impl ServerConnection {
    /// Agrees on HTTP/2 with a client. Not bounded in time by itself; dropping the future closes
    /// the socket.
    ///
    /// # Errors
    /// UNAVAILABLE with stage `http2`, naming the peer and the cause.
    pub async fn handshake(io: BoxIo, peer: Peer, config: &ServerConfig) -> Result<Self, Status> {
        drop((io, peer, config.clone()));
        Err(Status::unavailable("the engine is being built").with_stage(Stage::Http2))
    }

    /// Drives the socket, and yields the next stream that the client opened.
    pub fn poll_next(
        &mut self,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<ServerStream, Status>>> {
        match self.0 {}
    }

    /// Tells the client to open nothing more.
    pub fn graceful_shutdown(&mut self) {
        match self.0 {}
    }

    /// From now on new streams are reset with REFUSED_STREAM: for a client that does not listen.
    pub fn refuse_new(&mut self) {
        match self.0 {}
    }

    /// Ends the connection without waiting for its streams; what is queued may be lost.
    pub fn abrupt_shutdown(&mut self) {
        match self.0 {}
    }

    /// True while a stream is open.
    #[must_use]
    pub fn has_streams(&self) -> bool {
        match self.0 {}
    }

    /// The other end.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        match self.0 {}
    }
}

/// A stream that a client has opened, before anybody looked at more than its head.
#[derive(Debug)]
pub struct ServerStream(Infallible);

impl ServerStream {
    /// The `:path`, without a query; with one it is given whole, so that it matches no method.
    #[must_use]
    pub fn path(&self) -> &str {
        match self.0 {}
    }

    /// The `:method`.
    #[must_use]
    pub fn http_method(&self) -> &str {
        match self.0 {}
    }

    /// The `:authority`, if there is one.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        match self.0 {}
    }

    /// Takes the header fields, in order; a second call yields none.
    pub fn take_fields(&mut self) -> impl Iterator<Item = (HeaderName, HeaderValue)> + use<> {
        std::iter::empty()
    }

    /// Answers a request that reaches no handler.
    pub fn reject(self, _reject: &Reject) {
        match self.0 {}
    }

    /// Splits into what is received and what answers.
    #[must_use]
    pub fn into_parts(self) -> (RequestBody, Responder) {
        match self.0 {}
    }
}
