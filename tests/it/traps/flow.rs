//! Flow control: senders without window, and readers that do not read.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use trunkline::Code;
use trunkline::client::Receiver;
use trunkline::codegen::prost::Message;
use trunkline::transport::http2::{ClientConfig, Engine, ServerConfig};
use trunkline::transport::{Address, Connector, memory};
use trunkline_test_protos::echo::{EchoClient, Note};

use crate::handlers::{Scripted, number, scripted};
use crate::support::{
    CANCEL, ENHANCE_YOUR_CALM, Heard, INITIAL_WINDOW_SIZE, Peer, RawServer, Served, Wire,
    channel_closes, data, framed, headers, last_data, note, request, settings, text, trailers,
    window, within,
};
use crate::world::World;

const LONG: &str = "a hundred bytes or so, of which ten times as many are far more than any window of this test lets by";

/// Takes what comes on stream 1 crumb by crumb: each update lets exactly as much through.
async fn crumbs(peer: &mut Peer, expected: &[u8]) {
    let mut got = Vec::new();
    while got.len() < expected.len() {
        peer.send(window(1, 100)).await;
        let piece = peer.expect_data(1).await;
        assert!(piece.len() <= 100, "{}", piece.len());
        got.extend(piece);
    }
    assert_eq!(got, expected);
}

#[tokio::test]
async fn a_message_leaves_as_window_comes_though_its_sender_does_nothing_more() {
    let (mut server, echo) = RawServer::memory("tight");
    let script = async {
        let mut peer = server.accept_with(&[(INITIAL_WINDOW_SIZE, 0)]).await;
        peer.expect_headers(1).await;
        let early = peer.listen(Duration::from_millis(100)).await;
        assert!(early.is_empty(), "{early:?}");
        crumbs(&mut peer, &note(&LONG.repeat(10))).await;
        peer.send(Wire::from(headers(1).status(200).grpc()).and(data(1, note("got it"))))
            .await;
        peer.expect_end(1).await;
        peer.send(trailers(1, 0)).await;
        peer
    };
    let call = async {
        let (mut sender, mut received) = echo.chat().await.unwrap();
        within("room", sender.send(&text(&LONG.repeat(10))))
            .await
            .unwrap();
        // Only now that it is there does the sender go on.
        let reply = within("the answer", received.recv()).await.unwrap();
        assert_eq!(reply.unwrap().text, "got it");
        sender.finish();
        assert_eq!(within("the end", received.recv()).await.unwrap(), None);
    };
    let (peer, ()) = tokio::join!(script, call);
    channel_closes(echo, peer).await;
}

#[tokio::test]
async fn a_response_leaves_as_window_comes_though_its_handler_waits() {
    let mut served = Served::start();
    let mut peer = served.connect().await;
    peer.send(settings(&[(INITIAL_WINDOW_SIZE, 0)])).await;
    let head = Wire::from(request(1, "/tests.echo.Echo/Chat"));
    peer.send(head.and(data(1, note(&LONG.repeat(10))))).await;
    peer.expect_headers(1).await;
    crumbs(&mut peer, &note(&LONG.repeat(10))).await;
    peer.send(last_data(1, "")).await;
    assert_eq!(peer.expect_end(1).await.code(), Some(0));
    assert!(matches!(served.heard().await, Heard::Message(_)));
    drop(peer);
    served.end().await;
}

#[tokio::test]
async fn a_sender_without_window_hears_of_an_early_answer() {
    for code in [Code::Ok, Code::OutOfRange] {
        let (mut server, echo) = RawServer::memory("tight");
        let script = async {
            let mut peer = server.accept_with(&[(INITIAL_WINDOW_SIZE, 0)]).await;
            peer.expect_headers(1).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            let head = Wire::from(headers(1).status(200).grpc());
            peer.send(
                head.and(data(1, note("enough")))
                    .and(trailers(1, code.number())),
            )
            .await;
            // What is left of the request is called off.
            assert_eq!(peer.expect_reset(1).await, CANCEL);
            peer
        };
        let call = async {
            let (mut sender, summary) = echo.collect().await.unwrap();
            let sending = async {
                loop {
                    if let Err(status) = sender.send(&text(&"x".repeat(10_000))).await {
                        return status;
                    }
                }
            };
            let both = async { tokio::join!(summary, sending) };
            within("the early answer on both halves", both).await
        };
        let (peer, (answer, sender)) = tokio::join!(script, call);
        assert_eq!(Code::of(&answer), code);
        assert!([code, Code::Cancelled].contains(&sender.code()), "{sender}");
        channel_closes(echo, peer).await;
    }
}

/// This many messages, each in a DATA frame of its own, for a client that reads none of them yet.
async fn unread(engine: Engine, count: usize) -> (Peer, EchoClient, Receiver<Note>) {
    let mut config = ClientConfig::default();
    config.engine = engine;
    let (mut server, builder) = RawServer::builder("crumbs");
    let echo = EchoClient::new(builder.http2(config).build().unwrap());
    let script = async {
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        peer.send(Wire::from(headers(1).status(200).grpc())).await;
        let crumb = data(1, note(""));
        for _ in 0..count / 1000 {
            let mut many = Wire::default();
            for _ in 0..1000 {
                many = many.and(crumb.clone());
            }
            peer.send(many).await;
        }
        peer
    };
    let call = async {
        let mut received = echo.expand(text("crumbs")).await.unwrap();
        received.headers().await.unwrap();
        received
    };
    let (peer, received) = tokio::join!(script, call);
    (peer, echo, received)
}

async fn so_many_survive(engine: Engine, count: usize) {
    let (mut peer, echo, mut received) = unread(engine, count).await;
    peer.send(trailers(1, 0)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for number in 0..count {
        let next = within(number, received.recv()).await.unwrap();
        assert_eq!(next, Some(Note::default()), "{number}");
    }
    assert_eq!(received.recv().await.unwrap(), None);
    channel_closes(echo, peer).await;
}

#[tokio::test]
async fn too_many_unread_tiny_messages_end_the_connection_and_say_why() {
    let (mut peer, _echo, mut received) = unread(Engine::H2, 20_000).await;
    let (_, code, _) = peer.expect_goaway().await;
    assert_eq!(code, ENHANCE_YOUR_CALM);
    let error = loop {
        match within("the error", received.recv()).await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a cut stream gave a clean end"),
            Err(error) => break error,
        }
    };
    let all = error.to_string();
    assert!(all.contains("memory:crumbs"), "{all}");
    assert!(
        all.contains("small_data_budget_bytes"),
        "the setting is named: {all}"
    );
    assert!(
        matches!(error.code(), Code::ResourceExhausted | Code::Unavailable),
        "{all}"
    );
    peer.expect_close().await;
}

#[tokio::test]
async fn a_wider_budget_takes_more_of_them() {
    let mut config = ClientConfig::default();
    config.engine = Engine::H2;
    config.small_data_budget_bytes = 8 << 20;
    let (mut server, builder) = RawServer::builder("crumbs");
    let echo = EchoClient::new(builder.http2(config).build().unwrap());
    let script = async {
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        peer.send(Wire::from(headers(1).status(200).grpc())).await;
        for _ in 0..20_000 {
            peer.send(data(1, note(""))).await;
        }
        peer.send(trailers(1, 0)).await;
        peer
    };
    let call = async {
        let mut received = echo.expand(text("crumbs")).await.unwrap();
        received.headers().await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut count = 0;
        while received.recv().await.unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 20_000);
    };
    let (peer, ()) = tokio::join!(script, call);
    channel_closes(echo, peer).await;
}

#[tokio::test]
async fn eight_thousand_unread_tiny_messages_survive() {
    so_many_survive(Engine::H2, 8_000).await;
    so_many_survive(Engine::Native, 8_000).await;
}

/// The native engine joins them: they take no more memory than the window that bounds them.
#[tokio::test]
async fn on_the_native_engine_any_number_of_them_survives() {
    so_many_survive(Engine::Native, 50_000).await;
}

/// Tiny requests for a handler that reads none of them before it is told to.
async fn unread_requests(engine: Engine, count: usize) -> (Peer, Arc<Notify>, World) {
    let go = Arc::new(Notify::new());
    let read = Arc::clone(&go);
    let service = Scripted::default().collect(move |_, mut requests| {
        let read = Arc::clone(&read);
        Box::pin(async move {
            read.notified().await;
            let mut all = Note::default();
            while requests.recv().await?.is_some() {
                all.number += 1;
            }
            Ok(all.into())
        })
    });
    let (connector, listener) = memory::pair("crumbs");
    let mut config = ServerConfig::default();
    config.engine = engine;
    let server = scripted(service).http2(config).listener(listener);
    let world = World::memory(server);
    let address = Address::Memory("crumbs".into());
    let mut peer = Peer::client(connector.connect(&address).await.unwrap()).await;
    peer.send(request(1, "/tests.echo.Echo/Collect")).await;
    for _ in 0..count {
        peer.send(data(1, note(""))).await;
    }
    (peer, go, world)
}

async fn our_server_takes_so_many(engine: Engine, count: usize) {
    let (mut peer, go, world) = unread_requests(engine, count).await;
    peer.send(last_data(1, "")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    go.notify_one();
    let answer = peer.expect_end(1).await;
    assert_eq!(
        (answer.code(), answer.body),
        (Some(0), framed(number(count as u64).encode_to_vec()))
    );
    drop(peer);
    world.end().await;
}

#[tokio::test]
async fn our_server_takes_eight_thousand_unread_tiny_requests() {
    our_server_takes_so_many(Engine::H2, 8_000).await;
    our_server_takes_so_many(Engine::Native, 8_000).await;
}

#[tokio::test]
async fn our_server_takes_any_number_of_them_on_the_native_engine() {
    our_server_takes_so_many(Engine::Native, 50_000).await;
}

#[tokio::test]
async fn our_server_hangs_up_on_many_more() {
    let (mut peer, _go, world) = unread_requests(Engine::H2, 20_000).await;
    let (_, code, _) = peer.expect_goaway().await;
    assert_eq!(code, ENHANCE_YOUR_CALM);
    peer.expect_close().await;
    drop(peer);
    world.end().await;
}
