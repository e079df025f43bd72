//! A client's connection, as those who call over it hold it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;
use trunkline_core::{Deadline, Status};

use super::engine::{ByEngine, by_engine};
use super::h2::ClientConnection as H2Connection;
use super::native::ClientConnection as NativeConnection;
use super::{ClientConfig, Engine, Permit, RequestHead, RequestStream, ResponseStream, Usage};
use crate::{BoxIo, Peer};

/// A client's HTTP/2 connection, shared by all who call over it.
///
/// Clones are handles to the same connection. It ends by itself once every clone is gone and no
/// stream is open.
#[derive(Clone, Debug)]
pub struct ClientConnection(ByEngine<H2Connection, NativeConnection>);

impl ClientConnection {
    /// Agrees on HTTP/2 with the peer and starts the task that drives the connection.
    ///
    /// Resolves when the peer's SETTINGS have arrived: before that neither its stream limit nor
    /// whether it speaks HTTP/2 at all is known. Not bounded in time by itself; dropping the
    /// future closes the socket. `freed` is notified whenever a stream that was waited for may
    /// be opened.
    ///
    /// # Errors
    /// UNAVAILABLE with stage `http2`, naming the peer and the cause.
    pub async fn handshake(
        io: BoxIo,
        peer: Peer,
        config: &ClientConfig,
        freed: Arc<Notify>,
    ) -> Result<Self, Status> {
        Ok(Self(match config.engine {
            Engine::H2 => ByEngine::H2(H2Connection::handshake(io, peer, config, freed).await?),
            Engine::Native => {
                ByEngine::Native(NativeConnection::handshake(io, peer, config, freed).await?)
            }
        }))
    }

    /// Takes the right to open a stream; `None` at the peer's limit or when nothing more can be
    /// opened here.
    #[inline]
    #[must_use]
    pub fn try_permit(&self) -> Option<Permit> {
        by_engine!(&self.0, of => of.try_permit())
    }

    /// How many streams are open, and how many may be.
    #[inline]
    #[must_use]
    pub fn usage(&self) -> Usage {
        by_engine!(&self.0, of => of.usage())
    }

    /// False once the connection is lost, closing, or the peer was found to be going away.
    #[inline]
    #[must_use]
    pub fn is_open(&self) -> bool {
        by_engine!(&self.0, of => of.is_open())
    }

    /// The other end.
    #[inline]
    #[must_use]
    pub fn peer(&self) -> &Peer {
        by_engine!(&self.0, of => of.peer())
    }

    /// Waits until nothing more can be opened here, and says why. Cancel safe.
    pub async fn closed(&self) -> Status {
        by_engine!(&self.0, of => of.closed().await)
    }

    /// True once the peer has closed the connection with GOAWAY ENHANCE_YOUR_CALM after keepalive
    /// had sent PINGs: they came too often for it (gRFC A8), or something else was too much.
    #[must_use]
    pub fn pings_too_often(&self) -> bool {
        by_engine!(&self.0, of => of.pings_too_often())
    }

    /// True once the peer has ended the connection with GOAWAY NO_ERROR: it is being restarted
    /// perhaps, or balances load, and has nothing against another connection.
    #[must_use]
    pub fn said_goodbye(&self) -> bool {
        by_engine!(&self.0, of => of.said_goodbye())
    }

    /// Opens nothing more; the socket closes when the last open stream has ended.
    pub fn close(&self) {
        by_engine!(&self.0, of => of.close());
    }

    /// Ends the connection now, for this reason: what is open on it fails with it.
    pub fn abort(&self, why: Status) {
        by_engine!(&self.0, of => of.abort(why));
    }

    /// Waits until the connection is gone, with everything that was open on it. Cancel safe.
    pub async fn ended(&self) -> Status {
        by_engine!(&self.0, of => of.ended().await)
    }

    /// How many streams were opened so far.
    #[must_use]
    pub fn opened(&self) -> u64 {
        by_engine!(&self.0, of => of.opened())
    }

    /// Starts a call whose request is one message: HEADERS, DATA with END_STREAM.
    ///
    /// `frame` is the message with its five-byte prefix. Larger answers than `max_receive_bytes`
    /// are refused.
    ///
    /// # Errors
    /// Always surely unprocessed: the call may go to another connection at once.
    #[inline]
    pub fn start_single(
        &self,
        permit: Permit,
        head: &RequestHead<'_>,
        frame: Bytes,
        max_receive_bytes: usize,
    ) -> Result<ResponseStream, Status> {
        self.start_single_until(permit, head, frame, max_receive_bytes, None)
    }

    /// The same for a call that its caller gives up at `deadline`. A connection that can wakes the
    /// answer's reader then, which [`RecvHalf::has_expired`](crate::stream::RecvHalf::has_expired)
    /// tells: it costs less than a timer of the call's own.
    ///
    /// # Errors
    /// As [`start_single`](Self::start_single).
    #[inline]
    pub fn start_single_until(
        &self,
        permit: Permit,
        head: &RequestHead<'_>,
        frame: Bytes,
        max_receive_bytes: usize,
        deadline: Option<Deadline>,
    ) -> Result<ResponseStream, Status> {
        Ok(ResponseStream(match &self.0 {
            ByEngine::H2(of) => {
                ByEngine::H2(of.start_single(permit, head, frame, max_receive_bytes)?)
            }
            ByEngine::Native(of) => ByEngine::Native(of.start_single(
                permit,
                head,
                frame,
                max_receive_bytes,
                deadline,
            )?),
        }))
    }

    /// Starts a call whose requests follow one by one: HEADERS.
    ///
    /// # Errors
    /// As [`start_single`](Self::start_single).
    #[inline]
    pub fn start_streaming(
        &self,
        permit: Permit,
        head: &RequestHead<'_>,
        max_receive_bytes: usize,
    ) -> Result<(RequestStream, ResponseStream), Status> {
        Ok(match &self.0 {
            ByEngine::H2(of) => {
                let (requests, responses) = of.start_streaming(permit, head, max_receive_bytes)?;
                (
                    RequestStream(ByEngine::H2(requests)),
                    ResponseStream(ByEngine::H2(responses)),
                )
            }
            ByEngine::Native(of) => {
                let (requests, responses) = of.start_streaming(permit, head, max_receive_bytes)?;
                (
                    RequestStream(ByEngine::Native(requests)),
                    ResponseStream(ByEngine::Native(responses)),
                )
            }
        })
    }

    /// Starts a call again that [`start_streaming`](Self::start_streaming) has started elsewhere
    /// and that was surely not processed there. Its halves stay what they are, so that it can only
    /// go to a connection of the same engine: all of a channel's are.
    ///
    /// # Errors
    /// As [`start_single`](Self::start_single).
    pub(crate) fn restart_streaming(
        &self,
        permit: Permit,
        head: &RequestHead<'_>,
        responses: &mut ResponseStream,
    ) -> Result<(), Status> {
        match (&self.0, &mut responses.0) {
            (ByEngine::H2(of), ByEngine::H2(responses)) => {
                of.restart_streaming(permit, head, responses)
            }
            (ByEngine::Native(of), ByEngine::Native(responses)) => {
                of.restart_streaming(permit, head, responses)
            }
            (ByEngine::H2(_), ByEngine::Native(_)) | (ByEngine::Native(_), ByEngine::H2(_)) => {
                let text = "a call cannot go on over a connection of another HTTP/2 engine";
                Err(Status::internal(text))
            }
        }
    }
}
