//! A connection's machine, fed with frames of a peer, orders of its own side and time.
//!
//! Promised: no panic; what is written keeps the rules and the windows; each stream is opened once
//! and closed once; what is held is bounded by what was granted; time never spins.
//!
//! Input: a byte for the role, one for what is allowed, then what happens.

use std::collections::HashMap;
use std::io::IoSlice;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::connection::{Config, Control, Core, Event, Order, Parts, Role, Start, StreamKey};
use super::frame::{Reader, Reason};
use super::guard::Limits;
use super::head::ResponseHead;
use super::made::{fields, form, payload};
use super::out::Out;
use super::strikes::Strikes;
use super::witness::Witness;
use crate::Source;
use crate::http2::bdp::Bdp;
use crate::http2::keepalive::{Keepalive, ServerKeepalive};
use crate::wire::{PREFACE, SETTINGS, Side, Step, Writer, frame};

const MAX_FRAME: u32 = 16_384;
const MAX_BLOCK: usize = 65_536;
const WINDOW: u32 = 65_535;
const CONNECTION_WINDOW: u32 = 1 << 20;
const MAX_STREAMS: u32 = 8;

/// More calls than this are not begun at once: permits see to that elsewhere.
const MAX_CALLS: usize = 20;

/// What may wait for the socket: as much as stops DATA, one turn of every kind beyond, and control.
const MAX_WAITING: usize = (256 + 64 + 64 + 16) * 1024;

pub(crate) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let role = if source.flag() {
        Role::Client
    } else {
        Role::Server
    };
    let mut world = World::new(role, source.byte());
    let side = match role {
        Role::Client => Side::Server,
        Role::Server => Side::Client,
    };
    let mut peer = Writer::new(side);
    world.hear(&frame(SETTINGS, 0, 0, &[]));
    while !source.is_empty() && !world.dead {
        match source.byte() % 16 {
            0..=5 => match peer.next(&mut source) {
                Some(Step::Send(bytes)) => world.hear(&bytes),
                Some(Step::Wait(time)) => world.pass(time),
                Some(Step::Finish) | None => {}
            },
            6 => world.hear(&frame(SETTINGS, 1, 0, &[])),
            7 => world.start(&mut source),
            8..=11 => world.order(&mut source),
            12 => world.control(&mut source),
            13 => {
                let time = source.pick(&[1, 50, 1_000, 20_000, 300_000]);
                world.pass(Duration::from_millis(time));
            }
            14 => world.write(usize::from(source.u16())),
            _ => world.settle(source.flag()),
        }
    }
    world.end();
}

struct World {
    core: Core,
    out: Out,
    reader: Reader,
    witness: Witness,
    role: Role,
    now: Instant,
    /// All that were ever told, in their order, and which of them are open.
    keys: Vec<StreamKey>,
    open: HashMap<StreamKey, Stream>,
    settled: bool,
    dead: bool,
}

#[derive(Default)]
struct Stream {
    /// An RPC's task gives one head.
    has_head: bool,
    /// What was read and not yet credited.
    taken: u32,
}

impl World {
    fn new(role: Role, knobs: u8) -> Self {
        let now = Instant::now();
        let limits = match knobs & 1 {
            0 => Limits::unlimited(),
            _ => Limits::default(),
        };
        let minute = Duration::from_secs(60);
        let keepalive = match role {
            Role::Client => {
                let mut keepalive = Keepalive::every(minute);
                keepalive.without_calls = knobs & 16 != 0;
                keepalive.policy(now)
            }
            Role::Server => ServerKeepalive::every(minute).policy(now),
        };
        let config = Config {
            role,
            initial_stream_window: WINDOW,
            connection_window: CONNECTION_WINDOW,
            max_frame: MAX_FRAME,
            max_header_list: 16_384,
            max_streams: MAX_STREAMS,
            bdp: (knobs & 2 != 0).then(|| Bdp::new(WINDOW, 1 << 22)),
            lease: None,
            keepalive: (knobs & 4 != 0).then_some(keepalive).flatten(),
            strikes: (knobs & 8 != 0 && role == Role::Server).then(|| Strikes::new(minute, false)),
            stream_stall: Some(5 * minute),
            limits,
        };
        let mut reader = Reader::new(MAX_FRAME, MAX_BLOCK);
        let mut witness = Witness::new(role);
        witness.widened(CONNECTION_WINDOW);
        if role == Role::Server {
            reader.expect_preface();
            reader.buffer().extend_from_slice(PREFACE);
        }
        Self {
            core: Core::new(config, now),
            out: Out::default(),
            reader,
            witness,
            role,
            now,
            keys: Vec::new(),
            open: HashMap::new(),
            settled: false,
            dead: false,
        }
    }

    /// The peer's bytes arrive.
    fn hear(&mut self, bytes: &[u8]) {
        if self.core.is_congested() {
            // As a driver does: what is owed goes out first.
            self.write(usize::MAX);
        }
        self.reader.buffer().extend_from_slice(bytes);
        self.core.heard(bytes.len() as u64, self.now);
        let fatal = loop {
            match self.reader.next() {
                Ok(Some(frame)) => {
                    self.witness.heard(&frame);
                    if let Err(fatal) = self.core.frame(frame, self.now) {
                        break fatal;
                    }
                }
                Ok(None) => return,
                Err(fatal) => break fatal,
            }
        };
        self.die(fatal);
    }

    fn die(&mut self, fatal: super::frame::Fatal) {
        assert!(!fatal.text.is_empty());
        self.settle(true);
        self.core.fatal(fatal, &mut self.out);
        assert!(self.core.is_done());
        self.dead = true;
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..1_000 {
            let Some(due) = self.core.next_tick().filter(|due| *due <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(due);
            if let Err(fatal) = self.core.tick(self.now) {
                self.die(fatal);
                self.now = end;
                return;
            }
        }
        panic!("time spins");
    }

    fn start(&mut self, source: &mut Source<'_>) {
        if self.role == Role::Server || self.open.len() >= MAX_CALLS || !self.settled {
            return;
        }
        let start = Start {
            form: form(source.byte()).into(),
            extra: fields(source.byte()),
            data: payload(source),
            end: source.flag(),
            has_deadline: source.flag(),
        };
        if let Some(key) = self.core.start(start, self.now) {
            self.opened(key);
        }
    }

    fn opened(&mut self, key: StreamKey) {
        let before = self.open.insert(key, Stream::default());
        assert!(before.is_none(), "opened once");
        assert!(!self.keys.contains(&key), "a key means one stream");
        self.keys.push(key);
    }

    fn order(&mut self, source: &mut Source<'_>) {
        let choice = usize::from(source.byte());
        // The newest ones are the likeliest to be open; old ones may be gone.
        let Some(key) = self
            .keys
            .iter()
            .rev()
            .nth(choice % self.keys.len().clamp(1, 6))
        else {
            return;
        };
        let key = *key;
        let order = match source.byte() % 8 {
            0 | 1 if self.role == Role::Server && self.needs_head(key) => Order::Head {
                head: match source.below(3) {
                    0 => ResponseHead::Plain(415),
                    _ => ResponseHead::Grpc {
                        subtype: "proto",
                        encoding: None,
                    },
                },
                extra: fields(source.byte()),
                end: source.byte().is_multiple_of(4),
            },
            2 if self.role == Role::Server => Order::Trailers(fields(source.byte())),
            0..=2 => Order::Finish,
            3 | 4 => Order::Data(payload(source)),
            5 => Order::Reset(Reason(u32::from(source.byte() % 14))),
            6 => {
                let taken = self.open.get_mut(&key).map(|stream| &mut stream.taken);
                Order::Credit(taken.map(std::mem::take).unwrap_or_default())
            }
            _ => return,
        };
        self.core.order(key, order, self.now);
    }

    fn needs_head(&mut self, key: StreamKey) -> bool {
        let stream = self.open.get_mut(&key);
        stream.is_some_and(|stream| !std::mem::replace(&mut stream.has_head, true))
    }

    fn control(&mut self, source: &mut Source<'_>) {
        let control = match source.byte() % 16 {
            0..=3 => Control::Drain("max_age"),
            4 => Control::RefuseNew,
            5 => Control::Close(Reason::NO_ERROR, "closed"),
            6..=9 => return self.core.shrink(),
            _ => return,
        };
        self.core.control(control, self.now);
    }

    /// What has happened is looked at, and perhaps taken.
    fn settle(&mut self, take: bool) {
        let mut events = Vec::new();
        for _ in 0..2 {
            self.core.events(&mut events);
            let mut closed = Vec::new();
            for event in events.drain(..) {
                self.tell(event, take, &mut closed);
            }
            for key in closed {
                assert!(self.open.remove(&key).is_some(), "closed once");
            }
            self.core.fill(&mut self.out, self.now);
            let placed = self.out.placed();
            self.core.fill(&mut self.out, self.now);
            let is_all = self.out.placed() == placed || self.out.len() >= 256 * 1024;
            assert!(is_all, "something was left behind");
            assert!(self.out.len() <= MAX_WAITING, "{} wait", self.out.len());
        }
        if self.role == Role::Server {
            assert!(self.core.open() <= MAX_STREAMS as usize, "too many streams");
        }
        let unread: usize = self
            .open
            .keys()
            .copied()
            .collect::<Vec<_>>()
            .into_iter()
            .map(|key| {
                let inbound = self.core.inbound(key).expect("an open stream has one");
                inbound.parts().map_or(0, body)
            })
            .sum();
        let most = (1 << 22) * self.open.len();
        assert!(unread <= most, "{unread} unread bytes");
    }

    fn tell(&mut self, event: Event, take: bool, closed: &mut Vec<StreamKey>) {
        match event {
            Event::Accept(key) => {
                assert_eq!(self.role, Role::Server);
                self.opened(key);
                let inbound = self.core.inbound(key).expect("it is there");
                assert!(inbound.take_head().is_some(), "a request has a head");
                self.take(key, take);
            }
            Event::Touched(key) => self.take(key, take),
            Event::Sent(key, bytes) => {
                assert!(bytes > 0);
                self.knows(key);
            }
            Event::Blocked(key, _) => self.knows(key),
            Event::Closed(key) => closed.push(key),
            Event::Limit(_) => assert_eq!(self.role, Role::Client),
            Event::Settled => assert!(!std::mem::replace(&mut self.settled, true)),
            Event::GoneAway(..) => assert!(self.core.goodbye().is_some()),
        }
    }

    fn knows(&self, key: StreamKey) {
        assert!(self.open.contains_key(&key), "of a stream that is gone");
    }

    fn take(&mut self, key: StreamKey, take: bool) {
        self.knows(key);
        let inbound = self.core.inbound(key).expect("it is there");
        if !take {
            return;
        }
        let bytes = inbound.parts().map_or(0, body);
        inbound.drop_body();
        if let Some(stream) = self.open.get_mut(&key) {
            stream.taken += u32::try_from(bytes).expect("no more than a window");
        }
    }

    /// The socket takes so much.
    fn write(&mut self, mut most: usize) {
        self.core.fill(&mut self.out, self.now);
        while most > 0 && !self.out.is_empty() {
            let mut slices = [IoSlice::new(&[]); 8];
            let used = self.out.slices(&mut slices);
            let mut taken = 0;
            for slice in slices.iter().take(used) {
                let part = slice
                    .get(..slice.len().min(most - taken))
                    .unwrap_or_default();
                self.witness.written(part);
                taken += part.len();
            }
            self.out.advance(taken);
            most -= taken;
        }
    }

    /// Whatever comes now does nothing or ends well.
    fn end(&mut self) {
        if !self.dead {
            self.settle(true);
            self.write(usize::MAX);
            self.pass(Duration::from_secs(600));
        }
        self.write(usize::MAX);
        self.core.shrink();
        for key in std::mem::take(&mut self.keys) {
            self.core.order(key, Order::Reset(Reason::CANCEL), self.now);
        }
        self.settle(true);
        self.write(usize::MAX);
    }
}

/// Bytes of a body that wait.
fn body(parts: &Parts) -> usize {
    parts.tail.len() + parts.chunks.iter().map(Bytes::len).sum::<usize>()
}
