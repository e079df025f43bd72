//! Whatever a server sends instead of an answer, the client gets an error that says what it was:
//! no panic, no hang, no guess.

mod http2;

use trunkline::{Code, Origin, Response, Stage, Status};
use trunkline_test_protos::echo::{EchoClient, Note};

use crate::support::{
    Headers, Peer, RawServer, Wire, channel_closes, data, framed, headers, last_data, note, prefix,
    text, trailers, within,
};

const ONCE: &str = "/tests.echo.Echo/Once";

/// A unary call that is answered by `answer`; the connection must live on, and answer the next.
async fn answered(answer: impl Into<Wire>) -> Result<Response<Note>, Status> {
    let (mut server, echo) = RawServer::memory("strange");
    let script = async {
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        peer.send(answer).await;
        peer
    };
    let call = within("the call to end", echo.once(text("hello")));
    let (result, mut peer) = tokio::join!(call, script);
    let (next, ()) = tokio::join!(
        echo.once(text("next")).into_future(),
        good_answer(&mut peer, 3)
    );
    assert_eq!(next.expect("the connection is healthy").text, "next");
    channel_closes(echo, peer).await;
    result
}

async fn good_answer(peer: &mut Peer, stream: u32) {
    peer.expect_end(stream).await;
    let head = Wire::from(headers(stream).status(200).grpc());
    peer.send(
        head.and(data(stream, note("next")))
            .and(trailers(stream, 0)),
    )
    .await;
}

/// As [`answered`], where the error must have this code, and its text these words, the method and
/// the server's address.
async fn refused(answer: impl Into<Wire>, code: Code, words: &[&str]) -> Status {
    let error = answered(answer).await.expect_err("no answer at all");
    let all = error.to_string();
    assert_eq!(error.code(), code, "{all}");
    for word in words.iter().chain(&[ONCE, "memory:strange"]) {
        assert!(all.contains(word), "{word:?} is not in: {all}");
    }
    error
}

fn head() -> Wire {
    headers(1).status(200).grpc().into()
}

fn whole(last: impl Into<Wire>) -> Wire {
    head().and(data(1, note("hello"))).and(last)
}

#[tokio::test]
async fn an_error_page_is_quoted() {
    let page = "<html><head><title>502 Bad Gateway</title></head>\n<body>".to_owned()
        + &"nginx ".repeat(1000);
    let html = headers(1).status(502).field("content-type", "text/html");
    let answer = Wire::from(html).and(last_data(1, &page));
    let words = [
        "HTTP 502",
        "text/html",
        "<html><head><title>502 Bad Gateway</title></head>\\n",
    ];
    let error = refused(answer, Code::Unavailable, &words).await;
    assert!(
        error.to_string().len() < 400,
        "an excerpt is enough: {error}"
    );
    assert!(!error.to_string().contains('\n'), "one line: {error}");
    assert_eq!(error.origin(), Origin::Transport);
    assert_eq!(error.stage(), Some(Stage::Response));
    assert!(!error.is_unprocessed());
}

#[tokio::test]
async fn http_statuses_are_translated() {
    for (http, code) in [
        (400, Code::Internal),
        (401, Code::Unauthenticated),
        (403, Code::PermissionDenied),
        (404, Code::Unimplemented),
        (405, Code::Unknown),
        (415, Code::Unknown),
        (429, Code::Unavailable),
        (431, Code::Unknown),
        (500, Code::Unknown),
        (502, Code::Unavailable),
        (503, Code::Unavailable),
        (504, Code::Unavailable),
        (302, Code::Unknown),
        (999, Code::Unknown),
    ] {
        let name = format!("HTTP {http}");
        let bare = headers(1).status(http).end();
        refused(bare, code, &[&name, "without content-type"]).await;
        // Even when it claims to be gRPC: without a status it is the HTTP status that counts.
        let typed = Wire::from(headers(1).status(http).grpc()).and(last_data(1, "sorry"));
        refused(typed, code, &[&name, "sorry"]).await;
    }
}

#[tokio::test]
async fn an_http_error_that_carries_a_grpc_status_gives_that() {
    let answer = headers(1).status(503).grpc().field("grpc-status", "8");
    let error = answered(answer.field("grpc-message", "quota").end())
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::ResourceExhausted, "quota")
    );
    assert_eq!(error.origin(), Origin::Peer);
    let fine = headers(1)
        .status(503)
        .grpc()
        .field("grpc-status", "0")
        .end();
    refused(fine, Code::Unavailable, &["HTTP 503"]).await;
}

#[tokio::test]
async fn a_200_that_is_not_grpc_is_named() {
    let html = headers(1).status(200).field("content-type", "text/html");
    let answer = Wire::from(html).and(last_data(1, "<p>hello"));
    refused(
        answer,
        Code::Unknown,
        &["HTTP 200", "text/html", "<p>hello"],
    )
    .await;
    let web = headers(1)
        .status(200)
        .field("content-type", "application/grpc-web")
        .end();
    refused(web, Code::Unknown, &["application/grpc-web"]).await;
    let nothing = headers(1).status(200).end();
    refused(nothing, Code::Unknown, &["without content-type"]).await;
}

#[tokio::test]
async fn a_foreign_body_that_never_ends_is_not_waited_for() {
    let html = headers(1).status(502).field("content-type", "text/html");
    let answer = Wire::from(html).and(data(1, "x".repeat(200)));
    refused(answer, Code::Unavailable, &["HTTP 502", "xxx"]).await;
}

#[tokio::test]
async fn a_missing_status_is_an_error() {
    refused(whole(last_data(1, "")), Code::Internal, &["grpc-status"]).await;
    refused(
        whole(headers(1).field("x", "y").end()),
        Code::Unknown,
        &["grpc-status"],
    )
    .await;
    let only = headers(1).status(200).grpc().end();
    refused(only, Code::Unknown, &["grpc-status"]).await;
}

#[tokio::test]
async fn a_status_that_is_none_is_an_error_that_quotes_it() {
    for bad in [
        "",
        "zero",
        "-1",
        "+0",
        "00",
        "0x0",
        "0 0",
        "0,0",
        "99999999999999",
        "1e0",
    ] {
        let words = ["grpc-status", bad];
        refused(
            whole(headers(1).field("grpc-status", bad).end()),
            Code::Unknown,
            &words,
        )
        .await;
    }
    let beyond = answered(whole(trailers(1, 17).field("grpc-message", "new")))
        .await
        .unwrap_err();
    assert_eq!(beyond.code(), Code::Unknown);
    assert!(
        beyond.message().contains("17") && beyond.message().contains("new"),
        "{beyond}"
    );
}

#[tokio::test]
async fn two_statuses_are_an_error_unless_they_agree() {
    let contradiction = headers(1)
        .field("grpc-status", "0")
        .field("grpc-status", "5")
        .end();
    refused(whole(contradiction), Code::Unknown, &["two grpc-status"]).await;
    let agreed = headers(1)
        .field("grpc-status", "5")
        .field("grpc-status", "5")
        .end();
    assert_eq!(
        answered(whole(agreed)).await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn broken_escapes_and_details_cost_only_themselves() {
    for (sent, read) in [
        ("%", "%"),
        ("100%", "100%"),
        ("a%2", "a%2"),
        ("a%zzb", "a%zzb"),
        ("%e2%98%ba", "\u{263a}"),
        ("%ff", "\u{fffd}"),
        ("%00", "\0"),
    ] {
        let answer = trailers(1, 5).field("grpc-message", sent);
        let error = answered(whole(answer)).await.unwrap_err();
        assert_eq!(
            (error.code(), error.message()),
            (Code::NotFound, read),
            "{sent}"
        );
        assert_eq!(error.origin(), Origin::Peer);
    }
    for details in ["!!!", "a", "====", "YW=J"] {
        let answer = trailers(1, 5).field("grpc-message", "m");
        let answer = answer
            .field("grpc-status-details-bin", details)
            .field("x-why-bin", details);
        let error = answered(whole(answer)).await.unwrap_err();
        assert_eq!(
            (error.code(), error.message()),
            (Code::NotFound, "m"),
            "{details}"
        );
        assert_eq!(error.metadata().get_bin("x-why-bin"), None, "{details}");
    }
    let good = trailers(1, 5).field("grpc-status-details-bin", "AAH/");
    assert_eq!(
        answered(whole(good)).await.unwrap_err().details(),
        [0, 1, 255]
    );
}

#[tokio::test]
async fn one_message_means_one() {
    let two = head()
        .and(data(1, note("a")))
        .and(data(1, note("b")))
        .and(trailers(1, 0));
    let error = answered(two).await.unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented, "{error}");
    assert!(error.to_string().contains(ONCE), "{error}");
    let error = answered(head().and(trailers(1, 0))).await.unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented, "{error}");
    let only = headers(1)
        .status(200)
        .grpc()
        .field("grpc-status", "0")
        .end();
    let error = answered(only).await.unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented, "{error}");
    // A second message does not have to be complete to be one too many, nor must it be waited for.
    let endless = head().and(data(1, note("a"))).and(data(1, note("b")));
    assert_eq!(
        answered(endless).await.unwrap_err().code(),
        Code::Unimplemented
    );
    // An error counts, whatever came before it.
    let failed = whole(data(1, note("b"))).and(trailers(1, 5));
    let code = answered(failed).await.unwrap_err().code();
    assert!(
        matches!(code, Code::NotFound | Code::Unimplemented),
        "{code}"
    );
    assert_eq!(
        answered(whole(trailers(1, 5))).await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn compression_that_was_not_agreed_on_is_an_error() {
    let mut flagged = note("hello");
    flagged[0] = 1;
    let answer = head().and(data(1, &flagged)).and(trailers(1, 0));
    refused(
        answer,
        Code::Internal,
        &["compressed flag", "grpc-encoding"],
    )
    .await;
    for encoding in ["br", "snappy", ""] {
        let head = Wire::from(
            headers(1)
                .status(200)
                .grpc()
                .field("grpc-encoding", encoding),
        );
        let answer = head.and(data(1, &flagged)).and(trailers(1, 0));
        refused(answer, Code::Internal, &["grpc-encoding", encoding]).await;
    }
    let head = Wire::from(
        headers(1)
            .status(200)
            .grpc()
            .field("grpc-encoding", "identity"),
    );
    let answer = head.and(data(1, note("hello"))).and(trailers(1, 0));
    assert_eq!(answered(answer).await.unwrap().text, "hello");
}

#[tokio::test]
async fn bytes_that_are_no_message_are_an_error() {
    for flag in [2, 60, 255] {
        let mut bad = note("hello");
        bad[0] = flag;
        let hex = format!("{flag:#04x}");
        refused(
            head().and(data(1, &bad)).and(trailers(1, 0)),
            Code::Internal,
            &[&hex],
        )
        .await;
    }
    let undecodable = framed([0xff, 0xff, 0xff]);
    let answer = head().and(data(1, undecodable)).and(trailers(1, 0));
    refused(answer, Code::Internal, &["cannot be decoded"]).await;
}

#[tokio::test]
async fn a_claimed_gibibyte_is_refused_by_its_prefix() {
    let claim = prefix(0, 1 << 30);
    // Nothing follows: the prefix is enough.
    let words = ["1073741824", "4194304", "max_receive_message_bytes"];
    refused(head().and(data(1, claim)), Code::ResourceExhausted, &words).await;
    let claim = prefix(0, u32::MAX as usize);
    refused(
        head().and(data(1, claim)),
        Code::ResourceExhausted,
        &["4294967295"],
    )
    .await;
}

#[tokio::test]
async fn the_limit_is_exact() {
    let (mut server, builder) = RawServer::builder("strange");
    let echo = EchoClient::new(builder.max_receive_message_bytes(100).build().unwrap());
    let script = async {
        let mut peer = server.accept().await;
        for (stream, length) in [(1, 100 - 2), (3, 101 - 2)] {
            peer.expect_end(stream).await;
            let head = Wire::from(headers(stream).status(200).grpc());
            let body = data(stream, note(&"x".repeat(length)));
            peer.send(head.and(body).and(trailers(stream, 0))).await;
        }
        peer
    };
    let calls = async {
        assert_eq!(echo.once(text("a")).await.unwrap().text.len(), 98);
        let error = echo.once(text("a")).await.unwrap_err();
        assert_eq!(error.code(), Code::ResourceExhausted);
        assert!(error.to_string().contains("101 bytes"), "{error}");
    };
    let ((), peer) = tokio::join!(calls, script);
    channel_closes(echo, peer).await;
}

#[tokio::test]
async fn a_status_in_the_head_is_ignored_when_more_follows() {
    let head = Wire::from(headers(1).status(200).grpc().field("grpc-status", "5"));
    let answer = head.clone().and(data(1, note("hello"))).and(trailers(1, 0));
    assert_eq!(answered(answer).await.unwrap().text, "hello");
    let answer = head.clone().and(data(1, note("hello"))).and(trailers(1, 9));
    assert_eq!(
        answered(answer).await.unwrap_err().code(),
        Code::FailedPrecondition
    );
    let zero = Wire::from(headers(1).status(200).grpc().field("grpc-status", "0"));
    refused(
        zero.and(last_data(1, note("hello"))),
        Code::Internal,
        &["grpc-status"],
    )
    .await;
}

#[tokio::test]
async fn trailers_only_carries_everything() {
    let answer = headers(1).status(200).grpc().field("grpc-status", "10");
    let answer = answer
        .field("grpc-message", "torn")
        .field("x-more", "1")
        .end();
    let error = answered(answer).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::Aborted, "torn"));
    assert_eq!(error.metadata().get("x-more"), Some("1"));
    assert_eq!((error.origin(), error.method()), (Origin::Peer, Some(ONCE)));
}

/// An answer of one block: this status.
fn only_trailers(code: u32) -> Headers {
    let head = headers(1).status(200).grpc();
    head.field("grpc-status", code.to_string()).end()
}

/// Refused by the network, answered by something in between, said by the server itself: the same
/// code, told apart without reading text.
#[tokio::test]
async fn unavailable_in_three_ways() {
    let proxy = headers(1).status(503).end();
    let between = refused(proxy, Code::Unavailable, &["HTTP 503"]).await;
    let said = only_trailers(14).field("grpc-message", "maintenance");
    let said = answered(said).await.unwrap_err();
    assert_eq!(said.code(), Code::Unavailable);
    let nobody = crate::errors::closed_port().await.to_string();
    let echo = EchoClient::new(trunkline::Channel::insecure(nobody).unwrap());
    let unreachable = within("a refusal", echo.once(text("x"))).await.unwrap_err();
    assert_eq!(unreachable.code(), Code::Unavailable);
    let told = [&between, &said, &unreachable].map(|s| (s.origin(), s.is_unprocessed()));
    assert_eq!(
        told,
        [
            (Origin::Transport, false),
            (Origin::Peer, false),
            (Origin::Transport, true)
        ]
    );
}

#[tokio::test]
async fn broken_details_are_no_reason_to_fail_otherwise() {
    use trunkline::details::{Help, RetryInfo};
    // No base64; no protobuf; a detail cut short; the details of another error.
    for (details, raw) in [
        ("!!!", &b""[..]),
        ("/////w", &[0xff; 4]),
        ("Gn8", &[0x1a, 0x7f]),
        ("CAU", &[8, 5]),
    ] {
        let fields = only_trailers(10).field("grpc-status-details-bin", details);
        let error = answered(fields).await.unwrap_err();
        assert_eq!(error.code(), Code::Aborted);
        assert_eq!(error.details(), raw, "what can be read stays readable");
        assert_eq!(error.detail::<RetryInfo>(), None);
        assert_eq!(error.detail::<Help>(), None);
        assert_eq!(error.unpack_details().is_err(), !raw.is_empty());
    }
}
