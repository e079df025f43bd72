//! SETTINGS: ours and the peer's (RFC 9113 §6.5).

use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::super::flow::MAX_WINDOW;
use super::super::frame::{Fatal, PREFACE, Reason, StreamId, write};
use super::{Config, Core, Event, FIRST_WINDOW, Role};

/// The dynamic table that our decoder keeps: the protocol's own size.
pub(super) const TABLE: u32 = 4_096;

/// What the encoder uses of what the peer offers for its table.
const MOST_OF_TABLE: u32 = 4_096;

/// How long a peer may take to acknowledge our SETTINGS.
const ACK_TIMEOUT: Duration = Duration::from_secs(20);

const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const MAX_HEADER_LIST_SIZE: u16 = 6;

const MIN_FRAME: u32 = 1 << 14;
const MAX_FRAME: u32 = (1 << 24) - 1;

/// Ours.
#[derive(Debug)]
pub(super) struct Local {
    window: u32,
    streams: usize,
    /// When those were sent that the peer has not acknowledged; we send no others meanwhile.
    pending: Option<Instant>,
    /// The peer has said its own. Before that whoever agrees with it on the connection bounds the
    /// time that it has.
    has_answered: bool,
    /// The first ones were acknowledged.
    is_acknowledged: bool,
}

impl Local {
    /// Writes what a connection begins with.
    pub(super) fn new(config: &Config, now: Instant, out: &mut BytesMut) -> Self {
        let window = config.initial_stream_window.min(MAX_WINDOW);
        let first = match config.role {
            Role::Client => {
                out.extend_from_slice(PREFACE);
                (ENABLE_PUSH, 0)
            }
            Role::Server => (MAX_CONCURRENT_STREAMS, config.max_streams),
        };
        let pairs = [
            first,
            (INITIAL_WINDOW_SIZE, window),
            (MAX_FRAME_SIZE, config.max_frame.clamp(MIN_FRAME, MAX_FRAME)),
            (MAX_HEADER_LIST_SIZE, config.max_header_list),
        ];
        write::settings(&pairs, out);
        Self {
            window,
            streams: usize::try_from(config.max_streams).unwrap_or(usize::MAX),
            pending: Some(now),
            has_answered: false,
            is_acknowledged: false,
        }
    }

    /// What a new stream may receive.
    pub(super) const fn window(&self) -> u32 {
        self.window
    }

    /// Server: how many streams may be open.
    pub(super) const fn streams(&self) -> usize {
        self.streams
    }

    pub(super) const fn is_acknowledged(&self) -> bool {
        self.is_acknowledged
    }

    /// The peer's own SETTINGS have come: from now on it has time to acknowledge ours.
    fn answered(&mut self, now: Instant) {
        self.has_answered = true;
        self.pending = self.pending.map(|_| now);
    }

    /// When a peer that has not acknowledged is given up.
    pub(super) fn due(&self) -> Option<Instant> {
        if !self.has_answered {
            return None;
        }
        self.pending?.checked_add(ACK_TIMEOUT)
    }
}

/// The peer's, as they are now.
#[derive(Debug)]
pub(super) struct Remote {
    window: u32,
    max_frame: u32,
    /// What it takes of a header list, if it said so.
    max_header_list: Option<u32>,
    is_settled: bool,
}

impl Default for Remote {
    fn default() -> Self {
        Self {
            window: FIRST_WINDOW,
            max_frame: MIN_FRAME,
            max_header_list: None,
            is_settled: false,
        }
    }
}

impl Remote {
    /// What a new stream may send.
    pub(super) const fn window(&self) -> u32 {
        self.window
    }

    pub(super) const fn max_frame(&self) -> u32 {
        self.max_frame
    }

    /// Whether it takes a header list, which tells whether it is within a limit.
    pub(super) fn takes(&self, fits: impl FnOnce(usize) -> bool) -> bool {
        let limit = self.max_header_list;
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        limit.is_none_or(fits)
    }

    /// Its first SETTINGS have come.
    pub(super) const fn is_settled(&self) -> bool {
        self.is_settled
    }
}

impl Core {
    /// Applies the peer's values in their order, then acknowledges them.
    pub(super) fn settings(&mut self, pairs: &[u8]) -> Result<(), Fatal> {
        self.settings_owed = self.settings_owed.saturating_add(1);
        let values = pairs.len() / 6;
        self.guard.settings(values, self.settings_owed, self.now)?;
        let mut limit = None;
        for pair in pairs.chunks_exact(6) {
            let &[high, low, a, b, c, d] = pair else {
                continue;
            };
            let value = u32::from_be_bytes([a, b, c, d]);
            match u16::from_be_bytes([high, low]) {
                HEADER_TABLE_SIZE => self.encoder.set_peer_limit(value.min(MOST_OF_TABLE)),
                ENABLE_PUSH if value > 1 || (value == 1 && self.role == Role::Client) => {
                    return Err(Fatal::protocol("SETTINGS_ENABLE_PUSH out of range"));
                }
                MAX_CONCURRENT_STREAMS => limit = Some(value),
                INITIAL_WINDOW_SIZE => self.set_remote_window(value)?,
                MAX_FRAME_SIZE => {
                    if !(MIN_FRAME..=MAX_FRAME).contains(&value) {
                        return Err(Fatal::protocol("SETTINGS_MAX_FRAME_SIZE out of range"));
                    }
                    self.remote.max_frame = value;
                }
                MAX_HEADER_LIST_SIZE => self.remote.max_header_list = Some(value),
                _ => {}
            }
        }
        write::settings_ack(&mut self.control);
        let is_first = !std::mem::replace(&mut self.remote.is_settled, true);
        if self.role == Role::Client {
            // Without a word there is no limit.
            let limit = limit.or_else(|| is_first.then_some(u32::MAX));
            if let Some(limit) = limit {
                self.events.push(Event::Limit(limit));
            }
        }
        if is_first {
            self.local.answered(self.now);
            self.events.push(Event::Settled);
        }
        Ok(())
    }

    /// Streams may send more, or less, than they could: below zero even (RFC 9113 §6.9.2).
    fn set_remote_window(&mut self, value: u32) -> Result<(), Fatal> {
        let too_wide = || Fatal::new(Reason::FLOW_CONTROL_ERROR, "a window over 2^31-1");
        if value > MAX_WINDOW {
            return Err(too_wide());
        }
        let by = i64::from(value) - i64::from(self.remote.window);
        self.remote.window = value;
        if by == 0 {
            return Ok(());
        }
        for stream in self.streams.values_mut() {
            if !stream.is_closed {
                stream.send.shift(by).map_err(|_| too_wide())?;
            }
        }
        if by > 0 {
            let keys: Vec<_> = self.streams.keys().collect();
            for key in keys {
                self.unblock(key);
            }
        }
        Ok(())
    }

    pub(super) fn settings_ack(&mut self) -> Result<(), Fatal> {
        if self.local.pending.take().is_none() {
            return self.useless();
        }
        self.local.is_acknowledged = true;
        Ok(())
    }

    /// Raises the window of all streams, present and future; false while SETTINGS are under way.
    /// The peer may use it as soon as it hears of it, so it counts at once.
    pub(super) fn raise_window(&mut self, to: u32) -> bool {
        if self.local.pending.is_some() {
            return false;
        }
        write::settings(&[(INITIAL_WINDOW_SIZE, to)], &mut self.control);
        self.local.pending = Some(self.now);
        self.local.window = to;
        for stream in self.streams.values_mut() {
            stream.recv.set_initial(to);
        }
        // Room for two of them under way.
        if let Some(by) = self.recv.grow(to.saturating_mul(2)) {
            write::window_update(StreamId::ZERO, by, &mut self.control);
        }
        true
    }
}
