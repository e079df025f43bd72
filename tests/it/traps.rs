//! What the HTTP/2 engine must not let through: the traps of building on the h2 crate.

mod flow;
mod stress;
mod writes;

use std::time::Duration;

use trunkline::{Code, Origin, Stage};
use trunkline_test_protos::echo::EchoClient;

use crate::support::{
    CANCEL, Event, MAX_CONCURRENT_STREAMS, Peer, RawServer, Wire, channel_closes, data, headers,
    note, settings, text, trailers, within,
};

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

/// Frames that were on their way when a call was cancelled are no fault of the server's.
#[tokio::test]
async fn late_frames_of_cancelled_calls_do_not_end_the_connection() {
    const CALLS: u32 = 3_000;
    let (mut server, echo) = RawServer::memory("late");
    let script = async {
        let mut peer = server.accept().await;
        for number in 0..CALLS {
            let stream = 1 + 2 * number;
            peer.expect_end(stream).await;
            let head = Wire::from(headers(stream).status(200).grpc());
            peer.send(head.and(data(stream, note("one")))).await;
            assert_eq!(peer.expect_reset(stream).await, CANCEL);
            peer.send(data(stream, note("late")).and(trailers(stream, 0)))
                .await;
        }
        let stream = 1 + 2 * CALLS;
        peer.expect_end(stream).await;
        peer.send(answer(stream, "healthy")).await;
        peer
    };
    let calls = async {
        for number in 0..CALLS {
            let mut received = echo.expand(text("go")).await.unwrap();
            let first = within(number, received.recv()).await.unwrap();
            assert_eq!(first.unwrap().text, "one");
        }
        let last = within("the last", echo.once(text("x"))).await.unwrap();
        assert_eq!(last.text, "healthy");
    };
    let (peer, ()) = tokio::join!(script, calls);
    channel_closes(echo, peer).await;
}
