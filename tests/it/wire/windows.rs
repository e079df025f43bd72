//! Windows that are shut, opened late, narrowed below what is under way, and used to the last byte.

use trunkline::codegen::prost::Message;
use trunkline_test_protos::echo::{EchoClient, Note};

use super::{Kind, answer, ask, asked, is_healthy};
use crate::handlers::bytes;
use crate::support::{
    Event, Heard, INITIAL_WINDOW_SIZE, Over, Peer, RawServer, Served, Wire, channel_closes, data,
    framed, last_data, note, request, window, within,
};

/// A client of ours, and a peer whose streams have this window.
async fn connected(over: Over, initial: u32) -> (EchoClient, Peer) {
    let (mut server, echo) =
        RawServer::over_with(over, "windows", |channel| channel.max_connections(1)).await;
    let script = async {
        let mut peer = server.accept_with(&[(INITIAL_WINDOW_SIZE, 65_535)]).await;
        asked(&mut peer, 1, Kind::Once).await;
        peer.send(answer(1, "first")).await;
        // What that call took of the connection's window is put back.
        peer.send(window(0, note("ask").len() as u32)).await;
        peer.settle(&[(INITIAL_WINDOW_SIZE, initial)]).await;
        peer
    };
    let (first, peer) = tokio::join!(ask(&echo, Kind::Once), script);
    assert!(first.end.is_ok(), "{first:?}");
    (echo, peer)
}

/// Takes exactly this much of a stream, and no byte more comes.
async fn exactly(peer: &mut Peer, stream: u32, length: usize) -> Vec<u8> {
    let mut got = Vec::new();
    while got.len() < length {
        got.extend(peer.expect_data(stream).await);
    }
    assert_eq!(got.len(), length);
    peer.expect_nothing().await;
    got
}

fn message(length: usize) -> (Note, Vec<u8>) {
    let note = Note {
        text: (0..length)
            .map(|at| char::from(b'a' + (at % 23) as u8))
            .collect(),
        ..Note::default()
    };
    let framed = framed(note.encode_to_vec());
    (note, framed)
}

/// A stream without window sends its head and then nothing, until its window is opened: by an
/// update, by SETTINGS, byte by byte.
#[tokio::test]
async fn a_request_waits_for_the_window_of_its_stream() {
    for over in Over::BOTH {
        let (echo, mut peer) = connected(over, 0).await;
        let (note, framed) = message(1_000);
        let script = async {
            peer.expect_headers(3).await;
            peer.expect_nothing().await;
            let mut got = Vec::new();
            for _ in 0..20 {
                peer.send(window(3, 1)).await;
                got.extend(exactly(&mut peer, 3, 1).await);
            }
            peer.settle(&[(INITIAL_WINDOW_SIZE, 80)]).await;
            got.extend(exactly(&mut peer, 3, 80).await);
            peer.send(window(3, framed.len() as u32 - 101)).await;
            got.extend(exactly(&mut peer, 3, framed.len() - 101).await);
            peer.settle(&[(INITIAL_WINDOW_SIZE, 81)]).await;
            let last = peer.expect_end(3).await;
            got.extend(last.body);
            assert_eq!(got, framed);
            peer.send(answer(3, "all")).await;
        };
        let (reply, ()) = tokio::join!(within("it", echo.once(note)), script);
        assert_eq!(reply.unwrap().text, "all");
        channel_closes(echo, peer).await;
    }
}

/// A request that fits its window to the last byte ends without a further one.
#[tokio::test]
async fn the_end_of_a_request_needs_no_window() {
    for over in Over::BOTH {
        let (note, framed) = message(1_000);
        let (echo, mut peer) = connected(over, framed.len() as u32).await;
        let script = async {
            assert_eq!(peer.expect_end(3).await.body, framed);
            peer.send(answer(3, "all")).await;
        };
        let (reply, ()) = tokio::join!(within("it", echo.once(note)), script);
        assert_eq!(reply.unwrap().text, "all");
        // An upload too: its end is a frame without bytes.
        let script = async {
            peer.expect_headers(5).await;
            exactly(&mut peer, 5, framed.len()).await;
        };
        let call = async {
            let (mut sender, summary) = echo.collect().await.unwrap();
            sender.send(&message(1_000).0).await.unwrap();
            (sender, summary)
        };
        let ((), (sender, summary)) = tokio::join!(script, call);
        sender.finish();
        let script = async {
            assert!(peer.expect_end(5).await.body.is_empty());
            peer.send(answer(5, "end")).await;
        };
        let (reply, ()) = tokio::join!(within("it", summary), script);
        assert_eq!(reply.unwrap().text, "end");
        channel_closes(echo, peer).await;
    }
}

/// The connection's window is used up by one stream: the others wait for it and not for theirs.
#[tokio::test]
async fn calls_share_the_connections_window() {
    for over in Over::BOTH {
        let (echo, mut peer) = connected(over, 1 << 20).await;
        let (note, framed) = message(100_000);
        let script = async {
            peer.expect_headers(3).await;
            let mut first = exactly(&mut peer, 3, 65_535).await;
            // Both have window of their own, and neither may send.
            peer.send(window(3, 1_000)).await;
            peer.expect_nothing().await;
            peer.send(window(0, 1)).await;
            first.extend(exactly(&mut peer, 3, 1).await);
            peer.send(window(0, (framed.len() - first.len()) as u32))
                .await;
            first.extend(peer.expect_end(3).await.body);
            assert_eq!(first, framed);
            peer.send(answer(3, "first")).await;
        };
        let (reply, ()) = tokio::join!(within("it", echo.once(note)), script);
        assert_eq!(reply.unwrap().text, "first");
        let script = async {
            peer.expect_headers(5).await;
            peer.expect_nothing().await;
            peer.send(window(0, 65_535)).await;
            assert_eq!(peer.expect_end(5).await.body, crate::support::note("ask"));
            peer.send(answer(5, "second")).await;
        };
        let (outcome, ()) = tokio::join!(ask(&echo, Kind::Once), script);
        assert_eq!(outcome.messages, ["second"]);
        is_healthy(&echo, &mut peer).await;
        channel_closes(echo, peer).await;
    }
}

/// SETTINGS take back more than is left: the window is negative, and the debt is paid first.
#[tokio::test]
async fn a_window_below_nothing_is_filled_up_before_more_is_sent() {
    for over in Over::BOTH {
        for narrowed in [10_000, 1, 0] {
            let (echo, mut peer) = connected(over, 40_000).await;
            let (note, framed) = message(50_000);
            let script = async {
                peer.expect_headers(3).await;
                let mut got = exactly(&mut peer, 3, 40_000).await;
                peer.settle(&[(INITIAL_WINDOW_SIZE, narrowed)]).await;
                // 40,000 were sent: exactly the debt is no window yet.
                peer.send(window(3, 40_000 - narrowed - 1)).await;
                peer.expect_nothing().await;
                peer.send(window(3, 1)).await;
                peer.expect_nothing().await;
                peer.send(window(3, 1)).await;
                got.extend(exactly(&mut peer, 3, 1).await);
                // Widened again, by just as much as is left.
                let left = framed.len() - got.len();
                peer.settle(&[(INITIAL_WINDOW_SIZE, narrowed + left as u32)])
                    .await;
                got.extend(peer.expect_end(3).await.body);
                assert_eq!(got, framed);
                peer.send(answer(3, "all")).await;
            };
            let (reply, ()) = tokio::join!(within("it", echo.once(note)), script);
            assert_eq!(reply.unwrap().text, "all");
            peer.settle(&[(INITIAL_WINDOW_SIZE, 65_535)]).await;
            peer.send(window(0, 60_000)).await;
            is_healthy(&echo, &mut peer).await;
            channel_closes(echo, peer).await;
        }
    }
}

/// The same, by SETTINGS alone: down and up again, while nothing else is granted.
#[tokio::test]
async fn settings_alone_may_shut_and_open_a_window() {
    for over in Over::BOTH {
        let (echo, mut peer) = connected(over, 1_000).await;
        let (note, framed) = message(5_000);
        let script = async {
            peer.expect_headers(3).await;
            let mut got = exactly(&mut peer, 3, 1_000).await;
            for (initial, more) in [
                (0, 0),
                (999, 0),
                (1_000, 0),
                (1_001, 1),
                (500, 0),
                (2_000, 999),
            ] {
                peer.settle(&[(INITIAL_WINDOW_SIZE, initial)]).await;
                got.extend(exactly(&mut peer, 3, more).await);
            }
            peer.settle(&[(INITIAL_WINDOW_SIZE, 65_535)]).await;
            got.extend(peer.expect_end(3).await.body);
            assert_eq!(got, framed);
            peer.send(answer(3, "all")).await;
        };
        let (reply, ()) = tokio::join!(within("it", echo.once(note)), script);
        assert_eq!(reply.unwrap().text, "all");
        channel_closes(echo, peer).await;
    }
}

/// Our server's answers obey their client's windows in the same way.
#[tokio::test]
async fn an_answer_waits_for_windows_shut_and_below_nothing() {
    for over in Over::BOTH {
        let mut served = Served::over(over).await;
        let mut peer = served.connect().await;
        peer.settle(&[(INITIAL_WINDOW_SIZE, 0)]).await;
        let (_, framed) = message(60_000);
        let question = Wire::from(request(1, Kind::Once.path()));
        let pieces = framed.chunks(16_000).map(|piece| data(1, piece));
        peer.send(pieces.fold(question, Wire::and).and(last_data(1, "")))
            .await;
        peer.expect_headers(1).await;
        peer.expect_nothing().await;
        peer.send(window(1, 1)).await;
        let mut got = exactly(&mut peer, 1, 1).await;
        peer.settle(&[(INITIAL_WINDOW_SIZE, 30_000)]).await;
        got.extend(exactly(&mut peer, 1, 30_000).await);
        // 30,001 were sent, of which 1 was granted beside.
        peer.settle(&[(INITIAL_WINDOW_SIZE, 100)]).await;
        peer.send(window(1, 29_900)).await;
        peer.expect_nothing().await;
        peer.send(window(1, 7)).await;
        got.extend(exactly(&mut peer, 1, 7).await);
        // The trailers wait behind the body, and need no window themselves.
        let left = (framed.len() - got.len()) as u32;
        peer.send(window(1, left)).await;
        let end = peer.expect_end(1).await;
        got.extend(end.body);
        assert_eq!(got, framed);
        assert_eq!(
            end.trailers.unwrap_or(end.head).get("grpc-status"),
            Some("0")
        );
        assert!(matches!(served.heard().await, Heard::Message(_)));
        drop(peer);
        served.end().await;
    }
}

/// The client's connection window is shut: heads and statuses still go out, bodies do not.
#[tokio::test]
async fn what_needs_no_window_goes_out_of_a_shut_connection() {
    for over in Over::BOTH {
        let mut served = Served::over(over).await;
        let mut peer = served.connect().await;
        peer.settle(&[(INITIAL_WINDOW_SIZE, 1 << 20)]).await;
        let many = Note {
            number: 1_000_000,
            ..Note::default()
        };
        let many = framed(many.encode_to_vec());
        peer.send(Wire::from(request(1, Kind::Expand.path())).and(last_data(1, many)))
            .await;
        peer.expect_headers(1).await;
        exactly(&mut peer, 1, 65_535).await;
        // A status needs no window.
        peer.send(request(3, "/tests.echo.Echo/Nothing").end())
            .await;
        assert_eq!(peer.expect_end(3).await.code(), Some(12));
        // A message does.
        peer.send(Wire::from(request(5, Kind::Once.path())).and(last_data(5, note("x"))))
            .await;
        peer.expect_headers(5).await;
        peer.expect_nothing().await;
        // The first stream is given up, and its place in the queue with it.
        peer.send(crate::support::reset(1, 8)).await;
        peer.catch_up().await;
        peer.send(window(0, note("x").len() as u32)).await;
        assert_eq!(peer.expect_data(5).await, note("x"));
        assert_eq!(peer.expect_end(5).await.head.get("grpc-status"), Some("0"));
        let events = peer.drain().await;
        assert!(
            !events.iter().any(|event| matches!(event, Event::Data(..))),
            "{events:?}"
        );
        for _ in 0..3 {
            served.heard().await;
        }
        drop(peer);
        served.end().await;
    }
}

/// A window opened to its very end, 2^31 - 1, is lawful, and one byte more is not.
#[tokio::test]
async fn a_window_may_be_as_wide_as_there_is() {
    const WIDEST: u32 = (1 << 31) - 1;
    for over in Over::BOTH {
        let (echo, mut peer) = connected(over, WIDEST).await;
        peer.send(window(0, WIDEST - 65_535)).await;
        let script = async {
            let mut got = 0;
            peer.expect_headers(3).await;
            while got < 300_000 {
                got += peer.expect_data(3).await.len();
            }
            peer.send(answer(3, "all")).await;
        };
        let (reply, ()) = tokio::join!(within("it", echo.once(bytes(300_000))), script);
        assert_eq!(reply.unwrap().text, "all");
        is_healthy(&echo, &mut peer).await;
        channel_closes(echo, peer).await;
    }
}
