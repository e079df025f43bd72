//! Frames that came. What concerns only the connection is answered here.

use super::frame::{self, Head};
use super::output::Output;
use crate::Failure;

/// Given back to the peer when half of it has come.
pub(super) const CONNECTION_WINDOW: u32 = 64 << 20;
pub(super) const STREAM_WINDOW: u32 = 4 << 20;

/// What came, as far as streams are concerned.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// The peer's SETTINGS: windows of open streams move by this.
    Settings { window_delta: i64 },
    /// A header block, unread.
    Headers { stream: u32, end: bool },
    /// Without padding.
    Data {
        stream: u32,
        bytes: &'a [u8],
        end: bool,
    },
    /// Room; on all streams with 0.
    Window { stream: u32, by: u32 },
    /// The peer ended it.
    Reset { stream: u32, code: u32 },
}

/// Bytes that came and have not been looked at.
pub(crate) struct Input {
    bytes: Vec<u8>,
    begin: usize,
    end: usize,
    expects_preface: bool,
    uncredited: u32,
}

impl Input {
    pub(super) fn new(expects_preface: bool) -> Self {
        Self {
            bytes: vec![0; 64 * 1024],
            begin: 0,
            end: 0,
            expects_preface,
            uncredited: 0,
        }
    }

    /// Room for the socket.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        } else if self.bytes.len() - self.end < 16 * 1024 {
            self.bytes.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
            if self.bytes.len() - self.end < 16 * 1024 {
                self.bytes.resize(self.bytes.len() * 2, 0);
            }
        }
        &mut self.bytes[self.end..]
    }

    /// The socket has put this much there.
    pub(super) fn filled(&mut self, bytes: usize) {
        self.end += bytes;
    }

    /// Gives the buffer back: for connections that only sit there.
    pub(super) fn rest(&mut self) {
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
            self.bytes = vec![0; 256];
        }
    }

    /// The next event, if a whole frame is there.
    ///
    /// Errors: GOAWAY with an error, or what no server under load should do.
    pub(crate) fn next(&mut self, output: &mut Output) -> Result<Option<Event<'_>>, Failure> {
        if self.expects_preface {
            if self.end - self.begin < frame::PREFACE.len() {
                return Ok(None);
            }
            if !self.bytes[self.begin..].starts_with(frame::PREFACE) {
                return Err("no HTTP/2 preface".into());
            }
            self.begin += frame::PREFACE.len();
            self.expects_preface = false;
        }
        loop {
            let there = &self.bytes[self.begin..self.end];
            let Some(head) = Head::read(there) else {
                return Ok(None);
            };
            if there.len() < frame::HEAD_BYTES + head.length {
                return Ok(None);
            }
            let begin = self.begin + frame::HEAD_BYTES;
            self.begin = begin + head.length;
            let (stream, end) = (head.stream, head.has(frame::END_STREAM));
            let payload = begin..begin + head.length;
            match head.kind {
                frame::DATA => {
                    self.credit(head.length, output);
                    let bytes = unpadded(head, &self.bytes[payload])?;
                    return Ok(Some(Event::Data { stream, bytes, end }));
                }
                frame::HEADERS => return Ok(Some(Event::Headers { stream, end })),
                frame::RST_STREAM => {
                    let code = number(&self.bytes[payload])?;
                    return Ok(Some(Event::Reset { stream, code }));
                }
                frame::SETTINGS if !head.has(frame::ACK) => {
                    let window_delta = settings(&self.bytes[payload], output)?;
                    output.control(frame::SETTINGS, frame::ACK, &[]);
                    return Ok(Some(Event::Settings { window_delta }));
                }
                frame::PING if !head.has(frame::ACK) => {
                    output.control(frame::PING, frame::ACK, &self.bytes[payload]);
                }
                frame::GOAWAY => go_away(&self.bytes[payload])?,
                frame::WINDOW_UPDATE => {
                    let by = number(&self.bytes[payload])?;
                    if stream == 0 {
                        output.window += i64::from(by);
                    }
                    return Ok(Some(Event::Window { stream, by }));
                }
                _ => {}
            }
        }
    }

    fn credit(&mut self, bytes: usize, output: &mut Output) {
        self.uncredited += bytes as u32;
        if self.uncredited >= CONNECTION_WINDOW / 2 {
            output.credit(0, std::mem::take(&mut self.uncredited));
        }
    }
}

fn unpadded(head: Head, payload: &[u8]) -> Result<&[u8], Failure> {
    if !head.has(frame::PADDED) {
        return Ok(payload);
    }
    let (&padding, rest) = payload.split_first().ok_or("an empty padded frame")?;
    let length = rest.len().checked_sub(usize::from(padding));
    Ok(&rest[..length.ok_or("more padding than frame")?])
}

/// The first four octets.
fn number(payload: &[u8]) -> Result<u32, Failure> {
    let octets = payload.first_chunk().ok_or("a frame that is too short")?;
    Ok(u32::from_be_bytes(*octets))
}

/// By how much the streams' windows move.
fn settings(payload: &[u8], output: &mut Output) -> Result<i64, Failure> {
    let mut window_delta = 0;
    for pair in payload.as_chunks::<6>().0 {
        let [a, b, value @ ..] = *pair;
        let value = u32::from_be_bytes(value);
        match u16::from_be_bytes([a, b]) {
            // Our blocks need some 250 octets of it.
            frame::SETTING_HEADER_TABLE_SIZE if value < 4_096 => {
                return Err(format!("a header table of {value} octets is not supported").into());
            }
            frame::SETTING_MAX_CONCURRENT_STREAMS => output.max_streams = value as usize,
            frame::SETTING_INITIAL_WINDOW_SIZE => {
                window_delta = i64::from(value) - output.stream_window;
                output.stream_window = i64::from(value);
            }
            frame::SETTING_MAX_FRAME_SIZE => output.max_frame = value as usize,
            _ => {}
        }
    }
    Ok(window_delta)
}

fn go_away(payload: &[u8]) -> Result<(), Failure> {
    let code = number(payload.get(4..).unwrap_or_default())?;
    if code == 0 {
        return Ok(());
    }
    let text = String::from_utf8_lossy(payload.get(8..).unwrap_or_default());
    Err(format!("GOAWAY, error {code}, {text:?}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(bytes: &[u8]) -> Input {
        let mut input = Input::new(false);
        input.room()[..bytes.len()].copy_from_slice(bytes);
        input.filled(bytes.len());
        input
    }

    fn framed(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let head = Head {
            length: payload.len(),
            kind,
            flags,
            stream,
        };
        head.write(&mut out);
        out.extend_from_slice(payload);
        out
    }

    #[test]
    fn padding_is_no_data() {
        let bytes = framed(
            frame::DATA,
            frame::PADDED | frame::END_STREAM,
            3,
            b"\x02abc\0\0",
        );
        let (mut input, mut output) = (with(&bytes), Output::new());
        let expected = Event::Data {
            stream: 3,
            bytes: b"abc",
            end: true,
        };
        assert_eq!(input.next(&mut output).unwrap(), Some(expected));
        assert_eq!(input.next(&mut output).unwrap(), None);
    }

    #[test]
    fn settings_move_the_windows_and_are_acknowledged() {
        let pair = [&4_u16.to_be_bytes()[..], &100_000_u32.to_be_bytes()].concat();
        let (mut input, mut output) = (with(&framed(frame::SETTINGS, 0, 0, &pair)), Output::new());
        let event = input.next(&mut output).unwrap();
        let window_delta = 100_000 - 65_535;
        assert_eq!(event, Some(Event::Settings { window_delta }));
        assert_eq!(output.stream_window(), 100_000);
        let acknowledged = framed(frame::SETTINGS, frame::ACK, 0, &[]);
        assert_eq!(output.bytes, acknowledged);
    }

    #[test]
    fn a_connection_that_ends_with_an_error_says_which() {
        let payload = [&[0; 4][..], &11_u32.to_be_bytes(), b"calm down"].concat();
        let bytes = framed(frame::GOAWAY, 0, 0, &payload);
        let (mut input, mut output) = (with(&bytes), Output::new());
        let why = input.next(&mut output).unwrap_err().to_string();
        assert!(why.contains("11") && why.contains("calm down"), "{why}");
    }

    #[test]
    fn half_a_frame_waits() {
        let bytes = framed(frame::RST_STREAM, 0, 5, &8_u32.to_be_bytes());
        let (mut input, mut output) = (with(&bytes[..11]), Output::new());
        assert_eq!(input.next(&mut output).unwrap(), None);
        input.room()[..2].copy_from_slice(&bytes[11..]);
        input.filled(2);
        let reset = Event::Reset { stream: 5, code: 8 };
        assert_eq!(input.next(&mut output).unwrap(), Some(reset));
    }
}
