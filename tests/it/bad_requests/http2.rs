//! Requests that are wrong as HTTP/2, whatever they say as gRPC.

use std::time::Duration;

use trunkline::transport::http2::ServerConfig;

use super::{ONCE, asked, good, next_is_served, with_body};
use crate::support::{
    CANCEL, Event, Heard, PROTOCOL_ERROR, Peer, REFUSED_STREAM, Served, Wire, data, raw, request,
    reset, within,
};

#[tokio::test]
async fn fields_that_are_no_http_never_reach_a_handler() {
    let fields: [(&[u8], &[u8]); 12] = [
        (b"x", b"a\r\nb"),
        (b"x", b"a\nb"),
        (b"x", b"a\rb"),
        (b"x", b"a\0b"),
        (b"Upper", b"case"),
        (b"a b", b"c"),
        (b"a\r\nb", b"c"),
        (b"", b"c"),
        (b"connection", b"close"),
        (b"transfer-encoding", b"chunked"),
        (b":unknown", b"x"),
        (b":method", b"POST"),
    ];
    for (name, value) in fields {
        let shown = format!("{}: {}", name.escape_ascii(), value.escape_ascii());
        let mut served = Served::start();
        let mut peer = served.connect().await;
        peer.send(with_body(request(1, ONCE).field(name, value)))
            .await;
        let reset = match peer.next(format_args!("an end after {shown}")).await {
            Event::Reset(1, code) | Event::GoAway(_, code, _) => code,
            other => panic!("{shown}: {other:?}"),
        };
        assert_ne!(reset, 0, "{shown}");
        assert!(served.heard_nothing_more(), "{shown}");
        drop(peer);
        // Whatever became of that connection, the next one is served.
        let mut peer = served.connect().await;
        next_is_served(&mut served, &mut peer).await;
        drop(peer);
        served.end().await;
    }
}

#[tokio::test]
async fn a_body_of_another_length_than_announced_is_reset() {
    for length in ["3", "11", "100"] {
        let answer = asked(with_body(request(1, ONCE).field("content-length", length))).await;
        assert!(
            answer.reset.is_some() || answer.code() != Some(0),
            "{length}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn every_form_of_authority_has_one_answer() {
    // Served: gRPC routes by path alone, and a client without a name for its server is no threat.
    let without = || request(1, ONCE).without(":authority");
    for head in [
        without(),
        without().field("host", "one"),
        request(1, ONCE).field("host", "other"),
        without().field("host", "one").field("host", "two"),
        request(1, ONCE).with(":authority", "[::1]:80"),
    ] {
        let mut served = Served::start();
        let mut peer = served.connect().await;
        let shown = format!("{head:?}");
        peer.send(with_body(head)).await;
        let answer = peer.expect_end(1).await;
        assert_eq!(answer.code(), Some(0), "{shown}: {answer:?}");
        assert!(matches!(served.heard().await, Heard::Message(_)));
        next_is_served(&mut served, &mut peer).await;
        drop(peer);
        served.end().await;
    }
    // No HTTP: reset.
    for bad in [
        "a b",
        "[::1",
        "a/b",
        "host:port:port",
        "\u{e9}",
        "",
        "a?b",
        "a#b",
    ] {
        let answer = asked(with_body(request(1, ONCE).with(":authority", bad))).await;
        assert_eq!(answer.reset, Some(PROTOCOL_ERROR), "{bad:?}: {answer:?}");
    }
    let two = with_body(request(1, ONCE).field(":authority", "other"));
    assert_eq!(asked(two).await.reset, Some(PROTOCOL_ERROR));
}

#[tokio::test]
async fn a_header_list_over_the_limit_is_431() {
    let head = request(1, ONCE).field("x-long", "x".repeat(20_000));
    let answer = asked(with_body(head)).await;
    assert_eq!(answer.head.http_status(), 431, "{answer:?}");
    let mut head = request(1, ONCE);
    for number in 0..1_000 {
        head = head.field(format!("x-{number}"), "");
    }
    let answer = asked(with_body(head)).await;
    assert_eq!(answer.head.http_status(), 431, "{answer:?}");
}

#[tokio::test]
async fn an_endless_header_list_ends_the_connection() {
    let mut served = Served::start();
    let mut peer = served.connect().await;
    let block = [vec![0, 1, b'a', 0x7f, 0x80, 0x01], vec![b'x'; 255]].concat();
    for empty in [false, true] {
        let piece = if empty { &[][..] } else { &block };
        peer.send(raw(1, 0, 1, &block)).await;
        for _ in 0..1_000 {
            peer.send(raw(9, 0, 1, piece)).await;
        }
        let (_, code, _) = peer.expect_goaway().await;
        assert_ne!(code, 0);
        drop(peer);
        peer = served.connect().await;
        next_is_served(&mut served, &mut peer).await;
    }
    drop(peer);
    served.end().await;
}

#[tokio::test]
async fn breaches_of_http2_end_that_connection_alone() {
    for breach in [
        data(0, "x"),
        data(1, "x"),
        Wire::from(request(2, ONCE)),
        Wire::from(request(3, ONCE)).and(request(1, ONCE)),
        raw(4, 0, 1, &[]),
        raw(4, 0, 0, &[1]),
        raw(3, 0, 1, &[0, 0, 0, 8]),
        raw(8, 0, 0, &[0, 0, 0, 0]),
        raw(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
        raw(5, 4, 1, &[0, 0, 0, 2, 0x88]),
        raw(9, 4, 1, &[0x82]),
        raw(1, 4, 1, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        raw(0, 0, 1, &[0; 20_000]),
    ] {
        let mut served = Served::start();
        let mut witness = served.connect().await;
        let mut peer = served.connect().await;
        let sent = format!("{breach:?}");
        let sent = &sent[..sent.len().min(80)];
        peer.send(breach).await;
        let (_, code, _) = peer.expect_goaway().await;
        assert_ne!(code, 0, "{sent}");
        peer.expect_close().await;
        drop(peer);
        next_is_served(&mut served, &mut witness).await;
        drop(witness);
        served.end().await;
    }
}

#[tokio::test]
async fn a_stream_over_the_limit_is_refused() {
    let config = {
        let mut config = ServerConfig::default();
        config.max_concurrent_streams = 3;
        config
    };
    let mut served = Served::configured(config);
    let mut peer = served.connect().await;
    for stream in [1, 3, 5] {
        peer.send(request(stream, "/tests.echo.Echo/Chat")).await;
    }
    served
        .until("three RPCs", |stats| stats.live_rpcs == 3)
        .await;
    peer.send(good(7)).await;
    assert_eq!(peer.expect_reset(7).await, REFUSED_STREAM);
    assert_eq!(served.handle.stats().rpcs_started, 3);
    for stream in [1, 3, 5] {
        peer.send(reset(stream, CANCEL)).await;
    }
    served
        .until("their end", |stats| stats.live_rpcs == 0)
        .await;
    for _ in 0..3 {
        assert!(matches!(served.heard().await, Heard::Failed(_)));
    }
    next_is_served(&mut served, &mut peer).await;
    drop(peer);
    served.end().await;
}

#[tokio::test]
async fn other_protocols_are_hung_up_on() {
    for greeting in [
        "GET / HTTP/1.1\r\nhost: test\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{7f}\x03\x03padding padding padding",
    ] {
        let mut served = Served::start();
        let mut peer = Peer::silent(served.connect_io().await);
        peer.send(Wire(greeting.as_bytes().to_vec())).await;
        peer.expect_close().await;
        // The server says goodbye first, and counts when it has let go of the socket.
        drop(peer);
        let what = format!("it to count {greeting:?}");
        served
            .until(&what, |stats| stats.handshakes_failed == 1)
            .await;
        let mut peer = served.connect().await;
        next_is_served(&mut served, &mut peer).await;
        drop(peer);
        served.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_mute_client_is_hung_up_on() {
    let served = Served::start();
    let started = tokio::time::Instant::now();
    let mut io = served.connect_io().await;
    let mut bytes = Vec::new();
    // 5 s would not be enough here: the default is 10 s.
    tokio::io::AsyncReadExt::read_to_end(&mut io, &mut bytes)
        .await
        .unwrap();
    let waited = started.elapsed();
    assert!((10..11).contains(&waited.as_secs()), "{waited:?}");
    assert_eq!(served.handle.stats().handshakes_failed, 1);
    within("nothing to be left", served.end()).await;
}

#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    let mut served = Served::start();
    let mut peer = served.connect().await;
    // All at once, so that the server cannot look at them in between.
    let mut flood = Wire::default();
    for number in 0..300 {
        let stream = 1 + 2 * number;
        flood = flood
            .and(request(stream, "/tests.echo.Echo/Chat"))
            .and(reset(stream, CANCEL));
    }
    peer.send(flood).await;
    let events = peer.listen(Duration::from_millis(300)).await;
    let calmed = |event: &Event| matches!(event, Event::GoAway(_, 0xb, _));
    assert!(events.iter().any(calmed), "{events:?}");
    drop(peer);
    let mut peer = served.connect().await;
    while let Ok(Heard::Failed(_)) =
        tokio::time::timeout(Duration::from_millis(20), served.heard()).await
    {}
    next_is_served(&mut served, &mut peer).await;
    drop(peer);
    served.end().await;
}
