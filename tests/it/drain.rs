//! A stop ends within its bound whatever the peers do, lets finish what can finish, and reports
//! what it did with the rest.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use trunkline::server::StopReport;
use trunkline::transport::http2::{Engine, ServerConfig};
use trunkline::transport::{Address, Connector, memory, now};
use trunkline::{Channel, Code, Origin, Response};
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::{Scripted, bytes, note, number, plain, scripted, telling};
use crate::support::{PREFACE, Wire, framed, last_data, raw, request, settings, window};
use crate::world::{World, soon};

const SECOND: Duration = Duration::from_secs(1);

/// On real time: ten times as wide as the 200 ms that a stop may take after its grace.
const SLACK: Duration = Duration::from_secs(2);

/// Takes `number` seconds, streams without end, or holds, as asked.
fn busy() -> Scripted {
    Scripted::default()
        .once(|_, request| {
            Box::pin(async move {
                tokio::time::sleep(request.number as u32 * SECOND / 10).await;
                Ok(Response::new(request))
            })
        })
        .expand(|_, _, mut responses| {
            Box::pin(async move {
                loop {
                    responses.send(&bytes(16 * 1024)).await?;
                }
            })
        })
        .chat(|_, mut requests, mut responses| {
            Box::pin(async move {
                while let Some(each) = requests.recv().await? {
                    responses.send(&each).await?;
                }
                Ok(())
            })
        })
}

#[tokio::test(start_paused = true)]
async fn an_idle_server_stops_at_once() {
    let world = World::memory(plain());
    let echo = world.echo();
    echo.once(note("x")).await.unwrap();
    let report = world.handle.graceful_stop(60 * SECOND).await;
    assert!(report.elapsed < SECOND, "{report:?}");
    assert_eq!(
        (report.connections_closed, report.connections_aborted),
        (1, 0),
        "{report:?}"
    );
    assert_eq!(
        (report.trailers, report.reset, report.unfinished),
        (0, 0, 0),
        "{report:?}"
    );

    let refused = echo.once(note("x")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(refused.is_unprocessed(), "{refused:?}");
    // Stopping what is stopped is no work.
    let again = world.handle.graceful_stop(60 * SECOND).await;
    assert_eq!((again.completed, again.unfinished), (0, 0), "{again:?}");
    drop(echo);
    world.end().await;
}

/// Calls that end within the grace end well, and the stop does not wait longer than they take.
#[tokio::test(start_paused = true)]
async fn running_calls_finish_within_the_grace() {
    let world = World::memory(scripted(busy()));
    let echo = world.echo();
    let mut calls = JoinSet::new();
    for tenths in 1..=20 {
        calls.spawn(echo.once(number(tenths)).owned());
    }
    let (mut sender, mut receiver) = echo.chat().await.unwrap();
    world
        .until("all have begun", |stats| stats.live_rpcs == 21)
        .await;
    let stopping = tokio::spawn({
        let handle = world.handle.clone();
        async move { handle.graceful_stop(60 * SECOND).await }
    });
    // An open stream goes on in both directions while the server drains.
    tokio::time::sleep(SECOND).await;
    sender.send(&note("still")).await.unwrap();
    assert_eq!(receiver.recv().await.unwrap(), Some(note("still")));
    sender.finish();
    assert_eq!(receiver.recv().await.unwrap(), None);
    while let Some(call) = calls.join_next().await {
        call.unwrap().unwrap();
    }
    let report = stopping.await.unwrap();
    assert_eq!(report.completed, 21, "{report:?}");
    assert_eq!(
        (report.trailers, report.reset, report.connections_aborted),
        (0, 0, 0),
        "{report:?}"
    );
    assert!(report.elapsed < 5 * SECOND, "{report:?}");
    drop((receiver, echo));
    world.end().await;
}

/// What is left when the grace is over hears UNAVAILABLE, and its handler's guard fires.
#[tokio::test(start_paused = true)]
async fn calls_that_outlast_the_grace_hear_unavailable() {
    let (teller, mut told) = telling();
    let (unary, stream, child) = (teller.clone(), teller.clone(), teller);
    let world = World::memory(scripted(
        Scripted::default()
            .once(move |_, _| {
                let guard = unary.guard("once");
                Box::pin(async move {
                    let _guard = guard;
                    std::future::pending().await
                })
            })
            .expand(move |cx, _, mut responses| {
                let (guard, child) = (stream.guard("expand"), child.guard("child"));
                cx.spawn(async move {
                    let _child = child;
                    std::future::pending().await
                });
                Box::pin(async move {
                    let _guard = guard;
                    responses.send(&note("first")).await?;
                    std::future::pending().await
                })
            }),
    ));
    let echo = world.echo();
    let call = tokio::spawn(echo.once(note("x")).owned());
    let mut notes = echo.expand(note("x")).await.unwrap();
    assert_eq!(notes.recv().await.unwrap(), Some(note("first")));
    world
        .until("both have begun", |stats| stats.live_rpcs == 2)
        .await;

    let started = now();
    let report = world.handle.graceful_stop(2 * SECOND).await;
    let took = now() - started;
    assert!(
        (2 * SECOND..2 * SECOND + SECOND / 5).contains(&took),
        "{took:?}"
    );
    assert_eq!(report.elapsed, took);
    assert_eq!((report.trailers, report.reset), (2, 0), "{report:?}");
    assert_eq!((report.completed, report.unfinished), (0, 0), "{report:?}");
    for status in [
        call.await.unwrap().unwrap_err(),
        notes.recv().await.unwrap_err(),
    ] {
        assert_eq!(
            (status.code(), status.origin()),
            (Code::Unavailable, Origin::Peer),
            "{status}"
        );
        assert!(status.message().contains("shutting down"), "{status}");
    }
    told.expect_all(["once dropped", "expand dropped", "child dropped"])
        .await;
    drop((notes, echo));
    world.end().await;
}

/// Everything that could hold a stop up, at once: a socket that says nothing, half of a
/// handshake, a client that never reads, a stream that nobody ends - beside calls that go well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_keeps_its_bound_whatever_the_peers_do() {
    const GRACE: Duration = Duration::from_millis(500);
    let world = World::tcp(scripted(busy())).await;
    let address = world.address.to_string();

    let mute = TcpStream::connect(&address).await.unwrap();
    let mut half = TcpStream::connect(&address).await.unwrap();
    half.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    let mut preface = TcpStream::connect(&address).await.unwrap();
    // The preface and empty SETTINGS, and then neither an ack nor a PING's answer, ever.
    preface
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let unread = EchoClient::new(Channel::insecure(&address).unwrap());
    let never_read = soon(unread.expand(note("x"))).await.unwrap();
    let idle = world.echo();
    let (mut sender, mut receiver) = soon(idle.chat()).await.unwrap();
    soon(sender.send(&note("open"))).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some(note("open")));
    let normal = EchoClient::new(Channel::insecure(&address).unwrap());
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        calls.spawn(normal.once(number(1)).owned());
    }
    world
        .until("all have begun", |stats| stats.live_rpcs == 22)
        .await;
    world
        .until("all are connected", |stats| stats.live_connections == 6)
        .await;

    let report: StopReport = soon(world.handle.graceful_stop(GRACE)).await;
    assert!(report.elapsed < GRACE + SLACK, "{report:?}");
    while let Some(call) = soon(calls.join_next()).await {
        call.unwrap().unwrap();
    }
    assert_eq!(report.completed, 20, "{report:?}");
    assert_eq!(report.trailers + report.reset, 2, "{report:?}");
    assert_eq!(report.unfinished, 0, "{report:?}");
    assert_eq!(
        report.connections_closed + report.connections_aborted,
        6,
        "{report:?}"
    );
    assert!(
        report.connections_aborted >= 2,
        "those in their handshake: {report:?}"
    );
    let stats = world.stats();
    assert_eq!(
        stats.live_connections + stats.live_rpcs + stats.live_listeners,
        0,
        "{stats:?}"
    );

    // The sockets are closed, not forgotten.
    for mut socket in [mute, half, preface] {
        let mut rest = Vec::new();
        let _ = soon(socket.read_to_end(&mut rest)).await;
    }
    let cut = soon(receiver.recv()).await.unwrap_err();
    assert_eq!(cut.code(), Code::Unavailable, "{cut}");
    let refused = soon(normal.once(number(0))).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(
        TcpStream::connect(&address).await.is_err(),
        "nobody listens any more"
    );
    drop((sender, receiver, never_read, unread, idle, normal));
    world.end().await;
}

/// All of its answer is written, or waits in the output, when the stop begins: its path is slow, and it still says now
/// and then what it has taken. On our own engine: the h2 crate drops what its peer did not take by then.
#[tokio::test(start_paused = true)]
async fn a_slow_client_gets_its_whole_answer_from_a_server_that_stops() {
    const LENGTH: usize = 200_000;
    let mut config = ServerConfig::default();
    config.engine = Engine::Native;
    let answering =
        Scripted::default().once(|_, _| Box::pin(async { Ok(Response::new(bytes(LENGTH))) }));
    let (connector, listener) = memory::pair("slow");
    let server = scripted(answering).http2(config).listen(listener).unwrap();
    let (handle, serving) = (server.handle(), tokio::spawn(server.serve()));
    let address = Address::Memory("slow".into());
    let mut io = connector.connect(&address).await.unwrap();
    let question = [
        settings(&[(4, (1 << 31) - 1)]),
        raw(4, 1, 0, &[]),
        window(0, 1 << 30),
        request(1, "/tests.echo.Echo/Once").into(),
        last_data(1, framed([])),
    ];
    io.write_all(PREFACE).await.unwrap();
    io.write_all(&Wire::from(question).0).await.unwrap();
    tokio::time::sleep(SECOND / 10).await;
    let stopping = tokio::spawn(async move { handle.graceful_stop(600 * SECOND).await });
    let (mut read, mut some) = (Vec::new(), vec![0; 8_000]);
    loop {
        tokio::time::sleep(SECOND / 2).await;
        match io.read(&mut some).await {
            Ok(0) => break,
            Ok(length) => read.extend_from_slice(&some[..length]),
            Err(error) => panic!("after {}: {error}", read.len()),
        }
        // While it reads it is heard.
        io.write_all(&window(0, 1).0).await.unwrap();
    }
    // The answer, its head, its trailers, and the goodbyes.
    assert!(read.len() > LENGTH + 100, "{}", read.len());
    drop(io);
    let report = soon(stopping).await.unwrap();
    assert_eq!(
        (report.connections_closed, report.cut_short()),
        (1, 0),
        "{report:?}"
    );
    soon(serving).await.unwrap().unwrap();
}

/// No grace at all: the same, at once.
#[tokio::test(start_paused = true)]
async fn a_stop_without_grace_cuts_everything() {
    let world = World::memory(scripted(busy()));
    let echo = world.echo();
    let (mut sender, mut receiver) = echo.chat().await.unwrap();
    sender.send(&note("open")).await.unwrap();
    receiver.recv().await.unwrap();
    let report = world.handle.graceful_stop(Duration::ZERO).await;
    assert!(report.elapsed <= SECOND / 5, "{report:?}");
    assert_eq!(
        (report.completed, report.trailers + report.reset),
        (0, 1),
        "{report:?}"
    );
    assert_eq!(receiver.recv().await.unwrap_err().code(), Code::Unavailable);
    drop((sender, receiver, echo));
    world.end().await;
}

/// Two who stop the same server: the shorter grace counts.
#[tokio::test(start_paused = true)]
async fn the_shorter_grace_counts() {
    let world = World::memory(scripted(busy()));
    let echo = world.echo();
    let (sender, mut receiver) = echo.chat().await.unwrap();
    world
        .until("it has begun", |stats| stats.live_rpcs == 1)
        .await;
    let started = now();
    let (patient, hasty) = tokio::join!(
        world.handle.graceful_stop(3600 * SECOND),
        world.handle.graceful_stop(SECOND),
    );
    assert!(now() - started < 2 * SECOND, "{patient:?} {hasty:?}");
    assert_eq!(receiver.recv().await.unwrap_err().code(), Code::Unavailable);
    drop((sender, receiver, echo));
    world.end().await;
}

/// A reset would tell the client CANCELLED, as if it had given the call up itself.
#[tokio::test(start_paused = true)]
async fn a_stop_with_a_full_window_is_unavailable_to_its_client() {
    let world = World::memory(scripted(busy()));
    let echo = world.echo();
    let mut unread = echo.expand(number(1)).await.unwrap();
    // The handler sends until the window is full.
    tokio::time::sleep(SECOND).await;
    let report = world.handle.graceful_stop(Duration::ZERO).await;
    assert_eq!((report.trailers, report.reset), (0, 1), "{report:?}");
    let ended = loop {
        match unread.recv().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("no clean end"),
            Err(status) => break status,
        }
    };
    assert_eq!(ended.code(), Code::Unavailable, "{ended}");
    drop((unread, echo));
    world.end().await;
}
