//! GOAWAY against open streams, in both roles; what calls lose by it and what they do not is in the
//! module `goaway` beside `wire`, which this one goes on from.

use trunkline::Code;

use super::{Kind, answer, ask, asked, head, is_healthy};
use crate::support::{
    ALL, ENHANCE_YOUR_CALM, LAST_CODE, NO_ERROR, Over, Peer, RawServer, Served, channel_closes,
    data, goaway, headers, last_data, note, request, reset, trailers,
};

/// Three calls, of which the first has stream 1, and so on.
async fn three(peer: &mut Peer, kind: Kind) {
    for stream in [1, 3, 5] {
        asked(peer, stream, kind).await;
    }
}

/// With any code: what the server has not counted in goes elsewhere, what it has is finished.
#[tokio::test]
async fn a_goaway_of_any_code_moves_what_it_leaves_out() {
    for over in Over::BOTH {
        for code in (0..=LAST_CODE).chain([0xbeef]) {
            for kind in [Kind::Once, Kind::Chat] {
                let (mut server, echo) = RawServer::over(over, "going").await;
                let script = async {
                    let mut old = server.accept().await;
                    three(&mut old, kind).await;
                    old.send(goaway(3, code, "maintenance")).await;
                    let mut new = server.accept().await;
                    asked(&mut new, 1, kind).await;
                    new.send(answer(1, "new")).await;
                    for stream in [1, 3] {
                        old.send(answer(stream, "old")).await;
                    }
                    (old, new)
                };
                let calls =
                    async { tokio::join!(ask(&echo, kind), ask(&echo, kind), ask(&echo, kind)) };
                let ((mut old, mut new), (a, b, c)) = tokio::join!(script, calls);
                let mut words = Vec::new();
                for outcome in [a, b, c] {
                    assert!(outcome.end.is_ok(), "{code:#x} {kind:?}: {outcome:?}");
                    words.extend(outcome.messages);
                }
                words.sort();
                assert_eq!(words, ["new", "old", "old"], "{code:#x} {kind:?}");
                old.expect_close().await;
                is_healthy(&echo, &mut new).await;
                assert_eq!((old.heads, new.heads), (3, 2));
                channel_closes(echo, new).await;
            }
        }
    }
}

/// The second GOAWAY refuses what the first had still let in.
#[tokio::test]
async fn a_second_goaway_moves_what_the_first_had_counted_in() {
    for over in Over::BOTH {
        for (first, second) in [(ALL, 1), (5, 3), (3, 0), (1, 1)] {
            let (mut server, echo) = RawServer::over(over, "twice").await;
            let kept = u32::div_ceil(second, 2);
            let script = async {
                let mut old = server.accept().await;
                three(&mut old, Kind::Once).await;
                old.send(goaway(first, NO_ERROR, "soon")).await;
                old.catch_up().await;
                old.send(goaway(second, NO_ERROR, "now")).await;
                let mut new = None;
                for number in kept..3 {
                    let stream = 2 * (number - kept) + 1;
                    if new.is_none() {
                        new = Some(server.accept().await);
                    }
                    let new = new.as_mut().unwrap();
                    asked(new, stream, Kind::Once).await;
                    new.send(answer(stream, "new")).await;
                }
                for stream in [1, 3].into_iter().take(kept as usize) {
                    old.send(answer(stream, "old")).await;
                }
                (old, new.unwrap())
            };
            let kind = Kind::Once;
            let calls =
                async { tokio::join!(ask(&echo, kind), ask(&echo, kind), ask(&echo, kind)) };
            let ((mut old, mut new), (a, b, c)) = tokio::join!(script, calls);
            let words: Vec<_> = [a, b, c].into_iter().flat_map(|o| o.messages).collect();
            let news = words.iter().filter(|word| *word == "new").count();
            assert_eq!((words.len(), news), (3, 3 - kept as usize), "{words:?}");
            old.expect_close().await;
            is_healthy(&echo, &mut new).await;
            channel_closes(echo, new).await;
        }
    }
}

/// The very first call of a channel meets a server that is about to be restarted: it is not lost.
#[tokio::test]
async fn a_goaway_to_a_new_connection_moves_its_first_call() {
    for over in Over::BOTH {
        for kind in Kind::ALL {
            let (mut server, echo) = RawServer::over(over, "restarting").await;
            let script = async {
                let mut old = server.accept().await;
                asked(&mut old, 1, kind).await;
                old.send(goaway(0, NO_ERROR, "restart")).await;
                let mut new = server.accept().await;
                asked(&mut new, 1, kind).await;
                new.send(answer(1, "new")).await;
                old.expect_close().await;
                new
            };
            let (outcome, mut new) = tokio::join!(ask(&echo, kind), script);
            assert!(outcome.end.is_ok(), "{kind:?}: {outcome:?}");
            assert_eq!(outcome.messages, ["new"]);
            is_healthy(&echo, &mut new).await;
            channel_closes(echo, new).await;
        }
    }
}

/// The connection is lost right behind it: only what was surely not processed goes elsewhere.
#[tokio::test]
async fn a_goaway_and_then_the_end_fails_only_what_was_counted_in() {
    for over in Over::BOTH {
        for code in [NO_ERROR, ENHANCE_YOUR_CALM] {
            let (mut server, echo) = RawServer::over(over, "ending").await;
            let script = async {
                let mut old = server.accept().await;
                three(&mut old, Kind::Once).await;
                old.send(goaway(3, code, "over_and_out")).await;
                old.finish().await;
                let mut new = server.accept().await;
                asked(&mut new, 1, Kind::Once).await;
                new.send(answer(1, "new")).await;
                old.expect_close().await;
                new
            };
            let kind = Kind::Once;
            let calls =
                async { tokio::join!(ask(&echo, kind), ask(&echo, kind), ask(&echo, kind)) };
            let (mut new, (a, b, c)) = tokio::join!(script, calls);
            let mut failed = 0;
            for outcome in [a, b, c] {
                match &outcome.end {
                    Ok(()) => assert_eq!(outcome.messages, ["new"]),
                    Err(status) => {
                        failed += 1;
                        assert_eq!(status.code(), Code::Unavailable, "{status}");
                        assert!(!status.is_unprocessed(), "{status}");
                        assert!(status.to_string().contains(Kind::Once.path()), "{status}");
                    }
                }
            }
            assert_eq!(failed, 2, "those that the server had counted in");
            is_healthy(&echo, &mut new).await;
            channel_closes(echo, new).await;
        }
    }
}

/// In the middle of a message that is still coming.
#[tokio::test]
async fn a_message_goes_on_behind_a_goaway_that_counts_its_stream_in() {
    for over in Over::BOTH {
        for kind in Kind::ALL {
            let (mut server, echo) = RawServer::over(over, "mid").await;
            let body = note(&"m".repeat(1_000));
            let script = async {
                let mut peer = server.accept().await;
                asked(&mut peer, 1, kind).await;
                let (one, rest) = body.split_at(3);
                let (two, three) = rest.split_at(500);
                peer.send(head(1).and(data(1, one)).and(goaway(ALL, NO_ERROR, "")))
                    .await;
                peer.catch_up().await;
                peer.send(data(1, two).and(goaway(1, NO_ERROR, ""))).await;
                peer.catch_up().await;
                peer.send(data(1, three).and(trailers(1, 0))).await;
                peer.expect_close().await;
            };
            let (outcome, ()) = tokio::join!(ask(&echo, kind), script);
            assert!(outcome.end.is_ok(), "{kind:?}: {outcome:?}");
            assert_eq!(outcome.messages, ["m".repeat(1_000)], "{kind:?}");
        }
    }
}

/// A server that has answered and then says it has not even looked at the call is not believed:
/// nothing is done twice.
#[tokio::test]
async fn a_goaway_that_leaves_out_an_answered_stream_is_not_believed() {
    for over in Over::BOTH {
        for kind in Kind::ALL {
            for message in [None, Some("one")] {
                let (mut server, echo) = RawServer::over(over, "lying").await;
                let script = async {
                    let mut peer = server.accept().await;
                    asked(&mut peer, 1, kind).await;
                    let begun = message.map_or_else(|| head(1), |m| head(1).and(data(1, note(m))));
                    peer.send(begun).await;
                    peer.catch_up().await;
                    peer.send(goaway(0, NO_ERROR, "")).await;
                    peer.expect_close().await;
                    assert_eq!(peer.heads, 1);
                };
                let (outcome, ()) = tokio::join!(ask(&echo, kind), script);
                let error = outcome.error();
                assert_eq!(error.code(), Code::Unavailable, "{kind:?}: {error}");
                assert!(!error.is_unprocessed(), "{kind:?} {message:?}: {error}");
                let delivered = kind.streams_responses() && message.is_some();
                assert_eq!(outcome.messages.len(), usize::from(delivered), "{kind:?}");
            }
        }
    }
}

/// A call that goes elsewhere twice in a row, and is refused there too.
#[tokio::test]
async fn a_call_left_out_by_two_servers_fails_and_says_that_it_is_unprocessed() {
    for over in Over::BOTH {
        for kind in Kind::ALL {
            for second in [goaway(0, NO_ERROR, ""), reset(1, 7)] {
                let (mut server, echo) = RawServer::over(over, "both").await;
                let script = async {
                    let mut first = server.accept().await;
                    asked(&mut first, 1, kind).await;
                    first.send(goaway(0, NO_ERROR, "")).await;
                    let mut other = server.accept().await;
                    asked(&mut other, 1, kind).await;
                    other.send(second).await;
                    (first, other)
                };
                let (outcome, (mut first, other)) = tokio::join!(ask(&echo, kind), script);
                let error = outcome.error();
                assert_eq!(error.code(), Code::Unavailable, "{kind:?}: {error}");
                assert!(error.is_unprocessed(), "{kind:?}: {error}");
                first.expect_close().await;
                channel_closes(echo, other).await;
            }
        }
    }
}

/// A client that says GOAWAY wants no pushes, of which there are none: its requests are answered.
#[tokio::test]
async fn a_client_that_goes_away_still_gets_its_answers() {
    for over in Over::BOTH {
        for code in [NO_ERROR, ENHANCE_YOUR_CALM] {
            let served = Served::over(over).await;
            let mut peer = served.connect().await;
            peer.send(request(1, Kind::Chat.path())).await;
            peer.send(data(1, note("before"))).await;
            assert_eq!(peer.expect_headers(1).await.http_status(), 200);
            assert_eq!(peer.expect_data(1).await, note("before"));
            peer.send(goaway(0, code, "bye")).await;
            peer.send(data(1, note("after"))).await;
            assert_eq!(peer.expect_data(1).await, note("after"));
            peer.send(last_data(1, "")).await;
            let answer = peer.expect_end(1).await;
            assert_eq!(answer.code(), Some(0), "{answer:?}");
            drop(peer);
            served.end().await;
        }
    }
}

/// Header fields of the answer do not matter either: trailers-only behind a GOAWAY.
#[tokio::test]
async fn a_status_behind_a_goaway_is_the_servers() {
    let (mut server, echo) = RawServer::memory("said");
    let script = async {
        let mut peer = server.accept().await;
        asked(&mut peer, 1, Kind::Once).await;
        peer.send(goaway(1, NO_ERROR, "")).await;
        peer.catch_up().await;
        let only = headers(1).status(200).grpc().field("grpc-status", "8");
        peer.send(only.field("grpc-message", "full").end()).await;
        peer.expect_close().await;
    };
    let (outcome, ()) = tokio::join!(ask(&echo, Kind::Once), script);
    let error = outcome.error();
    assert_eq!(
        (error.code(), error.message()),
        (Code::ResourceExhausted, "full")
    );
    assert!(!error.is_unprocessed());
}
