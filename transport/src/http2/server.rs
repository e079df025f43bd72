//! A server's connection: it drives the socket and yields the streams that clients open.

use std::task::{Context, Poll};

use http::header::{HeaderName, HeaderValue};
use trunkline_core::protocol::{Reject, RequestFields};
use trunkline_core::{CompressorRegistry, Status};

use super::engine::{ByEngine, by_engine};
use super::h2::{ServerConnection as H2Connection, ServerStream as H2Stream};
use super::native::{ServerConnection as NativeConnection, ServerStream as NativeStream};
use super::{Engine, RequestBody, Responder, ServerConfig};
use crate::{BoxIo, Peer};

/// A server's HTTP/2 connection, owned by the one task that drives it.
///
/// As large as a pointer: what a task holds that only holds this is not the engines' to say.
#[derive(Debug)]
pub struct ServerConnection(ByEngine<Box<H2Connection>, NativeConnection>);

impl ServerConnection {
    /// Agrees on HTTP/2 with a client. Not bounded in time by itself; dropping the future closes
    /// the socket.
    ///
    /// # Errors
    /// UNAVAILABLE with stage `http2`, naming the peer and the cause.
    pub async fn handshake(io: BoxIo, peer: Peer, config: &ServerConfig) -> Result<Self, Status> {
        Ok(Self(match config.engine {
            Engine::H2 => {
                let connection = H2Connection::handshake(io, peer, config).await?;
                ByEngine::H2(Box::new(connection))
            }
            Engine::Native => {
                ByEngine::Native(NativeConnection::handshake(io, peer, config).await?)
            }
        }))
    }

    /// Drives the socket, and yields the next stream that the client opened.
    ///
    /// Shape: `None` once the connection has ended cleanly; an error is the last item. To be
    /// polled by one task until then. What was queued is written before it returns `Pending`.
    #[inline]
    pub fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<ServerStream, Status>>> {
        match &mut self.0 {
            ByEngine::H2(of) => of
                .poll_next(cx)
                .map(|next| next.map(|stream| stream.map(ByEngine::H2).map(ServerStream))),
            ByEngine::Native(of) => of
                .poll_next(cx)
                .map(|next| next.map(|stream| stream.map(ByEngine::Native).map(ServerStream))),
        }
    }

    /// Tells the client to open nothing more: GOAWAY now, and a second one with the last stream
    /// once it has answered a PING. [`poll_next`](Self::poll_next) ends with the last stream.
    ///
    /// GOAWAY says `why`, such as `max_age`; the h2 crate leaves it out.
    pub fn graceful_shutdown(&mut self, why: &'static str) {
        by_engine!(&mut self.0, of => of.graceful_shutdown(why));
    }

    /// From now on new streams are reset with REFUSED_STREAM: for a client that does not listen.
    pub fn refuse_new(&mut self) {
        by_engine!(&mut self.0, of => of.refuse_new());
    }

    /// Ends the connection without waiting for its streams; what is queued may be lost.
    pub fn abrupt_shutdown(&mut self) {
        by_engine!(&mut self.0, of => of.abrupt_shutdown());
    }

    /// True while a stream is open; with our own engine too while it leaves, and its client has not
    /// taken all of its answers.
    #[inline]
    #[must_use]
    pub fn has_streams(&self) -> bool {
        by_engine!(&self.0, of => of.has_streams())
    }

    /// Whether nothing has passed for a while, so that what is kept for more can be given back;
    /// `None` with the h2 crate, which does not tell. True for the first time at the end of a
    /// [`poll_next`](Self::poll_next).
    #[inline]
    #[must_use]
    pub fn at_rest(&self) -> Option<bool> {
        match &self.0 {
            ByEngine::H2(_) => None,
            ByEngine::Native(of) => Some(of.at_rest()),
        }
    }

    /// Why this side has hung up on its client, if it has: the rule of HTTP/2 that the client broke,
    /// or the limit that it ran into, as GOAWAY says it.
    #[must_use]
    pub fn breach(&self) -> Option<&str> {
        by_engine!(&self.0, of => of.breach())
    }

    /// The other end.
    #[inline]
    #[must_use]
    pub fn peer(&self) -> &Peer {
        by_engine!(&self.0, of => of.peer())
    }
}

/// A stream that a client has opened, before anybody looked at more than its head.
#[derive(Debug)]
pub struct ServerStream(ByEngine<H2Stream, NativeStream>);

impl ServerStream {
    /// The `:path`, without a query; with one it is given whole, so that it matches no method.
    #[inline]
    #[must_use]
    pub fn path(&self) -> &str {
        by_engine!(&self.0, of => of.path())
    }

    /// The `:path` as it came: that of a method if it is the same to the byte.
    #[inline]
    #[must_use]
    pub fn path_octets(&self) -> &[u8] {
        match &self.0 {
            ByEngine::H2(of) => of.path().as_bytes(),
            ByEngine::Native(of) => of.path_octets(),
        }
    }

    /// The `:method`.
    #[inline]
    #[must_use]
    pub fn http_method(&self) -> &str {
        by_engine!(&self.0, of => of.http_method())
    }

    /// The `:authority`, if there is one.
    #[inline]
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        by_engine!(&self.0, of => of.authority())
    }

    /// Takes the header fields, in order; a second call yields none.
    #[inline]
    pub fn take_fields(&mut self) -> impl Iterator<Item = (HeaderName, HeaderValue)> + use<> {
        match &mut self.0 {
            ByEngine::H2(of) => ByEngine::H2(of.take_fields()),
            ByEngine::Native(of) => ByEngine::Native(of.take_fields()),
        }
    }

    /// Takes the header fields and reads them, as [`protocol::read_request`] does.
    ///
    /// # Errors
    /// [`Reject`] says what to answer.
    ///
    /// [`protocol::read_request`]: trunkline_core::protocol::read_request
    #[inline]
    pub fn read_request(&mut self, known: &CompressorRegistry) -> Result<RequestFields, Reject> {
        by_engine!(&mut self.0, of => of.read_request(known))
    }

    /// Answers a request that reaches no handler.
    pub fn reject(self, reject: &Reject) {
        by_engine!(self.0, of => of.reject(reject));
    }

    /// Splits into what is received and what answers.
    #[inline]
    #[must_use]
    pub fn into_parts(self) -> (RequestBody, Responder) {
        match self.0 {
            ByEngine::H2(of) => {
                let (body, responder) = of.into_parts();
                (
                    RequestBody(ByEngine::H2(body)),
                    Responder(ByEngine::H2(responder)),
                )
            }
            ByEngine::Native(of) => {
                let (body, responder) = of.into_parts();
                (
                    RequestBody(ByEngine::Native(body)),
                    Responder(ByEngine::Native(responder)),
                )
            }
        }
    }
}
