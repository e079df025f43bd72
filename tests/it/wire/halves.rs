//! Streams of which one half has ended: the other goes on, in both roles.

use trunkline::Code;
use trunkline::codegen::prost::Message;
use trunkline_test_protos::echo::Note;

use super::{Kind, head, is_healthy};
use crate::support::{
    CANCEL, Heard, NO_ERROR, Over, RawServer, Served, Wire, channel_closes, data, framed,
    last_data, note, request, text, trailers, window, within,
};

/// We have said everything; the server goes on for long.
#[tokio::test]
async fn a_server_goes_on_after_our_end() {
    for over in Over::BOTH {
        let (mut server, echo) = RawServer::over(over, "halves").await;
        let script = async {
            let mut peer = server.accept().await;
            assert_eq!(peer.expect_end(1).await.body, note("all"));
            peer.send(head(1)).await;
            for number in 0..100 {
                peer.send(data(1, note(&number.to_string()))).await;
                // What we have ended stays ended.
                peer.expect_nothing().await;
            }
            peer.send(trailers(1, 0)).await;
            peer
        };
        let call = async {
            let (mut sender, mut received) = echo.chat().await.unwrap();
            sender.send(&text("all")).await.unwrap();
            sender.finish();
            for number in 0..100 {
                let next = within(number, received.recv()).await.unwrap();
                assert_eq!(next.unwrap().text, number.to_string());
            }
            assert_eq!(within("the end", received.recv()).await.unwrap(), None);
        };
        let (mut peer, ()) = tokio::join!(script, call);
        is_healthy(&echo, &mut peer).await;
        channel_closes(echo, peer).await;
    }
}

/// The server has said everything while we still send: that ends the call, and our half with it.
#[tokio::test]
async fn our_half_ends_with_a_servers_last_word() {
    for over in Over::BOTH {
        for code in [Code::Ok, Code::Aborted] {
            let (mut server, echo) = RawServer::over(over, "halves").await;
            let script = async {
                let mut peer = server.accept().await;
                peer.expect_headers(1).await;
                assert_eq!(peer.expect_data(1).await, note("one"));
                let last = head(1).and(data(1, note("early")));
                peer.send(last.and(trailers(1, code.number()))).await;
                assert_eq!(peer.expect_reset(1).await, CANCEL);
                // The one who resets after the end loses nothing either.
                peer.send(crate::support::reset(1, NO_ERROR)).await;
                peer
            };
            let call = async {
                let (mut sender, mut received) = echo.chat().await.unwrap();
                sender.send(&text("one")).await.unwrap();
                let next = within("a message", received.recv()).await.unwrap();
                assert_eq!(next.unwrap().text, "early");
                assert_eq!(Code::of(&within("the end", received.recv()).await), code);
                let sent = within("the sender", sender.send(&text("two"))).await;
                assert!(sent.is_err(), "nobody listens any more");
            };
            let (mut peer, ()) = tokio::join!(script, call);
            is_healthy(&echo, &mut peer).await;
            channel_closes(echo, peer).await;
        }
    }
}

/// DATA with END_STREAM where trailers belong is no clean end, at any place.
#[tokio::test]
async fn an_end_in_data_is_no_status() {
    for over in Over::BOTH {
        let (mut server, echo) = RawServer::over(over, "halves").await;
        let ends: [Wire; 3] = [
            last_data(1, ""),
            last_data(1, note("one")),
            last_data(1, &note("one")[..4]),
        ];
        let mut peer = None;
        for (number, mut end) in ends.into_iter().enumerate() {
            let script = async {
                let mut peer = match peer.take() {
                    Some(peer) => peer,
                    None => server.accept().await,
                };
                let stream = 1 + 2 * number as u32;
                peer.expect_end(stream).await;
                end.0[5..9].copy_from_slice(&stream.to_be_bytes());
                peer.send(head(stream).and(end)).await;
                peer
            };
            let (result, left) = tokio::join!(echo.once(text("ask")).into_future(), script);
            let error = result.unwrap_err();
            assert_eq!(error.code(), Code::Internal, "{error}");
            peer = Some(left);
        }
        channel_closes(echo, peer.unwrap()).await;
    }
}

/// A client that has said everything still gets everything, however much that is.
#[tokio::test]
async fn our_server_goes_on_after_its_clients_end() {
    for over in Over::BOTH {
        let mut served = Served::over(over).await;
        let mut peer = served.connect().await;
        let many = Note {
            text: "x".repeat(500),
            number: 1_000,
            ..Note::default()
        };
        let question = Wire::from(request(1, Kind::Expand.path()));
        peer.send(question.and(last_data(1, framed(many.encode_to_vec()))))
            .await;
        peer.expect_headers(1).await;
        let mut got = 0;
        while got < 1_000 * 500 {
            let piece = peer.expect_data(1).await.len();
            got += piece;
            if piece > 0 {
                let credit = piece as u32;
                peer.send(window(0, credit).and(window(1, credit))).await;
            }
        }
        assert_eq!(
            peer.expect_end(1).await.last().get("grpc-status"),
            Some("0")
        );
        assert!(matches!(served.heard().await, Heard::Message(_)));
        drop(peer);
        served.end().await;
    }
}

/// Our server has answered while its client still sends: NO_ERROR, and late DATA is no fault.
#[tokio::test]
async fn our_server_asks_for_no_more_once_it_has_answered() {
    for over in Over::BOTH {
        let served = Served::over(over).await;
        let mut peer = served.connect().await;
        // The second message is one too many for this method.
        let question = Wire::from(request(1, Kind::Once.path()));
        let two = question.and(data(1, note("one"))).and(data(1, note("two")));
        peer.send(two).await;
        let answer = peer.expect_end(1).await;
        assert_eq!(
            answer.code(),
            Some(Code::Unimplemented.number()),
            "{answer:?}"
        );
        assert_eq!(peer.expect_reset(1).await, NO_ERROR);
        for _ in 0..10 {
            peer.send(data(1, note("late"))).await;
        }
        peer.send(last_data(1, "")).await;
        peer.expect_nothing().await;
        let next = Wire::from(request(3, Kind::Once.path()));
        peer.send(next.and(last_data(3, note("next")))).await;
        assert_eq!(peer.expect_end(3).await.body, note("next"));
        drop(peer);
        served.end().await;
    }
}
