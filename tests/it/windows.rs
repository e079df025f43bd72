//! Windows are given back to the last byte, and a peer that opens them late stops nobody for ever.

use std::ops::Range;

use fastrand::Rng;
use trunkline::transport::http2::{ClientConfig, ServerConfig};
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::bytes;
use crate::support::{
    Event, LAST_CODE, MAX_CONCURRENT_STREAMS, Peer, RawServer, Served, Wire, channel_closes, data,
    headers, last_data, note, padded, request, reset, text, trailers, window as update, within,
};
use crate::world::{soaking, soon};

/// What HTTP/2 grants when nobody says otherwise.
const WINDOW: usize = 65_535;

/// Two uploads of which each waits for the other, through a server that opens a window only when
/// nothing is left of it.
#[tokio::test(start_paused = true)]
async fn dependent_uploads_finish_though_windows_are_opened_only_at_zero() {
    const MESSAGES: usize = 20;
    let (mut server, echo) = RawServer::memory("late");
    let calls = async {
        let (mut one, first) = soon(echo.collect()).await.unwrap();
        let (mut other, second) = soon(echo.collect()).await.unwrap();
        for _ in 0..MESSAGES {
            within("a message", one.send(&bytes(20_000))).await.unwrap();
            within("a message", other.send(&bytes(20_000)))
                .await
                .unwrap();
        }
        one.finish();
        other.finish();
        let (first, second) = tokio::join!(first, second);
        assert_eq!(first.unwrap().text, "all");
        assert_eq!(second.unwrap().text, "all");
    };
    let script = async {
        let mut peer = server.accept().await;
        let (mut connection, mut streams) = (WINDOW, [WINDOW; 2]);
        let mut ended = 0;
        while ended < 2 {
            let Event::Data(stream, bytes, end) = peer.next("DATA or its head").await else {
                continue;
            };
            let at = usize::from(stream == 3);
            connection -= bytes.len();
            streams[at] -= bytes.len();
            if connection == 0 {
                peer.send(update(0, 65_535)).await;
                connection = WINDOW;
            }
            if streams[at] == 0 && !end {
                peer.send(update(stream, 65_535)).await;
                streams[at] = WINDOW;
            }
            if end {
                ended += 1;
                let head = Wire::from(headers(stream).status(200).grpc());
                let answer = head.and(data(stream, note("all")));
                peer.send(answer.and(trailers(stream, 0))).await;
            }
        }
        peer
    };
    let ((), peer) = tokio::join!(calls, script);
    channel_closes(echo, peer).await;
}

/// What becomes of one stream, as both of its sides derive it from the cycle's number.
#[derive(Debug)]
struct Plan {
    /// Messages, and the padding of their frames.
    messages: Vec<(usize, Option<u8>)>,
    end: End,
    /// How many of them are read before the reader ends it.
    read: usize,
    /// What is still under way when the other side has ended the stream.
    late: usize,
    code: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All is sent, and read.
    Whole,
    /// The sender resets the stream, whatever was read.
    SenderResets,
    /// The reader does.
    ReaderResets,
    /// The reader answers early, or never wanted any of it.
    Unwanted,
}

impl Plan {
    fn of(cycle: u32) -> Self {
        let mut rng = Rng::with_seed(u64::from(cycle));
        let messages = (0..rng.usize(1..5)).map(|_| {
            let padding = rng.bool().then(|| rng.u8(..));
            (rng.usize(..6_000), padding)
        });
        let messages: Vec<_> = messages.collect();
        let ends = [
            End::Whole,
            End::SenderResets,
            End::ReaderResets,
            End::Unwanted,
        ];
        Self {
            end: ends[rng.usize(..ends.len())],
            read: rng.usize(..=messages.len()),
            late: rng.usize(1..3_000),
            code: rng.u32(..=LAST_CODE),
            messages,
        }
    }

    /// Its messages as frames, and what they take of the windows.
    fn frames(&self, stream: u32) -> (Wire, usize) {
        let start = (Wire::default(), 0);
        self.messages
            .iter()
            .fold(start, |(wire, bytes), (length, padding)| {
                let body = note(&"y".repeat(*length));
                match padding {
                    Some(padding) => {
                        let taken = body.len() + 1 + usize::from(*padding);
                        (wire.and(padded(stream, &body, *padding)), bytes + taken)
                    }
                    None => (wire.and(data(stream, &body)), bytes + body.len()),
                }
            })
    }
}

/// The connection's window as the peer that sends sees it.
struct Window {
    sent: u64,
}

impl Window {
    fn left(&self, peer: &Peer) -> u64 {
        let granted = WINDOW as u64 + peer.credit.get(&0).copied().unwrap_or_default();
        granted - self.sent
    }

    /// Waits for as much window as is needed, and takes it.
    async fn take(&mut self, peer: &mut Peer, bytes: usize) {
        let room = async {
            while self.left(peer) < bytes as u64 {
                peer.catch_up().await;
            }
        };
        within("window that was given back", room).await;
        self.sent += bytes as u64;
    }

    /// Sends small bodies that are read until the other side tells of its window: it must then
    /// be full to the last byte, because what was not given back would be missing.
    async fn is_full(&mut self, mut exchange: impl AsyncFnMut(u64) -> u64) {
        for call in 0..16 {
            let left = exchange(call).await;
            if left == WINDOW as u64 {
                return;
            }
            assert!(left < WINDOW as u64, "{left}");
        }
        panic!("the window never was full again: {} sent", self.sent);
    }
}

/// As many as a debug build does in a second; a million under `cargo xtask soak`.
fn cycles() -> u32 {
    if soaking() { 1_000_000 } else { 1_000 }
}

/// Many times the window passes in streams that end in every way, padded, read in part or not at
/// all: our client gives back every byte.
#[tokio::test]
async fn a_client_gives_all_window_back_however_streams_end() {
    let cycles = cycles();
    let mut http2 = ClientConfig::default();
    http2.stream_window_bytes = Some(65_535);
    http2.connection_window_bytes = 65_535;
    let (mut server, builder) = RawServer::builder("cycles");
    let echo = EchoClient::new(builder.http2(http2).build().unwrap());
    let calls = async {
        for cycle in 0..cycles {
            let plan = Plan::of(cycle);
            let mut received = soon(echo.expand(text("x"))).await.unwrap();
            match plan.end {
                End::Whole => while soon(received.recv()).await.unwrap().is_some() {},
                End::SenderResets => while let Ok(Some(_)) = soon(received.recv()).await {},
                End::ReaderResets => {
                    // The request is there by now, so that it is not cancelled before it left.
                    assert!(soon(received.headers()).await.is_ok());
                    for _ in 0..plan.read {
                        assert!(soon(received.recv()).await.unwrap().is_some());
                    }
                    received.cancel();
                }
                End::Unwanted => assert!(soon(received.headers()).await.is_ok()),
            }
        }
    };
    let script = async {
        // One call at a time: the connection's window is that of one stream.
        let mut peer = server.accept_with(&[(MAX_CONCURRENT_STREAMS, 1)]).await;
        let mut window = Window { sent: 0 };
        for cycle in 0..cycles {
            let (plan, stream) = (Plan::of(cycle), 2 * cycle + 1);
            let asked = peer.expect_end(stream).await.body.len();
            // The window of requests is not what this is about.
            peer.send(update(0, u32::try_from(asked).unwrap())).await;
            let (frames, bytes) = plan.frames(stream);
            window.take(&mut peer, bytes).await;
            let head = Wire::from(headers(stream).status(200).grpc());
            let wire = head.and(frames);
            match plan.end {
                End::Whole => peer.send(wire.and(trailers(stream, 0))).await,
                End::SenderResets => peer.send(wire.and(reset(stream, plan.code))).await,
                End::ReaderResets | End::Unwanted => {
                    peer.send(wire).await;
                    peer.expect_reset(stream).await;
                    window.take(&mut peer, plan.late).await;
                    peer.send(data(stream, vec![0; plan.late])).await;
                }
            }
            peer.credit.retain(|stream, _| *stream == 0);
        }
        (peer, window)
    };
    let ((), (mut peer, mut window)) = tokio::join!(calls, script);
    let turns = u64::from(cycles) / 30;
    assert!(window.sent > turns * WINDOW as u64, "{}", window.sent);
    let mut sent = window.sent;
    window
        .is_full(async |call| {
            let stream = 2 * (cycles + u32::try_from(call).unwrap()) + 1;
            let body = note(&"z".repeat(8_000));
            sent += body.len() as u64;
            let script = async {
                peer.expect_end(stream).await;
                let head = Wire::from(headers(stream).status(200).grpc());
                peer.send(head.and(data(stream, &body)).and(trailers(stream, 0)))
                    .await;
            };
            let (reply, ()) = tokio::join!(echo.once(text("x")), script);
            assert_eq!(reply.unwrap().text.len(), 8_000);
            // Once more: an engine may write acknowledgements before its updates.
            peer.catch_up().await;
            peer.catch_up().await;
            Window { sent }.left(&peer)
        })
        .await;
    channel_closes(echo, peer).await;
}

/// The same of our server: requests that are cut, padded, never read, or for no method of its own.
///
/// A connection has as many as its bound on resets that a client provokes (1,024) allows it.
#[tokio::test]
async fn a_server_gives_all_window_back_however_streams_end() {
    const PER_CONNECTION: u32 = 2_000;
    let cycles = cycles();
    let mut http2 = ServerConfig::default();
    http2.stream_window_bytes = Some(65_535);
    http2.connection_window_bytes = 65_535;
    http2.max_concurrent_streams = 1;
    let mut served = Served::configured(http2);
    for first in (0..cycles).step_by(PER_CONNECTION as usize) {
        let plans = first..cycles.min(first + PER_CONNECTION);
        requests_end_in_every_way(&mut served, plans).await;
    }
    served.end().await;
}

async fn requests_end_in_every_way(served: &mut Served, cycles: Range<u32>) {
    let mut peer = served.connect().await;
    let mut window = Window { sent: 0 };
    let mut stream = 1;
    for plan in cycles.map(Plan::of) {
        let (frames, bytes) = plan.frames(stream);
        window.take(&mut peer, bytes).await;
        let method = match plan.end {
            // More than one message is what this method does not take.
            End::Unwanted if plan.messages.len() > 1 => "/tests.echo.Echo/Once",
            End::Unwanted => "/tests.echo.Echo/NoSuchMethod",
            End::ReaderResets => "/tests.echo.Echo/Chat",
            End::Whole | End::SenderResets => "/tests.echo.Echo/Collect",
        };
        let wire = Wire::from(request(stream, method)).and(frames);
        match plan.end {
            End::SenderResets => peer.send(wire.and(reset(stream, plan.code))).await,
            End::Unwanted => peer.send(wire).await,
            End::Whole | End::ReaderResets => peer.send(wire.and(last_data(stream, ""))).await,
        }
        if plan.end != End::SenderResets {
            let answer = peer.expect_end(stream).await;
            let body = u32::try_from(answer.body.len()).unwrap();
            // The window of answers is not what this is about.
            if body > 0 {
                peer.send(update(0, body)).await;
            }
        }
        if plan.end == End::Unwanted {
            window.take(&mut peer, plan.late).await;
            peer.send(data(stream, vec![0; plan.late])).await;
        }
        while !served.heard_nothing_more() {}
        peer.drain().await;
        peer.credit.retain(|stream, _| *stream == 0);
        stream += 2;
    }
    served
        .until("the RPCs' end", |stats| stats.live_rpcs == 0)
        .await;
    let mut sent = window.sent;
    window
        .is_full(async |_| {
            let body = note(&"z".repeat(8_000));
            sent += body.len() as u64;
            let head = Wire::from(request(stream, "/tests.echo.Echo/Once"));
            peer.send(head.and(last_data(stream, &body))).await;
            let answer = peer.expect_end(stream).await;
            assert_eq!(answer.code(), Some(0));
            peer.send(update(0, 8_100)).await;
            stream += 2;
            // Once more: an engine may write acknowledgements before its updates.
            peer.catch_up().await;
            peer.catch_up().await;
            Window { sent }.left(&peer)
        })
        .await;
    drop(peer);
}
