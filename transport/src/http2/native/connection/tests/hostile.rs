//! Whatever a peer sends and our own side wants: no panic, memory stays bounded, and after an error
//! nothing but GOAWAY follows.

use std::time::{Duration, Instant};

use fastrand::Rng;

use super::super::super::frame::{Frame, Reason, StreamId};
use super::super::super::guard::Limits;
use super::super::super::head::ResponseHead;
use super::super::super::hpack::Fields;
use super::super::super::out::Out;
use super::super::{Control, Core, Event, Order, Role, Start, StreamKey};
use super::script::{config, form};
use crate::http2::{Keepalive, ServerKeepalive};

/// Streams that our limit allows.
const MAX_STREAMS: usize = 3;

struct Chaos {
    rng: Rng,
    core: Core,
    role: Role,
    out: Out,
    now: Instant,
    keys: Vec<StreamKey>,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let now = Instant::now();
        let role = if rng.bool() {
            Role::Client
        } else {
            Role::Server
        };
        let mut config = config(role);
        config.initial_stream_window = rng.u32(..100_000);
        if rng.bool() {
            config.limits = Limits::unlimited();
        }
        if rng.bool() {
            let time = Duration::from_secs(10);
            config.keepalive = match role {
                Role::Client => Keepalive::every(time).policy(now),
                Role::Server => ServerKeepalive::every(time).policy(now),
            };
        }
        Self {
            rng,
            core: Core::new(config, now),
            role,
            out: Out::default(),
            now,
            keys: Vec::new(),
        }
    }

    /// Mostly one that is open, or the next.
    fn stream(&mut self) -> StreamId {
        if self.rng.u8(..10) > 0 {
            let open = self.rng.choice(&self.keys).copied();
            let next = StreamId(self.core.ids.last.0 + 2 - (self.core.ids.last.0 + 1) % 2);
            let id = open.and_then(|key| self.core.id(key)).unwrap_or(next);
            return if self.role == Role::Server && self.rng.u8(..4) == 0 {
                next
            } else {
                id
            };
        }
        StreamId(match self.rng.u8(..10) {
            0 => self.rng.u32(..1 << 31),
            1 => self.rng.u32(..20),
            _ => self.rng.u32(..20) * 2 + 1,
        })
    }

    fn number(&mut self) -> u32 {
        let most = 1_u64 << self.rng.u32(..=31);
        u32::try_from(self.rng.u64(..=most)).unwrap()
    }

    fn block(&mut self) -> Vec<u8> {
        // Indexed fields of the static table make most heads.
        let mut block = match self.rng.u8(..6) {
            0 => vec![0x83, 0x86, 0x84, 0x41, 1, b'a'],
            1 => vec![0x88],
            2 => vec![0x48, 3, b'1', b'0', b'3'],
            3 => vec![0, 1, b'x', 1, b'y'],
            4 => [
                &[0x83, 0x86, 0x84, 0x40, 1, b'x', 0x7f, 0xa1, 0x9a, 1][..],
                &[b'x'; 20_000],
            ]
            .concat(),
            _ => vec![0x83, 0x86, 0x84, 0x5c, 1, b'5'],
        };
        if self.rng.u8(..50) == 0 {
            block.push(self.rng.u8(..));
        }
        block
    }

    fn frame(&mut self) {
        let (stream, block) = (self.stream(), self.block());
        let mut pairs = Vec::new();
        for _ in 0..self.rng.u8(..3) {
            pairs.extend(self.rng.u16(..8).to_be_bytes());
            pairs.extend(self.number().to_be_bytes());
        }
        let end = self.rng.bool();
        let by = self.number();
        let frame = match self.rng.u8(..12) {
            0..3 => {
                let size = self.rng.u32(..=16_384);
                Frame::Data {
                    stream: StreamId(stream.0.max(1)),
                    payload: vec![0; size as usize].into(),
                    flow: size + self.rng.u32(..256),
                    end,
                }
            }
            3..6 => Frame::Headers {
                stream: StreamId(stream.0.max(1)),
                block: &block,
                end,
                depends_on: (by == 7).then_some(stream),
            },
            6 => Frame::Reset {
                stream: StreamId(stream.0.max(1)),
                reason: Reason(by),
            },
            7 => Frame::Settings(&pairs),
            8 => Frame::SettingsAck,
            9 => Frame::Ping {
                ack: end,
                data: [1; 8],
            },
            10 if by < 1_000 => Frame::GoAway {
                last: stream,
                reason: Reason(by),
                text: &block,
            },
            10 => Frame::Priority {
                stream,
                depends_on: StreamId(by),
            },
            _ => Frame::WindowUpdate { stream, by },
        };
        self.core.heard(9, self.now);
        if let Err(fatal) = self.core.frame(frame, self.now) {
            self.core.fatal(fatal, &mut self.out);
        }
    }

    fn order(&mut self) {
        if self.role == Role::Client && self.rng.u8(..4) == 0 && self.core.open() < MAX_STREAMS {
            let start = Start {
                form: form().into(),
                extra: Fields::default(),
                data: vec![0; self.rng.usize(..50_000)].into(),
                end: self.rng.bool(),
                has_deadline: false,
            };
            self.keys.extend(self.core.start(start, self.now));
            return;
        }
        let Some(&key) = self.rng.choice(&self.keys) else {
            return;
        };
        let size = self.rng.usize(..50_000);
        let order = match self.rng.u8(..6) {
            0 => Order::Head {
                head: ResponseHead::Plain(200),
                extra: Fields::default(),
                end: self.rng.bool(),
            },
            1 if self
                .core
                .streams
                .get(key)
                .is_some_and(|s| s.queue.bytes() < 100_000) =>
            {
                Order::Data(vec![0; size].into())
            }
            2 => Order::Trailers(Fields::default()),
            3 => Order::Finish,
            4 => Order::Reset(Reason::CANCEL),
            _ => Order::Credit(self.number()),
        };
        self.core.order(key, order, self.now);
    }

    fn settle(&mut self) {
        let mut events = Vec::new();
        self.core.events(&mut events);
        for event in events {
            match event {
                Event::Accept(key) => self.keys.push(key),
                Event::Closed(closed) => self.keys.retain(|key| *key != closed),
                _ => {}
            }
        }
        self.core.fill(&mut self.out, self.now);
        if self.rng.bool() {
            self.out.advance(self.rng.usize(..100_000));
        }
    }

    fn check(&mut self, seed: u64) {
        let core = &mut self.core;
        assert!(core.open() <= MAX_STREAMS, "seed {seed}");
        assert!(core.streams.len() <= MAX_STREAMS + 200, "seed {seed}");
        assert!(core.heads.len() <= 2 * MAX_STREAMS + 70, "seed {seed}");
        assert!(core.starved.len() <= 2 * MAX_STREAMS + 70, "seed {seed}");
        // The socket may take nothing: full, and what of one turn was begun below that.
        assert!(self.out.len() <= 400 * 1024, "seed {seed}");
    }
}

#[test]
fn no_peer_and_no_order_breaks_the_machine() {
    for seed in 0..1_500 {
        let mut chaos = Chaos::new(seed);
        if chaos.rng.u8(..10) > 0 {
            let first = chaos.core.frame(Frame::Settings(&[]), chaos.now);
            first.unwrap();
        }
        for _ in 0..200 {
            for _ in 0..chaos.rng.u8(1..5) {
                if chaos.rng.bool() && !chaos.core.is_congested() {
                    chaos.frame();
                } else {
                    chaos.order();
                }
            }
            if chaos.rng.u8(..20) == 0 {
                chaos.core.control(Control::Drain("test"), chaos.now);
            }
            chaos.now += Duration::from_millis(chaos.rng.u64(..200));
            if let Err(fatal) = chaos.core.tick(chaos.now) {
                chaos.core.fatal(fatal, &mut chaos.out);
            }
            chaos.settle();
            chaos.check(seed);
        }
    }
}
