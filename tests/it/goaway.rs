//! GOAWAY and REFUSED_STREAM lose nothing: what surely was not processed goes out once more, what
//! may have been does not.

use std::time::Duration;

use trunkline::{Code, Origin};
use trunkline_test_protos::echo::EchoClient;

use crate::support::{
    ALL, CANCEL, ENHANCE_YOUR_CALM, Event, NO_ERROR, Peer, REFUSED_STREAM, RawServer, Wire,
    channel_closes, data, goaway, headers, last_data, note, ping, reset, text, trailers, within,
};

fn answer(stream: u32, words: &str) -> Wire {
    let head = Wire::from(headers(stream).status(200).grpc());
    head.and(data(stream, note(words))).and(trailers(stream, 0))
}

/// Nothing but the end of the connection may come any more.
async fn nothing_more(peer: &mut Peer) {
    let came = peer.listen(Duration::from_millis(100)).await;
    let quiet = came
        .iter()
        .all(|event| matches!(event, Event::Closed | Event::GoAway(..)));
    assert!(quiet, "{came:?}");
}

#[tokio::test]
async fn streams_above_the_last_one_move_to_a_new_connection_once() {
    let (mut server, echo) = RawServer::memory("moving");
    let calls = async {
        let calls = ["a", "b", "c", "d"].map(|words| {
            let call = echo.once(text(words)).owned();
            tokio::spawn(call.into_future())
        });
        for (call, words) in calls.into_iter().zip(["a", "b", "c", "d"]) {
            let reply = within(words, call).await.unwrap().unwrap();
            assert_eq!(reply.text, words);
        }
    };
    let script = async {
        let mut old = server.accept().await;
        let mut asked = Vec::new();
        for stream in [1, 3, 5, 7] {
            asked.push(old.expect_end(stream).await.body);
        }
        old.send(goaway(3, NO_ERROR, "")).await;
        let mut new = server.accept().await;
        let mut moved = Vec::new();
        for stream in [1, 3] {
            let body = new.expect_end(stream).await.body;
            new.send(echoed(stream, &body)).await;
            moved.push(body);
        }
        moved.sort();
        let mut above = asked[2..].to_vec();
        above.sort();
        assert_eq!(moved, above, "those above the last stream, each once");
        // Those below it are finished where they are.
        for stream in [1, 3] {
            old.send(echoed(stream, &asked[stream as usize / 2])).await;
        }
        nothing_more(&mut old).await;
        (old, new)
    };
    let ((), (mut old, new)) = tokio::join!(calls, script);
    old.expect_close().await;
    assert_eq!((old.heads, new.heads), (4, 2));
    channel_closes(echo, new).await;
}

/// An answer with the message that was asked with.
fn echoed(stream: u32, message: &[u8]) -> Wire {
    let head = Wire::from(headers(stream).status(200).grpc());
    head.and(data(stream, message)).and(trailers(stream, 0))
}

#[tokio::test]
async fn an_open_stream_outlives_goaway_and_new_calls_go_elsewhere() {
    let (mut server, echo) = RawServer::memory("draining");
    let calls = async {
        let (mut sender, mut received) = echo.chat().await.unwrap();
        sender.send(&text("before")).await.unwrap();
        assert_eq!(received.recv().await.unwrap().unwrap().text, "before");
        // The server says GOAWAY now; the stream goes on, both ways.
        assert_eq!(received.recv().await.unwrap().unwrap().text, "goaway sent");
        let other = within("a call elsewhere", echo.once(text("new")))
            .await
            .unwrap();
        assert_eq!(other.text, "new");
        sender.send(&text("after")).await.unwrap();
        assert_eq!(received.recv().await.unwrap().unwrap().text, "after");
        sender.finish();
        assert_eq!(received.recv().await.unwrap(), None);
        let other = within("another one", echo.once(text("newer")))
            .await
            .unwrap();
        assert_eq!(other.text, "newer");
    };
    let script = async {
        let mut old = server.accept().await;
        old.expect_headers(1).await;
        assert_eq!(old.expect_data(1).await, note("before"));
        let head = Wire::from(headers(1).status(200).grpc());
        old.send(head.and(data(1, note("before")))).await;
        old.send(
            goaway(ALL, NO_ERROR, "")
                .and(ping())
                .and(goaway(1, NO_ERROR, "")),
        )
        .await;
        old.send(data(1, note("goaway sent"))).await;
        let mut new = server.accept().await;
        new.expect_end(1).await;
        new.send(answer(1, "new")).await;
        assert_eq!(old.expect_data(1).await, note("after"));
        old.send(data(1, note("after"))).await;
        old.expect_end(1).await;
        old.send(trailers(1, 0)).await;
        new.expect_end(3).await;
        new.send(answer(3, "newer")).await;
        old.expect_close().await;
        assert_eq!(old.heads, 1);
        new
    };
    let ((), new) = tokio::join!(calls, script);
    channel_closes(echo, new).await;
}

#[tokio::test]
async fn a_goaway_to_an_idle_connection_costs_no_call() {
    let (mut server, echo) = RawServer::memory("idle");
    let calls = async {
        for words in ["one", "two", "three"] {
            assert_eq!(
                within(words, echo.once(text(words))).await.unwrap().text,
                words
            );
            // Time for the GOAWAY to arrive, or not: both are fine.
            if words == "two" {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    let script = async {
        for words in ["one", "two", "three"] {
            let mut peer = server.accept().await;
            peer.expect_end(1).await;
            peer.send(answer(1, words).and(goaway(1, NO_ERROR, "")))
                .await;
            peer.expect_close().await;
            assert_eq!(peer.heads, 1, "one call a connection, none lost on it");
        }
    };
    tokio::join!(calls, script);
}

#[tokio::test]
async fn a_refused_call_goes_out_once_more() {
    let (mut server, echo) = RawServer::memory("refusing");
    let script = async {
        let mut peer = server.accept().await;
        let first = peer.expect_end(1).await;
        peer.send(reset(1, REFUSED_STREAM)).await;
        let again = peer.expect_end(3).await;
        assert_eq!(first.body, again.body);
        assert_eq!(first.head, again.head);
        peer.send(answer(3, "at last")).await;
        let streamed = peer.expect_end(5).await;
        peer.send(reset(5, REFUSED_STREAM)).await;
        assert_eq!(peer.expect_end(7).await.body, streamed.body);
        peer.send(answer(7, "streamed")).await;
        peer
    };
    let calls = async {
        assert_eq!(
            within("the reply", echo.once(text("x")))
                .await
                .unwrap()
                .text,
            "at last"
        );
        let mut received = echo.expand(text("y")).await.unwrap();
        let next = within("a message", received.recv()).await.unwrap();
        assert_eq!(next.unwrap().text, "streamed");
        assert_eq!(received.recv().await.unwrap(), None);
    };
    let (peer, ()) = tokio::join!(script, calls);
    assert_eq!(peer.heads, 4);
    channel_closes(echo, peer).await;
}

/// Calls of every kind, each sent once; only what never left finds another connection.
#[tokio::test]
async fn without_transparent_retry_a_server_sees_each_call_once() {
    let (mut server, builder) = RawServer::builder("refusing");
    let channel = builder.transparent_retry(false).build().unwrap();
    let echo = EchoClient::new(channel);
    let script = async {
        let mut peer = server.accept().await;
        for stream in [1, 3, 5, 7] {
            peer.expect_end(stream).await;
            peer.send(reset(stream, REFUSED_STREAM)).await;
        }
        peer.send(goaway(7, NO_ERROR, "")).await;
        let mut next = server.accept().await;
        next.expect_end(1).await;
        next.send(answer(1, "elsewhere")).await;
        (peer, next)
    };
    let calls = async {
        let mut failed = vec![within("once", echo.once(text("x"))).await.unwrap_err()];
        let mut received = echo.expand(text("x")).await.unwrap();
        failed.push(within("expand", received.recv()).await.unwrap_err());
        let (mut sender, summary) = echo.collect().await.unwrap();
        sender.send(&text("x")).await.unwrap();
        sender.finish();
        failed.push(within("collect", summary).await.unwrap_err());
        let (sender, mut received) = echo.chat().await.unwrap();
        sender.finish();
        failed.push(within("chat", received.recv()).await.unwrap_err());
        for failed in failed {
            assert_eq!(failed.code(), Code::Unavailable, "{failed}");
            assert!(
                failed.is_unprocessed() && failed.attempts().is_empty(),
                "{failed:?}"
            );
        }
        let reply = within("the reply", echo.once(text("x"))).await.unwrap();
        assert_eq!(reply.text, "elsewhere");
    };
    let ((mut peer, next), ()) = tokio::join!(script, calls);
    assert_eq!((peer.heads, next.heads), (4, 1));
    peer.expect_close().await;
    channel_closes(echo, next).await;
}

#[tokio::test]
async fn a_call_refused_twice_fails_and_says_that_it_is_unprocessed() {
    let (mut server, echo) = RawServer::memory("refusing");
    let script = async {
        let mut peer = server.accept().await;
        for stream in [1, 3, 5, 7] {
            peer.expect_end(stream).await;
            peer.send(reset(stream, REFUSED_STREAM)).await;
        }
        nothing_more(&mut peer).await;
        peer
    };
    let calls = async {
        let unary = within("the error", echo.once(text("x"))).await.unwrap_err();
        let mut received = echo.expand(text("y")).await.unwrap();
        let streamed = within("the error", received.recv()).await.unwrap_err();
        for error in [unary, streamed] {
            let all = error.to_string();
            assert_eq!(error.code(), Code::Unavailable, "{all}");
            assert!(error.is_unprocessed(), "{all}");
            assert_eq!(error.origin(), Origin::Transport);
            assert!(
                all.contains("REFUSED_STREAM") && all.contains("memory:refusing"),
                "{all}"
            );
        }
    };
    let (peer, ()) = tokio::join!(script, calls);
    channel_closes(echo, peer).await;
}

#[tokio::test]
async fn a_refused_stream_of_requests_goes_out_once_more_with_what_was_sent() {
    let (mut server, echo) = RawServer::memory("refusing");
    let script = async {
        let mut peer = server.accept().await;
        peer.expect_headers(1).await;
        assert_eq!(peer.expect_data(1).await, note("one"));
        peer.send(reset(1, REFUSED_STREAM)).await;
        peer.expect_headers(3).await;
        assert_eq!(peer.expect_data(3).await, note("one"));
        peer.send(answer(3, "chat")).await;
        assert_eq!(peer.expect_reset(3).await, CANCEL);

        // Finished already: the end goes out again too.
        peer.expect_end(5).await;
        peer.send(reset(5, REFUSED_STREAM)).await;
        let again = peer.expect_end(7).await;
        assert_eq!(again.body, note("two"));
        peer.send(answer(7, "collect")).await;
        nothing_more(&mut peer).await;
        peer
    };
    let calls = async {
        let (mut sender, mut received) = echo.chat().await.unwrap();
        sender.send(&text("one")).await.unwrap();
        let reply = within("a reply", received.recv()).await.unwrap();
        assert_eq!(reply.unwrap().text, "chat");
        assert_eq!(received.recv().await.unwrap(), None);
        drop(sender);
        let (mut sender, summary) = echo.collect().await.unwrap();
        sender.send(&text("two")).await.unwrap();
        sender.finish();
        let reply = within("a reply", summary).await.unwrap();
        assert_eq!(reply.text, "collect");
    };
    let (peer, ()) = tokio::join!(script, calls);
    assert_eq!(peer.heads, 4);
    channel_closes(echo, peer).await;
}

#[tokio::test]
async fn a_stream_of_requests_refused_twice_says_that_it_is_unprocessed() {
    let (mut server, echo) = RawServer::memory("refusing");
    let script = async {
        let mut peer = server.accept().await;
        for stream in [1, 3, 5, 7] {
            peer.expect_headers(stream).await;
            peer.send(reset(stream, REFUSED_STREAM)).await;
        }
        nothing_more(&mut peer).await;
        peer
    };
    let calls = async {
        let (_sender, mut received) = echo.chat().await.unwrap();
        let chat = within("the error", received.recv()).await.unwrap_err();
        let (_sender, summary) = echo.collect().await.unwrap();
        let collect = within("the error", summary).await.unwrap_err();
        for error in [chat, collect] {
            assert_eq!(error.code(), Code::Unavailable, "{error}");
            assert!(error.is_unprocessed(), "{error}");
        }
    };
    let (peer, ()) = tokio::join!(script, calls);
    assert_eq!(peer.heads, 4);
    channel_closes(echo, peer).await;
}

/// A unary call ended by `end` on stream 1 must fail with this code and not go out again.
async fn is_not_repeated(end: Wire, then_close: bool, code: Code) {
    let (mut server, echo) = RawServer::memory("once");
    let shown = format!("{end:?}");
    let script = async {
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        peer.send(end).await;
        if then_close {
            // What was sent has to be read before the pipe breaks.
            tokio::time::sleep(Duration::from_millis(20)).await;
            drop(peer);
        } else {
            nothing_more(&mut peer).await;
        }
        let again = tokio::time::timeout(Duration::from_millis(50), server.accept_io()).await;
        if let Ok(io) = again {
            let mut peer = Peer::server(io, &[]).await;
            nothing_more(&mut peer).await;
        }
    };
    let call = within("the error", echo.once(text("x")));
    let (result, ()) = tokio::join!(call, script);
    let error = result.expect_err(&shown);
    assert_eq!(error.code(), code, "{shown}: {error}");
    assert!(!error.is_unprocessed(), "{shown}: {error}");
    assert!(
        error.to_string().contains("memory:once"),
        "{shown}: {error}"
    );
}

#[tokio::test]
async fn what_may_have_been_processed_is_not_repeated() {
    let head = || Wire::from(headers(1).status(200).grpc());
    // GOAWAY counts the stream in, and then the connection is lost.
    is_not_repeated(goaway(1, NO_ERROR, ""), true, Code::Unavailable).await;
    is_not_repeated(goaway(ALL, NO_ERROR, ""), true, Code::Unavailable).await;
    is_not_repeated(Wire::default(), true, Code::Unavailable).await;
    // Resets that promise nothing.
    is_not_repeated(reset(1, CANCEL), false, Code::Cancelled).await;
    is_not_repeated(reset(1, NO_ERROR), false, Code::Internal).await;
    is_not_repeated(reset(1, ENHANCE_YOUR_CALM), false, Code::ResourceExhausted).await;
    // An answer had begun.
    is_not_repeated(head().and(last_data(1, "")), false, Code::Internal).await;
}

#[tokio::test]
async fn a_refusal_after_the_answer_has_begun_is_not_believed() {
    let (mut server, echo) = RawServer::memory("once");
    let script = async {
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        let head = Wire::from(headers(1).status(200).grpc());
        peer.send(head.and(reset(1, REFUSED_STREAM))).await;
        nothing_more(&mut peer).await;
        peer
    };
    let call = within("the error", echo.once(text("x")));
    let (result, peer) = tokio::join!(call, script);
    let error = result.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(!error.is_unprocessed(), "it had been answered: {error}");
    assert_eq!(peer.heads, 1);
    channel_closes(echo, peer).await;
}

#[tokio::test]
async fn the_text_of_a_goaway_reaches_the_caller() {
    let (mut server, echo) = RawServer::memory("strict");
    let script = async {
        let mut peer = server.accept().await;
        peer.expect_headers(1).await;
        let bye = goaway(1, ENHANCE_YOUR_CALM, "too_many_pings");
        peer.send(bye).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(peer);
    };
    let call = async {
        let (_sender, mut received) = echo.chat().await.unwrap();
        within("the error", received.recv()).await.unwrap_err()
    };
    let (error, ()) = tokio::join!(call, script);
    let all = error.to_string();
    assert_eq!(error.code(), Code::Unavailable, "{all}");
    assert!(
        all.contains("too_many_pings") && all.contains("memory:strict"),
        "{all}"
    );
    assert!(!error.is_unprocessed(), "{all}");
}

#[tokio::test]
async fn a_server_that_only_says_goaway_is_given_up() {
    let (mut server, echo) = RawServer::memory("closed");
    let script = async {
        let mut peers = Vec::new();
        loop {
            let mut peer = Peer::silent(server.accept_io().await);
            peer.expect_preface().await;
            let greeting = crate::support::settings(&[]).and(goaway(0, NO_ERROR, "closed today"));
            peer.send(greeting).await;
            peers.push(peer);
            assert!(peers.len() < 50, "connecting without end");
        }
    };
    let call = within("the error", echo.once(text("x")));
    let error = tokio::select! {
        result = call => result.unwrap_err(),
        never = script => never,
    };
    assert_eq!(error.code(), Code::Unavailable, "{error}");
    assert!(error.is_unprocessed(), "{error}");
    assert!(error.to_string().contains("memory:closed"), "{error}");
}

#[tokio::test]
async fn a_connection_lost_while_idle_costs_no_call() {
    let (mut server, echo) = RawServer::memory("restarting");
    let calls = async {
        assert_eq!(
            within("one", echo.once(text("x"))).await.unwrap().text,
            "one"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(
            within("two", echo.once(text("x"))).await.unwrap().text,
            "two"
        );
    };
    let script = async {
        for words in ["one", "two"] {
            let mut peer = server.accept().await;
            peer.expect_end(1).await;
            peer.send(answer(1, words)).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::join!(calls, script);
}
