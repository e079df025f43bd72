//! Event scripts: what happens to a machine, and all that it does, line by line.
//!
//! ```text
//! > HEADERS 1 request end      a frame of the peer
//! = head 1                     an order of ours: start, head, only, data, trailers, finish, reset,
//!                              credit, drain, refuse, close
//! + 20s                        time passes
//! < HEADERS 1 200              what the peer gets next; words may be left out at the end
//! ! Accept 1                   what our side is told next
//! ```
//!
//! Whatever goes out or is told has to be in the script, but for `Sent`.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::super::super::frame::{Frame, Reader, Reason, StreamId};
use super::super::super::guard::Limits;
use super::super::super::head::{RequestForm, ResponseHead};
use super::super::super::hpack::{Decoder, Fields, FieldsWriter};
use super::super::super::out::Out;
use super::super::{Config, Control, Core, End, Event, Inbound, Order, Role, Start, StreamKey};

pub(super) struct Script {
    pub(super) core: Core,
    pub(super) out: Out,
    pub(super) now: Instant,
    role: Role,
    reader: Reader,
    decoder: Decoder,
    keys: HashMap<u32, StreamKey>,
    wire: VecDeque<String>,
    told: VecDeque<String>,
}

pub(super) fn config(role: Role) -> Config {
    Config {
        role,
        initial_stream_window: 65_535,
        connection_window: 1 << 20,
        max_frame: 16_384,
        max_header_list: 16_384,
        max_streams: 3,
        bdp: None,
        lease: None,
        keepalive: None,
        strikes: None,
        limits: Limits::default(),
        stream_stall: None,
    }
}

/// Runs a script against a server that has agreed with its client.
#[track_caller]
pub(super) fn server(script: &str) -> Script {
    Script::agreed(config(Role::Server)).run(script)
}

/// Runs a script against a client that has agreed with its server.
#[track_caller]
pub(super) fn client(script: &str) -> Script {
    Script::agreed(config(Role::Client)).run(script)
}

impl Script {
    pub(super) fn new(config: Config) -> Self {
        let now = Instant::now();
        let role = config.role;
        let mut this = Self {
            core: Core::new(config, now),
            out: Out::default(),
            now,
            role,
            reader: Reader::new((1 << 24) - 1, 1 << 24),
            decoder: Decoder::new(4_096),
            keys: HashMap::new(),
            wire: VecDeque::new(),
            told: VecDeque::new(),
        };
        if role == Role::Client {
            this.reader.expect_preface();
        }
        this.settle();
        this
    }

    pub(super) fn agreed(config: Config) -> Self {
        let role = config.role;
        let mut this = Self::new(config);
        this.wire.clear();
        let limit = if role == Role::Client {
            "! Limit\n"
        } else {
            ""
        };
        this.run(&format!(
            "> SETTINGS\n< SETTINGS ack\n{limit}! Settled\n> SETTINGS ack"
        ))
    }

    /// The peer has said its SETTINGS, and does not know ours yet.
    pub(super) fn begun(mut self) -> Self {
        self.wire.clear();
        self.run("> SETTINGS\n< SETTINGS ack\n! Settled")
    }

    #[track_caller]
    pub(super) fn run(mut self, script: &str) -> Self {
        for line in script.lines().map(str::trim) {
            let Some((kind, rest)) = line.split_once(' ') else {
                continue;
            };
            match kind {
                "<" => expect(line, rest, self.wire.pop_front()),
                "!" => expect(line, rest, self.told.pop_front()),
                ">" | "=" | "+" => {
                    self.is_quiet(line);
                    let words: Vec<_> = rest.split(' ').collect();
                    match kind {
                        ">" => self.peer(&words),
                        "=" => self.order(&words),
                        _ => self.pass(rest),
                    }
                    self.settle();
                }
                _ => panic!("what is {line:?}?"),
            }
        }
        self.is_quiet("the end");
        self
    }

    #[track_caller]
    fn is_quiet(&self, line: &str) {
        let wire = &self.wire;
        assert!(wire.is_empty(), "before {line:?} went out: {wire:?}");
        let told = &self.told;
        assert!(told.is_empty(), "before {line:?} was told: {told:?}");
    }

    fn pass(&mut self, time: &str) {
        let (number, unit) = match time.strip_suffix("ms") {
            Some(number) => (number, Duration::from_millis(1)),
            None => (time.trim_end_matches('s'), Duration::from_secs(1)),
        };
        let end = self.now + unit * number.parse().unwrap();
        while let Some(due) = self.core.next_tick().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.tick();
            if self.core.next_tick() == Some(due) {
                break;
            }
        }
        self.now = end;
        self.tick();
    }

    fn tick(&mut self) {
        if let Err(fatal) = self.core.tick(self.now) {
            self.core.fatal(fatal, &mut self.out);
        }
    }

    fn peer(&mut self, words: &[&str]) {
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u32>().ok());
        let stream = StreamId(number(1).unwrap_or(0));
        let has = |word: &str| words.contains(&word);
        let value = |name: &str| {
            let found = words.iter().find_map(|word| word.strip_prefix(name));
            found.map(|value| value.parse::<u32>().unwrap())
        };
        let block = block(&words[1..]);
        let pairs = pairs(&words[1..]);
        let data = |at: usize| {
            [
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                u8::try_from(number(at).unwrap_or(0)).unwrap(),
            ]
        };
        let frame = match words[0] {
            "HEADERS" => Frame::Headers {
                stream,
                block: &block,
                end: has("end"),
                depends_on: value("depends=").map(StreamId),
            },
            "DATA" => Frame::Data {
                stream,
                payload: vec![b'x'; number(2).unwrap() as usize].into(),
                flow: number(2).unwrap() + value("pad=").unwrap_or(0),
                end: has("end"),
            },
            "RST" => Frame::Reset {
                stream,
                reason: reason(words[2]),
            },
            "SETTINGS" if has("ack") => Frame::SettingsAck,
            "SETTINGS" => Frame::Settings(&pairs),
            "PING" if has("ack") => Frame::Ping {
                ack: true,
                data: ping(words[2]),
            },
            "PING" => Frame::Ping {
                ack: false,
                data: data(1),
            },
            "GOAWAY" => Frame::GoAway {
                last: stream,
                reason: reason(words[2]),
                text: words.get(3).map_or(&[], |text| text.as_bytes()),
            },
            "WINDOW" => Frame::WindowUpdate {
                stream,
                by: number(2).unwrap(),
            },
            "PRIORITY" if has("bad") => Frame::BadPriority { stream },
            "PRIORITY" => Frame::Priority {
                stream,
                depends_on: StreamId(number(2).unwrap()),
            },
            "UNKNOWN" => Frame::Unknown,
            other => panic!("what is {other}?"),
        };
        self.core.heard(20, self.now);
        if let Err(fatal) = self.core.frame(frame, self.now) {
            self.core.fatal(fatal, &mut self.out);
        }
        self.core.block_unfinished(false, self.now);
    }

    fn order(&mut self, words: &[&str]) {
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u32>().ok());
        let now = self.now;
        let control = match words[0] {
            "start" => {
                let start = Start {
                    form: form().into(),
                    extra: Fields::default(),
                    data: vec![b'x'; number(1).unwrap_or(0) as usize].into(),
                    end: words.contains(&"end"),
                    has_deadline: words.contains(&"deadline"),
                };
                match self.core.start(start, now) {
                    Some(key) => {
                        self.keys.insert(self.core.id(key).unwrap().0, key);
                    }
                    None => self.told.push_back("Never".into()),
                }
                return;
            }
            "drain" => Control::Drain("test"),
            "refuse" => Control::RefuseNew,
            "close" => Control::Close(reason(words[1]), "test"),
            _ => {
                let key = self.keys[&number(1).unwrap()];
                return self.core.order(key, order(words), now);
            }
        };
        self.core.control(control, now);
    }

    /// All that follows from what has happened.
    pub(super) fn settle(&mut self) {
        let mut events = Vec::new();
        for _ in 0..2 {
            self.core.events(&mut events);
            for event in events.drain(..) {
                self.tell(event);
            }
            self.core.fill(&mut self.out, self.now);
            let placed = self.out.placed();
            self.core.fill(&mut self.out, self.now);
            assert_eq!(placed, self.out.placed(), "something was left behind");
        }
        self.core.release();
        self.written();
    }

    fn tell(&mut self, event: Event) {
        let id = |key| self.core.id(key).unwrap().0;
        let text = match event {
            Event::Accept(key) => {
                let number = id(key);
                self.keys.insert(number, key);
                format!("Accept {number}{}", self.take(key))
            }
            Event::Touched(key) => format!("Touched {}{}", id(key), self.take(key)),
            Event::Sent(..) => return,
            Event::Blocked(key, is) => format!("Blocked {} {is}", id(key)),
            Event::Closed(key) => format!("Closed {}", id(key)),
            Event::Limit(limit) => format!("Limit {limit}"),
            Event::Settled => "Settled".into(),
            Event::GoneAway(last, reason) => format!("GoneAway {} {reason}", last.0),
        };
        self.told.push_back(text);
    }

    fn take(&mut self, key: StreamKey) -> String {
        let inbound: Inbound = std::mem::take(self.core.inbound(key).unwrap());
        let mut text = String::new();
        let parts = inbound.parts();
        if parts.is_some_and(|parts| parts.head.is_some()) {
            text.push_str(" head");
        }
        let bytes = parts.map_or(0, |parts| {
            parts.chunks.iter().map(Bytes::len).sum::<usize>() + parts.tail.len()
        });
        if bytes > 0 {
            text.push_str(&format!(" data={bytes}"));
        }
        if parts.is_some_and(|parts| parts.trailers.is_some()) {
            text.push_str(" trailers");
        }
        match inbound.end {
            None => {}
            Some(End::Reset(reason)) => text.push_str(&format!(" Reset {reason}")),
            Some(End::Fault(reason, why)) => text.push_str(&format!(" Fault {reason} {why}")),
            Some(end) => text.push_str(&format!(" {end:?}")),
        }
        text
    }

    /// What the peer reads of what waits to be written.
    pub(super) fn read(&mut self) -> Vec<String> {
        self.written();
        self.wire.drain(..).collect()
    }

    /// The socket takes all, and the peer reads it.
    fn written(&mut self) {
        let mut bytes = BytesMut::new();
        while !self.out.is_empty() {
            let mut slices = [std::io::IoSlice::new(&[]); 64];
            let used = self.out.slices(&mut slices);
            let before = bytes.len();
            slices[..used]
                .iter()
                .for_each(|slice| bytes.extend_from_slice(slice));
            let taken = bytes.len() - before;
            self.out.advance(taken);
        }
        self.reader.buffer().extend_from_slice(&bytes);
        while let Some(frame) = self.reader.next().unwrap() {
            let text = show(&frame, self.role, &mut self.decoder);
            self.wire.push_back(text);
        }
    }
}

fn show(frame: &Frame<'_>, role: Role, decoder: &mut Decoder) -> String {
    let ends = |end: bool| if end { " end" } else { "" };
    match frame {
        Frame::Data {
            stream,
            payload,
            end,
            ..
        } => format!("DATA {} {}{}", stream.0, payload.len(), ends(*end)),
        Frame::Headers {
            stream, block, end, ..
        } => {
            let mut kind = match role {
                Role::Client => String::from("request"),
                Role::Server => String::from("trailers"),
            };
            let mut sink = |name: &[u8], value: &[u8], _| {
                if name == b":status" {
                    kind = String::from_utf8(value.to_vec()).unwrap();
                }
            };
            decoder.decode(block, &mut sink).unwrap();
            format!("HEADERS {} {kind}{}", stream.0, ends(*end))
        }
        Frame::Reset { stream, reason } => format!("RST {} {reason}", stream.0),
        Frame::Settings(pairs) => {
            let mut text = String::from("SETTINGS");
            for pair in pairs.chunks(6) {
                let value = u32::from_be_bytes(pair[2..].try_into().unwrap());
                text.push_str(&format!(" {}={value}", NAMES[usize::from(pair[1]) - 1]));
            }
            text
        }
        Frame::SettingsAck => "SETTINGS ack".into(),
        Frame::Ping { ack: true, data } => format!("PING ack {}", data[7]),
        Frame::Ping { ack: false, data } => {
            format!("PING {}{}", char::from(data[0]), data[7])
        }
        Frame::GoAway { last, reason, text } => {
            let text = std::str::from_utf8(text).unwrap();
            format!("GOAWAY {} {reason} {text}", last.0)
        }
        Frame::WindowUpdate { stream, by } => format!("WINDOW {} {by}", stream.0),
        other => panic!("nobody sends {other:?}"),
    }
}

#[track_caller]
fn expect(line: &str, expected: &str, got: Option<String>) {
    let got = got.unwrap_or_else(|| "nothing".into());
    // Reasons show with their numbers.
    let plain: Vec<_> = got
        .split(' ')
        .filter(|word| !word.starts_with("(0x"))
        .collect();
    let plain = plain.join(" ");
    let rest = plain.strip_prefix(expected);
    let matches = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    assert!(matches, "{line:?}, but it was {plain:?}");
}

const NAMES: [&str; 6] = ["TABLE", "PUSH", "STREAMS", "WINDOW", "FRAME", "LIST"];

fn pairs(words: &[&str]) -> Vec<u8> {
    let mut pairs = Vec::new();
    for word in words {
        let Some((name, value)) = word.split_once('=') else {
            continue;
        };
        let known = NAMES.iter().position(|known| *known == name);
        let id = known.map_or(0x99, |at| at + 1) as u16;
        let Ok(value) = value.parse::<u32>() else {
            continue;
        };
        pairs.extend(id.to_be_bytes());
        pairs.extend(value.to_be_bytes());
    }
    pairs
}

/// Fields as literals without indexing. The peer's own words come last, those that begin a head
/// first.
fn block(words: &[&str]) -> Vec<u8> {
    let request = [
        ":method=POST",
        ":scheme=http",
        ":path=/a.B/C",
        ":authority=here",
        "te=trailers",
        "content-type=application/grpc",
    ];
    let mut fields: Vec<String> = Vec::new();
    for word in words {
        match *word {
            "request" => fields.extend(request.map(String::from)),
            "response" => {
                fields.extend([":status=200", "content-type=application/grpc"].map(String::from));
            }
            "trailers" => fields.push("grpc-status=0".into()),
            "large" => fields.push(format!("x-large={}", "x".repeat(20_000))),
            "undecodable" => return vec![0xff, 0xff, 0xff],
            _ if word.contains('=') && !word.starts_with("depends") => {
                fields.push((*word).into());
            }
            _ => {}
        }
    }
    let mut block = Vec::new();
    for field in fields {
        let at = field[1..].find('=').unwrap() + 1;
        block.push(0);
        for text in [&field[..at], &field[at + 1..]] {
            if text.len() < 0x7f {
                block.push(text.len() as u8);
            } else {
                let mut rest = text.len() - 0x7f;
                block.push(0x7f);
                while rest >= 0x80 {
                    block.push((rest & 0x7f) as u8 | 0x80);
                    rest >>= 7;
                }
                block.push(rest as u8);
            }
            block.extend(text.as_bytes());
        }
    }
    block
}

/// `k1` is the first one, sent for keepalive.
fn ping(name: &str) -> [u8; 8] {
    let (tag, serial) = name.split_at(1);
    [tag.as_bytes()[0], 0, 0, 0, 0, 0, 0, serial.parse().unwrap()]
}

fn reason(name: &str) -> Reason {
    (0..=13)
        .map(Reason)
        .find(|reason| reason.name() == Some(name))
        .unwrap_or_else(|| Reason(name.parse().unwrap()))
}

fn order(words: &[&str]) -> Order {
    let size = || words[2].parse::<u32>().unwrap();
    let grpc = ResponseHead::Grpc {
        subtype: "proto",
        encoding: None,
    };
    match words[0] {
        "head" => Order::Head {
            head: grpc,
            extra: Fields::default(),
            end: false,
        },
        "only" => Order::Head {
            head: ResponseHead::Plain(words[2].parse().unwrap()),
            extra: Fields::default(),
            end: true,
        },
        "data" => Order::Data(vec![b'x'; size() as usize].into()),
        "trailers" => {
            let mut fields = FieldsWriter::new();
            let name = http::HeaderName::from_static("grpc-status");
            fields.push(&name, &http::HeaderValue::from_static("0"));
            if let Some(size) = words.get(2) {
                let long = "x".repeat(size.parse().unwrap());
                let value = http::HeaderValue::from_str(&long).unwrap();
                fields.push(&http::HeaderName::from_static("x-long"), &value);
            }
            Order::Trailers(fields.finish())
        }
        "finish" => Order::Finish,
        "reset" => Order::Reset(reason(words[2])),
        "credit" => Order::Credit(size()),
        "ignore" => Order::Ignore,
        other => panic!("what is {other}?"),
    }
}

pub(super) fn form() -> RequestForm {
    RequestForm {
        https: false,
        authority: http::uri::Authority::from_static("here"),
        path: "/a.B/C",
        subtype: "proto",
        encoding: None,
        accept_encoding: None,
        user_agent: http::HeaderValue::from_static("test"),
    }
}
