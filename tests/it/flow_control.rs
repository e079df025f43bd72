//! Windows follow the path: narrow at first, as wide as the path once it was measured, and never
//! so wide that streams that nobody reads would stop the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use trunkline::Channel;
use trunkline::client::Receiver;
use trunkline::transport::http2::{ClientConfig, ServerConfig};
use trunkline::transport::memory;
use trunkline_test_protos::echo::{EchoClient, Note};

use crate::handlers::{Scripted, bytes, note, scripted};
use crate::support::{RawServer, Slow, Wire, channel_closes, data, headers, text, trailers};
use crate::support::{note as framed_note, within};
use crate::world::{World, soon};

const SECOND: Duration = Duration::from_secs(1);

/// 100 ms there and back, and 15 MB/s: it holds 1.5 MB, six times the first window.
const PATH: Slow = Slow {
    delay: Duration::from_millis(50),
    bytes_per_second: 15_000_000,
};

/// What the first window lets through in a second: one window per round trip.
const FIRST_WINDOW_PER_SECOND: u64 = 256 * 1024 * 10;

const PIECE: usize = 16 * 1024;

/// A world over a slow path. `Expand` sends without end, and `Collect` counts what it reads.
fn world(path: Slow, on_server: ServerConfig, on_client: ClientConfig) -> (World, Arc<AtomicU64>) {
    let read = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&read);
    let echo = Scripted::default()
        .expand(|_, _, mut responses| {
            Box::pin(async move {
                loop {
                    responses.send(&bytes(PIECE)).await?;
                }
            })
        })
        .collect(move |_, mut requests| {
            let counter = Arc::clone(&counter);
            Box::pin(async move {
                while let Some(each) = requests.recv().await? {
                    counter.fetch_add(each.data.len() as u64, Ordering::Relaxed);
                }
                Ok(Note::default().into())
            })
        });
    let (connector, listener) = memory::pair("slow");
    let channel = Channel::builder("memory:slow").insecure().http2(on_client);
    let channel = channel.connector(path.over(connector));
    let world = World::over(scripted(echo).http2(on_server), listener, channel);
    (world, read)
}

/// Reads without pause; how many bytes came in each second.
async fn download(receiver: &mut Receiver<Note>, seconds: usize) -> Vec<u64> {
    let mut per_second = Vec::new();
    let mut end = Instant::now() + SECOND;
    let mut bytes = 0;
    while per_second.len() < seconds {
        let note = receiver.recv().await.unwrap().unwrap();
        if Instant::now() >= end {
            per_second.push(std::mem::take(&mut bytes));
            end += SECOND;
        }
        bytes += note.data.len() as u64;
    }
    per_second
}

/// Sends without pause; how many bytes arrived in each second.
async fn upload(echo: EchoClient, read: &AtomicU64, seconds: usize) -> Vec<u64> {
    let (mut sender, _summary) = soon(echo.collect()).await.unwrap();
    let sending = async {
        loop {
            sender.send(&bytes(PIECE)).await.unwrap();
        }
    };
    let counting = async {
        let mut per_second = Vec::new();
        let start = Instant::now();
        for second in 1..=seconds {
            sleep_until(start + SECOND * u32::try_from(second).unwrap()).await;
            let before: u64 = per_second.iter().sum();
            per_second.push(read.load(Ordering::Relaxed) - before);
        }
        per_second
    };
    tokio::select! {
        never = sending => never,
        per_second = counting => per_second,
    }
}

fn fixed(bytes: u32) -> ClientConfig {
    let mut config = ClientConfig::default();
    config.stream_window_bytes = Some(bytes);
    config
}

#[tokio::test(start_paused = true)]
async fn a_window_that_was_set_stays_and_bounds_its_stream() {
    let (world, _) = world(PATH, ServerConfig::default(), fixed(256 * 1024));
    let mut receiver = world.echo().expand(note("go")).await.unwrap();
    for second in download(&mut receiver, 2).await {
        assert!(second <= FIRST_WINDOW_PER_SECOND, "{second}");
        // An engine may hold back a third of a window until it gives it back.
        assert!(second >= FIRST_WINDOW_PER_SECOND * 2 / 3, "{second}");
    }
    drop(receiver);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_download_over_a_long_path_comes_to_fill_it() {
    let (world, _) = world(PATH, ServerConfig::default(), ClientConfig::default());
    let mut receiver = world.echo().expand(note("go")).await.unwrap();
    let began = Instant::now();
    let mut early = 0;
    while began.elapsed() < 3 * PATH.delay {
        early += receiver.recv().await.unwrap().unwrap().data.len();
    }
    assert!(
        early <= 512 * 1024,
        "{early} bytes before anything was measured"
    );
    let seconds = download(&mut receiver, 3).await;
    let most = u64::from(PATH.bytes_per_second);
    assert!(seconds[2] > most * 95 / 100, "{seconds:?}");
    // The next stream starts where the first one has got to.
    let mut next = world.echo().expand(note("go")).await.unwrap();
    drop(receiver);
    let seconds = download(&mut next, 1).await;
    assert!(seconds[0] > most * 85 / 100, "{seconds:?}");
    drop(next);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_upload_over_a_long_path_comes_to_fill_it() {
    let mut on_server = ServerConfig::default();
    on_server.max_concurrent_streams = 16;
    let (world, read) = world(PATH, on_server, ClientConfig::default());
    let seconds = upload(world.echo(), &read, 4).await;
    assert!(
        seconds[0] < u64::from(PATH.bytes_per_second) / 2,
        "{seconds:?}"
    );
    let most = u64::from(PATH.bytes_per_second);
    assert!(seconds[3] > most * 95 / 100, "{seconds:?}");
    world.end().await;
}

/// What many streams could make a server hold is leased from one quota, by default and in full.
#[tokio::test(start_paused = true)]
async fn a_servers_windows_grow_only_within_its_quota() {
    let mut without = ServerConfig::default();
    without.max_window_growth_bytes = 0;
    let (world_without, read) = world(PATH, without, ClientConfig::default());
    let seconds = upload(world_without.echo(), &read, 3).await;
    assert!(seconds[2] <= FIRST_WINDOW_PER_SECOND, "{seconds:?}");
    world_without.end().await;

    let (world, read) = world(PATH, ServerConfig::default(), ClientConfig::default());
    let seconds = upload(world.echo(), &read, 3).await;
    // 256 streams of 1.25 MiB are the 64 MiB of the start and the 256 MiB of the quota.
    let most = FIRST_WINDOW_PER_SECOND * 5;
    assert!(seconds[2] <= most && seconds[2] > most / 2, "{seconds:?}");
    world.end().await;
}

/// Windows that have grown hold back their own senders, and no call beside them.
#[tokio::test(start_paused = true)]
async fn unread_streams_with_grown_windows_do_not_stall_their_siblings() {
    const STREAMS: usize = 12;
    let path = Slow {
        bytes_per_second: 8_000_000,
        ..PATH
    };
    let mut on_server = ServerConfig::default();
    on_server.max_concurrent_streams = u32::try_from(STREAMS).unwrap();
    let mut on_client = ClientConfig::default();
    // No more than the streams at first: only what grows along leaves room.
    on_client.connection_window_bytes = 0;
    let (world, _) = world(path, on_server, on_client);
    let echo = world.echo();
    let mut receiver = echo.expand(note("go")).await.unwrap();
    let grown = download(&mut receiver, 3).await;
    assert!(grown[2] > 2 * FIRST_WINDOW_PER_SECOND, "{grown:?}");
    drop(receiver);
    let mut unread = Vec::new();
    for _ in 1..STREAMS {
        unread.push(echo.expand(note("go")).await.unwrap());
    }
    // Long enough for all of them to fill their windows, of 2 MiB each.
    tokio::time::sleep(10 * SECOND).await;
    for _ in 0..20 {
        let began = Instant::now();
        echo.once(note("x")).await.unwrap();
        assert!(began.elapsed() < 3 * PATH.delay, "{:?}", began.elapsed());
    }
    // Nor does a download beside them.
    drop(unread.pop());
    let mut receiver = echo.expand(note("go")).await.unwrap();
    let beside = download(&mut receiver, 2).await;
    assert!(beside[1] > grown[2] * 9 / 10, "{beside:?} after {grown:?}");
    assert_eq!(world.stats().connections_accepted, 1);
    drop((unread, receiver, echo));
    world.end().await;
}

/// The answer to a request of the raw server: so many messages of so many bytes.
fn answer(stream: u32, count: usize, length: usize) -> Wire {
    let head = Wire::from(headers(stream).status(200).grpc());
    let message = data(stream, framed_note(&"x".repeat(length)));
    let body = (0..count).fold(head, |wire, _| wire.and(message.clone()));
    body.and(trailers(stream, 0))
}

#[tokio::test]
async fn connections_of_small_messages_send_no_ping() {
    let (mut server, echo) = RawServer::memory("small");
    let calls = async {
        for _ in 0..500 {
            soon(echo.once(text("x"))).await.unwrap();
        }
        let mut received = soon(echo.expand(text("x"))).await.unwrap();
        while soon(received.recv()).await.unwrap().is_some() {}
    };
    let script = async {
        let mut peer = server.accept().await;
        for call in 0..500 {
            let stream = 2 * call + 1;
            peer.expect_end(stream).await;
            peer.send(answer(stream, 1, 1_000)).await;
        }
        peer.expect_end(1_001).await;
        peer.send(answer(1_001, 250, 1_000)).await;
        peer
    };
    let ((), mut peer) = tokio::join!(calls, script);
    peer.listen(Duration::from_millis(20)).await;
    assert!(peer.pinged.is_empty(), "{:?}", peer.pinged);
    channel_closes(echo, peer).await;
}

#[tokio::test]
async fn one_ping_is_under_way_once_a_stream_has_carried_a_window() {
    let mut set = fixed(256 * 1024);
    set.connection_window_bytes = 1 << 20;
    for (config, pings) in [(ClientConfig::default(), 1), (set, 0)] {
        let (mut server, builder) = RawServer::builder("large");
        let echo = EchoClient::new(builder.http2(config).build().unwrap());
        let call = async {
            let mut received = soon(echo.expand(text("x"))).await.unwrap();
            while soon(received.recv()).await.unwrap().is_some() {}
        };
        let script = async {
            let mut peer = server.accept().await;
            // No answer: nothing more may be asked meanwhile, and no stream waits for it.
            peer.acknowledges = false;
            peer.expect_end(1).await;
            peer.send(Wire::from(headers(1).status(200).grpc())).await;
            let message = data(1, framed_note(&"x".repeat(16_000)));
            let (mut sent, mut granted) = (0, 256 * 1024);
            while sent < 2 << 20 {
                while sent + message.0.len() > granted {
                    let before = granted;
                    peer.listen(Duration::from_millis(1)).await;
                    granted = 256 * 1024 + peer.credit.get(&1).map_or(0, |more| *more as usize);
                    assert!(granted >= before);
                }
                peer.send(message.clone()).await;
                sent += message.0.len();
            }
            peer.send(trailers(1, 0)).await;
            peer
        };
        let ((), mut peer) = within("a large answer", async { tokio::join!(call, script) }).await;
        peer.listen(Duration::from_millis(20)).await;
        assert_eq!(peer.pinged.len(), pings);
        channel_closes(echo, peer).await;
    }
}
