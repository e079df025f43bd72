//! How much of what costs its receiver more than its sender a connection puts up with.

/// Caps on what a peer can make a connection do without asking for anything useful.
///
/// Each is a budget: an event of its kind takes one from it, time and useful traffic give back, up
/// to the cap. So honest peers never run dry, however long they live, and an attacker is cut off
/// after about as many events as the cap says. Out of budget, the connection ends with GOAWAY
/// ENHANCE_YOUR_CALM and the text that stands with each field.
///
/// The engine on the h2 crate has limits of its own instead of these.
///
/// ```
/// use trunkline_transport::http2::{Defence, ServerConfig};
///
/// let mut config = ServerConfig::default();
/// config.defence.resets = 200; // nobody here cancels what they have just begun
/// assert_eq!(Defence::default().resets, 500);
/// ```
///
/// Sources: RFC 9113 §10.5; CVE-2019-9511 to -9518, CVE-2023-44487 (rapid reset), CVE-2024-27316
/// (CONTINUATION flood), CVE-2025-8671 (MadeYouReset).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Defence {
    /// RST_STREAM for streams that were opened less than 50 ms before and have no answer yet, not
    /// even its head; those opened in the same breath count double. Default 500, 200 more per
    /// second, one more per RPC that completes. Older streams cost nothing, nor does one that is
    /// reset once its own `grpc-timeout` has passed, from 5 ms on: a storm of deadlines is no
    /// attack. Where the timeout is shorter than that, or the server was too late to see it pass,
    /// ten count as one. `too_many_resets`.
    pub resets: u32,
    /// Frames that break a rule of their stream, so that it has to be reset. Default 200, 10 more
    /// per second. `too_many_stream_errors`.
    pub stream_errors: u32,
    /// Streams beyond the limit that was announced and acknowledged. Default 1,000, 100 more per
    /// second. `too_many_refused_streams`.
    pub refused_streams: u32,
    /// Heads beyond the limit of a header list, in a row. Default 20. `header_list_too_large`.
    pub large_heads: u32,
    /// SETTINGS; 16 values in one count as one more. Default 100, one more per second. Never more
    /// than 10 at once. `too_many_settings`.
    pub settings: u32,
    /// PINGs since the last HEADERS or DATA that we have sent. Default 100, one more per second.
    /// `too_many_pings`; a server also enforces a pace on them.
    pub pings: u32,
    /// DATA frames without data that end nothing. Default 100, one more per second and per frame
    /// with data. `too_many_empty_frames`.
    pub empty_data: u32,
    /// WINDOW_UPDATEs. Default 2,000, 100 more per second, two more per stream opened and per DATA
    /// frame that we have sent, unless a window has cut it short, and one more per 256 bytes in it.
    /// `too_many_window_updates`.
    pub window_updates: u32,
    /// PRIORITY, unknown frames, frames for closed streams, acknowledgements that nobody asked
    /// for. Default 1,000, 50 more per second, four more per stream opened. DATA that was under way
    /// when we reset its stream is free.
    /// `too_many_useless_frames`.
    pub useless_frames: u32,
    /// GOAWAYs in the life of a connection. Default 10. `too_many_goaways`.
    pub goaways: u32,
    /// Interim (1xx) responses to calls without a deadline. Default 1,000, one more per second; more
    /// than 100 to one call fail that call. `too_many_informational`.
    pub informational: u32,
}

impl Defence {
    /// For peers that are trusted, and for tests of what lies behind: nothing is ever too much.
    /// Bounds on memory (windows, tables, lists) stay.
    #[must_use]
    pub fn unlimited() -> Self {
        Self {
            resets: u32::MAX,
            stream_errors: u32::MAX,
            refused_streams: u32::MAX,
            large_heads: u32::MAX,
            settings: u32::MAX,
            pings: u32::MAX,
            empty_data: u32::MAX,
            window_updates: u32::MAX,
            useless_frames: u32::MAX,
            goaways: u32::MAX,
            informational: u32::MAX,
        }
    }
}

impl Default for Defence {
    fn default() -> Self {
        Self {
            resets: 500,
            stream_errors: 200,
            refused_streams: 1_000,
            large_heads: 20,
            settings: 100,
            pings: 100,
            empty_data: 100,
            window_updates: 2_000,
            useless_frames: 1_000,
            goaways: 10,
            informational: 1_000,
        }
    }
}
