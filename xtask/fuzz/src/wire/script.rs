//! A peer's part of a conversation, made of an input: mostly frames that mean something.

use std::time::Duration;

use super::frame::*;
use crate::Source;
use crate::echo::Note;

/// Which part the script plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// One thing that the peer does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// Ends its sending side.
    Finish,
}

/// More than this in all is not sent: what it shows, less shows too.
const MAX_BYTES: usize = 512 * 1024;

/// More than all bounds of a connection that has nothing to do.
const MAX_WAIT: Duration = Duration::from_secs(100);

const PATHS: &[&str] = &[
    "/tests.echo.Echo/Once",
    "/tests.echo.Echo/Expand",
    "/tests.echo.Echo/Collect",
    "/tests.echo.Echo/Chat",
    "/tests.echo.Echo/None",
    "/none/None",
    "*",
    "",
];

/// Fields that some rule looks at.
const FIELDS: &[(&[u8], &[u8])] = &[
    (b"grpc-timeout", b"1S"),
    (b"grpc-timeout", b"1n"),
    (b"grpc-timeout", b"x"),
    (b"grpc-encoding", b"gzip"),
    (b"grpc-encoding", b"none"),
    (b"grpc-status", b"0"),
    (b"grpc-status", b"14"),
    (b"grpc-message", b"%"),
    (b"grpc-status-details-bin", b"CAE"),
    (b"content-type", b"text/plain"),
    (b"content-type", b"application/grpc+json"),
    (b":status", b"200"),
    (b":status", b"100"),
    (b":status", b"503"),
    (b":status", b"x"),
    (b":method", b"GET"),
    (b":unknown", b""),
    (b"Upper", b"x"),
    (b"connection", b"close"),
    (b"te", b"gzip"),
    (b"content-length", b"5"),
    (b"x-bin", b"AA,B"),
    (b"", b""),
    (b"x", b"\0\r\n"),
    (b"cookie", b"a=b"),
];

const SETTING_VALUES: &[u32] = &[
    0,
    1,
    100,
    65_535,
    16_384,
    16_383,
    16_777_215,
    16_777_216,
    0x7fff_ffff,
    0x8000_0000,
    u32::MAX,
];

/// Reads the steps out of the input. A server's script is about streams that a client will open.
pub(crate) fn script(source: &mut Source<'_>, side: Side) -> Vec<Step> {
    let mut writer = Writer::new(side);
    while !source.is_empty() && writer.total < MAX_BYTES && writer.steps.len() < 2_000 {
        writer.step(source);
    }
    writer.steps
}

/// Makes up one step after the other.
pub(crate) struct Writer {
    side: Side,
    next_stream: u32,
    /// What was sent last.
    last: Vec<u8>,
    total: usize,
    waited: Duration,
    steps: Vec<Step>,
}

impl Writer {
    pub(crate) const fn new(side: Side) -> Self {
        Self {
            side,
            next_stream: 1,
            last: Vec::new(),
            total: 0,
            waited: Duration::ZERO,
            steps: Vec::new(),
        }
    }

    /// The next step, unless the input makes none or enough was said.
    #[cfg(not(test))]
    pub(crate) fn next(&mut self, source: &mut Source<'_>) -> Option<Step> {
        if self.total < MAX_BYTES {
            self.step(source);
        }
        self.steps.pop()
    }

    fn step(&mut self, source: &mut Source<'_>) {
        let bytes = match source.byte() % 18 {
            0 | 1 => self.open(source),
            2 => {
                let (stream, flags) = (self.stream(source), source.byte() & END_STREAM);
                frame(DATA, flags, stream, &message(&note(source)))
            }
            3 => {
                let (stream, flags) = (self.stream(source), source.byte() & (END_STREAM | PADDED));
                frame(DATA, flags, stream, source.long())
            }
            4 => frame(RST_STREAM, 0, self.stream(source), &code(source)),
            5 => {
                let mut payload = Vec::new();
                for _ in 0..source.below(4) {
                    payload.extend_from_slice(&(u16::from(source.byte()) % 10).to_be_bytes());
                    payload.extend_from_slice(&source.pick(SETTING_VALUES).to_be_bytes());
                }
                frame(SETTINGS, 0, 0, &payload)
            }
            6 => match source.flag() {
                true => frame(SETTINGS, 1, 0, &[]),
                false => frame(PING, source.byte() & 1, 0, b"12345678"),
            },
            7 => {
                let stream = if source.flag() {
                    0
                } else {
                    self.stream(source)
                };
                frame(
                    WINDOW_UPDATE,
                    0,
                    stream,
                    &source.pick(SETTING_VALUES).to_be_bytes(),
                )
            }
            8 => {
                let mut payload = source.pick(&[0, 1, 3, u32::MAX]).to_be_bytes().to_vec();
                payload.extend_from_slice(&code(source));
                payload.extend_from_slice(source.short());
                frame(GOAWAY, 0, 0, &payload)
            }
            9 => {
                let (stream, flags) = (self.stream(source), source.byte());
                let count = source.below(6);
                let fields: Vec<_> = (0..count).map(|_| source.pick(FIELDS)).collect();
                frame(
                    HEADERS,
                    flags & (END_STREAM | END_HEADERS) | END_HEADERS,
                    stream,
                    &block(fields),
                )
            }
            10 => {
                let (kind, stream) = (
                    source.pick(&[HEADERS, CONTINUATION, PUSH_PROMISE]),
                    self.stream(source),
                );
                let flags = source.byte() & (END_STREAM | END_HEADERS | PADDED | PRIORITY);
                frame(kind, flags, stream, source.short())
            }
            11 => {
                let (kind, flags, stream) = (source.byte(), source.byte(), source.u32());
                frame(kind, flags, stream, source.short())
            }
            12 => source.long().to_vec(),
            13 => {
                let times = source.below(200);
                self.last.repeat(times)
            }
            14 => {
                let length = self.last.len().max(1);
                let (place, change) = (usize::from(source.u16()) % length, source.byte());
                let mut bytes = self.last.clone();
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= change;
                }
                bytes
            }
            15 => {
                let cut = usize::from(source.byte()).min(self.last.len());
                self.last.get(..cut).unwrap_or_default().to_vec()
            }
            16 => {
                let time = Duration::from_millis(source.pick(&[0, 1, 100, 1_000, 15_000]));
                if self.waited + time <= MAX_WAIT {
                    self.waited += time;
                    self.steps.push(Step::Wait(time));
                }
                return;
            }
            _ if source.byte().is_multiple_of(8) => {
                self.steps.push(Step::Finish);
                return;
            }
            _ => trailers_of(self.side, self.stream(source)),
        };
        let bytes: Vec<u8> = bytes.into_iter().take(MAX_BYTES).collect();
        self.total += bytes.len();
        if bytes.len() < 20_000 {
            self.last.clone_from(&bytes);
        }
        self.steps.push(Step::Send(bytes));
    }

    /// A good head, and perhaps a good message.
    fn open(&mut self, source: &mut Source<'_>) -> Vec<u8> {
        let stream = self.next_stream;
        self.next_stream = self.next_stream.saturating_add(2);
        let choice = source.byte();
        // By which whoever takes it can tell its stream.
        let authority = format!("{stream:04}");
        let mut fields = match self.side {
            Side::Client => request(source.pick(PATHS), &authority),
            Side::Server => response(),
        };
        if choice & 2 != 0 {
            fields.push(source.pick(FIELDS));
        }
        let end = if choice & 4 != 0 { END_STREAM } else { 0 };
        let mut bytes = frame(HEADERS, END_HEADERS | end, stream, &block(fields));
        if choice & 8 != 0 {
            let last = if choice & 16 != 0 { END_STREAM } else { 0 };
            bytes.extend(frame(DATA, last, stream, &message(&note(source))));
        }
        if choice & 32 != 0 {
            bytes.extend(trailers_of(self.side, stream));
        }
        bytes
    }

    /// Mostly one that is open, or was.
    fn stream(&self, source: &mut Source<'_>) -> u32 {
        let choice = source.byte();
        match choice {
            250 => 0,
            251 => 2,
            252 => 0x7fff_ffff,
            253 => 0x8000_0001,
            254 => self.next_stream.saturating_add(2),
            _ => {
                let opened = self.next_stream / 2;
                (u32::from(choice) % opened.max(1)) * 2 + 1
            }
        }
    }
}

fn trailers_of(side: Side, stream: u32) -> Vec<u8> {
    let block = match side {
        Side::Client => block([(b"x-trailer".as_slice(), b"1".as_slice())]),
        Side::Server => block(trailers()),
    };
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block)
}

fn note(source: &mut Source<'_>) -> Note {
    Note {
        text: "x".repeat(source.below(40)),
        data: vec![7; usize::from(source.byte()) * 40],
        number: u64::from(source.byte()),
    }
}

fn code(source: &mut Source<'_>) -> [u8; 4] {
    let code = u32::from(source.byte());
    let code = if code == 255 { u32::MAX } else { code % 16 };
    code.to_be_bytes()
}
