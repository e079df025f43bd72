//! What the HTTP/2 engine must not let through: the traps of building on the h2 crate.

mod stress;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use trunkline::client::Receiver;
use trunkline::codegen::prost::Message;
use trunkline::transport::http2::ClientConfig;
use trunkline::transport::{Address, Connector, memory};
use trunkline::{Code, Origin, Stage};
use trunkline_test_protos::echo::{EchoClient, Note};

use crate::handlers::{Scripted, number, scripted};
use crate::support::{
    CANCEL, ENHANCE_YOUR_CALM, Event, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, Peer, RawServer,
    Wire, channel_closes, data, framed, headers, last_data, note, request, settings, text,
    trailers, window, within,
};
use crate::world::World;

fn answer(stream: u32, words: &str) -> Wire {
    let head = Wire::from(headers(stream).status(200).grpc());
    head.and(data(stream, note(words))).and(trailers(stream, 0))
}

#[tokio::test]
async fn a_call_cancelled_while_it_queues_never_reaches_the_wire() {
    let (mut server, builder) = RawServer::builder("narrow");
    let echo = EchoClient::new(builder.max_connections(1).build().unwrap());
    let script = async {
        let mut peer = server.accept_with(&[(MAX_CONCURRENT_STREAMS, 1)]).await;
        peer.expect_end(1).await;
        // The others queue now, and give up.
        let meanwhile = peer.listen(Duration::from_millis(200)).await;
        assert!(meanwhile.is_empty(), "{meanwhile:?}");
        peer.send(answer(1, "first")).await;
        // The next stream that is ever opened is that of the last call.
        assert_eq!(peer.expect_end(3).await.body, note("last"));
        peer.send(answer(3, "last")).await;
        assert_eq!(peer.heads, 2);
        peer
    };
    let calls = async {
        let first = tokio::spawn(echo.once(text("first")).owned());
        let mut given_up = Vec::new();
        for number in 0..50 {
            let call = echo
                .once(text("queued"))
                .timeout(Duration::from_millis(50))
                .owned();
            let call = tokio::spawn(call.into_future());
            if number % 2 == 0 {
                // Half of them by their deadline, half by being dropped.
                given_up.push(call);
            } else {
                tokio::task::yield_now().await;
                call.abort();
            }
        }
        for call in given_up {
            let error = within("the deadline", call).await.unwrap().unwrap_err();
            let all = error.to_string();
            assert_eq!(error.code(), Code::DeadlineExceeded, "{all}");
            assert_eq!(error.stage(), Some(Stage::Pick), "{all}");
            assert!(error.is_unprocessed(), "{all}");
        }
        assert_eq!(
            within("the first", first).await.unwrap().unwrap().text,
            "first"
        );
        assert_eq!(
            within("the last", echo.once(text("last")))
                .await
                .unwrap()
                .text,
            "last"
        );
    };
    let (peer, ()) = tokio::join!(script, calls);
    channel_closes(echo, peer).await;
}

#[tokio::test]
async fn a_call_cancelled_before_it_was_written_frees_its_place() {
    let (mut server, builder) = RawServer::builder("narrow");
    let echo = EchoClient::new(builder.max_connections(1).build().unwrap());
    let script = async {
        let mut peer = server.accept_with(&[(MAX_CONCURRENT_STREAMS, 1)]).await;
        // Of the calls in between nothing may be open any more when the last one comes.
        loop {
            match peer.next("the last call").await {
                Event::Data(stream, body, true) if body == note("last") => {
                    peer.send(answer(stream, "last")).await;
                    return peer;
                }
                Event::Data(_, _, true) | Event::Headers(..) => {}
                Event::Reset(_, code) => assert_eq!(code, CANCEL),
                other => panic!("{other:?}"),
            }
        }
    };
    let calls = async {
        for _ in 0..100 {
            let call = echo
                .once(text("gone"))
                .timeout(Duration::from_micros(fastrand::u64(..500)));
            let _ = call.await;
        }
        assert_eq!(
            within("the last", echo.once(text("last")))
                .await
                .unwrap()
                .text,
            "last"
        );
    };
    let (peer, ()) = tokio::join!(script, calls);
    channel_closes(echo, peer).await;
}

#[tokio::test]
async fn no_call_is_sent_before_the_servers_settings() {
    let (mut server, builder) = RawServer::builder("slow");
    let echo = EchoClient::new(builder.max_connections(1).build().unwrap());
    let script = async {
        let mut peer = Peer::silent(server.accept_io().await);
        peer.expect_preface().await;
        let early = peer.listen(Duration::from_millis(200)).await;
        assert!(early.is_empty(), "{early:?}");
        // The very first SETTINGS count: one stream, not the hundred that h2 assumes.
        peer.send(settings(&[(MAX_CONCURRENT_STREAMS, 1)])).await;
        let first = peer.expect_end(1).await.body;
        let early = peer.listen(Duration::from_millis(100)).await;
        assert!(early.is_empty(), "{early:?}");
        peer.send(answer(1, "first")).await;
        assert_ne!(peer.expect_end(3).await.body, first);
        peer.send(answer(3, "second")).await;
        peer
    };
    let calls = async {
        let both = tokio::join!(
            within("a reply", echo.once(text("a"))),
            within("a reply", echo.once(text("b"))),
        );
        both.0.unwrap();
        both.1.unwrap();
    };
    let (peer, ()) = tokio::join!(script, calls);
    channel_closes(echo, peer).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_without_settings_fails_the_connect_in_time() {
    let (mut server, echo) = RawServer::memory("mute");
    let script = async {
        let mut peer = Peer::silent(server.accept_io().await);
        peer.expect_preface().await;
        let heard = peer.expect_close_after(Duration::from_secs(60)).await;
        assert!(heard.is_empty(), "{heard:?}");
        // It recovers when the peer does.
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        peer.send(answer(1, "at last")).await;
        peer
    };
    let calls = async {
        let started = tokio::time::Instant::now();
        let error = echo.once(text("x")).await.unwrap_err();
        let (waited, all) = (started.elapsed(), error.to_string());
        assert!((20..21).contains(&waited.as_secs()), "{waited:?}");
        assert_eq!(error.code(), Code::Unavailable, "{all}");
        assert_eq!(error.stage(), Some(Stage::Http2), "{all}");
        assert_eq!(error.origin(), Origin::Transport, "{all}");
        assert!(error.is_unprocessed(), "{all}");
        for word in [
            "memory:mute",
            "http2",
            "SETTINGS",
            "20s",
            "/tests.echo.Echo/Once",
        ] {
            assert!(all.contains(word), "{word:?} is not in: {all}");
        }
        let reply = echo.once(text("x")).wait_for_ready(true).await.unwrap();
        assert_eq!(reply.text, "at last");
    };
    let (peer, ()) = tokio::join!(script, calls);
    channel_closes(echo, peer).await;
}

#[tokio::test]
async fn a_sender_without_window_goes_on_when_there_is_some() {
    let (mut server, echo) = RawServer::memory("tight");
    let long = "x".repeat(1_000);
    let script = async {
        let mut peer = server.accept_with(&[(INITIAL_WINDOW_SIZE, 0)]).await;
        peer.expect_headers(1).await;
        let early = peer.listen(Duration::from_millis(100)).await;
        assert!(early.is_empty(), "{early:?}");
        let expected = note(&"x".repeat(1_000));
        let mut got = Vec::new();
        // Crumb by crumb: each update lets exactly as much through.
        while got.len() < expected.len() {
            peer.send(window(1, 100)).await;
            let piece = peer.expect_data(1).await;
            assert!(piece.len() <= 100, "{}", piece.len());
            got.extend(piece);
        }
        assert_eq!(got, expected);
        peer.expect_end(1).await;
        peer.send(answer(1, "got it")).await;
        peer
    };
    let call = async {
        let (mut sender, summary) = echo.collect().await.unwrap();
        within("window", sender.send(&text(&long))).await.unwrap();
        sender.finish();
        assert_eq!(within("the answer", summary).await.unwrap().text, "got it");
    };
    let (peer, ()) = tokio::join!(script, call);
    channel_closes(echo, peer).await;
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
        assert_eq!(answer.map_or_else(|error| error.code(), |_| Code::Ok), code);
        assert!([code, Code::Cancelled].contains(&sender.code()), "{sender}");
        channel_closes(echo, peer).await;
    }
}

/// This many messages, each in a DATA frame of its own, for a client that reads none of them yet.
async fn unread(count: usize) -> (Peer, EchoClient, Receiver<Note>) {
    let (mut server, echo) = RawServer::memory("crumbs");
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

#[tokio::test]
async fn eight_thousand_unread_tiny_messages_survive() {
    let (mut peer, echo, mut received) = unread(8_000).await;
    peer.send(trailers(1, 0)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for number in 0..8_000 {
        let next = within(number, received.recv()).await.unwrap();
        assert_eq!(next, Some(Note::default()), "{number}");
    }
    assert_eq!(received.recv().await.unwrap(), None);
    channel_closes(echo, peer).await;
}

#[tokio::test]
async fn too_many_unread_tiny_messages_end_the_connection_and_say_why() {
    let (mut peer, _echo, mut received) = unread(20_000).await;
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

/// Tiny requests for a handler that reads none of them before it is told to.
async fn unread_requests(count: usize) -> (Peer, Arc<Notify>, World) {
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
    let world = World::memory(scripted(service).listener(listener));
    let address = Address::Memory("crumbs".into());
    let mut peer = Peer::client(connector.connect(&address).await.unwrap()).await;
    peer.send(request(1, "/tests.echo.Echo/Collect")).await;
    for _ in 0..count {
        peer.send(data(1, note(""))).await;
    }
    (peer, go, world)
}

#[tokio::test]
async fn our_server_takes_eight_thousand_unread_tiny_requests() {
    let (mut peer, go, world) = unread_requests(8_000).await;
    peer.send(last_data(1, "")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    go.notify_one();
    let answer = peer.expect_end(1).await;
    assert_eq!(
        (answer.code(), answer.body),
        (Some(0), framed(number(8_000).encode_to_vec()))
    );
    drop(peer);
    world.end().await;
}

#[tokio::test]
async fn our_server_hangs_up_on_many_more() {
    let (mut peer, _go, world) = unread_requests(20_000).await;
    let (_, code, _) = peer.expect_goaway().await;
    assert_eq!(code, ENHANCE_YOUR_CALM);
    peer.expect_close().await;
    drop(peer);
    world.end().await;
}
