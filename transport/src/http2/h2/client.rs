//! A client's connection, as those who call over it hold it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::SendStream;
use h2::client::{Builder, ResponseFuture, SendRequest};
use http::uri::{PathAndQuery, Scheme};
use http::{Method, Request, Uri};
use tokio::sync::Notify;
use trunkline_core::protocol::write_request;
use trunkline_core::{Stage, Status};

use super::cell::StreamCell;
use super::driver::Driver;
use super::error::{asks_for_calm, connection_error, is_misuse, says_goodbye, stream_error};
use super::fields::{Fields, send_chunk};
use super::io::coalesce;
use super::link::Link;
use super::response::{RequestStream, ResponseStream};
use super::rest::Rest;
use crate::http2::config::{SEND_BUFFER, connection_window, max_frame};
use crate::http2::failure::unavailable;
use crate::http2::slots::{Permit, Slots};
use crate::http2::{ClientConfig, RequestHead, Usage};
use crate::sync::Mutex;
use crate::{BoxIo, Peer};

/// The stream limit before the peer's SETTINGS: a number that no peer sends (a limit has 32 bits,
/// none at all is `usize::MAX`), so that any change, even to 0, tells that they have arrived.
pub(super) const NO_SETTINGS_YET: usize = usize::MAX - 1;

/// Streams reset by us of which h2 remembers that late frames are no fault. Deadlines and
/// cancels are everyday life for a client, so the memory is large.
const REMEMBERED_RESETS: usize = 10_000;
const RESET_MEMORY: Duration = Duration::from_secs(5);

/// A request that is at most this long leaves at once: what is left of it in h2 when its answer
/// has come goes out as soon as there is window.
const SURE_TO_LEAVE: usize = 16 * 1024;

/// Fields of a typical request; more only cost a reallocation.
const TYPICAL_FIELDS: usize = 6;

/// A client's HTTP/2 connection, shared by all who call over it.
///
/// Clones are handles to the same connection. It ends by itself once every clone is gone and no
/// stream is open.
#[derive(Clone, Debug)]
pub(crate) struct ClientConnection(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) opener: Mutex<Opener>,
    link: Arc<Link>,
    slots: Arc<Slots>,
}

/// What opens streams.
#[derive(Debug)]
pub(super) struct Opener {
    /// h2's handle; `None` once [`ClientConnection::close`] was called. One handle behind a short
    /// lock, because cloning and dropping one takes h2's own lock twice.
    pub(super) handle: Option<SendRequest<Bytes>>,
    /// Streams opened so far.
    opened: u64,
}

impl ClientConnection {
    pub(crate) async fn handshake(
        io: BoxIo,
        peer: Peer,
        config: &ClientConfig,
        freed: Arc<Notify>,
    ) -> Result<Self, Status> {
        let link = Link::new(
            peer,
            config.window().first(),
            Some(config.compression.clone()),
        );
        let rest = Rest::new(Arc::clone(link.readers()), 0);
        let (io, flusher) = coalesce(io, rest);
        let (sender, connection) =
            builder(config)
                .handshake::<_, Bytes>(io)
                .await
                .map_err(|error| {
                    connection_error(&error, &link, Stage::Http2).with_unprocessed(true)
                })?;
        let mut driver = Driver::new(connection, flusher, link, Slots::new(0, freed), config);
        std::future::poll_fn(|cx| driver.poll_settings(cx))
            .await
            .map_err(|why| why.with_unprocessed(true))?;
        driver.start(config);
        let inner = Arc::new(Inner {
            opener: Mutex::new(Opener {
                handle: Some(sender),
                opened: 0,
            }),
            link: Arc::clone(&driver.link),
            slots: Arc::clone(&driver.slots),
        });
        driver.handle = Arc::downgrade(&inner);
        tokio::spawn(driver);
        Ok(Self(inner))
    }

    #[must_use]
    pub(crate) fn try_permit(&self) -> Option<Permit> {
        if !self.is_open() {
            return None;
        }
        self.0.slots.try_take()
    }

    #[must_use]
    pub(crate) fn usage(&self) -> Usage {
        Usage {
            in_use: self.0.slots.in_use(),
            limit: self.0.slots.limit(),
        }
    }

    #[must_use]
    pub(crate) fn is_open(&self) -> bool {
        self.0.link.is_open()
    }

    #[must_use]
    pub(crate) fn peer(&self) -> &Peer {
        self.0.link.peer()
    }

    pub(crate) async fn closed(&self) -> Status {
        self.0.link.down().await
    }

    #[must_use]
    pub(crate) fn pings_too_often(&self) -> bool {
        self.0.link.pings_too_often()
    }

    #[must_use]
    pub(crate) fn said_goodbye(&self) -> bool {
        self.0.link.said_goodbye()
    }

    pub(crate) fn close(&self) {
        let text = "the connection was closed by this side";
        self.0.link.drain(unavailable(text));
        let handle = self.0.opener.lock().handle.take();
        drop(handle);
    }

    pub(crate) fn abort(&self, why: Status) {
        self.0.link.abort(why);
    }

    pub(crate) async fn ended(&self) -> Status {
        self.0.link.ended().await
    }

    #[must_use]
    pub(crate) fn opened(&self) -> u64 {
        self.0.opener.lock().opened
    }

    pub(crate) fn start_single(
        &self,
        permit: Permit,
        head: &RequestHead<'_>,
        frame: Bytes,
        max_receive_bytes: usize,
    ) -> Result<ResponseStream, Status> {
        let (response, mut send) = self.open(head)?;
        // One that may have to wait for window must be resettable when the answer comes first.
        let may_wait = frame.len() > SURE_TO_LEAVE;
        // Refused only if the stream was reset meanwhile, which the response then tells.
        let _ = send_chunk(&mut send, frame, true);
        let link = Arc::clone(&self.0.link);
        Ok(ResponseStream::single(
            response,
            may_wait.then_some(send),
            link,
            permit,
            max_receive_bytes,
        ))
    }

    pub(crate) fn start_streaming(
        &self,
        permit: Permit,
        head: &RequestHead<'_>,
        max_receive_bytes: usize,
    ) -> Result<(RequestStream, ResponseStream), Status> {
        let (response, send) = self.open(head)?;
        let link = Arc::clone(&self.0.link);
        let cell = StreamCell::client(send, Arc::clone(&link));
        let responses =
            ResponseStream::streaming(response, Arc::clone(&cell), link, permit, max_receive_bytes);
        Ok((RequestStream::new(cell), responses))
    }

    /// Starts a call again that [`start_streaming`](Self::start_streaming) has started elsewhere
    /// and that was surely not processed there. Its halves stay what they are.
    ///
    /// # Errors
    /// As [`start_single`](Self::start_single).
    pub(crate) fn restart_streaming(
        &self,
        permit: Permit,
        head: &RequestHead<'_>,
        responses: &mut ResponseStream,
    ) -> Result<(), Status> {
        let (response, send) = self.open(head)?;
        responses.restart(response, send, &self.0.link, permit);
        Ok(())
    }

    fn request(&self, head: &RequestHead<'_>) -> Result<Request<()>, Status> {
        let scheme = match self.peer().security().tls() {
            Some(_) => Scheme::HTTPS,
            None => Scheme::HTTP,
        };
        request(head, scheme)
    }

    fn open(&self, head: &RequestHead<'_>) -> Result<(ResponseFuture, SendStream<Bytes>), Status> {
        let first = self.request(head)?;
        let mut opener = self.0.opener.lock();
        opener.opened = opener.opened.wrapping_add(1);
        let Some(handle) = opener.handle.as_mut() else {
            return Err(unavailable("the connection was closed by this side"));
        };
        let mut opened = handle.send_request(first, false);
        if opened.as_ref().is_err_and(is_misuse) {
            refresh(handle);
            opened = handle.send_request(self.request(head)?, false);
        }
        if self.0.slots.in_use() >= self.0.slots.limit() {
            refresh(handle);
        }
        drop(opener);
        opened.map_err(|error| {
            let link = &self.0.link;
            let status = stream_error(&error, link, Stage::Request).with_unprocessed(true);
            tracing::debug!(peer = %link.peer().address(), %error, "the connection takes no more calls");
            if asks_for_calm(&error) {
                link.set_too_much();
            }
            if says_goodbye(&error) {
                link.set_goodbye();
            }
            link.drain(status.clone());
            self.0.slots.wake_all();
            status
        })
    }
}

/// Makes the handle forget its last stream.
///
/// h2's handle keeps a reference to the stream that used up the peer's limit: it refuses the next
/// one while that stream is not yet written, and it keeps the stream from being reset when all
/// who know of it have dropped it. A clone starts without.
pub(super) fn refresh(handle: &mut SendRequest<Bytes>) {
    *handle = handle.clone();
}

fn builder(config: &ClientConfig) -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(config.window().first())
        .initial_connection_window_size(connection_window(config.connection_window_bytes, 0, 0))
        .max_frame_size(max_frame(config.max_frame_bytes))
        .max_header_list_size(config.max_header_list_bytes)
        .max_send_buffer_size(SEND_BUFFER)
        .data_frame_budget(config.small_data_budget_bytes)
        .enable_push(false)
        .initial_max_send_streams(NO_SETTINGS_YET)
        .max_concurrent_reset_streams(REMEMBERED_RESETS)
        .reset_stream_duration(RESET_MEMORY)
        .max_local_error_reset_streams(None);
    builder
}

fn request(head: &RequestHead<'_>, scheme: Scheme) -> Result<Request<()>, Status> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(scheme);
    parts.authority = Some(head.authority.clone());
    parts.path_and_query = Some(PathAndQuery::try_from(head.path).map_err(|error| {
        Status::internal(format!(
            "the method path {:?} is not one: {error}",
            head.path
        ))
    })?);
    let uri = Uri::from_parts(parts)
        .map_err(|error| Status::internal(format!("cannot build the request target: {error}")))?;
    let mut fields = Fields::with_capacity(TYPICAL_FIELDS + head.metadata.len());
    write_request(
        &mut fields.sink(),
        head.subtype,
        head.timeout,
        head.encoding,
        head.accept_encoding,
        head.user_agent,
        head.metadata,
    );
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() = fields.into_map();
    Ok(request)
}
