//! Whether a channel is connected can be watched, and asked for without a call.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use trunkline::client::ConnectivityState::{self, Connecting, Idle, Ready, TransientFailure};
use trunkline::transport::memory::{self, MemoryConnector};
use trunkline::transport::{Address, BoxIo, Connector};
use trunkline::{Channel, Code, Stage};
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::{Scripted, note, plain, scripted};
use crate::support::{RawServer, channel_closes};
use crate::world::{World, soon};

const SECOND: Duration = Duration::from_secs(1);

/// Reaches its server only while somebody says that it is there.
struct Door(MemoryConnector, Arc<AtomicBool>);

impl Connector for Door {
    async fn connect(&self, to: &Address) -> io::Result<BoxIo> {
        // Every attempt takes a moment.
        tokio::time::sleep(Duration::from_millis(5)).await;
        if self.1.load(Ordering::Relaxed) {
            return self.0.connect(to).await;
        }
        Err(io::Error::new(io::ErrorKind::ConnectionRefused, "refused"))
    }
}

/// A world whose server cannot be reached yet.
fn closed() -> (World, Arc<AtomicBool>) {
    let (connector, listener) = memory::pair("door");
    let open = Arc::new(AtomicBool::new(false));
    let door = Door(connector, Arc::clone(&open));
    let channel = Channel::builder("memory:door").insecure().connector(door);
    (World::over(plain(), listener, channel), open)
}

/// The states that a channel goes through, up to this one.
async fn through(channel: &Channel, last: ConnectivityState) -> Vec<ConnectivityState> {
    let mut states = vec![channel.state()];
    while states.last() != Some(&last) {
        let from = states[states.len() - 1];
        states.push(channel.changed(from).await);
    }
    states
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_ready_sees_the_channel_through_its_states() {
    let (world, open) = closed();
    let watch = world.channel.clone();
    let watching = tokio::spawn(async move { through(&watch, Ready).await });
    let echo = world.echo();
    let call = echo.once(note("at last")).wait_for_ready(true);
    let call = tokio::spawn(call.owned().into_future());
    tokio::time::sleep(SECOND / 2).await;
    assert_eq!(world.channel.state(), TransientFailure);
    let why = world.channel.last_failure().expect("a failure");
    assert!(why.to_string().contains("refused"), "{why}");
    assert_eq!(world.channel.stats().failed_attempts, 1);
    assert_eq!(world.channel.stats().waiting_calls, 1);

    open.store(true, Ordering::Relaxed);
    assert_eq!(soon(call).await.unwrap().unwrap().text, "at last");
    let states = soon(watching).await.unwrap();
    assert_eq!(states, [Idle, Connecting, TransientFailure, Ready]);
    assert!(world.channel.last_failure().is_none());
    drop(echo);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn waiting_for_ready_ends_with_the_last_failure_and_the_attempts() {
    let (world, _open) = closed();
    let echo = world.echo();
    let call = echo
        .once(note("x"))
        .wait_for_ready(true)
        .timeout(4 * SECOND);
    let late = soon(call).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
    assert_eq!(late.stage(), Some(Stage::Connect), "{late}");
    assert!(late.is_unprocessed(), "{late}");
    // After 0, 1 and 2.6 s, give or take a fifth; the next would be after 4.1 s at the earliest.
    for words in ["3 attempt(s) failed", "refused", "memory:door", "4s"] {
        assert!(late.to_string().contains(words), "{words} in {late}");
    }
    drop(echo);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn connect_leaves_idle_without_a_call() {
    let world = World::memory(plain());
    assert_eq!(world.channel.state(), Idle);
    let nobody = tokio::time::timeout(3600 * SECOND, world.channel.changed(Idle)).await;
    assert!(nobody.is_err(), "watching connects to nothing");

    world.channel.connect().unwrap();
    let states = soon(through(&world.channel, Ready)).await;
    assert_eq!((states.first(), states.last()), (Some(&Idle), Some(&Ready)));
    assert_eq!(world.stats().connections_accepted, 1);
    world.channel.connect().unwrap();
    soon(world.echo().once(note("x"))).await.unwrap();
    assert_eq!(world.stats().connections_accepted, 1);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_leads_to_idle_and_stays_there() {
    let (mut server, builder) = RawServer::builder("lost");
    let channel = builder.build().unwrap();
    let echo = EchoClient::new(channel.clone());
    channel.connect().unwrap();
    let peer = server.accept().await;
    soon(through(&channel, Ready)).await;
    // Long enough to be no failed attempt.
    tokio::time::sleep(2 * SECOND).await;
    drop(peer);
    assert_eq!(soon(channel.changed(Ready)).await, Idle);
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(channel.state(), Idle, "nobody asked for a connection");
    channel.connect().unwrap();
    let peer = server.accept().await;
    soon(through(&channel, Ready)).await;
    drop(channel);
    channel_closes(echo, peer).await;
}

#[tokio::test]
async fn any_number_of_watchers_see_the_newest_state() {
    let world = World::memory(plain());
    let watchers: Vec<_> = (0..100)
        .map(|_| {
            let channel = world.channel.clone();
            tokio::spawn(async move { through(&channel, Ready).await })
        })
        .collect();
    world.channel.connect().unwrap();
    for watcher in watchers {
        let states = soon(watcher).await.unwrap();
        assert_eq!(states.last(), Some(&Ready));
    }
    // One that is dropped while it waits leaves nothing behind, and misses nothing later.
    let cancelled = tokio::time::timeout(SECOND / 100, world.channel.changed(Ready)).await;
    assert!(cancelled.is_err());
    assert_eq!(world.channel.state(), Ready);
    world.end().await;
}

#[test]
fn watching_and_connecting_outside_of_a_runtime_do_not_panic() {
    let channel = Channel::insecure("127.0.0.1:1").unwrap();
    let refused = channel.connect().unwrap_err();
    assert_eq!(refused.code(), Code::Internal);
    assert!(
        refused.to_string().contains("outside of a tokio runtime"),
        "{refused}"
    );
    assert_eq!(channel.state(), Idle);
    assert_eq!(channel.stats(), trunkline::client::ChannelStats::default());
    assert!(channel.last_failure().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_queues_at_the_stream_limit_can_be_read() {
    let mut config = trunkline::transport::http2::ServerConfig::default();
    config.max_concurrent_streams = 2;
    let echo = Scripted::default().once(|_, request| {
        Box::pin(async move {
            tokio::time::sleep(SECOND).await;
            Ok(request.into())
        })
    });
    let world = World::memory_with(scripted(echo).http2(config), |channel| {
        channel.max_connections(1)
    });
    let calls: Vec<_> = (0..5)
        .map(|_| tokio::spawn(world.echo().once(note("x")).owned().into_future()))
        .collect();
    tokio::time::sleep(SECOND / 2).await;
    let stats = world.channel.stats();
    assert_eq!((stats.connections, stats.streams_in_use), (1, 2));
    assert_eq!((stats.stream_limit, stats.queued_calls), (2, 3));
    assert_eq!((stats.waiting_calls, stats.failed_attempts), (0, 0));
    for call in calls {
        soon(call).await.unwrap().unwrap();
    }
    let stats = world.channel.stats();
    assert_eq!((stats.streams_in_use, stats.queued_calls), (0, 0));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_channel_recovers_when_the_peer_does() {
    let (world, open) = closed();
    let echo: EchoClient = world.echo();
    for _ in 0..20 {
        let failed = soon(echo.once(note("x"))).await.unwrap_err();
        assert_eq!(failed.code(), Code::Unavailable, "{failed}");
        tokio::time::sleep(SECOND).await;
    }
    open.store(true, Ordering::Relaxed);
    let call = echo.once(note("back")).wait_for_ready(true);
    let call = tokio::time::timeout(200 * SECOND, call.into_future()).await;
    assert_eq!(call.expect("after a backoff").unwrap().text, "back");
    for _ in 0..20 {
        soon(echo.once(note("x"))).await.unwrap();
    }
    drop(echo);
    world.end().await;
}
