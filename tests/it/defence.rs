//! What the engine written for gRPC bears of its peers: it lets go of what nobody takes, hangs up
//! on who costs too much, and says why.
//!
//! The machine behind it proves each limit by itself; here it is a server's, with sockets, handlers
//! and statuses. Floods are in `hostile`.

use std::time::Duration;

use trunkline::Code;
use trunkline::client::Keepalive;
use trunkline::codegen::prost::Message as _;
use trunkline::server::{ServerBuilder, ServerKeepalive};
use trunkline::transport::http2::{ClientConfig, Engine, ServerConfig};
use trunkline::transport::{Address, Connector as _, memory};
use trunkline_test_protos::echo::Note;

use crate::handlers::{Scripted, bytes, note as plain_note, scripted, telling};
use crate::support::{
    CANCEL, ENHANCE_YOUR_CALM, Event, Heard, INITIAL_WINDOW_SIZE, Peer, Served, Wire, data, framed,
    last_data, note, patient, ping, request, window, within,
};
use crate::world::{World, soon};

const SECOND: Duration = Duration::from_secs(1);

fn native() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.engine = Engine::Native;
    config
}

fn keeping(edit: impl FnOnce(&mut ServerKeepalive)) -> ServerKeepalive {
    let mut keepalive = ServerKeepalive::default();
    keepalive.time = None;
    edit(&mut keepalive);
    keepalive
}

/// For this time.
async fn is_left_in_peace(peer: &mut Peer, time: Duration) {
    let events = peer.listen(time).await;
    assert!(events.is_empty(), "{events:?}");
}

/// gRFC A8: more than two PINGs that come too early.
#[tokio::test(start_paused = true)]
async fn a_client_that_pings_too_often_is_told_so() {
    let keepalive = keeping(|_| {});
    let served = Served::with(|server| server.http2(native()).keepalive(keepalive));
    for with_call in [false, true] {
        let mut peer = served.connect().await;
        if with_call {
            peer.send(request(1, "/tests.echo.Echo/Chat")).await;
        }
        for _ in 0..3 {
            peer.send(ping()).await;
            is_left_in_peace(&mut peer, 60 * SECOND).await;
        }
        peer.send(ping()).await;
        let (_, code, text) = peer.expect_goaway().await;
        assert_eq!((code, &*text), (ENHANCE_YOUR_CALM, "too_many_pings"));
        peer.expect_close().await;
    }
    served
        .until("both to be counted", |stats| {
            stats.connections_expelled == 2
        })
        .await;
    served.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_at_the_pace_that_is_permitted_is_left_in_peace() {
    let often = keeping(|keepalive| {
        keepalive.permit_time = 10 * SECOND;
        keepalive.permit_without_calls = true;
    });
    for (keepalive, pace) in [(often, 10 * SECOND), (keeping(|_| {}), 7_200 * SECOND)] {
        let served = Served::with(|server| server.http2(native()).keepalive(keepalive));
        let mut peer = served.connect().await;
        for _ in 0..50 {
            peer.send(ping()).await;
            is_left_in_peace(&mut peer, pace).await;
        }
        drop(peer);
        served.end().await;
    }
}

/// Our own client hears it, calls on, and asks half as often.
#[tokio::test(start_paused = true)]
async fn a_client_of_ours_asks_less_often_after_it_was_told() {
    let mut on_client = ClientConfig::default();
    on_client.engine = Engine::Native;
    let server = scripted(Scripted::default().once(|_, request| {
        Box::pin(async move {
            tokio::time::sleep(1_000 * SECOND).await;
            Ok(request.into())
        })
    }));
    let keepalive = keeping(|keepalive| keepalive.permit_time = 60 * SECOND);
    let world = World::memory_with(server.http2(native()).keepalive(keepalive), |channel| {
        channel
            .http2(on_client)
            .keepalive(Keepalive::every(20 * SECOND))
    });
    let echo = world.echo();
    // Two connections are lost by 20 s and 40 s; 80 s are permitted.
    for lost in [true, true, false] {
        let call = echo.once(plain_note("x"));
        let ended = tokio::time::timeout(2_000 * SECOND, call).await.unwrap();
        match ended {
            Err(status) if lost => {
                assert_eq!(status.code(), Code::Unavailable, "{status}");
                assert!(status.to_string().contains("too_many_pings"), "{status}");
            }
            other => assert!(!lost && other.is_ok(), "{other:?}"),
        }
    }
    drop(echo);
    world.end().await;
}

/// Whoever reads the log of a client learns whether it was its connection's age or a deployment.
#[tokio::test(start_paused = true)]
async fn a_server_says_why_it_leaves() {
    type Edit = fn(ServerBuilder) -> ServerBuilder;
    let cases: [(Edit, &str); 3] = [
        (|server| server.max_connection_age(60 * SECOND), "max_age"),
        (|server| server.max_connection_idle(60 * SECOND), "max_idle"),
        (|server| server, "graceful_stop"),
    ];
    for (edit, reason) in cases {
        let served = Served::with(|server| edit(server.http2(native())));
        let mut peer = served.connect().await;
        peer.expect_nothing().await;
        let stop = served.handle.clone();
        let stopping = tokio::spawn(async move {
            tokio::time::sleep(90 * SECOND).await;
            stop.graceful_stop(Duration::ZERO).await
        });
        let event = tokio::time::timeout(100 * SECOND, peer.whenever()).await;
        match event.expect("a GOAWAY") {
            Event::GoAway(_, 0, text) => assert_eq!(text, reason),
            other => panic!("{reason}: {other:?}"),
        }
        drop(peer);
        stopping.await.unwrap();
        served.end().await;
    }
}

/// Asks for more than anybody gets.
fn ask_for_much(stream: u32) -> Wire {
    let question = Note {
        number: 1_000_000,
        ..bytes(1_000)
    };
    let head = Wire::from(request(stream, "/tests.echo.Echo/Expand"));
    head.and(last_data(stream, framed(question.encode_to_vec())))
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_given_up() {
    let mut served = Served::configured(native());
    let mut peer = served.connect().await;
    peer.settle(&[(INITIAL_WINDOW_SIZE, (1 << 31) - 1)]).await;
    peer.send(window(0, 1 << 30)).await;
    peer.send(ask_for_much(1)).await;
    assert!(matches!(served.heard().await, Heard::Message(_)));
    tokio::time::sleep(29 * SECOND).await;
    assert_eq!(served.handle.stats().live_rpcs, 1);
    tokio::time::sleep(3 * SECOND).await;
    served
        .until("the connection to be given up", |stats| {
            stats.live_connections + stats.live_rpcs == 0
        })
        .await;
    assert_eq!(served.handle.stats().connections_expelled, 1);
    drop(peer);
    served.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_gets_no_window_is_cut() {
    let mut served = Served::configured(native());
    let mut peer = served.connect().await;
    peer.settle(&[(INITIAL_WINDOW_SIZE, 0)]).await;
    peer.send(ask_for_much(1)).await;
    peer.expect_headers(1).await;
    assert!(matches!(served.heard().await, Heard::Message(_)));
    tokio::time::sleep(299 * SECOND).await;
    peer.expect_nothing().await;
    tokio::time::sleep(40 * SECOND).await;
    assert_eq!(peer.expect_reset(1).await, CANCEL);
    assert!(matches!(served.heard().await, Heard::Dropped));
    // The connection is none the worse for it.
    let head = Wire::from(request(3, "/tests.echo.Echo/Once"));
    peer.send(head.and(last_data(3, note("x")))).await;
    peer.send(window(3, 100)).await;
    assert_eq!(peer.expect_end(3).await.code(), Some(0));
    drop(peer);
    served.end().await;
}

/// A chat that does not read until it is told to, and then says how it went.
fn slow_reader() -> (ServerBuilder, crate::handlers::Told) {
    let (teller, told) = telling();
    let teller = std::sync::Arc::new(teller);
    let echo = Scripted::default().chat(move |cx, mut requests, _responses| {
        let teller = std::sync::Arc::clone(&teller);
        let name = cx.metadata().get("x-name").map(|name| name.to_string());
        Box::pin(async move {
            tokio::time::sleep(2 * SECOND).await;
            let mut read = 0;
            let end = loop {
                match requests.recv().await {
                    Ok(Some(_)) => read += 1,
                    Ok(None) => break String::from("all"),
                    Err(status) => break format!("{:?}: {status}", status.code()),
                }
            };
            teller.say(format!("{} {read} {end}", name.unwrap_or_default()));
            Ok(())
        })
    });
    (scripted(echo), told)
}

/// Many bytes that nobody reads, on one stream.
fn upload(stream: u32, name: &str, messages: usize) -> Wire {
    let head = request(stream, "/tests.echo.Echo/Chat").field("x-name", name);
    let message = framed(bytes(10_000).encode_to_vec());
    (0..messages).fold(head.into(), |all: Wire, _| {
        all.and(data(stream, message.clone()))
    })
}

/// Who holds most loses its largest stream; all others go on, on the same connection as well.
#[tokio::test(start_paused = true)]
async fn memory_that_is_short_costs_the_largest_stream_alone() {
    let (server, mut told) = slow_reader();
    let mut config = native();
    config.max_held_bytes = 512 * 1024;
    let (connector, listener) = memory::pair("held");
    let server = server.http2(config).keepalive(patient());
    let server = server.listen(listener).unwrap();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let connect = || async {
        let io = connector.connect(&Address::Memory("held".into())).await;
        Peer::client(io.unwrap()).await
    };
    let (mut one, mut other) = (connect().await, connect().await);
    one.send(upload(1, "small", 5)).await;
    one.send(upload(3, "large", 24)).await;
    other.send(upload(1, "others", 12)).await;
    // 410 KB, of which 32 KB are free; leased in steps of 64 KiB that is 7 of 8.
    one.expect_nothing().await;
    other.expect_nothing().await;
    other.send(upload(3, "last", 13)).await;
    assert_eq!(one.expect_reset(3).await, ENHANCE_YOUR_CALM);
    one.expect_nothing().await;
    other.expect_nothing().await;
    for peer in [&mut one, &mut other] {
        for stream in [1, 3] {
            peer.send(last_data(stream, "")).await;
        }
    }
    let mut ends = Vec::new();
    for _ in 0..3 {
        ends.push(soon(told.next()).await);
    }
    ends.sort_unstable();
    assert_eq!(ends, ["last 13 all", "others 12 all", "small 5 all"]);
    drop((one, other));
    within("the stop", handle.graceful_stop(Duration::ZERO)).await;
    within("the server", serving).await.unwrap().unwrap();
}
