//! What a connection's machine writes, held against what its peer has allowed it.

use std::collections::HashMap;

use super::connection::Role;
use super::frame::{Frame, Reader, Reason, StreamId};
use super::hpack::Decoder;

/// A window that nobody has widened (RFC 9113 §6.9.2).
const FIRST_WINDOW: u64 = 65_535;

/// Reads all that is written, and panics where it breaks a rule.
pub(super) struct Witness {
    reader: Reader,
    decoder: Decoder,
    role: Role,
    /// The machine's role.
    streams: HashMap<u32, Stream>,
    /// The largest number that was seen in a head of ours.
    last: u32,
    /// What the peer has allowed at any time: what was written before it changed its mind counts
    /// by what it said then.
    max_frame: u32,
    window: u64,
    /// All of the connection's window, and what was used of it.
    granted: u64,
    used: u64,
    /// All DATA that the machine was sent, and what it has given back of it.
    received: u64,
    credited: u64,
    /// What is owed.
    settings: usize,
    pings: usize,
    /// It began with SETTINGS.
    begun: bool,
    /// The last word.
    gone: bool,
}

#[derive(Default)]
struct Stream {
    granted: u64,
    used: u64,
    received: u64,
    credited: u64,
    has_head: bool,
    ended: bool,
    reset: bool,
}

impl Witness {
    pub(super) fn new(role: Role) -> Self {
        // The peer may allow more than is usual.
        let mut reader = Reader::new((1 << 24) - 1, 1 << 24);
        if role == Role::Client {
            reader.expect_preface();
        }
        let mut decoder = Decoder::new(4_096);
        decoder.set_limit(u32::MAX);
        Self {
            reader,
            decoder,
            role,
            streams: HashMap::new(),
            last: 0,
            max_frame: 16_384,
            window: FIRST_WINDOW,
            granted: FIRST_WINDOW,
            used: 0,
            received: 0,
            credited: 0,
            settings: 0,
            pings: 0,
            begun: false,
            gone: false,
        }
    }

    /// The peer says this, and the machine is about to hear it.
    pub(super) fn heard(&mut self, frame: &Frame<'_>) {
        match frame {
            Frame::Data { stream, flow, .. } => {
                self.received += u64::from(*flow);
                self.stream(*stream).received += u64::from(*flow);
            }
            Frame::Settings(pairs) => {
                self.settings += 1;
                for pair in pairs.chunks_exact(6) {
                    let [a, b, value @ ..] = pair else { continue };
                    let value = value.first_chunk().copied().map(u32::from_be_bytes);
                    match (u16::from_be_bytes([*a, *b]), value) {
                        (4, Some(value)) => self.window = self.window.max(value.into()),
                        (5, Some(value)) => self.max_frame = self.max_frame.max(value),
                        _ => {}
                    }
                }
            }
            Frame::Ping { ack: false, .. } => self.pings += 1,
            Frame::WindowUpdate { stream, by } if *stream == StreamId::ZERO => {
                self.granted += u64::from(*by);
            }
            Frame::WindowUpdate { stream, by } => self.stream(*stream).granted += u64::from(*by),
            Frame::Headers { .. }
            | Frame::Priority { .. }
            | Frame::BadPriority { .. }
            | Frame::Reset { .. }
            | Frame::SettingsAck
            | Frame::Ping { ack: true, .. }
            | Frame::GoAway { .. }
            | Frame::Unknown => {}
        }
    }

    /// The machine has written this.
    pub(super) fn written(&mut self, bytes: &[u8]) {
        self.reader.buffer().extend_from_slice(bytes);
        loop {
            let mut reader = std::mem::replace(&mut self.reader, Reader::new(0, 0));
            let more = match reader.next() {
                Ok(Some(frame)) => {
                    self.frame(&frame);
                    true
                }
                Ok(None) => false,
                Err(fatal) => panic!("what is written is no HTTP/2: {}", fatal.text),
            };
            self.reader = reader;
            if !more {
                return;
            }
        }
    }

    /// What is given back at the start makes the window as large as the settings want it.
    pub(super) fn widened(&mut self, to: u32) {
        self.received += u64::from(to).saturating_sub(FIRST_WINDOW);
    }

    fn stream(&mut self, id: StreamId) -> &mut Stream {
        self.streams.entry(id.0).or_default()
    }

    fn frame(&mut self, frame: &Frame<'_>) {
        assert!(!self.gone, "{frame:?} after the last word");
        let is_settings = matches!(frame, Frame::Settings(_));
        assert!(std::mem::replace(&mut self.begun, true) || is_settings);
        let is_client = self.role == Role::Client;
        match frame {
            Frame::Data {
                stream, flow, end, ..
            } => {
                assert!(*flow <= self.max_frame, "a frame too large");
                self.used += u64::from(*flow);
                assert!(self.used <= self.granted, "beyond the connection's window");
                let window = self.window;
                let of = self.stream(*stream);
                assert!(of.has_head && !of.ended && !of.reset, "{frame:?}");
                of.used += u64::from(*flow);
                assert!(of.used <= window + of.granted, "beyond the stream's window");
                of.ended = *end;
            }
            Frame::Headers {
                stream,
                block,
                end,
                depends_on,
            } => {
                assert_eq!(*depends_on, None);
                assert!(stream.is_client(), "nobody opens even streams");
                let mut fields = 0;
                let mut sink = |_: &[u8], _: &[u8], _| fields += 1;
                let decoded = self.decoder.decode(block, &mut sink);
                assert_eq!(decoded, Ok(()), "heads in the order of their encoding");
                let last = self.last;
                let of = self.stream(*stream);
                assert!(fields > 0 || of.has_head, "an empty head");
                assert!(!of.ended && !of.reset, "{frame:?}");
                if is_client && !of.has_head {
                    assert!(stream.0 > last, "numbers only rise");
                    self.last = stream.0;
                }
                let of = self.stream(*stream);
                assert!(!of.has_head || *end, "trailers end their stream");
                of.has_head = true;
                of.ended = *end;
            }
            Frame::Reset { stream, .. } => {
                let of = self.stream(*stream);
                assert!(!is_client || of.has_head, "a stream that was never opened");
                assert!(!std::mem::replace(&mut of.reset, true), "twice: {frame:?}");
            }
            Frame::SettingsAck => {
                let owed = self.settings.checked_sub(1);
                self.settings = owed.expect("an ACK that nobody is owed");
            }
            Frame::Ping { ack: true, .. } => {
                let owed = self.pings.checked_sub(1);
                self.pings = owed.expect("an answer to no PING");
            }
            Frame::WindowUpdate { stream, by } => {
                assert!(*by > 0);
                if *stream == StreamId::ZERO {
                    self.credited += u64::from(*by);
                    assert!(self.credited <= self.received, "more than was taken");
                    return;
                }
                let of = self.stream(*stream);
                assert!(!of.reset, "{frame:?} for a stream that is gone");
                of.credited += u64::from(*by);
                assert!(of.credited <= of.received, "more than was taken");
            }
            Frame::GoAway { reason, .. } => self.gone = *reason != Reason::NO_ERROR,
            Frame::Settings(_) | Frame::Ping { ack: false, .. } => {}
            Frame::Priority { .. } | Frame::BadPriority { .. } | Frame::Unknown => {
                panic!("nobody writes {frame:?}")
            }
        }
    }
}
