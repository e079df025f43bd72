//! A channel is closed on purpose: within a bound, for all clones, with a report of what it met.

use std::time::Duration;

use tokio::runtime::Builder;
use trunkline::client::ConnectivityState::{Idle, Shutdown};
use trunkline::transport::now;
use trunkline::{Channel, Code, Origin};
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::{Scripted, note, plain, scripted};
use crate::support::RawServer;
use crate::world::{World, soon};

const SECOND: Duration = Duration::from_secs(1);

/// What a close may take beyond its grace.
const SLACK: Duration = Duration::from_millis(200);

/// Answers after as many seconds as the request says.
fn slow() -> Scripted {
    Scripted::default().once(|_, request| {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(request.number)).await;
            Ok(request.into())
        })
    })
}

fn spawn(
    echo: &EchoClient,
    seconds: u64,
) -> tokio::task::JoinHandle<Result<u64, trunkline::Status>> {
    let call = echo.once(crate::handlers::number(seconds)).owned();
    tokio::spawn(async move { Ok(call.await?.number) })
}

#[tokio::test(start_paused = true)]
async fn calls_finish_within_the_grace_and_the_rest_is_cancelled() {
    let world = World::memory(scripted(slow()));
    let echo = world.echo();
    let calls = [1, 2, 3, 60, 90].map(|seconds| spawn(&echo, seconds));
    tokio::time::sleep(SECOND / 2).await;
    let started = now();
    let report = soon(world.channel.close(5 * SECOND)).await;
    let took = now() - started;
    assert!(
        (5 * SECOND..=5 * SECOND + SLACK).contains(&took),
        "{took:?}"
    );
    assert_eq!((report.completed, report.cancelled), (3, 2), "{report:?}");
    assert!(
        report.elapsed >= 5 * SECOND && report.elapsed <= took,
        "{report:?}"
    );
    for (call, seconds) in calls.into_iter().zip([1, 2, 3, 60, 90]) {
        let result = soon(call).await.unwrap();
        if seconds < 5 {
            assert_eq!(result.unwrap(), seconds);
        } else {
            let cut = result.unwrap_err();
            assert_eq!(cut.code(), Code::Cancelled, "{cut}");
            assert!(cut.to_string().contains("closed"), "{cut}");
            assert!(cut.to_string().contains("grace"), "{cut}");
            assert!(!cut.is_unprocessed(), "{cut}");
        }
    }
    world
        .until("its handlers are dropped", |stats| {
            stats.rpcs_cancelled == 2
        })
        .await;
    drop(echo);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn new_calls_and_those_that_wait_fail_and_say_why_on_every_clone() {
    let mut config = trunkline::transport::http2::ServerConfig::default();
    config.max_concurrent_streams = 1;
    let server = scripted(slow()).http2(config);
    let world = World::memory_with(server, |channel| channel.max_connections(1));
    let clone = world.channel.clone();
    let echo = world.echo();
    let running = spawn(&echo, 2);
    tokio::time::sleep(SECOND / 2).await;
    let queued = spawn(&echo, 1);
    tokio::time::sleep(SECOND / 2).await;
    let closing = tokio::spawn({
        let channel = world.channel.clone();
        async move { channel.close(30 * SECOND).await }
    });
    assert_eq!(soon(clone.changed(clone.state())).await, Shutdown);
    let waited = soon(queued).await.unwrap().unwrap_err();
    let refused = soon(echo.once(note("x")).wait_for_ready(true))
        .await
        .unwrap_err();
    for status in [waited, refused, clone.connect().unwrap_err()] {
        assert_eq!(status.code(), Code::Cancelled, "{status}");
        assert_eq!(status.origin(), Origin::Local, "{status}");
        assert!(status.is_unprocessed(), "{status}");
        let text = status.to_string();
        assert!(
            text.contains("the channel to memory:world was closed"),
            "{text}"
        );
    }
    assert_eq!(soon(running).await.unwrap().unwrap(), 2, "it goes on");
    let report = soon(closing).await.unwrap();
    assert_eq!((report.completed, report.cancelled), (1, 0), "{report:?}");
    assert!(
        report.elapsed < 2 * SECOND,
        "not the whole grace: {report:?}"
    );
    assert_eq!(world.stats().connections_accepted, 1);
    drop((echo, clone));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_finish_within_the_grace() {
    let world = World::memory(plain());
    let echo = world.echo();
    let (mut sender, mut receiver) = soon(echo.chat()).await.unwrap();
    sender.send(&note("before")).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some(note("before")));
    let closing = tokio::spawn({
        let channel = world.channel.clone();
        async move { channel.close(30 * SECOND).await }
    });
    tokio::time::sleep(SECOND).await;
    sender.send(&note("after")).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some(note("after")));
    sender.finish();
    assert_eq!(soon(receiver.recv()).await.unwrap(), None);
    let report = soon(closing).await.unwrap();
    assert_eq!((report.completed, report.cancelled), (1, 0), "{report:?}");
    drop((receiver, echo));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn closing_twice_takes_the_shorter_grace_and_gives_the_same_report() {
    let world = World::memory(scripted(slow()));
    let call = spawn(&world.echo(), 500);
    tokio::time::sleep(SECOND).await;
    let long = {
        let channel = world.channel.clone();
        tokio::spawn(async move { channel.close(400 * SECOND).await })
    };
    tokio::time::sleep(SECOND).await;
    let short = soon(world.channel.close(SECOND)).await;
    assert_eq!(soon(long).await.unwrap(), short);
    assert_eq!((short.completed, short.cancelled), (0, 1));
    assert_eq!(soon(world.channel.close(Duration::ZERO)).await, short);
    assert_eq!(
        soon(call).await.unwrap().unwrap_err().code(),
        Code::Cancelled
    );
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_close_goes_on_though_its_caller_left() {
    let world = World::memory(scripted(slow()));
    let call = spawn(&world.echo(), 500);
    tokio::time::sleep(SECOND).await;
    let left = tokio::time::timeout(SECOND / 10, world.channel.close(SECOND)).await;
    assert!(left.is_err());
    let cut = soon(call).await.unwrap().unwrap_err();
    assert_eq!(cut.code(), Code::Cancelled, "{cut}");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_channel_is_closed_at_once() {
    let unused = Channel::insecure("127.0.0.1:1").unwrap();
    let report = soon(unused.close(60 * SECOND)).await;
    assert_eq!((report.completed, report.cancelled), (0, 0));
    assert_eq!(unused.state(), Shutdown);
    let refused = soon(EchoClient::new(unused).once(note("x")))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Cancelled, "{refused}");

    let world = World::memory(plain());
    soon(world.echo().once(note("x"))).await.unwrap();
    let report = soon(world.channel.close(60 * SECOND)).await;
    assert_eq!((report.completed, report.cancelled), (0, 0));
    assert!(report.elapsed < SECOND, "{report:?}");
    world.end().await;
}

/// A server that takes nothing and answers nothing does not hold a close up.
#[tokio::test(start_paused = true)]
async fn a_mute_server_does_not_hold_it_up() {
    let (mut server, builder) = RawServer::builder("mute");
    let channel = builder.build().unwrap();
    let echo = EchoClient::new(channel.clone());
    let call = tokio::spawn(echo.once(note("x")).owned().into_future());
    let mut peer = server.accept().await;
    peer.acknowledges = false;
    peer.expect_end(1).await;
    let started = now();
    let report = soon(channel.close(SECOND)).await;
    assert!(now() - started <= SECOND + SLACK);
    assert_eq!(report.cancelled, 1);
    assert_eq!(
        soon(call).await.unwrap().unwrap_err().code(),
        Code::Cancelled
    );
    peer.expect_close().await;

    // The same while it connects: nothing was promised yet.
    let (mut server, builder) = RawServer::builder("silent");
    let channel = builder.build().unwrap();
    let echo = EchoClient::new(channel.clone());
    let call = tokio::spawn(echo.once(note("x")).owned().into_future());
    let _socket = server.accept_io().await;
    let report = soon(channel.close(60 * SECOND)).await;
    assert!(report.elapsed < SECOND, "{report:?}");
    let refused = soon(call).await.unwrap().unwrap_err();
    assert!(refused.to_string().contains("was closed"), "{refused}");
}

/// The runtime that carried the connections is gone; the channel is closed from another one, and
/// outside of any.
#[test]
fn a_channel_that_outlived_its_runtime_can_be_closed() {
    let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let (channel, other) = first.block_on(async {
        let world = World::memory(plain());
        soon(world.echo().once(note("x"))).await.unwrap();
        (world.channel.clone(), world.channel.clone())
    });
    drop(first);
    assert_eq!(channel.state(), Idle);
    let report = runtime().block_on(soon(channel.close(60 * SECOND)));
    assert_eq!((report.completed, report.cancelled), (0, 0));
    assert!(report.elapsed < SECOND, "{report:?}");
    assert_eq!(other.state(), Shutdown);

    let unused = Channel::insecure("127.0.0.1:1").unwrap();
    let mut closing = std::pin::pin!(unused.close(SECOND));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(closing.as_mut().poll(&mut cx).is_ready());
    assert_eq!(unused.state(), Shutdown);
}
