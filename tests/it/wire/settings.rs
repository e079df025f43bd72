//! SETTINGS and PING in flight: what changes while calls are under way, in both roles.

use std::time::Duration;

use trunkline::{Code, Stage};
use trunkline_test_protos::echo::EchoClient;

use super::{Kind, answer, ask, asked, head, is_healthy, next_stream};
use crate::handlers::bytes;
use crate::support::{
    ALL, Event, Heard, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MAX_FRAME, MAX_FRAME_SIZE,
    NO_ERROR, Over, Peer, RawServer, Served, Wire, channel_closes, data, framed, goaway, headers,
    last_data, note, ping_with, request, settings, text, trailers, window, within,
};

/// A client of ours with one connection, whose first call has been answered.
async fn connected(over: Over) -> (EchoClient, Peer) {
    let (mut server, echo) =
        RawServer::over_with(over, "settings", |channel| channel.max_connections(1)).await;
    let script = async {
        let mut peer = server.accept().await;
        asked(&mut peer, 1, Kind::Once).await;
        peer.send(answer(1, "first")).await;
        peer
    };
    let (first, peer) = tokio::join!(ask(&echo, Kind::Once), script);
    assert!(first.end.is_ok(), "{first:?}");
    (echo, peer)
}

/// Open calls go on, new ones wait, and say for what if they cannot wait any longer.
#[tokio::test]
async fn a_limit_of_no_stream_holds_new_calls_until_it_is_raised() {
    for over in Over::BOTH {
        let (echo, mut peer) = connected(over).await;
        let (mut sender, mut received) = echo.chat().await.unwrap();
        sender.send(&text("before")).await.unwrap();
        peer.expect_headers(3).await;
        assert_eq!(peer.expect_data(3).await, note("before"));
        peer.settle(&[(MAX_CONCURRENT_STREAMS, 0)]).await;
        let hurried = echo.once(text("ask")).timeout(Duration::from_millis(50));
        let error = within("the deadline", hurried).await.unwrap_err();
        assert_eq!(error.code(), Code::DeadlineExceeded, "{error}");
        assert_eq!(error.stage(), Some(Stage::Pick), "{error}");
        assert!(error.is_unprocessed(), "{error}");
        // The open one goes on, both ways.
        sender.send(&text("meanwhile")).await.unwrap();
        assert_eq!(peer.expect_data(3).await, note("meanwhile"));
        peer.send(head(3).and(data(3, note("answered")))).await;
        let next = within("a message", received.recv()).await.unwrap();
        assert_eq!(next.unwrap().text, "answered");
        let script = async {
            peer.expect_nothing().await;
            // One place, which the open call still has; then one more.
            peer.settle(&[(MAX_CONCURRENT_STREAMS, 1)]).await;
            peer.expect_nothing().await;
            peer.settle(&[(MAX_CONCURRENT_STREAMS, 2)]).await;
            asked(&mut peer, 5, Kind::Once).await;
            // Lowered again while both are open, of which neither minds.
            peer.settle(&[(MAX_CONCURRENT_STREAMS, 0)]).await;
            peer.send(answer(5, "after")).await;
        };
        let (outcome, ()) = tokio::join!(ask(&echo, Kind::Once), script);
        assert_eq!(outcome.messages, ["after"]);
        peer.send(trailers(3, 0)).await;
        assert_eq!(within("the end", received.recv()).await.unwrap(), None);
        drop(sender);
        peer.settle(&[(MAX_CONCURRENT_STREAMS, 100)]).await;
        is_healthy(&echo, &mut peer).await;
        channel_closes(echo, peer).await;
    }
}

/// A limit that comes while more calls than it allows are under way.
#[tokio::test]
async fn a_limit_below_what_is_open_is_kept_once_there_is_room() {
    for over in Over::BOTH {
        let (echo, mut peer) = connected(over).await;
        let kind = Kind::Once;
        let calls = async {
            tokio::join!(
                ask(&echo, kind),
                ask(&echo, kind),
                ask(&echo, kind),
                ask(&echo, kind)
            )
        };
        let script = async {
            for stream in [3, 5, 7, 9] {
                asked(&mut peer, stream, kind).await;
            }
            peer.settle(&[(MAX_CONCURRENT_STREAMS, 1)]).await;
            for stream in [3, 5, 7, 9] {
                peer.send(answer(stream, "open")).await;
            }
        };
        let (outcomes, ()) = tokio::join!(calls, script);
        for outcome in [outcomes.0, outcomes.1, outcomes.2, outcomes.3] {
            assert_eq!(outcome.messages, ["open"]);
        }
        // From here on one at a time.
        let calls = async { tokio::join!(ask(&echo, kind), ask(&echo, kind), ask(&echo, kind)) };
        let script = async {
            for stream in [11, 13, 15] {
                asked(&mut peer, stream, kind).await;
                peer.expect_nothing().await;
                peer.send(answer(stream, "alone")).await;
            }
        };
        let (outcomes, ()) = tokio::join!(calls, script);
        assert_eq!(outcomes.2.messages, ["alone"]);
        channel_closes(echo, peer).await;
    }
}

/// Reads an upload of this many bytes, granting window for all of it.
async fn upload(peer: &mut Peer, stream: u32, length: usize) {
    let mut got = 0;
    while got < length {
        let piece = peer.expect_data(stream).await.len();
        got += piece;
        let credit = u32::try_from(piece).unwrap();
        if credit > 0 {
            peer.send(window(0, credit).and(window(stream, credit)))
                .await;
        }
    }
    assert_eq!(got, length);
}

/// Neither side ever sends a longer frame than the other has said it takes.
#[tokio::test]
async fn our_client_keeps_to_the_frame_size_of_its_server() {
    const LENGTH: usize = 200_000;
    for over in Over::BOTH {
        let (echo, mut peer) = connected(over).await;
        for (limit, changed) in [
            (None, MAX_FRAME),
            (Some(65_536), 65_536),
            (Some(16_384), 16_384),
        ] {
            if let Some(limit) = limit {
                peer.settle(&[(MAX_FRAME_SIZE, limit)]).await;
            }
            peer.largest_data = 0;
            let stream = next_stream(&peer);
            let script = async {
                let message = framed(trunkline::codegen::prost::Message::encode_to_vec(&bytes(
                    LENGTH,
                )));
                peer.expect_headers(stream).await;
                upload(&mut peer, stream, message.len()).await;
                peer.send(answer(stream, "all")).await;
            };
            let call = within("the upload", echo.once(bytes(LENGTH)));
            let (reply, ()) = tokio::join!(call, script);
            assert_eq!(reply.unwrap().text, "all");
            assert!(
                peer.largest_data <= changed,
                "{} of {changed}",
                peer.largest_data
            );
            assert!(peer.largest_data > 1_000, "{}", peer.largest_data);
        }
        channel_closes(echo, peer).await;
    }
}

#[tokio::test]
async fn our_server_keeps_to_the_frame_size_of_its_client() {
    const LENGTH: usize = 200_000;
    for over in Over::BOTH {
        let mut served = Served::over(over).await;
        let mut peer = served.connect().await;
        let message = framed(trunkline::codegen::prost::Message::encode_to_vec(&bytes(
            LENGTH,
        )));
        for (number, limit) in [16_384, 65_536, 16_384].into_iter().enumerate() {
            peer.settle(&[(MAX_FRAME_SIZE, limit)]).await;
            peer.largest_data = 0;
            let stream = 1 + 2 * number as u32;
            peer.send(request(stream, Kind::Once.path())).await;
            for piece in message.chunks(MAX_FRAME) {
                peer.send(data(stream, piece)).await;
            }
            peer.send(last_data(stream, "")).await;
            peer.expect_headers(stream).await;
            upload(&mut peer, stream, message.len()).await;
            assert_eq!(
                peer.expect_end(stream).await.head.get("grpc-status"),
                Some("0")
            );
            assert!(peer.largest_data <= limit as usize, "{}", peer.largest_data);
            assert!(matches!(served.heard().await, Heard::Message(_)));
        }
        drop(peer);
        served.end().await;
    }
}

/// Many SETTINGS at once: each is acknowledged, and the last one counts.
#[tokio::test]
async fn settings_in_a_row_are_each_acknowledged() {
    for over in Over::BOTH {
        let (echo, mut peer) = connected(over).await;
        peer.settle(&[]).await;
        let sizes = [0, 65_535, 1, 1 << 20, 100_000];
        let all = sizes.map(|size| settings(&[(INITIAL_WINDOW_SIZE, size), (0x42, size)]));
        peer.send(Wire::from(all)).await;
        for _ in sizes {
            peer.expect_settled().await;
        }
        let stream = next_stream(&peer);
        let script = async {
            peer.expect_headers(stream).await;
            let mut got = 0;
            // More than the first window, less than the last one: nothing is granted meanwhile.
            while got < 50_000 {
                got += peer.expect_data(stream).await.len();
            }
            peer.send(answer(stream, "all")).await;
        };
        let (reply, ()) = tokio::join!(within("it", echo.once(bytes(50_000))), script);
        assert_eq!(reply.unwrap().text, "all");
        channel_closes(echo, peer).await;
    }
}

/// A PING at every moment of a call, from the server.
#[tokio::test]
async fn our_client_answers_a_ping_at_any_moment() {
    for over in Over::BOTH {
        for kind in Kind::ALL {
            let (mut server, echo) = RawServer::over(over, "asking").await;
            let script = async {
                // Between SETTINGS and anything else.
                let mut peer = server.accept().await;
                peer.send(ping_with([0; 8])).await;
                asked(&mut peer, 1, kind).await;
                peer.expect_pong([0; 8]).await;
                let body = note("answered");
                let pieces = [
                    head(1),
                    data(1, &body[..2]),
                    data(1, &body[2..7]),
                    data(1, &body[7..]),
                    trailers(1, 0).into(),
                    goaway(1, NO_ERROR, "bye"),
                ];
                for (number, piece) in pieces.into_iter().enumerate() {
                    let [first, second] = [[number as u8; 8], [0xff - number as u8; 8]];
                    // Two on their way at once, on both sides of the frame.
                    let wire = ping_with(first).and(piece);
                    if number < 5 {
                        peer.send(wire.and(ping_with(second))).await;
                        peer.expect_pong(first).await;
                        peer.expect_pong(second).await;
                    } else {
                        peer.send(wire).await;
                        peer.expect_close().await;
                    }
                }
            };
            let (outcome, ()) = tokio::join!(ask(&echo, kind), script);
            assert_eq!(outcome.messages, ["answered"], "{kind:?}");
            assert!(outcome.end.is_ok(), "{outcome:?}");
        }
    }
}

/// While our side has no window to send anything else, and while calls wait for a place.
#[tokio::test]
async fn a_ping_waits_for_no_window() {
    for over in Over::BOTH {
        let (echo, mut peer) = connected(over).await;
        peer.settle(&[(INITIAL_WINDOW_SIZE, 0)]).await;
        let script = async {
            peer.expect_headers(3).await;
            peer.send(ping_with(*b"blocked?")).await;
            peer.expect_pong(*b"blocked?").await;
            peer.expect_nothing().await;
            peer.send(window(3, 100)).await;
            assert_eq!(peer.expect_end(3).await.body, note("ask"));
            peer.send(answer(3, "on")).await;
            // Nobody calls any more.
            peer.send(ping_with(*b"is idle?")).await;
            peer.expect_pong(*b"is idle?").await;
        };
        let (outcome, ()) = tokio::join!(ask(&echo, Kind::Once), script);
        assert_eq!(outcome.messages, ["on"]);
        channel_closes(echo, peer).await;
    }
}

/// A PING at every moment of an RPC, from the client.
#[tokio::test]
async fn our_server_answers_a_ping_at_any_moment() {
    for over in Over::BOTH {
        let mut served = Served::over(over).await;
        let mut peer = served.connect().await;
        let body = note("asked");
        let pieces = [
            settings(&[]),
            request(1, Kind::Chat.path()).into(),
            data(1, &body[..3]),
            data(1, &body[3..]),
            last_data(1, ""),
            settings(&[(INITIAL_WINDOW_SIZE, 0)]),
            Wire::from(request(3, Kind::Once.path())).and(last_data(3, &body)),
            goaway(ALL, NO_ERROR, "bye"),
        ];
        for (number, piece) in pieces.into_iter().enumerate() {
            let [first, second] = [[number as u8; 8], [0xff - number as u8; 8]];
            peer.send(ping_with(first).and(piece).and(ping_with(second)))
                .await;
            peer.expect_pong(first).await;
            peer.expect_pong(second).await;
        }
        let chat = peer.expect_end(1).await;
        assert_eq!((chat.code(), chat.body), (Some(0), body.clone()));
        // It waited for window all the time.
        peer.expect_headers(3).await;
        assert!(!matches!(peer.drain().await[..], [Event::Data(..)]));
        peer.send(window(3, 1_000)).await;
        assert_eq!(peer.expect_data(3).await, body);
        for _ in 0..3 {
            served.heard().await;
        }
        drop(peer);
        served.end().await;
    }
}

/// Head and body of an answer on each side of a change of SETTINGS that forbids all calls.
#[tokio::test]
async fn settings_inside_an_answer_change_nothing_about_it() {
    for over in Over::BOTH {
        for kind in Kind::ALL {
            let (echo, mut peer) = connected(over).await;
            let script = async {
                asked(&mut peer, 3, kind).await;
                let body = note("answered");
                let frames: [Wire; 4] = [
                    headers(3).status(200).grpc().into(),
                    data(3, &body[..4]),
                    data(3, &body[4..]),
                    trailers(3, 0).into(),
                ];
                for frame in frames {
                    let none = [(MAX_CONCURRENT_STREAMS, 0), (INITIAL_WINDOW_SIZE, 0)];
                    let many = [(MAX_CONCURRENT_STREAMS, 7), (INITIAL_WINDOW_SIZE, 65_535)];
                    peer.send(settings(&none).and(frame).and(settings(&many)))
                        .await;
                    peer.catch_up().await;
                }
            };
            let (outcome, ()) = tokio::join!(ask(&echo, kind), script);
            assert_eq!(outcome.messages, ["answered"], "{kind:?}");
            is_healthy(&echo, &mut peer).await;
            channel_closes(echo, peer).await;
        }
    }
}
