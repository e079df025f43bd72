//! RPCs that end before, beside or after their handler.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use trunkline_core::{Code, Status};
use trunkline_transport::http2::ServerConfig;
use trunkline_transport::stream::RecvHalf;

use crate::service::{CALL, CHAT, COLLECT, LIST};
use crate::support::{
    How, World, all, assert_status, connect, only, single, try_single, within, world, world_with,
};

const SECOND: Duration = Duration::from_secs(1);

/// A call of each kind whose handler never ends by itself.
async fn stalled(world: &World, kind: &str, how: &How) -> RecvHalf<Bytes> {
    let responses = match kind {
        "unary" => world.single(CALL, "wait", how),
        "list" => world.single(LIST, "wait", how),
        "collect" => keep(world.streaming(COLLECT, how)),
        _ => keep(world.streaming(CHAT, how)),
    };
    world.until(|stats| stats.live_rpcs == 1).await;
    responses
}

/// The responses alone; the sender lives on, unfinished, until the call has ended.
fn keep<S: Send + 'static>((requests, responses): (S, RecvHalf<Bytes>)) -> RecvHalf<Bytes> {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(requests);
    });
    responses
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_every_kind_and_drops_its_handler() {
    let world = world().await;
    for (n, kind) in ["unary", "list", "collect", "chat"].into_iter().enumerate() {
        let started = Instant::now();
        let mut responses = stalled(&world, kind, &within(3 * SECOND)).await;
        let (messages, end) = all(&mut responses).await;
        assert_eq!(messages.len(), if kind == "list" { 3 } else { 0 }, "{kind}");
        assert_status(end, Code::DeadlineExceeded, "deadline passed");
        let took = started.elapsed();
        assert!(
            took >= 3 * SECOND && took < 3 * SECOND + SECOND / 20,
            "{kind} {took:?}"
        );
        let stats = world
            .until(|stats| stats.live_rpcs + stats.live_children == 0)
            .await;
        let ended = (stats.rpcs_deadline_exceeded, stats.rpcs_cancelled);
        assert_eq!(ended, (n as u64 + 1, 0), "{kind}");
    }
    assert_eq!(world.state.gone(), 5, "four handlers and a child");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_servers_maximum_bounds_what_clients_allow() {
    for how in [within(3600 * SECOND), How::default()] {
        let world = world_with(1, |builder| builder.max_timeout(2 * SECOND)).await;
        let started = Instant::now();
        let mut responses = stalled(&world, "unary", &how).await;
        assert_status(responses.recv().await, Code::DeadlineExceeded, "");
        assert!(started.elapsed() < 3 * SECOND);
        world.end().await;
    }
}

/// In real time: a paused clock moves on only when nobody has anything to do.
#[tokio::test]
async fn a_handler_that_never_pauses_ends_with_its_deadline() {
    let world = world_with(1, |builder| builder.max_timeout(SECOND / 10)).await;
    assert_status(world.call("busy").await, Code::DeadlineExceeded, "");
    assert_eq!(world.state.gone(), 1, "dropped by then");
    world.end().await;
}

#[tokio::test]
async fn a_handler_that_never_pauses_ends_with_its_failed_child() {
    let world = world().await;
    let started = Instant::now();
    assert_status(
        world.call("busy child fails").await,
        Code::Aborted,
        "the child failed",
    );
    assert!(started.elapsed() < 5 * SECOND, "before the handler did");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_with_a_full_window_is_told_of_the_servers_deadline() {
    let world = world_with(1, |builder| builder.max_timeout(SECOND)).await;
    // One that has half-closed, and one that has not.
    let mut list = world.single(LIST, "flood", &How::default());
    let (mut requests, mut chat) = world.streaming(CHAT, &How::default());
    let message = Bytes::from(vec![0; 16 * 1024]);
    tokio::spawn(async move { while requests.send(&message).await.is_ok() {} });
    let stats = world
        .until(|stats| stats.live_rpcs + stats.live_children == 0 && stats.rpcs_started == 2)
        .await;
    assert_eq!(stats.rpcs_deadline_exceeded, 2);
    assert_eq!(world.state.gone(), 3, "without waiting for their clients");
    for responses in [&mut list, &mut chat] {
        let (messages, end) = all(responses).await;
        assert!(messages.len() > 1, "a window full");
        assert_status(end, Code::DeadlineExceeded, "deadline passed");
    }
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_late_stream_that_nobody_reads_lasts_until_a_reset_or_the_stop() {
    let mut config = ServerConfig::default();
    config.max_concurrent_streams = 1;
    let world = world_with(1, |builder| builder.http2(config).max_timeout(SECOND)).await;
    for n in 1..=3 {
        let mut list = world.single(LIST, "flood", &How::default());
        let stats = world.until(|stats| stats.rpcs_deadline_exceeded == n).await;
        assert_eq!((stats.live_rpcs, world.state.gone() as u64), (0, n));
        tokio::time::sleep(60 * SECOND).await;
        assert!(world.client.try_permit().is_none(), "it keeps its place");
        if n < 3 {
            list.fail(Status::cancelled("by the test"));
            drop(list);
            tokio::time::sleep(SECOND).await;
            continue;
        }
        let report = world.handle.graceful_stop(5 * SECOND).await;
        assert_eq!(report.connections_aborted, 1, "{report:?}");
        assert!(report.elapsed < 6 * SECOND, "{report:?}");
    }
    world.serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_reset_drops_the_handler_of_every_kind() {
    let world = world().await;
    for (n, kind) in ["unary", "list", "collect", "chat"].into_iter().enumerate() {
        let mut responses = stalled(&world, kind, &How::default()).await;
        responses.fail(Status::cancelled("by the test"));
        let stats = world
            .until(|stats| stats.live_rpcs + stats.live_children == 0)
            .await;
        let ended = (stats.rpcs_cancelled, stats.rpcs_deadline_exceeded);
        assert_eq!(ended, (n as u64 + 1, 0), "{kind}");
    }
    assert_eq!(world.state.gone(), 5);
    assert_eq!(world.call("fine").await.unwrap(), "fine");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_that_comes_with_the_deadline_counts_as_the_deadline() {
    let world = world().await;
    for n in 1..=20 {
        let mut responses = stalled(&world, "unary", &within(SECOND)).await;
        responses.fail(Status::cancelled("by the test"));
        tokio::time::advance(SECOND).await;
        let stats = world.until(|stats| stats.live_rpcs == 0).await;
        let ended = (stats.rpcs_deadline_exceeded, stats.rpcs_cancelled);
        assert_eq!(ended, (n, 0));
    }
    world.end().await;
}

#[tokio::test]
async fn a_lost_connection_drops_its_handlers() {
    let world = world().await;
    let io = {
        use trunkline_transport::{Address, Connector};
        let address = Address::Memory("test".into());
        world.connector.connect(&address).await.unwrap()
    };
    let (client, connection) = h2::client::handshake(io).await.unwrap();
    let driver = tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    for _ in 0..10 {
        let request = http::Request::post(format!("http://test{CALL}"))
            .header("content-type", "application/grpc")
            .body(())
            .unwrap();
        let (response, mut body) = client.send_request(request, false).unwrap();
        body.send_data(crate::support::frame(b"wait"), true)
            .unwrap();
        tokio::spawn(response);
    }
    world.until(|stats| stats.live_rpcs == 10).await;
    driver.abort();
    let stats = world.until(|stats| stats.live_rpcs == 0).await;
    assert_eq!((stats.rpcs_cancelled, stats.rpcs_stopped), (10, 0));
    assert_eq!(world.state.gone(), 10);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn cancelled_gives_the_handler_one_more_turn() {
    let world = world().await;
    for (n, how) in [How::default(), within(SECOND)].into_iter().enumerate() {
        let mut responses = world.single(CALL, "watch", &how);
        world.until(|stats| stats.live_rpcs == 1).await;
        if how.timeout.is_none() {
            responses.fail(Status::cancelled("by the test"));
        }
        world
            .until(|stats| stats.rpcs_cancelled + stats.rpcs_deadline_exceeded == n as u64 + 1)
            .await;
    }
    let seen = &world.state.saw_cancel;
    assert_eq!(seen.load(Ordering::SeqCst), 2);
    assert_eq!(world.state.gone(), 2, "and then it is dropped");
    world.end().await;
}

#[tokio::test]
async fn a_panic_is_internal_for_its_call_alone() {
    let world = world().await;
    let neighbours: Vec<_> = (0..50)
        .map(|_| world.single(CALL, "wait", &How::default()))
        .collect();
    world.until(|stats| stats.live_rpcs == 50).await;
    for (panics, path, message, before) in [
        (1, CALL, "panic", 0),
        (2, CALL, "panic later", 0),
        (3, CALL, "child panics", 0),
        (4, LIST, "panic", 0),
        (5, LIST, "panic after", 3),
    ] {
        let (messages, end) = all(&mut world.single(path, message, &How::default())).await;
        assert_eq!(messages.len(), before, "{path} {message}");
        let status = end.unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{status}");
        assert_eq!(
            status.message(),
            "handler panicked",
            "nothing of the panic's own text"
        );
        let stats = world.until(|stats| stats.rpcs_panicked == panics).await;
        assert_eq!(stats.live_rpcs, 50, "{path} {message}");
    }
    assert_eq!(world.call("fine").await.unwrap(), "fine");
    drop(neighbours);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_rpc_lasts_as_long_as_its_children() {
    let world = world().await;
    let started = Instant::now();
    assert_eq!(world.call("child slow").await.unwrap(), "child slow");
    assert!(started.elapsed() >= 5 * SECOND);
    assert_eq!(world.state.gone(), 2);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_first_aborts_the_rest() {
    for (message, code, text, seconds) in [
        ("child fails", Code::Aborted, "the child failed", 0),
        ("child fails after", Code::Aborted, "the child failed", 1),
        ("child panics", Code::Internal, "handler panicked", 0),
        ("child and error", Code::NotFound, "the handler failed", 0),
    ] {
        let world = world().await;
        let started = Instant::now();
        assert_status(world.call(message).await, code, text);
        assert!(started.elapsed() < (seconds + 1) * SECOND, "{message}");
        world.until(|stats| stats.live_children == 0).await;
        assert!(
            started.elapsed() < (seconds + 1) * SECOND,
            "{message}: the others are aborted"
        );
        assert_eq!(
            world.state.gone(),
            2,
            "{message}: the handler and the slow child"
        );
        world.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_and_a_reset_bound_children_too() {
    let world = world().await;
    let started = Instant::now();
    let mut responses = world.single(CALL, "child forever", &within(SECOND));
    assert_status(responses.recv().await, Code::DeadlineExceeded, "");
    assert!(started.elapsed() < 2 * SECOND);
    world.until(|stats| stats.live_children == 0).await;

    let mut responses = world.single(CALL, "child forever", &How::default());
    world.until(|stats| stats.live_children == 1).await;
    responses.fail(Status::cancelled("by the test"));
    world
        .until(|stats| stats.live_children + stats.live_rpcs == 0)
        .await;
    assert_eq!(world.state.gone(), 6);
    world.end().await;
}

#[tokio::test]
async fn an_upload_that_was_not_finished_is_never_complete() {
    let world = world().await;
    let (mut requests, mut responses) = world.streaming(COLLECT, &How::default());
    requests
        .send(&Bytes::from_static(b"half of it"))
        .await
        .unwrap();
    world.state.waiting.notified().await;
    drop(requests);
    assert_status(responses.recv().await, Code::Cancelled, "");
    let stats = world.until(|stats| stats.live_rpcs == 0).await;
    assert_eq!((stats.rpcs_completed, stats.rpcs_cancelled), (0, 1));
    world.end().await;
}

#[tokio::test]
async fn many_calls_answered_and_cancelled_leave_nothing() {
    let world = world().await;
    for _ in 0..500 {
        let mut one = world.single(CALL, "wait", &How::default());
        let mut other = world.single(LIST, "three", &How::default());
        assert_eq!(other.recv().await.unwrap().unwrap(), "one");
        one.fail(Status::cancelled("by the test"));
        drop(other);
        assert_eq!(world.call("x").await.unwrap(), "x");
    }
    let stats = world.until(|stats| stats.live_rpcs == 0).await;
    assert_eq!(stats.rpcs_started, world.state.gone() as u64);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_opened_and_reset_do_not_pile_up_handlers() {
    let world = world_with(1, |builder| {
        let mut config = ServerConfig::default();
        config.max_concurrent_streams = 10;
        // Nobody hangs up on this client for its haste, which the native engine would.
        config.defence.resets = u32::MAX;
        builder.http2(config)
    })
    .await;
    for round in 1..=500 {
        // Half of what is allowed: their resets and the next round fit beside each other, once the resets of the round
        // before are written.
        while world.client.usage().in_use > 5 {
            tokio::task::yield_now().await;
        }
        let calls: Vec<_> = (0..5)
            .map(|_| world.single(CALL, "wait", &How::default()))
            .collect();
        world.until(|stats| stats.rpcs_started == round * 5).await;
        drop(calls);
    }
    let stats = world.until(|stats| stats.live_rpcs == 0).await;
    assert_eq!((stats.requests_rejected, stats.rpcs_cancelled), (0, 2_500));
    let peak = world.state.peak.load(Ordering::SeqCst);
    assert!((5..=20).contains(&peak), "{peak} handlers at once");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_resets_faster_than_it_can_be_served_is_cut_off() {
    let world = world().await;
    for _ in 0..20_000 {
        if world.client.usage().in_use >= 200 {
            tokio::task::yield_now().await;
            continue;
        }
        match try_single(&world.client, CALL, b"wait", &How::default()) {
            Ok(mut one) => one.fail(Status::cancelled("by the test")),
            Err(status) => {
                // HTTP/2's own answer is the end of the connection.
                assert_eq!(status.code(), Code::Unavailable, "{status}");
                break;
            }
        }
    }
    world.until(|stats| stats.live_rpcs == 0).await;
    let other = connect(&world.connector).await;
    let mut responses = single(&other, CALL, b"fine", &How::default());
    assert_eq!(only(&mut responses).await.unwrap(), "fine");
    drop((responses, other));
    world.end().await;
}
