//! Stops, with every kind of client that could hold one up.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use trunkline_core::Code;
use trunkline_transport::http2::Engine;
use trunkline_transport::{Address, BoxIo, Connector};

use crate::service::{CALL, CHAT, LIST};
use crate::support::{How, World, all, assert_quiet, assert_status, only, until, world};

const GRACE: Duration = Duration::from_secs(2);
const BOUND: Duration = Duration::from_millis(2_200);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A client that speaks the least HTTP/2 there is: it sends a preface, and reads frames.
async fn raw(world: &World) -> BoxIo {
    let mut io = world
        .connector
        .connect(&Address::Memory("test".into()))
        .await
        .unwrap();
    io.write_all(PREFACE).await.unwrap();
    io
}

/// Type and payload of the next frame, or `None` at the end.
async fn frame(io: &mut BoxIo) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 9];
    io.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    io.read_exact(&mut payload).await.ok()?;
    Some((head[3], payload))
}

async fn assert_stopped(world: World) {
    world.serving.await.unwrap().unwrap();
    until(&world.handle, |stats| stats.live_rpcs == 0).await;
    assert_quiet(&world.handle.stats());
}

#[tokio::test(start_paused = true)]
async fn an_idle_server_stops_at_once() {
    let world = world().await;
    assert_eq!(world.call("x").await.unwrap(), "x");
    let report = world.handle.graceful_stop(GRACE).await;
    assert!(report.elapsed < Duration::from_millis(50), "{report:?}");
    assert_eq!(
        (report.connections_closed, report.connections_aborted),
        (1, 0)
    );
    assert!(!world.client.is_open() || world.client.closed().await.code() == Code::Unavailable);
    assert_stopped(world).await;
}

#[tokio::test(start_paused = true)]
async fn a_socket_without_a_preface_is_closed_at_once() {
    let world = world().await;
    let address = Address::Memory("test".into());
    let mut silent = world.connector.connect(&address).await.unwrap();
    let mut partial = world.connector.connect(&address).await.unwrap();
    partial.write_all(&PREFACE[..10]).await.unwrap();
    world.until(|stats| stats.live_connections == 3).await;
    let report = world.handle.graceful_stop(GRACE).await;
    assert!(report.elapsed < Duration::from_millis(50), "{report:?}");
    assert_eq!(
        (report.connections_closed, report.connections_aborted),
        (1, 2)
    );
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest).await.unwrap();
    partial.read_to_end(&mut rest).await.unwrap();
    assert_stopped(world).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_is_reset_at_the_end_of_the_grace() {
    let world = world().await;
    let flood = world.single(LIST, "flood", &How::default());
    // It fills the window, and then it waits for more.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let report = world.handle.graceful_stop(GRACE).await;
    assert!(
        report.elapsed >= GRACE && report.elapsed < BOUND,
        "{report:?}"
    );
    assert_eq!((report.trailers, report.reset), (0, 1), "{report:?}");
    drop(flood);
    assert_stopped(world).await;
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_is_never_read_is_cut() {
    let world = world().await;
    let io = world
        .connector
        .connect(&Address::Memory("test".into()))
        .await
        .unwrap();
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(1 << 30)
        .initial_connection_window_size(1 << 30)
        .handshake(io)
        .await
        .unwrap();
    let mut connection = Box::pin(connection);
    let mut client = {
        let ready = client.ready();
        tokio::pin!(ready);
        std::future::poll_fn(|cx| {
            let _ = connection.as_mut().poll(cx);
            ready.as_mut().poll(cx)
        })
        .await
        .unwrap()
    };
    let request = http::Request::post(format!("http://test{LIST}"))
        .header("content-type", "application/grpc")
        .body(())
        .unwrap();
    let (_response, mut body) = client.send_request(request, false).unwrap();
    body.send_data(crate::support::frame(b"flood"), true)
        .unwrap();
    // Sent once, and never polled again.
    std::future::poll_fn(|cx| {
        let _ = connection.as_mut().poll(cx);
        std::task::Poll::Ready(())
    })
    .await;
    world.until(|stats| stats.live_rpcs == 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let report = world.handle.graceful_stop(GRACE).await;
    assert!(
        report.elapsed >= GRACE && report.elapsed < BOUND,
        "{report:?}"
    );
    assert_eq!(report.cut_short(), 1, "{report:?}");
    assert_eq!(report.connections_aborted, 1, "{report:?}");
    assert_stopped(world).await;
    drop((client, connection));
}

#[tokio::test(start_paused = true)]
async fn endless_streams_get_unavailable() {
    let world = world().await;
    let mut list = world.single(LIST, "wait", &How::default());
    let (_requests, mut chat) = world.streaming(CHAT, &How::default());
    let mut unary = world.single(CALL, "wait", &How::default());
    world
        .until(|stats| stats.live_rpcs == 3 && stats.live_children == 1)
        .await;
    let report = world.handle.graceful_stop(GRACE).await;
    assert!(
        report.elapsed >= GRACE && report.elapsed < BOUND,
        "{report:?}"
    );
    assert_eq!(
        (report.completed, report.trailers, report.reset),
        (0, 3, 0),
        "{report:?}"
    );
    assert_eq!((report.cut_short(), world.stats().rpcs_stopped), (3, 3));
    assert_eq!(
        (report.connections_closed, report.connections_aborted),
        (1, 0)
    );
    let (messages, end) = all(&mut list).await;
    assert_eq!(messages.len(), 3);
    assert_status(end, Code::Unavailable, "server is shutting down");
    assert_status(
        chat.recv().await,
        Code::Unavailable,
        "server is shutting down",
    );
    assert_status(
        unary.recv().await,
        Code::Unavailable,
        "server is shutting down",
    );
    assert_stopped(world).await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_end_within_the_grace_end_well() {
    let world = world().await;
    let started = Instant::now();
    let mut calls = Vec::new();
    for _ in 0..20 {
        // The grace is enough for these children, which take five seconds.
        calls.push(world.single(CALL, "child slow", &How::default()));
    }
    world.until(|stats| stats.live_rpcs == 20).await;
    let handle = world.handle.clone();
    let stop = tokio::spawn(async move { handle.graceful_stop(Duration::from_secs(30)).await });
    for call in &mut calls {
        assert_eq!(only(call).await.unwrap(), "child slow");
    }
    let report = stop.await.unwrap();
    assert_eq!(
        (report.completed, report.trailers, report.reset),
        (20, 0, 0)
    );
    assert_eq!(
        (report.connections_closed, report.connections_aborted),
        (1, 0)
    );
    assert!(
        started.elapsed() < Duration::from_secs(6),
        "no longer than they took"
    );
    assert_stopped(world).await;
}

#[tokio::test(start_paused = true)]
async fn goaway_comes_in_two_steps() {
    let world = world().await;
    let mut io = raw(&world).await;
    world.until(|stats| stats.live_connections == 2).await;
    let handle = world.handle.clone();
    let stop = tokio::spawn(async move { handle.graceful_stop(GRACE).await });
    let mut lasts = Vec::new();
    while let Some((kind, payload)) = frame(&mut io).await {
        match kind {
            4 if payload.is_empty() => {}
            4 => io.write_all(b"\0\0\0\x04\x01\0\0\0\0").await.unwrap(),
            6 => {
                let ack = [&b"\0\0\x08\x06\x01\0\0\0\0"[..], &payload[..]].concat();
                io.write_all(&ack).await.unwrap();
            }
            7 => lasts.push(u32::from_be_bytes(payload[..4].try_into().unwrap())),
            _ => {}
        }
    }
    assert_eq!(lasts, [(1 << 31) - 1, 0]);
    let report = stop.await.unwrap();
    assert_eq!(
        (report.connections_closed, report.connections_aborted),
        (2, 0)
    );
    assert_stopped(world).await;
}

#[tokio::test(start_paused = true)]
async fn a_mute_idle_peer_costs_a_second_and_no_more() {
    let world = world().await;
    let mut io = raw(&world).await;
    world.until(|stats| stats.live_connections == 2).await;
    let report = world.handle.graceful_stop(Duration::from_secs(60)).await;
    assert!(report.elapsed < Duration::from_millis(1_400), "{report:?}");
    // On h2 it is cut off; the native engine says the second GOAWAY after a second without the
    // answer to its PING, and closes in order.
    let (closed, aborted) = match Engine::default() {
        Engine::Native => (2, 0),
        _ => (1, 1),
    };
    assert_eq!(
        (report.connections_closed, report.connections_aborted),
        (closed, aborted)
    );
    while frame(&mut io).await.is_some() {}
    assert_stopped(world).await;
}

#[tokio::test(start_paused = true)]
async fn the_stop_goes_on_without_its_caller_and_the_shorter_grace_counts() {
    let world = world().await;
    let mut unary = world.single(CALL, "wait", &How::default());
    world.until(|stats| stats.live_rpcs == 1).await;
    let started = Instant::now();
    let handle = world.handle.clone();
    let long = tokio::spawn(async move { handle.graceful_stop(Duration::from_secs(60)).await });
    tokio::time::sleep(Duration::from_millis(10)).await;
    let stop = world.handle.graceful_stop(GRACE);
    tokio::time::timeout(Duration::from_millis(10), stop)
        .await
        .unwrap_err();
    assert_status(
        unary.recv().await,
        Code::Unavailable,
        "server is shutting down",
    );
    long.await.unwrap();
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
    assert_stopped(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_does_not_hold_up_the_stop() {
    let world = world().await;
    let mut unary = world.single(CALL, "block", &How::default());
    world.until(|stats| stats.live_rpcs == 1).await;
    let report = world.handle.graceful_stop(Duration::from_millis(10)).await;
    assert!(report.elapsed < Duration::from_millis(800), "{report:?}");
    assert_eq!((report.unfinished, report.cut_short()), (1, 1));
    unary.recv().await.unwrap_err();
    assert_stopped(world).await;
}

#[tokio::test]
async fn dropping_serve_ends_everything() {
    let world = world().await;
    let mut unary = world.single(CALL, "wait", &How::default());
    world.until(|stats| stats.live_rpcs == 1).await;
    world.serving.abort();
    assert_status(
        unary.recv().await,
        Code::Unavailable,
        "server is shutting down",
    );
    until(&world.handle, |stats| {
        stats.live_connections + stats.live_rpcs == 0
    })
    .await;
    let stats = until(&world.handle, |stats| stats.live_listeners == 0).await;
    assert_eq!((stats.rpcs_stopped, stats.rpcs_cancelled), (1, 0));
}
