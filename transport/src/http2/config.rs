//! What a connection grants its peer, and when it gives up: safe without being set.

use std::time::{Duration, Instant};

use super::Engine;
use super::bdp::{Bdp, MAX_GROWN_WINDOW};
use super::defence::Defence;
use super::held::{Held, Holder};
use super::keepalive::{Keepalive, ServerKeepalive};
use super::quota::{Lease, Quota};
use super::room::Room;
use crate::stream::Compression;

/// Bytes one stream may receive before its reader takes some, at first.
const STREAM_WINDOW: u32 = 256 * 1024;

/// Bytes all streams of a connection together may receive; see [`connection_window`].
const CONNECTION_WINDOW: u32 = 64 * 1024 * 1024;

/// Bytes of one stream that h2 may hold for a peer whose windows are open and whose socket is full,
/// on top of what is handed to it at once. h2's own 400 KiB on each of 256 streams are a hundred
/// megabytes for one client that does not read; nobody who reads gains by them.
pub(super) const SEND_BUFFER: usize = 64 * 1024;

/// Bytes by which all windows of a server may grow together.
const MAX_GROWTH: u64 = 256 * 1024 * 1024;

/// Bytes that a server holds for others.
const MAX_HELD: u64 = 256 * 1024 * 1024;

/// The largest window that HTTP/2 knows (RFC 9113 §6.9.1).
pub(super) const MAX_WINDOW: u32 = (1 << 31) - 1;

/// Settings of a client's HTTP/2 connections.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// What speaks HTTP/2. Default: see [`Engine`].
    pub engine: Engine,
    /// Bytes that one stream may have unread, which is also what it can move per round trip.
    ///
    /// Default `None`, measured: 256 KiB at first, which no peer nearby waits for; where streams
    /// carry more than that, a PING measures the path, and the window of all streams grows to what
    /// it holds, up to 16 MiB. Connections whose messages are small send no such PING. `Some` is
    /// for a bound on memory, or for a peer that must not be sent PINGs: always so many bytes, and
    /// nothing is measured.
    ///
    /// On the h2 crate a client whose window has grown opens fewer streams on that connection: as
    /// many as their windows fit into 2 GiB, which is at least 255, or what its peer allowed when
    /// they grew. Further calls go to another connection or wait, as at the peer's limit.
    pub stream_window_bytes: Option<u32>,
    /// Bytes that all streams together may have unread. Default 64 MiB, and never less than the
    /// streams allowed times the stream window (up to HTTP/2's 2 GiB), so that unread streams
    /// cannot starve the others. The native engine gives this window back as soon as bytes arrive:
    /// there it bounds what is under way, and each stream's own window what of it is unread.
    pub connection_window_bytes: u32,
    /// The largest frame that the peer may send, 16,384 to 16,777,215 bytes. Default 16 KiB.
    pub max_frame_bytes: u32,
    /// The largest header or trailer block accepted, as RFC 9113 §6.5.2 counts it. Default
    /// 16 KiB.
    pub max_header_list_bytes: u32,
    /// How many bytes of overhead unread small DATA frames may cause on a connection before it is
    /// closed with ENHANCE_YOUR_CALM. Each frame shorter than 256 bytes counts what it lacks to
    /// 256; 2 MiB, the default, is about 8,000 unread tiny messages. The native engine joins them in
    /// one buffer instead, which the window bounds, and closes nothing.
    pub small_data_budget_bytes: usize,
    /// Whether a silent server is asked for a sign of life. Default: it is not.
    pub keepalive: Keepalive,
    /// What servers may cost that is of no use to anybody.
    pub defence: Defence,
    /// How long a socket may take nothing of what waits for it until its connection is given up,
    /// with `write_timeout`. Default 30 s: a peer that lives takes something within that. What TLS
    /// holds back waits for the socket too. `None` waits for ever. The engine on the h2 crate leaves
    /// this to the operating system.
    pub write_timeout: Option<Duration>,
    /// How long a peer may give a stream no window for what waits in it, until it is reset with
    /// CANCEL and `stream_stalled`; it may take an eighth longer. Default 5 min: longer than a
    /// reader is busy with one message. `None` waits for ever, as the engine on the h2 crate does.
    pub stream_stall_timeout: Option<Duration>,
    /// What answers are decompressed with: the channel's.
    pub(super) compression: Compression,
    /// A server had too many PINGs.
    pub(super) measures_nothing: bool,
}

impl ClientConfig {
    /// The same settings; answers are decompressed with this. A channel puts its own here.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Asks less often from now on, because a server had too many PINGs: keepalive half as often, and
    /// no path is measured any more. Says how often keepalive asks then, if it does.
    pub fn ping_less(&mut self) -> Option<Duration> {
        self.measures_nothing = true;
        self.keepalive.back_off()
    }

    pub(super) const fn window(&self) -> StreamWindow {
        match self.stream_window_bytes {
            None if self.measures_nothing => StreamWindow(Some(STREAM_WINDOW)),
            window => StreamWindow(window),
        }
    }
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            engine: Engine::default(),
            stream_window_bytes: None,
            connection_window_bytes: CONNECTION_WINDOW,
            max_frame_bytes: 16 * 1024,
            max_header_list_bytes: 16 * 1024,
            small_data_budget_bytes: 2 * 1024 * 1024,
            keepalive: Keepalive::default(),
            defence: Defence::default(),
            write_timeout: Some(Duration::from_secs(30)),
            stream_stall_timeout: Some(Duration::from_secs(5 * 60)),
            compression: Compression::default(),
            measures_nothing: false,
        }
    }
}

/// Settings of a server's HTTP/2 connections.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// As [`ClientConfig::engine`].
    pub engine: Engine,
    /// RPCs that one connection may have open at once. Default 256: finite, because every open
    /// stream costs memory and a task. At most 2 GiB in stream windows (8,191 with the default
    /// window), so that unread streams cannot use up the connection's window.
    pub max_concurrent_streams: u32,
    /// As [`ClientConfig::stream_window_bytes`]; where it is measured it also grows no further
    /// than [`max_window_growth_bytes`](Self::max_window_growth_bytes) and the streams allowed
    /// let it: 2 GiB hold 256 windows of 8 MiB.
    pub stream_window_bytes: Option<u32>,
    /// As [`ClientConfig::connection_window_bytes`].
    pub connection_window_bytes: u32,
    /// Bytes by which the windows of all the server's connections together may grow, counted as
    /// if all streams that each allows were open and unread. Default 256 MiB: long paths get what
    /// they need without clients being able to make the server hold more than that. With the other
    /// defaults one connection gets windows of 1.25 MiB from it, or four get 512 KiB; raise it, or
    /// allow fewer streams, where large uploads come from far away. What a connection was granted
    /// is given back when it closes. Connections from clones of this value share it.
    pub max_window_growth_bytes: u64,
    /// As [`ClientConfig::max_frame_bytes`].
    pub max_frame_bytes: u32,
    /// As [`ClientConfig::max_header_list_bytes`].
    pub max_header_list_bytes: u32,
    /// As [`ClientConfig::small_data_budget_bytes`].
    pub small_data_budget_bytes: usize,
    /// How long a new connection may take until HTTP/2 is agreed on. Default 10 s.
    pub handshake_timeout: Duration,
    /// When a silent client is asked for a sign of life. Default: after 2 h.
    pub keepalive: ServerKeepalive,
    /// What clients may cost that is of no use to anybody.
    pub defence: Defence,
    /// As [`ClientConfig::write_timeout`].
    pub write_timeout: Option<Duration>,
    /// As [`ClientConfig::stream_stall_timeout`]; while more than three quarters of
    /// [`max_held_bytes`](Self::max_held_bytes) are in use, streams wait for a minute at most.
    pub stream_stall_timeout: Option<Duration>,
    /// Bytes that all the server's connections together may hold: requests that no handler has
    /// read yet, and responses that no client has taken yet. Default 256 MiB: hundreds of large
    /// downloads at full speed. Each connection has 16 KiB besides, and one that has sent a part
    /// of a frame the buffer in which it lies: up to 64 KiB, or a frame of
    /// [`max_frame_bytes`](Self::max_frame_bytes) where that is more.
    ///
    /// From a half of it on each connection gets less output ahead of its socket, down to 8 KiB and
    /// a message per stream: handlers that send streams wait until their clients have taken what
    /// was sent, nothing is lost, and there is room for thousands. What cannot wait still adds up:
    /// single large answers, and requests while handlers are busy. Where that is beyond the limit a
    /// connection loses its largest stream, which ends with RESOURCE_EXHAUSTED on both sides: first
    /// one that was not rid of a quarter of what it held for 5 s, then for 1 s, then any, and each
    /// time the one that holds most. One after another is asked for a stream until all is within
    /// the limit; what comes meanwhile is beyond it for as long. If its socket has taken nothing for
    /// 5 s, or all that it holds is on its way there, its socket is dropped instead, without a last
    /// word and with all its streams; so is that of one that ends and whose last words are not taken.
    ///
    /// The engine on the h2 crate does none of this: there each connection is bounded by its
    /// windows, and each stream by 64 KiB and a message. Connections from clones of this value
    /// share it.
    pub max_held_bytes: u64,
    /// How much of `max_window_growth_bytes` is used.
    pub(super) quota: Quota,
    /// What is held of `max_held_bytes`.
    pub(super) held: Held,
}

impl ServerConfig {
    pub(super) const fn window(&self) -> StreamWindow {
        StreamWindow(self.stream_window_bytes)
    }

    /// How many streams a client is really allowed.
    pub(super) fn streams(&self) -> usize {
        let fit = max_streams(self.window().first());
        usize::try_from(self.max_concurrent_streams.min(fit)).unwrap_or(usize::MAX)
    }

    /// What the windows of a new connection may grow by.
    pub(super) fn growth(&self) -> Lease {
        self.quota.lease(self.max_window_growth_bytes)
    }

    /// What a new connection holds; `tell` is called when it is to let go of something.
    pub(super) fn holder(&self, now: Instant, tell: impl Fn() + Send + Sync + 'static) -> Holder {
        self.held.holder(self.max_held_bytes, now, tell)
    }

    /// The windows of a new connection.
    pub(super) fn room(&self) -> Room {
        let lease = self.growth();
        let window = self.window().first();
        Room::new(self.connection_window_bytes, window, Some(lease))
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        let client = ClientConfig::default();
        Self {
            engine: client.engine,
            max_concurrent_streams: 256,
            stream_window_bytes: client.stream_window_bytes,
            connection_window_bytes: client.connection_window_bytes,
            max_window_growth_bytes: MAX_GROWTH,
            max_frame_bytes: client.max_frame_bytes,
            max_header_list_bytes: client.max_header_list_bytes,
            small_data_budget_bytes: client.small_data_budget_bytes,
            handshake_timeout: Duration::from_secs(10),
            keepalive: ServerKeepalive::default(),
            defence: client.defence,
            write_timeout: client.write_timeout,
            stream_stall_timeout: client.stream_stall_timeout,
            max_held_bytes: MAX_HELD,
            quota: Quota::default(),
            held: Held::default(),
        }
    }
}

/// The connection window: wide enough that `streams` unread streams cannot use it up.
pub(super) fn connection_window(configured: u32, streams: usize, stream_window: u32) -> u32 {
    let all = u32::try_from(streams)
        .unwrap_or(u32::MAX)
        .saturating_mul(stream_window);
    configured.max(all).min(MAX_WINDOW)
}

/// How many streams a connection may have open so that all of them unread leave window for one
/// more: the largest connection window in stream windows.
pub(super) fn max_streams(stream_window: u32) -> u32 {
    MAX_WINDOW / stream_window.max(1)
}

/// How large the window of a stream is: as set, or measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamWindow(Option<u32>);

impl StreamWindow {
    /// A new connection's.
    pub(super) fn first(self) -> u32 {
        self.0.unwrap_or(STREAM_WINDOW).min(MAX_WINDOW)
    }

    /// What makes it grow, unless it was set.
    pub(super) fn policy(self) -> Option<Bdp> {
        let measured = self.0.is_none();
        measured.then(|| Bdp::new(STREAM_WINDOW, MAX_GROWN_WINDOW))
    }
}

/// A frame size that HTTP/2 can express (RFC 9113 §6.5.2).
pub(super) fn max_frame(configured: u32) -> u32 {
    configured.clamp(1 << 14, (1 << 24) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unread_streams_never_use_up_the_connection_window() {
        assert_eq!(
            connection_window(64 << 20, 256, 256 << 10),
            64 << 20,
            "the default is exact"
        );
        assert_eq!(
            connection_window(64 << 20, 2_000, 256 << 10),
            2_000 * (256 << 10)
        );
        assert_eq!(
            connection_window(64 << 20, usize::MAX, 256 << 10),
            MAX_WINDOW
        );
        assert_eq!(connection_window(u32::MAX, 1, 1), MAX_WINDOW);
        let streams = max_streams(256 << 10);
        assert_eq!(streams, 8_191);
        let window = connection_window(0, streams as usize, 256 << 10);
        assert!(window >= streams * (256 << 10), "room for all of them");
    }

    #[test]
    fn frame_sizes_stay_within_the_protocol() {
        assert_eq!(max_frame(0), 16_384);
        assert_eq!(max_frame(u32::MAX), 16_777_215);
        assert_eq!(StreamWindow(Some(u32::MAX)).first(), MAX_WINDOW);
    }
}
