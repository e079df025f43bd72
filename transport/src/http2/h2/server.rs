//! A server's connection: it drives the socket and yields the streams that clients open.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use http::{Request, StatusCode};
use trunkline_core::protocol::{Reject, RequestFields, read_request};
use trunkline_core::{CompressorRegistry, Stage, Status};

use super::alive::{Alive, Liveness};
use super::body::Body;
use super::cell::Signal;
use super::error::{breach, connection_error};
use super::fields::{self, Fields};
use super::growth::{Answer, Growth, Pings, Step};
use super::io::{Coalesced, Flusher, coalesce};
use super::link::Link;
use super::request::{RequestBody, Responder};
use super::rest::Rest;
use crate::http2::ServerConfig;
use crate::http2::config::{SEND_BUFFER, connection_window, max_frame};
use crate::http2::failure::{io_error, keepalive_error};
use crate::http2::pace::{Pace, Recent};
use crate::http2::room::Room;
use crate::http2::spare::SpareWatch;
use crate::linger::linger;
use crate::{BoxIo, Peer, now};

/// What a client's connection begins with (RFC 9113 §3.4).
const PREFACE_BYTES: usize = 24;

/// Streams reset by us that h2 remembers, so that their late frames are no fault.
const REMEMBERED_RESETS: usize = 1_000;
const RESET_MEMORY: Duration = Duration::from_secs(5);

/// Resets that a client may provoke by its faults before the connection is closed.
const PROVOKED_RESETS: usize = 1_024;

/// A server's HTTP/2 connection, owned by the one task that drives it.
pub(crate) struct ServerConnection {
    connection: Connection<Coalesced, Bytes>,
    flusher: Flusher,
    link: Arc<Link>,
    pace: Pace,
    recent: Recent,
    /// Streams yielded since the last sleep.
    started: usize,
    queue: Vec<Arc<Signal>>,
    refusing: bool,
    failed: bool,
    /// What the client did, if this side has hung up for it.
    breach: Option<String>,
    alive: Option<Box<Alive>>,
    spare_watch: SpareWatch,
    pings: Pings,
    /// Only where the streams' window may grow.
    growth: Option<Box<Growing>>,
}

/// What a connection whose windows may grow needs for it.
struct Growing {
    growth: Growth,
    room: Room,
    /// How many streams the client may open.
    streams: usize,
}

impl ServerConnection {
    pub(crate) async fn handshake(
        io: BoxIo,
        peer: Peer,
        config: &ServerConfig,
    ) -> Result<Self, Status> {
        let link = Link::new(peer, config.window().first(), None);
        let rest = Rest::new(Arc::clone(link.readers()), PREFACE_BYTES);
        let (io, flusher) = coalesce(io, rest);
        let connection = match agree(io, &flusher, &link, config).await {
            Ok(connection) => connection,
            Err(why) => {
                if let Some(io) = flusher.into_io() {
                    linger(io).await;
                }
                return Err(why);
            }
        };
        let policy = config.keepalive.policy(now());
        let alive = policy.map(|policy| Box::new(Alive::server(policy)));
        let bdp = config.window().policy();
        let growth = bdp.map(|bdp| {
            let growth = Growth::new(bdp, link.gauge());
            let (mut room, streams) = (config.room(), config.streams());
            // As the builder has granted it.
            room.widen(streams);
            Box::new(Growing {
                growth,
                room,
                streams,
            })
        });
        Ok(Self {
            connection,
            flusher,
            link,
            pace: Pace::new(),
            recent: Recent::new(),
            started: 0,
            queue: Vec::new(),
            refusing: false,
            failed: false,
            breach: None,
            alive,
            spare_watch: SpareWatch::new(),
            pings: Pings::default(),
            growth,
        })
    }

    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<ServerStream, Status>>> {
        if self.failed {
            return Poll::Ready(None);
        }
        let open = self.open_streams();
        let was_awake = self.pace.is_awake();
        ready!(self.pace.poll_turn(|| self.recent.expects_more(open), cx));
        if !was_awake {
            self.recent.begin(open);
        }
        self.link.set_driver(cx.waker());
        loop {
            self.link.drive_streams(&mut self.queue);
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    if let Some(stream) = self.take(request, respond) {
                        self.started += 1;
                        return Poll::Ready(Some(Ok(stream)));
                    }
                    continue;
                }
                Poll::Ready(Some(Err(error))) if is_clean_end(&error) => {
                    return self.ended(None, cx);
                }
                Poll::Ready(Some(Err(error))) => {
                    self.breach = breach(&error);
                    let why = connection_error(&error, &self.link, Stage::Request);
                    return self.ended(Some(why), cx);
                }
                Poll::Ready(None) => return self.ended(None, cx),
                Poll::Pending => {}
            }
            if self.link.is_dirty() {
                continue;
            }
            match self.poll_pings(cx) {
                Liveness::Nothing => break,
                Liveness::Asked | Liveness::Changed => {}
                Liveness::Dead(timeout) => {
                    let why = keepalive_error(timeout, self.link.peer(), Stage::Request);
                    return self.ended(Some(why), cx);
                }
            }
        }
        let open = self.open_streams();
        self.recent.end(open);
        if open == 0 {
            self.flusher.shrink();
        }
        match self.flusher.poll_flush(cx) {
            Poll::Ready(Err(error)) => {
                let why = io_error(&error, self.link.peer(), Stage::Response);
                self.ended(Some(why), cx)
            }
            Poll::Ready(Ok(())) | Poll::Pending => {
                self.spare_watch.poll(cx);
                match std::mem::take(&mut self.started) {
                    1 => self.pace.sleep_beside_one(cx),
                    _ => self.pace.sleep(),
                }
                Poll::Pending
            }
        }
    }

    pub(crate) fn graceful_shutdown(&mut self, _why: &'static str) {
        self.connection.graceful_shutdown();
    }

    pub(crate) const fn refuse_new(&mut self) {
        self.refusing = true;
    }

    pub(crate) fn abrupt_shutdown(&mut self) {
        self.connection.abrupt_shutdown(Reason::NO_ERROR);
    }

    #[must_use]
    pub(crate) fn has_streams(&self) -> bool {
        self.connection.has_streams()
    }

    pub(crate) fn breach(&self) -> Option<&str> {
        self.breach.as_deref()
    }

    #[must_use]
    pub(crate) fn peer(&self) -> &Peer {
        self.link.peer()
    }

    /// Two looks, and one at a timer's flag, unless it is time to look closer.
    #[inline]
    fn poll_pings(&mut self, cx: &mut Context<'_>) -> Liveness {
        let is_measuring = self.pings.in_flight() || self.link.gauge().is_due();
        let mut alive = self.alive.as_mut();
        if !is_measuring && alive.as_mut().is_none_or(|alive| alive.is_idle(cx)) {
            return Liveness::Nothing;
        }
        self.poll_closer(cx)
    }

    fn poll_closer(&mut self, cx: &mut Context<'_>) -> Liveness {
        let answer = self.pings.poll_answer(cx);
        let changed = self.poll_growth(answer);
        let mut liveness = Liveness::Nothing;
        if let Some(alive) = &mut self.alive {
            let read = || self.flusher.bytes_read();
            let handle = || self.connection.ping_pong();
            liveness = alive.poll(&mut self.pings, answer, read, handle, true, cx);
        }
        liveness.or_changed(changed)
    }

    /// True if there is something for h2 to write.
    fn poll_growth(&mut self, answer: Option<Answer>) -> bool {
        let Some(growing) = self.growth.as_deref_mut() else {
            return false;
        };
        let growth = &mut growing.growth;
        let (connection, gauge) = (&mut self.connection, self.link.gauge());
        let wish = match growth.step(gauge, &mut self.pings, answer, || connection.ping_pong()) {
            Step::Nothing => return false,
            Step::Asked => return true,
            Step::Wish(wish) => wish,
        };
        // Refused while earlier SETTINGS are not yet acknowledged.
        let set = |window| connection.set_initial_window_size(window).is_ok();
        let granted = growing.room.grow(wish, growing.streams, set);
        if granted.is_some()
            && let Some(window) = growing.room.widen(growing.streams)
        {
            connection.set_target_window_size(window);
        }
        growth.settle(granted, gauge);
        granted.is_some()
    }

    /// Each open stream holds the link, some for a while twice: good enough for the pace.
    fn open_streams(&self) -> usize {
        Arc::strong_count(&self.link) - 1
    }

    fn take(
        &self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
    ) -> Option<ServerStream> {
        if self.refusing {
            respond.send_reset(Reason::REFUSED_STREAM);
            return None;
        }
        let (head, recv) = request.into_parts();
        Some(ServerStream {
            head,
            body: Body::new(recv),
            respond,
            link: Arc::clone(&self.link),
        })
    }

    fn ended(
        &mut self,
        why: Option<Status>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<ServerStream, Status>>> {
        self.failed = true;
        // The last words: best effort, the socket may be gone.
        let _ = self.flusher.poll_flush(cx);
        let peer = self.link.peer().address();
        match why {
            Some(why) => {
                self.link.close(why.clone());
                Poll::Ready(Some(Err(why)))
            }
            None => {
                self.link
                    .close(Status::cancelled(format!("connection closed by {peer}")));
                Poll::Ready(None)
            }
        }
    }
}

impl Drop for ServerConnection {
    /// However its task ends, whoever waits for the connection must learn of it.
    fn drop(&mut self) {
        let text = "the connection's task has ended";
        self.link.close(Status::cancelled(text));
    }
}

impl std::fmt::Debug for ServerConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerConnection")
            .field("peer", self.link.peer())
            .field("refusing", &self.refusing)
            .finish_non_exhaustive()
    }
}

/// A stream that a client has opened, before anybody looked at more than its head.
#[derive(Debug)]
pub(crate) struct ServerStream {
    head: Parts,
    body: Body,
    respond: SendResponse<Bytes>,
    link: Arc<Link>,
}

impl ServerStream {
    #[must_use]
    pub(crate) fn path(&self) -> &str {
        self.head
            .uri
            .path_and_query()
            .map_or("", http::uri::PathAndQuery::as_str)
    }

    #[must_use]
    pub(crate) fn http_method(&self) -> &str {
        self.head.method.as_str()
    }

    #[must_use]
    pub(crate) fn authority(&self) -> Option<&str> {
        self.head.uri.authority().map(http::uri::Authority::as_str)
    }

    pub(crate) fn take_fields(
        &mut self,
    ) -> impl Iterator<Item = (HeaderName, HeaderValue)> + use<> {
        fields::iter(std::mem::take(&mut self.head.headers))
    }

    pub(crate) fn read_request(
        &mut self,
        known: &CompressorRegistry,
    ) -> Result<RequestFields, Reject> {
        let fields = fields::iter(std::mem::take(&mut self.head.headers));
        read_request(self.head.method.as_str(), fields, known)
    }

    pub(crate) fn reject(mut self, reject: &Reject) {
        let mut fields = Fields::default();
        reject.write(&mut fields.sink());
        let mut response = fields::response(fields);
        if let Ok(status) = StatusCode::from_u16(reject.http_status()) {
            *response.status_mut() = status;
        }
        let _ = self.respond.send_response(response, true);
    }

    #[must_use]
    pub(crate) fn into_parts(self) -> (RequestBody, Responder) {
        let body = RequestBody::new(self.body, Arc::clone(&self.link));
        (body, Responder::new(self.respond, self.link))
    }
}

async fn agree(
    io: Coalesced,
    flusher: &Flusher,
    link: &Link,
    config: &ServerConfig,
) -> Result<Connection<Coalesced, Bytes>, Status> {
    let mut handshake = std::pin::pin!(builder(config).handshake::<_, Bytes>(io));
    std::future::poll_fn(|cx| {
        let polled = handshake.as_mut().poll(cx);
        // The client may wait for our SETTINGS before it says more.
        match flusher.poll_flush(cx) {
            Poll::Ready(Err(error)) => {
                Poll::Ready(Err(io_error(&error, link.peer(), Stage::Http2)))
            }
            Poll::Ready(Ok(())) | Poll::Pending => polled.map_err(|error| {
                let why = connection_error(&error, link, Stage::Http2);
                flusher.explain_client(why, link.peer())
            }),
        }
    })
    .await
}

fn builder(config: &ServerConfig) -> Builder {
    let window = config.window().first();
    let streams = config.streams();
    let mut builder = Builder::new();
    builder
        .initial_window_size(window)
        .initial_connection_window_size(connection_window(
            config.connection_window_bytes,
            streams,
            window,
        ))
        .max_concurrent_streams(u32::try_from(streams).unwrap_or(u32::MAX))
        .max_frame_size(max_frame(config.max_frame_bytes))
        .max_header_list_size(config.max_header_list_bytes)
        .max_send_buffer_size(SEND_BUFFER)
        .data_frame_budget(config.small_data_budget_bytes)
        .max_concurrent_reset_streams(REMEMBERED_RESETS)
        .reset_stream_duration(RESET_MEMORY)
        // A client may cancel all its calls at once, before we looked at one of them; more than
        // all of them at once is an attack.
        .max_pending_accept_reset_streams(streams)
        .max_local_error_reset_streams(Some(PROVOKED_RESETS));
    builder
}

/// The client said goodbye with GOAWAY NO_ERROR.
fn is_clean_end(error: &h2::Error) -> bool {
    error.is_go_away() && error.reason() == Some(Reason::NO_ERROR)
}
