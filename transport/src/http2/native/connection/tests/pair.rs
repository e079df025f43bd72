//! Two machines that talk to each other: whatever happens in whatever order, no rule is broken,
//! nothing is lost, and in the end all windows are full.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::super::super::frame::{Frame, Reader, Reason, StreamId};
use super::super::super::guard::Limits;
use super::super::super::head::ResponseHead;
use super::super::super::hpack::Fields;
use super::super::super::out::Out;
use super::super::super::strikes::Strikes;
use super::super::{Config, Core, End, Event, Order, Role, Start, StreamKey};
use super::script::{config, form};
use crate::http2::bdp::Bdp;

struct Side {
    core: Core,
    out: Out,
    reader: Reader,
    /// What was seen of each stream that is open.
    streams: BTreeMap<u32, Seen>,
    /// Streams that ended well: how much they have received.
    complete: BTreeMap<u32, u64>,
    /// The same, of what was sent.
    sent: BTreeMap<u32, u64>,
}

struct Seen {
    key: StreamKey,
    received: u64,
    /// Taken from the machine, and not credited yet.
    unread: u32,
    has_head: bool,
    has_ended: bool,
}

impl Side {
    fn new(config: Config, now: Instant) -> Self {
        let is_server = config.role == Role::Server;
        let mut reader = Reader::new(16_384, 65_536);
        if is_server {
            reader.expect_preface();
        }
        Self {
            core: Core::new(config, now),
            out: Out::default(),
            reader,
            streams: BTreeMap::new(),
            complete: BTreeMap::new(),
            sent: BTreeMap::new(),
        }
    }

    fn deliver(&mut self) {
        let mut events = Vec::new();
        self.core.events(&mut events);
        for event in events {
            match event {
                Event::Accept(key) => {
                    let id = self.core.id(key).unwrap().0;
                    self.streams.insert(id, Seen::new(key));
                    self.take(key);
                }
                Event::Touched(key) => self.take(key),
                Event::Sent(key, bytes) => {
                    let id = self.core.id(key).unwrap().0;
                    *self.sent.entry(id).or_default() += u64::from(bytes);
                }
                Event::Closed(key) => {
                    let id = self.core.id(key).unwrap().0;
                    self.streams.remove(&id);
                }
                _ => {}
            }
        }
    }

    fn take(&mut self, key: StreamKey) {
        let id = self.core.id(key).unwrap().0;
        let inbound = std::mem::take(self.core.inbound(key).unwrap());
        let bytes = inbound.parts().map_or(0, |parts| {
            let chunks = parts.chunks.iter().map(|chunk| chunk.len());
            chunks.sum::<usize>() + parts.tail.len()
        }) as u64;
        let Some(seen) = self.streams.get_mut(&id) else {
            return;
        };
        seen.received += bytes;
        seen.unread += bytes as u32;
        match inbound.end {
            Some(End::Clean) => {
                self.complete.insert(id, seen.received);
            }
            Some(End::Fault(reason, text)) => panic!("stream {id}: {reason} {text}"),
            _ => {}
        }
    }
}

impl Seen {
    fn new(key: StreamKey) -> Self {
        Self {
            key,
            received: 0,
            unread: 0,
            has_head: false,
            has_ended: false,
        }
    }
}

/// Carries some of what one has written to the other, and pads some of it on the way.
fn carry(from: &mut Side, to: &mut Side, rng: &mut Rng, most: usize, now: Instant) {
    from.core.fill(&mut from.out, now);
    let mut slices = [std::io::IoSlice::new(&[]); 64];
    let used = from.out.slices(&mut slices);
    let all: Vec<u8> = slices[..used]
        .iter()
        .flat_map(|slice| slice.to_vec())
        .collect();
    let some = &all[..all.len().min(most)];
    to.reader.buffer().extend_from_slice(some);
    from.out.advance(some.len());
    while let Some(frame) = to.reader.next().expect("frames are well-formed") {
        let frame = match frame {
            Frame::Data {
                stream,
                payload,
                flow,
                end,
            } => {
                let pad = padding(&mut from.core, stream, rng);
                Frame::Data {
                    stream,
                    payload,
                    flow: flow + pad,
                    end,
                }
            }
            other => other,
        };
        to.core.heard(9, now);
        to.core.frame(frame, now).expect("no rule is broken");
    }
}

fn padding(core: &mut Core, id: StreamId, rng: &mut Rng) -> u32 {
    if rng.u8(..4) > 0 {
        return 0;
    }
    let mut pad = rng.u32(1..256).min(core.send.available());
    let key = core.find(id);
    let Some(stream) = key.and_then(|key| core.streams.get_mut(key)) else {
        return 0;
    };
    pad = pad.min(stream.send.available());
    stream.send.consume(pad);
    core.send.consume(pad);
    pad
}

fn act(client: &mut Side, server: &mut Side, rng: &mut Rng, now: Instant) {
    match rng.u8(..10) {
        0..3 if client.core.open() < 3 => {
            let end = rng.bool();
            let start = Start {
                form: form().into(),
                extra: Fields::default(),
                data: vec![b'x'; rng.usize(..10_000)].into(),
                end,
                has_deadline: false,
            };
            let key = client.core.start(start, now).expect("nobody leaves");
            let id = client.core.id(key).unwrap().0;
            let mut seen = Seen::new(key);
            (seen.has_head, seen.has_ended) = (true, end);
            client.streams.insert(id, seen);
        }
        0..7 => {
            let side = if rng.bool() { client } else { server };
            speak(side, rng, now);
        }
        7..9 => {
            let side = if rng.bool() { client } else { server };
            for seen in side.streams.values_mut() {
                let some = rng.u32(..=seen.unread);
                seen.unread -= some;
                side.core.order(seen.key, Order::Credit(some), now);
            }
        }
        _ => {
            let side = if rng.bool() { client } else { server };
            if rng.u8(..4) == 0
                && let Some((_, seen)) = side.streams.iter().next()
            {
                side.core.order(seen.key, Order::Reset(Reason::CANCEL), now);
            }
        }
    }
}

/// One stream goes on with what it has to say.
fn speak(side: &mut Side, rng: &mut Rng, now: Instant) {
    let speakers: Vec<_> = side.streams.values_mut().collect();
    let Some(seen) = rng.choice(speakers) else {
        return;
    };
    let order = if !seen.has_head {
        seen.has_head = true;
        Order::Head {
            head: ResponseHead::Plain(200),
            extra: Fields::default(),
            end: false,
        }
    } else if seen.has_ended {
        return;
    } else if rng.u8(..3) > 0 {
        Order::Data(vec![b'y'; rng.usize(1..20_000)].into())
    } else {
        seen.has_ended = true;
        if rng.bool() {
            Order::Finish
        } else {
            Order::Trailers(Fields::default())
        }
    };
    side.core.order(seen.key, order, now);
}

fn run(seed: u64, steps: usize) {
    let mut rng = Rng::with_seed(seed);
    let mut now = Instant::now();
    let mut sides = [Role::Client, Role::Server].map(|role| {
        let mut config = config(role);
        config.initial_stream_window = 32 * 1024;
        config.connection_window = rng.u32(..200_000);
        if rng.bool() {
            config.bdp = Some(Bdp::new(32 * 1024, 1 << 20));
        } else {
            config.initial_stream_window = rng.u32(1_000..70_000);
        }
        config.limits = Limits::unlimited();
        // A client that measures gives its server no reason to strike (gRFC A8).
        let hour = Duration::from_secs(3_600);
        config.strikes = (role == Role::Server).then(|| Strikes::new(hour, false));
        Side::new(config, now)
    });
    let [client, server] = &mut sides;
    // SETTINGS of both, before anything that counts on them.
    for _ in 0..2 {
        carry(client, server, &mut rng, usize::MAX, now);
        carry(server, client, &mut rng, usize::MAX, now);
    }
    for _ in 0..steps {
        act(client, server, &mut rng, now);
        let most = rng.usize(..20_000);
        if rng.bool() {
            carry(client, server, &mut rng, most, now);
        } else {
            carry(server, client, &mut rng, most, now);
        }
        client.deliver();
        server.deliver();
        now += Duration::from_millis(rng.u64(..3));
        client.core.tick(now).unwrap();
        server.core.tick(now).unwrap();
    }
    for seen in client.streams.values() {
        client
            .core
            .order(seen.key, Order::Reset(Reason::CANCEL), now);
    }
    while client.core.open() + server.core.open() > 0 || client.has_more() || server.has_more() {
        carry(client, server, &mut rng, usize::MAX, now);
        carry(server, client, &mut rng, usize::MAX, now);
        client.deliver();
        server.deliver();
    }
    for (from, to) in [(&*client, &*server), (&*server, &*client)] {
        // What one may send is what the other takes.
        let (send, recv) = (&from.core.send, &to.core.recv);
        assert_eq!(send.available(), recv.left(), "seed {seed}");
        assert_eq!(recv.held(), 0, "seed {seed}");
        for (id, received) in &to.complete {
            // One that was reset after that may not have been told all.
            let sent = from.sent.get(id).copied().unwrap_or(0);
            assert_eq!(sent, *received, "seed {seed}, stream {id}");
        }
    }
    for side in [client, server] {
        side.deliver();
        side.core.release();
        assert!(side.core.streams.is_empty(), "seed {seed}");
        assert!(side.core.ring.is_empty(), "seed {seed}");
    }
}

impl Side {
    fn has_more(&mut self) -> bool {
        !self.out.is_empty() || !self.core.control.is_empty()
    }
}

#[test]
fn windows_are_full_again_whatever_has_happened() {
    for seed in 0..40 {
        run(seed, 400);
    }
}
