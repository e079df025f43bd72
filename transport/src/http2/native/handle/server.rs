//! A server's connection: it drives the socket and yields the streams that clients open.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{HeaderName, HeaderValue};
use trunkline_core::protocol::{Reject, RequestFields};
use trunkline_core::{CompressorRegistry, Status};

use super::{RequestBody, Responder};
use crate::http2::ServerConfig;
use crate::http2::native::cell::StreamCell;
use crate::http2::native::driver::ServerDriver;
use crate::http2::native::head::Request;
use crate::{BoxIo, Peer};

/// A server's HTTP/2 connection, owned by the one task that drives it.
pub(crate) struct ServerConnection(Box<ServerDriver>);

impl ServerConnection {
    /// Agrees on HTTP/2 with a client. Not bounded in time by itself; dropping the future closes
    /// the socket.
    ///
    /// # Errors
    /// UNAVAILABLE with stage `http2`, naming the peer and the cause.
    pub(crate) async fn handshake(
        io: BoxIo,
        peer: Peer,
        config: &ServerConfig,
    ) -> Result<Self, Status> {
        let mut driver = Box::new(ServerDriver::new(io, peer, config));
        std::future::poll_fn(|cx| driver.poll_settled(cx)).await?;
        Ok(Self(driver))
    }

    /// Drives the socket, and yields the next stream that the client opened.
    ///
    /// Shape: `None` once the connection has ended cleanly; an error is the last item. To be
    /// polled by one task until then. What was queued is written before it returns `Pending`.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<ServerStream, Status>>> {
        self.0.poll_next(cx).map(|next| match next {
            Ok(Some((cell, head))) => Some(Ok(ServerStream::new(cell, head))),
            Ok(None) => None,
            Err(why) => Some(Err(why)),
        })
    }

    /// Tells the client to open nothing more: GOAWAY now, and a second one with the last stream
    /// once it has answered a PING. [`poll_next`](Self::poll_next) ends with the last stream.
    pub(crate) fn graceful_shutdown(&mut self, why: &'static str) {
        self.0.graceful_shutdown(why);
    }

    /// From now on new streams are reset with REFUSED_STREAM: for a client that does not listen.
    pub(crate) fn refuse_new(&mut self) {
        self.0.refuse_new();
    }

    /// Ends the connection without waiting for its streams; what is queued may be lost.
    pub(crate) fn abrupt_shutdown(&mut self) {
        self.0.abrupt_shutdown();
    }

    /// True while a stream is open.
    pub(crate) fn has_streams(&self) -> bool {
        self.0.has_streams()
    }

    /// True once nothing has passed for a while.
    #[inline]
    pub(crate) const fn at_rest(&self) -> bool {
        self.0.at_rest()
    }

    /// Why this side has hung up on its client, if it has.
    pub(crate) fn breach(&self) -> Option<&str> {
        self.0.breach()
    }

    /// The other end.
    pub(crate) fn peer(&self) -> &Peer {
        self.0.peer()
    }
}

impl std::fmt::Debug for ServerConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerConnection")
            .field("peer", self.peer())
            .finish_non_exhaustive()
    }
}

/// A stream that a client has opened, before anybody looked at more than its head.
#[derive(Debug)]
pub(crate) struct ServerStream {
    head: Request,
    responder: Responder,
    body: RequestBody,
}

impl ServerStream {
    fn new(cell: Arc<StreamCell>, head: Request) -> Self {
        Self {
            head,
            responder: Responder::new(Arc::clone(&cell)),
            body: RequestBody::new(cell),
        }
    }

    /// The `:path`, without a query; with one it is given whole, so that it matches no method.
    pub(crate) fn path(&self) -> &str {
        let path = self.head.path();
        // A fragment says nothing of what is called.
        path.split_once('#').map_or(path, |(path, _)| path)
    }

    #[inline]
    pub(crate) fn path_octets(&self) -> &[u8] {
        self.head.path_octets()
    }

    /// The `:method`.
    pub(crate) fn http_method(&self) -> &str {
        self.head.method()
    }

    /// The `:authority`, if there is one.
    pub(crate) fn authority(&self) -> Option<&str> {
        self.head.authority().map(http::uri::Authority::as_str)
    }

    /// Takes the header fields, in order; a second call yields none.
    pub(crate) fn take_fields(
        &mut self,
    ) -> impl Iterator<Item = (HeaderName, HeaderValue)> + use<> {
        std::mem::take(&mut self.head.fields).into_iter()
    }

    /// Takes the header fields and reads them.
    pub(crate) fn read_request(
        &mut self,
        known: &CompressorRegistry,
    ) -> Result<RequestFields, Reject> {
        self.head.read(known)
    }

    /// Answers a request that reaches no handler.
    pub(crate) fn reject(self, reject: &Reject) {
        self.responder.reject(reject);
    }

    /// Splits into what is received and what answers.
    pub(crate) fn into_parts(self) -> (RequestBody, Responder) {
        (self.body, self.responder)
    }
}
