//! A peer that is gone without a goodbye is noticed, and one that lives is left in peace.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use trunkline::client::{ChannelBuilder, Keepalive, Receiver, Sender};
use trunkline::server::{ServerBuilder, ServerKeepalive};
use trunkline::transport::{Address, BoxIo, Connector, memory, now};
use trunkline::{Channel, Code};
use trunkline_test_protos::echo::{EchoClient, Note};

use crate::handlers::{Scripted, Told, note, plain, scripted, telling};
use crate::support::{
    ENHANCE_YOUR_CALM, Event, Path, RawServer, Served, Wire, channel_closes, data, goaway, headers,
    note as framed_note, text, trailers,
};
use crate::world::{World, soon};

const SECOND: Duration = Duration::from_secs(1);

/// A chat that answers what it hears and tells how it ends.
fn chatting() -> (Scripted, Told) {
    let (teller, told) = telling();
    let echo = Scripted::default().chat(move |_, mut requests, mut responses| {
        let guard = teller.guard("chat");
        Box::pin(async move {
            let _guard = guard;
            while let Some(each) = requests.recv().await? {
                responses.send(&each).await?;
            }
            Ok(())
        })
    });
    (echo, told)
}

fn every(time: Duration, timeout: Duration) -> Keepalive {
    let mut keepalive = Keepalive::every(time);
    keepalive.timeout = timeout;
    keepalive
}

fn server_every(time: Duration, timeout: Duration) -> ServerKeepalive {
    let mut keepalive = ServerKeepalive::every(time);
    keepalive.timeout = timeout;
    keepalive.permit_time = Duration::ZERO;
    keepalive
}

fn never() -> ServerKeepalive {
    let mut keepalive = ServerKeepalive::default();
    keepalive.time = None;
    keepalive.permit_time = Duration::ZERO;
    keepalive
}

/// An idle stream over a path, and the world around it.
async fn idle_stream(
    mut server: ServerKeepalive,
    options: impl FnOnce(ChannelBuilder) -> ChannelBuilder,
) -> (World, Path, Told, Sender<Note>, Receiver<Note>) {
    let (echo, told) = chatting();
    // What a server permits is not what this is about.
    server.permit_time = SECOND;
    let path = Path::default();
    let (connector, listener) = memory::pair("dark");
    let world = World::over(
        scripted(echo).keepalive(server),
        listener,
        options(
            Channel::builder("memory:dark")
                .insecure()
                .connector(path.over(connector)),
        ),
    );
    let (mut sender, mut receiver) = soon(world.echo().chat()).await.unwrap();
    sender.send(&note("hello")).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some(note("hello")));
    (world, path, told, sender, receiver)
}

#[tokio::test(start_paused = true)]
async fn a_client_gives_up_on_a_server_that_does_not_answer() {
    for lose in [Path::lose_requests, Path::lose_answers] {
        let keepalive = every(10 * SECOND, 5 * SECOND);
        let (world, path, told, sender, mut receiver) =
            idle_stream(never(), |channel| channel.keepalive(keepalive)).await;
        // Pings that are answered change nothing.
        tokio::time::sleep(95 * SECOND).await;
        lose(&path);
        let lost_at = now();
        let lost = tokio::time::timeout(60 * SECOND, receiver.recv())
            .await
            .expect("within its bound")
            .unwrap_err();
        let after = now() - lost_at;
        assert!(after <= 15 * SECOND, "{after:?}");
        assert_eq!(lost.code(), Code::Unavailable, "{lost}");
        for words in ["keepalive", "memory:dark", "5s", "/tests.echo.Echo/Chat"] {
            assert!(lost.to_string().contains(words), "{words} in {lost}");
        }
        assert!(!lost.is_unprocessed(), "{lost}");
        path.forget();
        drop((sender, receiver, told, path));
        world.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_gives_up_on_a_client_that_does_not_answer() {
    for lose in [Path::lose_requests, Path::lose_answers] {
        let keepalive = server_every(10 * SECOND, 5 * SECOND);
        let (world, path, mut told, sender, receiver) =
            idle_stream(keepalive, |channel| channel).await;
        tokio::time::sleep(95 * SECOND).await;
        assert_eq!(world.stats().live_rpcs, 1);
        lose(&path);
        let lost_at = now();
        let dropped = tokio::time::timeout(60 * SECOND, told.next()).await;
        assert_eq!(dropped.expect("within its bound"), "chat dropped");
        let after = now() - lost_at;
        assert!(after <= 15 * SECOND, "{after:?}");
        world
            .until("the connection is gone", |stats| {
                stats.live_connections == 0
            })
            .await;
        assert_eq!(world.stats().rpcs_cancelled, 1);
        path.forget();
        drop((sender, receiver, path));
        world.end().await;
    }
}

/// Each side's own PINGs still arrive in one direction, and must not pass for answers.
#[tokio::test(start_paused = true)]
async fn both_sides_end_when_one_direction_goes_dark() {
    for lose in [Path::lose_requests, Path::lose_answers] {
        let client = every(10 * SECOND, 5 * SECOND);
        let server = server_every(10 * SECOND, 5 * SECOND);
        let (world, path, mut told, sender, mut receiver) =
            idle_stream(server, |channel| channel.keepalive(client)).await;
        tokio::time::sleep(33 * SECOND).await;
        lose(&path);
        let both = async { tokio::join!(receiver.recv(), told.next()) };
        let (lost, dropped) = tokio::time::timeout(15 * SECOND, both)
            .await
            .expect("both within the interval and the timeout");
        assert_eq!(lost.unwrap_err().code(), Code::Unavailable);
        assert_eq!(dropped, "chat dropped");
        path.forget();
        drop((sender, receiver, path));
        world.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_call_after_a_dead_connection_goes_to_a_new_one() {
    let keepalive = every(10 * SECOND, 5 * SECOND);
    let (echo, _told) = chatting();
    let (connector, listener) = memory::pair("dark");
    let path = Path::default();
    let world = World::over(
        scripted(echo),
        listener,
        Channel::builder("memory:dark")
            .insecure()
            .connector(FirstOver(
                connector.clone(),
                path.over(connector),
                false.into(),
            ))
            .keepalive(keepalive),
    );
    let echo = world.echo();
    soon(echo.once(note("one"))).await.unwrap();
    path.lose_requests();
    // The call meets the dead path and fails; nobody can know whether it arrived.
    let lost = tokio::time::timeout(60 * SECOND, echo.once(note("two")).into_future()).await;
    assert_eq!(
        lost.expect("bounded").unwrap_err().code(),
        Code::Unavailable
    );
    assert_eq!(soon(echo.once(note("three"))).await.unwrap().text, "three");
    path.forget();
    drop((echo, path));
    world.end().await;
}

/// The first connection goes over a path, the others past it.
struct FirstOver<C>(memory::MemoryConnector, C, AtomicBool);

impl<C: Connector> Connector for FirstOver<C> {
    async fn connect(&self, to: &Address) -> io::Result<BoxIo> {
        if self.2.swap(true, Ordering::Relaxed) {
            self.0.connect(to).await
        } else {
            self.1.connect(to).await
        }
    }
}

fn answer(stream: u32, words: &str) -> Wire {
    let head = Wire::from(headers(stream).status(200).grpc());
    head.and(data(stream, framed_note(words)))
        .and(trailers(stream, 0))
}

#[tokio::test(start_paused = true)]
async fn by_default_a_client_sends_no_ping_at_all() {
    let (mut server, echo) = RawServer::memory("quiet");
    let script = async {
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        peer.send(answer(1, "one")).await;
        // Neither without calls nor during one.
        let events = peer.listen(10 * 60 * SECOND).await;
        assert!(events.is_empty(), "{events:?}");
        peer
    };
    let (reply, mut peer) = tokio::join!(echo.once(text("one")), script);
    assert_eq!(reply.unwrap().text, "one");
    let script = async {
        peer.expect_end(3).await;
        let events = peer.listen(10 * 60 * SECOND).await;
        assert!(events.is_empty(), "{events:?}");
        peer.send(answer(3, "two")).await;
    };
    let (reply, ()) = tokio::join!(echo.once(text("two")), script);
    assert_eq!(reply.unwrap().text, "two");
    assert_eq!(peer.pinged, []);
    channel_closes(echo, peer).await;
}

#[tokio::test(start_paused = true)]
async fn without_calls_nobody_is_asked_unless_it_is_wanted() {
    for without_calls in [false, true] {
        let mut keepalive = Keepalive::every(60 * SECOND);
        keepalive.without_calls = without_calls;
        let (mut server, builder) = RawServer::builder("asked");
        let echo = EchoClient::new(builder.keepalive(keepalive).build().unwrap());
        let script = async {
            let mut peer = server.accept().await;
            peer.expect_end(1).await;
            peer.send(answer(1, "one")).await;
            peer.listen(10 * 60 * SECOND + SECOND).await;
            assert_eq!(peer.pinged.len(), if without_calls { 10 } else { 0 });
            peer
        };
        let (reply, mut peer) = tokio::join!(echo.once(text("one")), script);
        assert_eq!(reply.unwrap().text, "one");
        // The first call after a long silence asks at once whether anybody is there.
        let script = async {
            peer.expect_end(3).await;
            peer.listen(SECOND).await;
            assert_eq!(peer.pinged.len(), if without_calls { 10 } else { 1 });
            peer.send(answer(3, "two")).await;
        };
        let (reply, ()) = tokio::join!(echo.once(text("two")), script);
        assert_eq!(reply.unwrap().text, "two");
        channel_closes(echo, peer).await;
    }
}

/// An answer that comes at once is not waited for until its time is over.
#[tokio::test(start_paused = true)]
async fn the_interval_is_kept_though_an_answer_may_take_longer() {
    let (mut server, builder) = RawServer::builder("prompt");
    let keepalive = Keepalive::every(10 * SECOND);
    assert_eq!(keepalive.timeout, 20 * SECOND);
    let echo = EchoClient::new(builder.keepalive(keepalive).build().unwrap());
    let script = async {
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        peer.listen(65 * SECOND).await;
        assert_eq!(peer.pinged.len(), 6, "{:?}", peer.pinged);
        peer.send(answer(1, "x")).await;
        peer
    };
    let (reply, peer) = tokio::join!(echo.once(text("x")), script);
    assert_eq!(reply.unwrap().text, "x");
    channel_closes(echo, peer).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_asked_too_often_is_asked_half_as_often() {
    let (mut server, builder) = RawServer::builder("calm");
    let keepalive = Keepalive::every(60 * SECOND);
    let echo = EchoClient::new(builder.keepalive(keepalive).build().unwrap());
    let mut waits = Vec::new();
    for round in 0..3 {
        let script = async {
            let mut peer = server.accept().await;
            peer.expect_end(1).await;
            let since = tokio::time::Instant::now();
            peer.listen(300 * SECOND).await;
            let calm = goaway(1, ENHANCE_YOUR_CALM, "too_many_pings");
            peer.send(answer(1, "x").and(calm)).await;
            peer.pinged[0] - since
        };
        let (reply, wait) = tokio::join!(echo.once(text("x")), script);
        assert_eq!(reply.unwrap().text, "x", "round {round}");
        waits.push(wait.as_secs());
    }
    assert_eq!(waits, [60, 120, 240]);
    drop((echo, server));
}

/// What was too much for the server was something else.
#[tokio::test(start_paused = true)]
async fn calm_that_is_asked_of_a_client_without_pings_changes_nothing() {
    let (mut server, builder) = RawServer::builder("calm");
    let keepalive = Keepalive::every(60 * SECOND);
    let echo = EchoClient::new(builder.keepalive(keepalive).build().unwrap());
    let script = async {
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        let calm = goaway(1, ENHANCE_YOUR_CALM, "");
        peer.send(answer(1, "one").and(calm)).await;
        drop(peer);
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        let since = tokio::time::Instant::now();
        peer.listen(61 * SECOND).await;
        assert_eq!(peer.pinged, [since + 60 * SECOND]);
        peer.send(answer(1, "two")).await;
        peer
    };
    let calls = async {
        assert_eq!(echo.once(text("one")).await.unwrap().text, "one");
        assert_eq!(echo.once(text("two")).await.unwrap().text, "two");
    };
    let (peer, ()) = tokio::join!(script, calls);
    channel_closes(echo, peer).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_asks_a_silent_client_after_two_hours() {
    let served = Served::start();
    let mut peer = served.connect().await;
    let minute = 60 * SECOND;
    peer.listen(104 * minute).await;
    assert_eq!(peer.pinged, [], "an eighth too early at the most");
    peer.listen(16 * minute + SECOND).await;
    assert_eq!(peer.pinged.len(), 1);
    // It answers, but from now on it does not.
    peer.acknowledges = false;
    let events = peer.listen(121 * minute).await;
    assert!(matches!(events.last(), Some(Event::Closed)), "{events:?}");
    assert_eq!(peer.pinged.len(), 2);
    drop(peer);
    served.end().await;
}

/// Served to for long, with keepalive short: whoever talks is not asked and not cut.
#[tokio::test(start_paused = true)]
async fn keepalive_on_both_sides_harms_no_connection_that_lives() {
    let server: ServerBuilder = plain().keepalive(server_every(SECOND, SECOND));
    let world = World::memory_with(server, |channel| {
        channel.keepalive(every(10 * SECOND, SECOND))
    });
    let echo = world.echo();
    let (mut sender, mut receiver) = soon(echo.chat()).await.unwrap();
    for round in 0..50_u64 {
        tokio::time::sleep(Duration::from_millis(round * 731)).await;
        sender.send(&note("still")).await.unwrap();
        assert_eq!(soon(receiver.recv()).await.unwrap(), Some(note("still")));
    }
    sender.finish();
    assert_eq!(soon(receiver.recv()).await.unwrap(), None);
    assert_eq!(world.stats().connections_accepted, 1);
    drop((receiver, echo));
    world.end().await;
}
