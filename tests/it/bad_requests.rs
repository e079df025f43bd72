//! Whatever a client sends instead of a request, our server gives the documented answer, runs no
//! handler for it, and serves the next call.

mod http2;

use trunkline::{Code, CompressorRegistry};

use crate::support::{
    Exchange, Headers, Heard, PROTOCOL_ERROR, Peer, Served, Wire, data, framed, last_data, note,
    prefix, request,
};

const ONCE: &str = "/tests.echo.Echo/Once";

/// What the server answers to this on stream 1. No handler runs, and the next request on the same
/// connection is served.
async fn asked(question: impl Into<Wire>) -> Exchange {
    let mut served = Served::start();
    let mut peer = served.connect().await;
    let question = question.into();
    let shown = question.0.escape_ascii().to_string();
    peer.send(question).await;
    let answer = peer.expect_end(1).await;
    assert!(
        served.heard_nothing_more(),
        "a handler ran for {shown}: {answer:?}"
    );
    next_is_served(&mut served, &mut peer).await;
    drop(peer);
    served.end().await;
    answer
}

async fn next_is_served(served: &mut Served, peer: &mut Peer) {
    peer.send(good(1001)).await;
    let next = peer.expect_end(1001).await;
    assert_eq!(
        (next.code(), next.body),
        (Some(0), note("good")),
        "the connection is healthy"
    );
    assert!(matches!(served.heard().await, Heard::Message(_)));
}

fn good(stream: u32) -> Wire {
    Wire::from(request(stream, ONCE)).and(last_data(stream, note("good")))
}

/// A request with this head, and a good body.
fn with_body(head: Headers) -> Wire {
    Wire::from(head).and(last_data(1, note("bad")))
}

/// The answer is a gRPC status with this code, whose text has these words.
#[track_caller]
fn is_status(answer: &Exchange, code: Code, words: &[&str]) {
    assert_eq!(answer.head.http_status(), 200, "{answer:?}");
    assert_eq!(
        answer.head.get("content-type"),
        Some("application/grpc"),
        "{answer:?}"
    );
    assert_eq!(answer.code(), Some(code.number()), "{answer:?}");
    assert_eq!(answer.reset, None, "{answer:?}");
    for word in words {
        assert!(
            answer.message().contains(word),
            "{word:?} is not in {:?}",
            answer.message()
        );
    }
}

#[tokio::test]
async fn only_post_is_served() {
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "HEAD", "post", "PATCH"] {
        let answer = asked(request(1, ONCE).with(":method", method).end()).await;
        assert_eq!(answer.head.http_status(), 405, "{method}: {answer:?}");
        assert_eq!(answer.head.get("allow"), Some("POST"), "{method}");
        assert_eq!((answer.code(), answer.reset), (None, None), "{method}");
    }
}

#[tokio::test]
async fn other_content_types_are_415() {
    for other in [
        "",
        "text/html",
        "application/json",
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/grpc-web-text",
        "application/grpcx",
        "application/grpc+",
        "application",
    ] {
        let answer = asked(with_body(request(1, ONCE).with("content-type", other))).await;
        assert_eq!(answer.head.http_status(), 415, "{other:?}: {answer:?}");
        assert_eq!(answer.code(), None, "{other:?}: {answer:?}");
    }
    let answer = asked(with_body(request(1, ONCE).without("content-type"))).await;
    assert_eq!(answer.head.http_status(), 415, "{answer:?}");
}

#[tokio::test]
async fn a_subtype_that_nobody_speaks_is_unimplemented() {
    for unknown in ["application/grpc+foo", "application/grpc+json"] {
        let answer = asked(with_body(request(1, ONCE).with("content-type", unknown))).await;
        let subtype = unknown.rsplit('+').next().unwrap();
        is_status(&answer, Code::Unimplemented, &[subtype]);
    }
}

/// All of it would be too much for the status, which is logged: as often as a client likes.
#[tokio::test]
async fn only_the_start_of_a_long_subtype_is_repeated() {
    let unknown = format!("application/grpc+{}", "x".repeat(5_000));
    let answer = asked(with_body(request(1, ONCE).with("content-type", &unknown))).await;
    is_status(&answer, Code::Unimplemented, &["xxx\"...: this method"]);
    assert!(answer.message().len() < 300, "{answer:?}");
}

#[tokio::test]
async fn spellings_of_the_content_type_are_served() {
    for fine in [
        "application/grpc+proto",
        "Application/GRPC",
        "application/grpc;charset=utf-8",
    ] {
        let mut served = Served::start();
        let mut peer = served.connect().await;
        peer.send(with_body(request(1, ONCE).with("content-type", fine)))
            .await;
        assert_eq!(peer.expect_end(1).await.code(), Some(0), "{fine}");
        assert!(matches!(served.heard().await, Heard::Message(_)));
        drop(peer);
        served.end().await;
    }
}

#[tokio::test]
async fn only_the_exact_path_reaches_a_handler() {
    for path in [
        "tests.echo.Echo/Once",
        "//tests.echo.Echo/Once",
        "/tests.echo.Echo//Once",
        "/tests.echo.Echo/Once/",
        "/tests.echo.Echo/Once?x",
        "/tests.echo.Echo/Once?",
        "/tests.echo.Echo%2FOnce",
        "%2Ftests.echo.Echo/Once",
        "/tests.echo.Echo/%4Fnce",
        "/./tests.echo.Echo/Once",
        "/x/../tests.echo.Echo/Once",
        "/tests.echo.Echo\\Once",
        "/tests.echo.echo/Once",
        "/tests.echo.Echo/once",
        "/tests.echo.Echo/Once ",
        "http://test/tests.echo.Echo/Once",
        "/tests.echo.Echo",
        "/tests.echo.Echo/",
        "/Once",
        "/",
        "*",
        "",
    ] {
        let answer = asked(with_body(request(1, path))).await;
        if answer.reset.is_none() {
            is_status(&answer, Code::Unimplemented, &[]);
        }
    }
    // Without any path, or with two, it is no HTTP request.
    for head in [
        request(1, ONCE).without(":path"),
        request(1, ONCE).field(":path", "/"),
    ] {
        let answer = asked(with_body(head)).await;
        assert_eq!(answer.reset, Some(PROTOCOL_ERROR), "{answer:?}");
    }
}

#[tokio::test]
async fn a_fragment_is_cut_off_before_anybody_sees_the_path() {
    // The h2 crate does it, so router and interceptors still agree on what was called.
    let mut served = Served::start();
    let mut peer = served.connect().await;
    peer.send(with_body(request(1, "/tests.echo.Echo/Once#x")))
        .await;
    assert_eq!(peer.expect_end(1).await.code(), Some(0));
    assert!(matches!(served.heard().await, Heard::Message(_)));
    drop(peer);
    served.end().await;
}

#[tokio::test]
async fn what_is_unknown_is_named() {
    let answer = asked(with_body(request(1, "/tests.echo.Echo/Twice"))).await;
    is_status(
        &answer,
        Code::Unimplemented,
        &["unknown method Twice", "tests.echo.Echo"],
    );
    let answer = asked(with_body(request(1, "/tests.Nope/Once"))).await;
    is_status(
        &answer,
        Code::Unimplemented,
        &["unknown service tests.Nope"],
    );
}

#[tokio::test]
async fn te_is_not_asked_for() {
    // A proxy may have taken it: what counts is that we can send trailers.
    let mut served = Served::start();
    let mut peer = served.connect().await;
    peer.send(with_body(request(1, ONCE).without("te"))).await;
    assert_eq!(peer.expect_end(1).await.code(), Some(0));
    drop(peer);
    assert!(matches!(served.heard().await, Heard::Message(_)));
    served.end().await;
    // Another value than "trailers" is no HTTP/2 (RFC 9113 §8.2.2).
    let answer = asked(with_body(request(1, ONCE).with("te", "gzip"))).await;
    assert_eq!(answer.reset, Some(PROTOCOL_ERROR), "{answer:?}");
}

#[tokio::test]
async fn a_malformed_timeout_is_an_error() {
    for bad in [
        "",
        "1",
        "S",
        "1X",
        "-1S",
        "+1S",
        "1.5S",
        "123456789S",
        " 1S",
        "1S ",
        "1s",
        "0x1S",
    ] {
        let answer = asked(with_body(request(1, ONCE).field("grpc-timeout", bad))).await;
        is_status(&answer, Code::Internal, &["grpc-timeout", "malformed"]);
    }
}

#[tokio::test]
async fn a_timeout_of_nothing_has_passed() {
    let head = request(1, "/tests.echo.Echo/Chat").field("grpc-timeout", "0n");
    is_status(&asked(head).await, Code::DeadlineExceeded, &[]);
}

#[tokio::test]
async fn one_message_means_one() {
    for method in [ONCE, "/tests.echo.Echo/Expand"] {
        let none = Wire::from(request(1, method).end());
        is_status(&asked(none).await, Code::Unimplemented, &["message"]);
        let empty = Wire::from(request(1, method)).and(last_data(1, ""));
        is_status(&asked(empty).await, Code::Unimplemented, &["message"]);
        let two = [note("a"), note("b")].concat();
        let two = Wire::from(request(1, method)).and(last_data(1, two));
        is_status(&asked(two).await, Code::Unimplemented, &["message"]);
        // The second one is not waited for.
        let endless = Wire::from(request(1, method))
            .and(data(1, note("a")))
            .and(data(1, note("b")));
        is_status(&asked(endless).await, Code::Unimplemented, &["message"]);
    }
}

#[tokio::test]
async fn an_oversize_message_is_refused_by_its_prefix() {
    for claim in [4 * 1024 * 1024 + 1, 1 << 30, u32::MAX as usize] {
        let question = Wire::from(request(1, ONCE)).and(data(1, prefix(0, claim)));
        let size = claim.to_string();
        let words = [&size, "4194304", "server", "max_receive_message_bytes"];
        is_status(&asked(question).await, Code::ResourceExhausted, &words);
    }
}

#[tokio::test]
async fn an_oversize_message_ends_a_stream_too() {
    for method in ["/tests.echo.Echo/Collect", "/tests.echo.Echo/Chat"] {
        let mut served = Served::start();
        let mut peer = served.connect().await;
        let start = Wire::from(request(1, method)).and(data(1, note("fine")));
        peer.send(start.and(data(1, prefix(0, 1 << 30)))).await;
        let answer = peer.expect_end(1).await;
        assert_eq!(
            answer.code(),
            Some(Code::ResourceExhausted.number()),
            "{answer:?}"
        );
        assert!(matches!(served.heard().await, Heard::Message(_)));
        assert!(matches!(served.heard().await, Heard::Failed(_)));
        next_is_served(&mut served, &mut peer).await;
        drop(peer);
        served.end().await;
    }
}

#[tokio::test]
async fn an_unknown_encoding_is_unimplemented_and_says_what_would_do() {
    let known = CompressorRegistry::default();
    let would_do = known.accept_encoding().unwrap().to_str().unwrap();
    for encoding in ["br", "snappy", "", "identity,gzip"] {
        let answer = asked(with_body(request(1, ONCE).field("grpc-encoding", encoding))).await;
        is_status(&answer, Code::Unimplemented, &["grpc-encoding", encoding]);
        assert_eq!(answer.last().get("grpc-accept-encoding"), Some(would_do));
    }
}

#[tokio::test]
async fn bytes_that_are_no_message_are_an_error() {
    let mut flagged = note("bad");
    flagged[0] = 1;
    let question = Wire::from(request(1, ONCE)).and(last_data(1, &flagged));
    is_status(&asked(question).await, Code::Internal, &["compressed"]);
    flagged[0] = 77;
    let question = Wire::from(request(1, ONCE)).and(last_data(1, &flagged));
    is_status(&asked(question).await, Code::Internal, &["0x4d"]);
    let undecodable = framed([0xff, 0xff, 0xff]);
    let question = Wire::from(request(1, ONCE)).and(last_data(1, undecodable));
    is_status(&asked(question).await, Code::Internal, &["decoded"]);
}

#[tokio::test]
async fn metadata_of_the_protocol_never_reaches_a_handler_as_such() {
    // Reserved names in a request are read by the protocol or dropped, never an error by itself.
    let mut served = Served::start();
    let mut peer = served.connect().await;
    let head = request(1, ONCE)
        .field("grpc-status", "5")
        .field("grpc-message", "no");
    peer.send(with_body(head.field("content-length", "10")))
        .await;
    let length = u32::try_from(note("bad").len()).unwrap();
    assert_eq!(length, 10, "the length announced above is the right one");
    let answer = peer.expect_end(1).await;
    assert_eq!(answer.code(), Some(0), "{answer:?}");
    assert!(matches!(served.heard().await, Heard::Message(_)));
    drop(peer);
    served.end().await;
}

#[tokio::test]
async fn claims_of_memory_cost_none() {
    // 250 messages of 4 MiB at once would be 1 GB.
    let mut served = Served::start();
    let mut peer = served.connect().await;
    let before = resident();
    let streams = || (1..=499).step_by(2);
    for stream in streams() {
        let claim = prefix(0, 4 * 1024 * 1024);
        peer.send(Wire::from(request(stream, ONCE)).and(data(stream, claim)))
            .await;
    }
    served
        .until("250 RPCs", |stats| stats.live_rpcs == 250)
        .await;
    let grown = resident().saturating_sub(before);
    assert!(
        grown < 64 << 20,
        "{grown} bytes for 250 streams that sent 5 bytes each"
    );
    for stream in streams() {
        peer.send(last_data(stream, "")).await;
        let answer = peer.expect_end(stream).await;
        is_status(
            &answer,
            Code::Internal,
            &["inside a message", "4194304 bytes short"],
        );
    }
    assert!(served.heard_nothing_more());
    next_is_served(&mut served, &mut peer).await;
    drop(peer);
    served.end().await;
}

/// The memory of this process, of which other tests use some at the same time; 0 where the system
/// does not say.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4096
}
