//! At the peer's stream limit calls queue in order, or another connection is opened; what never
//! got a stream never reached the server.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Barrier;
use tokio::task::JoinSet;
use trunkline::client::Receiver;
use trunkline::server::ServerBuilder;
use trunkline::transport::http2::ServerConfig;
use trunkline::{Code, Origin, Stage};
use trunkline_test_protos::echo::{EchoClient, Note};

use crate::handlers::{Scripted, gated, note, number, plain, scripted, telling};
use crate::world::{World, soon};

fn streams(server: ServerBuilder, limit: u32) -> ServerBuilder {
    let mut http2 = ServerConfig::default();
    http2.max_concurrent_streams = limit;
    server.http2(http2)
}

/// A handler that answers once and then holds its stream.
fn holding() -> Scripted {
    Scripted::default().expand(|_, _, mut responses| {
        Box::pin(async move {
            responses.send(&note("held")).await?;
            std::future::pending().await
        })
    })
}

async fn hold(echo: &EchoClient) -> Receiver<Note> {
    let mut held = soon(echo.expand(note("x"))).await.unwrap();
    assert_eq!(soon(held.recv()).await.unwrap(), Some(note("held")));
    held
}

/// With one connection allowed: the deadline of a call that queues says that it queued, and on
/// what; a stream that ends lets the next one through.
#[tokio::test(start_paused = true)]
async fn a_call_queues_on_the_stream_limit_and_says_so() {
    let server = streams(scripted(holding()), 2);
    let world = World::memory_with(server, |channel| channel.max_connections(1));
    let echo = world.echo();
    let held = [hold(&echo).await, hold(&echo).await];

    let late = echo
        .once(note("x"))
        .timeout(Duration::from_secs(1))
        .await
        .unwrap_err();
    assert_eq!(
        (late.code(), late.origin()),
        (Code::DeadlineExceeded, Origin::Local)
    );
    assert_eq!(late.stage(), Some(Stage::Pick), "{late}");
    assert!(late.is_unprocessed());
    let text = late.to_string();
    for word in [
        "stream limit",
        "2 of 2 streams in use",
        "memory:world",
        "max_connections",
    ] {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
    assert_eq!(world.stats().rpcs_started, 2, "it never left");

    let queued = tokio::spawn(echo.once(note("queued")).owned());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!queued.is_finished());
    let [first, second] = held;
    drop(first);
    assert_eq!(queued.await.unwrap().unwrap().text, "queued");
    drop((second, echo));
    world.end().await;
}

/// The call that fills the connection is given up like any other.
#[tokio::test(start_paused = true)]
async fn a_call_that_took_the_last_stream_can_be_cancelled() {
    let (teller, mut told) = telling();
    let server = holding().once(move |_, _| {
        let guard = teller.guard("once");
        Box::pin(async move {
            let _guard = guard;
            std::future::pending().await
        })
    });
    let world = World::memory_with(streams(scripted(server), 1), |c| c.max_connections(1));
    let echo = world.echo();
    drop(hold(&echo).await);
    world.quiet().await;
    let late = echo
        .once(note("x"))
        .timeout(Duration::from_secs(1))
        .await
        .unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
    soon(told.expect("once dropped")).await;
    let call = tokio::spawn(echo.once(note("x")).owned());
    world
        .until("it is there", |stats| stats.live_rpcs == 1)
        .await;
    call.abort();
    soon(told.expect("once dropped")).await;
    drop(echo);
    world.end().await;
}

/// First come, first served; whoever gives up leaves the queue and never reaches the server.
#[tokio::test(start_paused = true)]
async fn the_queue_keeps_its_order() {
    let (teller, mut told) = telling();
    let server = holding().once(move |_, request| {
        teller.say(request.text.as_str());
        Box::pin(async move { Ok(request.into()) })
    });
    let world = World::memory_with(streams(scripted(server), 1), |c| c.max_connections(1));
    let echo = world.echo();
    let held = hold(&echo).await;
    let mut calls = Vec::new();
    for n in 0..10 {
        calls.push(tokio::spawn(echo.once(note(&n.to_string())).owned()));
        // Until it has queued.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for gone in [0, 4, 9] {
        calls[gone].abort();
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    drop(held);
    for expected in ["1", "2", "3", "5", "6", "7", "8"] {
        soon(told.expect(expected)).await;
    }
    for call in calls {
        let _ = soon(call).await;
    }
    assert_eq!(world.stats().rpcs_started, 8);
    drop(echo);
    world.end().await;
}

/// Four connections by default: as many as it takes, one after the other, no more.
#[tokio::test]
async fn more_connections_are_opened_at_the_stream_limit() {
    let world = World::tcp(streams(scripted(holding()), 2)).await;
    let echo = world.echo();
    let mut held = Vec::new();
    for (calls, connections) in [(2, 1), (4, 2), (6, 3), (8, 4)] {
        while held.len() < calls {
            held.push(hold(&echo).await);
        }
        assert_eq!(
            world.stats().connections_accepted,
            connections,
            "for {calls} calls"
        );
    }
    let late = echo.once(note("x")).timeout(Duration::from_millis(200));
    let late = soon(late).await.unwrap_err();
    assert!(
        late.to_string()
            .contains("8 of 8 streams in use on 4 connection(s)"),
        "{late}"
    );
    held.pop();
    assert_eq!(soon(echo.once(note("y"))).await.unwrap().text, "y");
    assert_eq!(world.stats().connections_accepted, 4);
    drop((held, echo));
    world.end().await;
}

/// All at once: a thousand handlers that wait for each other need all four connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_spread_over_four_connections() {
    let world = World::tcp(gated(&Arc::new(Barrier::new(1_000)))).await;
    let echo = world.echo();
    let mut calls = JoinSet::new();
    for n in 0..1_000 {
        calls.spawn(echo.once(number(n)).owned());
    }
    let mut sum = 0;
    while let Some(call) = soon(calls.join_next()).await {
        sum += call.unwrap().unwrap().number;
    }
    assert_eq!(sum, 999 * 1_000 / 2);
    assert_eq!(world.stats().connections_accepted, 4);
    drop(echo);
    world.end().await;
}

/// Below the limit, load alone opens nothing.
#[tokio::test]
async fn one_connection_is_enough_below_the_limit() {
    let world = World::tcp(streams(plain(), 100)).await;
    let echo = world.echo();
    soon(echo.once(number(0))).await.unwrap();
    for _ in 0..10 {
        let mut calls = JoinSet::new();
        for n in 0..100 {
            calls.spawn(echo.once(number(n)).owned());
        }
        while let Some(call) = soon(calls.join_next()).await {
            call.unwrap().unwrap();
        }
    }
    assert_eq!(world.stats().connections_accepted, 1);
    drop(echo);
    world.end().await;
}

/// The server counts too: never more handlers at once than it allows streams.
#[tokio::test(start_paused = true)]
async fn a_limit_of_one_is_kept() {
    let running = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&running);
    let server = Scripted::default().once(move |_, request| {
        let running = Arc::clone(&counted);
        Box::pin(async move {
            let now = running.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            assert_eq!(now, 0, "two at once");
            tokio::time::sleep(Duration::from_millis(10)).await;
            running.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
            Ok(request.into())
        })
    });
    let world = World::memory_with(streams(scripted(server), 1), |c| c.max_connections(1));
    let echo = world.echo();
    let mut calls = JoinSet::new();
    for n in 0..200 {
        calls.spawn(echo.once(number(n)).owned());
    }
    while let Some(call) = calls.join_next().await {
        call.unwrap().unwrap();
    }
    drop(echo);
    world.end().await;
}
