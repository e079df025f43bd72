//! Answers that are wrong as HTTP/2, whatever they say as gRPC.

use std::time::Duration;

use trunkline::{Code, Origin, Stage};

use super::{ONCE, answered, refused, whole};
use crate::support::{
    CANCEL, NO_ERROR, Peer, RawServer, Wire, data, headers, note, raw, request, reset, text,
    trailers, within,
};

#[tokio::test]
async fn interim_answers_are_skipped() {
    let mut answer = Wire::default();
    for _ in 0..50 {
        answer = answer.and(headers(1).status(103).field("link", "</style.css>"));
    }
    assert_eq!(
        answered(answer.and(whole(trailers(1, 0))))
            .await
            .unwrap()
            .text,
        "hello"
    );
}

#[tokio::test]
async fn endless_interim_answers_end_with_the_deadline() {
    let (mut server, echo) = RawServer::memory("strange");
    let script = async {
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        loop {
            peer.send(headers(1).status(100)).await;
            tokio::task::yield_now().await;
        }
    };
    let call = echo.once(text("hello")).timeout(Duration::from_millis(300));
    let call = within("the deadline", async { call.await });
    let error = tokio::select! {
        result = call => result.unwrap_err(),
        never = script => never,
    };
    assert_eq!(error.code(), Code::DeadlineExceeded, "{error}");
}

#[tokio::test]
async fn a_header_list_over_the_limit_fails_that_call_alone() {
    let long = "x".repeat(20_000);
    let oversize = |end: bool| {
        let head = headers(1).status(200).grpc().field("x-long", &long);
        if end {
            head.field("grpc-status", "0").end()
        } else {
            head
        }
    };
    for answer in [
        Wire::from(oversize(false))
            .and(data(1, note("hello")))
            .and(trailers(1, 0)),
        oversize(true).into(),
    ] {
        let error = answered(answer).await.unwrap_err();
        let all = error.to_string();
        let expected = matches!(error.code(), Code::Internal | Code::ResourceExhausted);
        assert!(expected, "a retry would not help: {all}");
        assert!(
            all.contains("memory:strange") && all.contains(ONCE),
            "{all}"
        );
        assert!(
            all.contains("max_header_list_bytes"),
            "the setting is named: {all}"
        );
    }
}

/// The h2 crate drops what is too much of a trailer block without a word, so this is the most that
/// can be had on it: the code is right if it comes first, and an error if it does not.
#[tokio::test]
async fn trailers_over_the_limit_lose_what_is_too_much() {
    let long = "x".repeat(20_000);
    let fine = whole(trailers(1, 0).field("x-long", &long));
    assert_eq!(answered(fine).await.unwrap().text, "hello");
    let failed = whole(trailers(1, 5).field("grpc-message", &long));
    let error = answered(failed).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::NotFound, ""));
    let late = headers(1)
        .field("x-long", &long)
        .field("grpc-status", "0")
        .end();
    refused(whole(late), Code::Unknown, &["without grpc-status"]).await;
}

#[tokio::test]
async fn an_endless_header_list_ends_the_connection() {
    let (mut server, echo) = RawServer::memory("strange");
    let script = async {
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        let block = [vec![0, 1, b'a', 0x7f, 0x80, 0x01], vec![b'x'; 255]].concat();
        peer.send(raw(1, 0, 1, &block)).await;
        for _ in 0..1_000 {
            peer.send(raw(9, 0, 1, &block)).await;
        }
        peer.expect_goaway().await
    };
    let call = within("the call to end", echo.once(text("hello")));
    let (result, (_, code, _)) = tokio::join!(call, script);
    let error = result.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "{error}");
    assert_ne!(code, 0);
}

#[tokio::test]
async fn trailers_far_over_the_limit_name_the_setting_and_the_next_call_connects_again() {
    let (mut server, echo) = RawServer::memory("strange");
    let script = async {
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        peer.send(headers(1).status(200).grpc()).await;
        let details = "x".repeat(1 << 20);
        peer.send(trailers(1, 5).field("grpc-status-details-bin", details))
            .await;
        peer.expect_goaway().await;
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        peer.send(Wire::from(headers(1).status(200).grpc()).and(data(1, note("again"))))
            .await;
        peer.send(trailers(1, 0)).await;
        peer
    };
    let call = async {
        let error = within("the call", echo.once(text("hello")))
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::Unavailable);
        let all = error.to_string();
        assert!(all.contains("max_header_list_bytes"), "{all}");
        let next = within("the next call", echo.once(text("hello"))).await;
        assert_eq!(next.unwrap().text, "again");
    };
    let _ = tokio::join!(call, script);
}

#[tokio::test]
async fn heads_that_are_no_http_are_an_error() {
    let statuses = ["", "abc", "20", "2000", "099"];
    let mut answers: Vec<Wire> = Vec::new();
    for status in statuses {
        answers.push(headers(1).field(":status", status).grpc().into());
    }
    answers.push(headers(1).grpc().into());
    answers.push(request(1, ONCE).into());
    answers.push(headers(1).status(200).status(200).grpc().into());
    answers.push(headers(1).status(200).grpc().field("UPPER", "case").into());
    answers.push(
        headers(1)
            .status(200)
            .grpc()
            .field("connection", "close")
            .into(),
    );
    answers.push(headers(1).status(200).grpc().field("x", "a\r\nb").into());
    for answer in answers {
        let (mut server, echo) = RawServer::memory("strange");
        let script = async {
            let mut peer = server.accept().await;
            peer.expect_end(1).await;
            let text = format!("{answer:?}");
            peer.send(answer).await;
            (peer, text)
        };
        let call = within("the call to end", echo.once(text("hello")));
        let (result, (mut peer, sent)) = tokio::join!(call, script);
        let error = result.expect_err(&sent);
        assert!(
            matches!(error.code(), Code::Internal | Code::Unavailable),
            "{error}: {sent}"
        );
        assert!(error.to_string().contains("memory:strange"), "{error}");
        drop(echo);
        peer.expect_close().await;
    }
}

#[tokio::test]
async fn a_body_of_another_length_than_announced_is_an_error() {
    let head = Wire::from(headers(1).status(200).grpc().field("content-length", "3"));
    let answer = head.and(data(1, note("hello"))).and(trailers(1, 0));
    let error = answered(answer).await.unwrap_err();
    assert_eq!(error.code(), Code::Internal, "{error}");
    assert!(error.to_string().contains("memory:strange"), "{error}");
}

#[tokio::test]
async fn breaches_of_http2_are_named() {
    for breach in [
        data(0, "x"),
        data(2, "x"),
        raw(4, 0, 1, &[]),
        raw(4, 0, 0, &[1]),
        raw(3, 0, 1, &[]),
        raw(8, 0, 0, &[0, 0, 0, 0]),
        raw(7, 0, 0, &[0]),
        raw(5, 4, 1, &[0, 0, 0, 2, 0x88]),
        raw(1, 4, 1, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        Wire(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_vec()),
    ] {
        let (mut server, echo) = RawServer::memory("strange");
        let sent = format!("{breach:?}");
        let script = async {
            let mut peer = server.accept().await;
            peer.expect_end(1).await;
            peer.send(breach).await;
            peer
        };
        let call = within(&sent, echo.once(text("hello")));
        let (result, mut peer) = tokio::join!(call, script);
        let error = result.unwrap_err();
        let all = error.to_string();
        assert_eq!(error.code(), Code::Unavailable, "{sent}: {all}");
        assert!(
            all.contains("breach of HTTP/2") && all.contains("memory:strange"),
            "{sent}: {all}"
        );
        let (_, code, _) = peer.expect_goaway().await;
        assert_ne!(code, 0, "{sent}");
        drop(echo);
        peer.expect_close().await;
    }
}

#[tokio::test]
async fn a_server_of_another_protocol_fails_the_connect() {
    for greeting in [
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
        "SSH-2.0-OpenSSH_9.6\r\n",
        "\x15\x03\x01\x00\x02\x02\x46",
    ] {
        let (mut server, echo) = RawServer::memory("strange");
        let script = async {
            let mut peer = Peer::silent(server.accept_io().await);
            peer.send(Wire(greeting.as_bytes().to_vec())).await;
            peer.finish().await;
            peer
        };
        let call = within("the call to end", echo.once(text("hello")));
        let (result, _peer) = tokio::join!(call, script);
        let error = result.expect_err(greeting);
        let all = error.to_string();
        assert_eq!(error.code(), Code::Unavailable, "{all}");
        assert_eq!(error.stage(), Some(Stage::Http2), "{all}");
        assert!(
            all.contains("memory:strange") && all.contains(ONCE),
            "{all}"
        );
        assert!(error.is_unprocessed(), "{all}");
    }
}

#[tokio::test]
async fn a_reset_before_the_head_and_after_it() {
    let early = reset(1, CANCEL);
    let error = refused(early, Code::Cancelled, &["CANCEL", "reset"]).await;
    assert_eq!(error.origin(), Origin::Transport);
    let late = whole(reset(1, NO_ERROR));
    refused(late, Code::Internal, &["NO_ERROR", "reset"]).await;
}
