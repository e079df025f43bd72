//! Frames that are odd, late or wrong, in both roles: what HTTP/2 asks for, row by row.

use Reaction::{Connection, Ignored, Stream};
use trunkline::{Code, Origin};

use super::{Kind, answer, ask, asked, engine, is_healthy};
use crate::support::{
    ACK, COMPRESSION_ERROR, CONTINUATION, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM,
    FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, HEADERS, Heard, INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE, Over, PADDED, PING, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE, RST_STREAM,
    RawServer, Reaction, SETTINGS, STREAM_CLOSED, Served, WINDOW_UPDATE, Wire, channel_closes,
    data, headers, last_data, note, priority, raw, request, reset, settings, text, trailers,
    window, within,
};

/// Closed: its call has been answered to the end.
const CLOSED: u32 = 1;
/// Open both ways; a message has gone there and back.
const OPEN: u32 = 3;
/// Nobody has ever used it.
const IDLE: u32 = 99;

/// What either peer may send on such a connection, and what has to come of it.
fn rows() -> Vec<(&'static str, Wire, Reaction)> {
    let mut unknown = Wire::default();
    for kind in 0x0a..=0xff {
        for stream in [0, CLOSED, OPEN, IDLE] {
            let flags = 0xff_u8.wrapping_mul(kind & 1);
            unknown = unknown.and(raw(
                kind,
                flags,
                stream,
                &[kind; 40][..usize::from(kind % 41)],
            ));
        }
    }
    let overflow = [(INITIAL_WINDOW_SIZE, 1 << 31)];
    vec![
        ("unknown kinds of frames", unknown, Ignored),
        (
            "unknown settings",
            settings(&[(0x99, 7), (0xffff, u32::MAX)]),
            Ignored,
        ),
        (
            "priority",
            priority(OPEN, 0)
                .and(priority(CLOSED, IDLE))
                .and(priority(IDLE, OPEN)),
            Ignored,
        ),
        (
            "an acknowledged PING that nobody sent",
            raw(PING, ACK, 0, b"whatever"),
            Ignored,
        ),
        ("a window for a closed stream", window(CLOSED, 7), Ignored),
        ("a reset of a closed stream", reset(CLOSED, 8), Ignored),
        ("empty DATA", data(OPEN, "").and(data(OPEN, "")), Ignored),
        (
            "the reserved bit of a window",
            window(OPEN, 1 << 31 | 5),
            Ignored,
        ),
        (
            "the reserved bit of a stream",
            data(1 << 31 | OPEN, ""),
            Ignored,
        ),
        (
            "DATA that is all padding",
            raw(DATA, PADDED, OPEN, &[9, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            Ignored,
        ),
        (
            "undefined flags",
            raw(WINDOW_UPDATE, 0xff, OPEN, &[0, 0, 0, 1]),
            Ignored,
        ),
        // Errors of a stream.
        (
            "a window of nothing",
            window(OPEN, 0),
            Stream(PROTOCOL_ERROR),
        ),
        (
            "a window too wide",
            window(OPEN, (1 << 31) - 1),
            Stream(FLOW_CONTROL_ERROR),
        ),
        (
            "priority of a wrong length",
            raw(PRIORITY, 0, OPEN, &[0; 4]),
            Stream(FRAME_SIZE_ERROR),
        ),
        (
            "DATA on a closed stream",
            data(CLOSED, "late"),
            Connection(STREAM_CLOSED),
        ),
        // Errors of the connection.
        (
            "DATA on an idle stream",
            data(IDLE, "x"),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "a window for an idle stream",
            window(IDLE, 1),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "a reset of an idle stream",
            reset(IDLE, 8),
            Connection(PROTOCOL_ERROR),
        ),
        ("DATA on stream 0", data(0, "x"), Connection(PROTOCOL_ERROR)),
        (
            "HEADERS on stream 0",
            headers(0).status(200).into(),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "a reset of stream 0",
            reset(0, 8),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "SETTINGS on a stream",
            raw(SETTINGS, 0, OPEN, &[]),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "PING on a stream",
            raw(PING, 0, OPEN, &[0; 8]),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "GOAWAY on a stream",
            raw(GOAWAY, 0, OPEN, &[0; 8]),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "a PING of seven bytes",
            raw(PING, 0, 0, &[0; 7]),
            Connection(FRAME_SIZE_ERROR),
        ),
        (
            "SETTINGS of five bytes",
            raw(SETTINGS, 0, 0, &[0; 5]),
            Connection(FRAME_SIZE_ERROR),
        ),
        (
            "an acknowledgement with values",
            raw(SETTINGS, ACK, 0, &[0; 6]),
            Connection(FRAME_SIZE_ERROR),
        ),
        (
            "a window of three bytes",
            raw(WINDOW_UPDATE, 0, OPEN, &[0; 3]),
            Connection(FRAME_SIZE_ERROR),
        ),
        (
            "a reset of three bytes",
            raw(RST_STREAM, 0, OPEN, &[0; 3]),
            Connection(FRAME_SIZE_ERROR),
        ),
        (
            "a GOAWAY of seven bytes",
            raw(GOAWAY, 0, 0, &[0; 7]),
            Connection(FRAME_SIZE_ERROR),
        ),
        (
            "a frame over the limit",
            data(OPEN, [0; 16_385]),
            Connection(FRAME_SIZE_ERROR),
        ),
        (
            "padding longer than its DATA",
            raw(DATA, PADDED, OPEN, &[3, 0, 0]),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "padding longer than its HEADERS",
            raw(HEADERS, PADDED | END_HEADERS, OPEN, &[9, 0]),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "no window for the connection",
            window(0, 0),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "too wide a window for the connection",
            window(0, (1 << 31) - 1),
            Connection(FLOW_CONTROL_ERROR),
        ),
        (
            "too wide a window for every stream",
            settings(&overflow),
            Connection(FLOW_CONTROL_ERROR),
        ),
        (
            "too short frames",
            settings(&[(MAX_FRAME_SIZE, 16_383)]),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "too long frames",
            settings(&[(MAX_FRAME_SIZE, 1 << 24)]),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "push neither on nor off",
            settings(&[(ENABLE_PUSH, 2)]),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "CONTINUATION of nothing",
            raw(CONTINUATION, END_HEADERS, OPEN, &[0x88]),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "DATA inside a header block",
            raw(HEADERS, 0, OPEN, &[0x88]).and(data(OPEN, "x")),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "PING inside a header block",
            raw(HEADERS, 0, OPEN, &[0x88]).and(raw(PING, 0, 0, &[0; 8])),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "an unknown kind inside a header block",
            raw(HEADERS, 0, OPEN, &[0x88]).and(raw(0xbe, 0, OPEN, &[])),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "CONTINUATION of another stream",
            raw(HEADERS, 0, OPEN, &[0x88]).and(raw(CONTINUATION, END_HEADERS, IDLE, &[])),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "an index beyond the table",
            raw(HEADERS, END_HEADERS | END_STREAM, OPEN, &[0xff, 0x40]),
            Connection(COMPRESSION_ERROR),
        ),
        (
            "a name beyond the table",
            raw(HEADERS, END_HEADERS | END_STREAM, OPEN, &[0x7f, 7, 0]),
            Connection(COMPRESSION_ERROR),
        ),
        (
            "a field cut short",
            raw(HEADERS, END_HEADERS | END_STREAM, OPEN, &[0x40, 9, b'x']),
            Connection(COMPRESSION_ERROR),
        ),
        (
            "a table over the limit",
            raw(
                HEADERS,
                END_HEADERS | END_STREAM,
                OPEN,
                &[0x3f, 0xe1, 0xff, 0x7f],
            ),
            Connection(COMPRESSION_ERROR),
        ),
        (
            "PUSH_PROMISE",
            raw(PUSH_PROMISE, END_HEADERS, OPEN, &[0, 0, 0, 2, 0x88]),
            Connection(PROTOCOL_ERROR),
        ),
    ]
}

/// What a row asks for, or what the engine of today does instead.
fn expected(name: &str, asked_for: Reaction) -> Reaction {
    engine::own_answer(name).unwrap_or(asked_for)
}

async fn answers_of_our_client(over: Over) {
    let only_servers = [
        (
            "HEADERS on a closed stream",
            trailers(CLOSED, 0).into(),
            Connection(STREAM_CLOSED),
        ),
        (
            "HEADERS on an idle stream",
            Wire::from(headers(IDLE).status(200)),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "HEADERS on a stream of nobody's",
            headers(2).status(200).into(),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "a server that allows itself to push",
            settings(&[(ENABLE_PUSH, 1)]),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "fields in capitals",
            headers(OPEN).field("UPPER", "x").end().into(),
            Stream(PROTOCOL_ERROR),
        ),
        (
            "trailers that do not end the stream",
            headers(OPEN).field("grpc-status", "0").into(),
            Stream(PROTOCOL_ERROR),
        ),
    ];
    let mut wrong = Vec::new();
    for (name, wire, asked_for) in rows().into_iter().chain(only_servers) {
        let (mut server, echo) = RawServer::over(over, "odd").await;
        let script = async {
            let mut peer = server.accept().await;
            asked(&mut peer, CLOSED, Kind::Once).await;
            peer.send(answer(CLOSED, "one")).await;
            peer.expect_headers(OPEN).await;
            assert_eq!(peer.expect_data(OPEN).await, note("two"));
            peer.send(Wire::from(headers(OPEN).status(200).grpc()).and(data(OPEN, note("two"))))
                .await;
            peer.catch_up().await;
            peer.send(wire).await;
            let reaction = peer.reaction().await;
            if !matches!(reaction, Connection(_)) {
                peer.send(data(OPEN, note("three")).and(trailers(OPEN, 0)))
                    .await;
            }
            (peer, reaction)
        };
        let calls = async {
            let once = ask(&echo, Kind::Once).await;
            assert!(once.end.is_ok(), "{name}: {once:?}");
            let (mut sender, mut received) = echo.chat().await.unwrap();
            sender.send(&text("two")).await.unwrap();
            let two = within(name, received.recv()).await.unwrap().unwrap();
            assert_eq!(two.text, "two");
            // It is answered, or the call ends: which of the two, the script sees.
            let _ = sender.send(&text("three")).await;
            within(name, received.recv()).await
        };
        let ((mut peer, reaction), chat) = tokio::join!(script, calls);
        let wanted = expected(name, asked_for);
        if reaction != wanted {
            wrong.push(format!("{name}: {reaction:?} instead of {wanted:?}"));
            continue;
        }
        match (reaction, chat) {
            (Ignored, Ok(Some(three))) => {
                assert_eq!(three.text, "three", "{name}");
                is_healthy(&echo, &mut peer).await;
                channel_closes(echo, peer).await;
            }
            (Stream(_), Ok(Some(_))) if name.ends_with("on a closed stream") => {
                is_healthy(&echo, &mut peer).await;
                channel_closes(echo, peer).await;
            }
            (Stream(_), Err(status)) => {
                assert_eq!(status.code(), Code::Internal, "{name}: {status}");
                assert_eq!(status.origin(), Origin::Transport, "{name}: {status}");
                is_healthy(&echo, &mut peer).await;
                channel_closes(echo, peer).await;
            }
            (Connection(_), Err(status)) => {
                let all = status.to_string();
                assert_eq!(status.code(), Code::Unavailable, "{name}: {all}");
                assert!(!status.is_unprocessed(), "{name}: {all}");
                assert!(all.contains("breach of HTTP/2"), "{name}: {all}");
                peer.expect_close().await;
            }
            (reaction, chat) => panic!("{name}: {reaction:?} and then {chat:?}"),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn our_client_answers_odd_and_wrong_frames() {
    for over in Over::BOTH {
        answers_of_our_client(over).await;
    }
}

async fn answers_of_our_server(over: Over) {
    let malformed = request(5, Kind::Once.path()).field("UPPER", "x").end();
    let only_clients = [
        (
            "HEADERS on a closed stream of a client's",
            trailers(CLOSED, 0).into(),
            Connection(STREAM_CLOSED),
        ),
        (
            "HEADERS on a stream of the server's",
            request(2, "/").end().into(),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "fields in capitals",
            malformed.into(),
            Stream(PROTOCOL_ERROR),
        ),
        (
            "trailers that do not end the stream",
            headers(OPEN).field("x", "0").into(),
            Stream(PROTOCOL_ERROR),
        ),
    ];
    let mut wrong = Vec::new();
    for (name, wire, asked_for) in rows().into_iter().chain(only_clients) {
        let mut served = Served::over(over).await;
        let mut peer = served.connect().await;
        let once = Wire::from(request(CLOSED, Kind::Once.path()));
        peer.send(once.and(last_data(CLOSED, note("one")))).await;
        assert_eq!(peer.expect_end(CLOSED).await.body, note("one"));
        let chat = Wire::from(request(OPEN, Kind::Chat.path()));
        peer.send(chat.and(data(OPEN, note("two")))).await;
        peer.expect_headers(OPEN).await;
        assert_eq!(peer.expect_data(OPEN).await, note("two"));
        for _ in 0..2 {
            assert!(matches!(served.heard().await, Heard::Message(_)));
        }
        peer.send(wire).await;
        let reaction = peer.reaction().await;
        let wanted = expected(name, asked_for);
        if reaction != wanted {
            wrong.push(format!("{name}: {reaction:?} instead of {wanted:?}"));
            continue;
        }
        let open = match reaction {
            Ignored => true,
            // That one, or another that nobody needs.
            Stream(_) => ["fields in capitals", "DATA on a closed stream"].contains(&name),
            Connection(_) => {
                peer.expect_close().await;
                false
            }
        };
        if open {
            peer.send(data(OPEN, note("three"))).await;
            assert_eq!(peer.expect_data(OPEN).await, note("three"), "{name}");
            assert!(matches!(served.heard().await, Heard::Message(_)));
            peer.send(last_data(OPEN, "")).await;
            assert_eq!(peer.expect_end(OPEN).await.code(), Some(0), "{name}");
            assert!(matches!(served.heard().await, Heard::End));
        } else {
            let heard = served.heard().await;
            let Heard::Failed(status) = heard else {
                panic!("{name}: {heard:?}");
            };
            assert_eq!(status.code(), Code::Cancelled, "{name}: {status}");
        }
        if !matches!(reaction, Connection(_)) {
            let once = Wire::from(request(101, Kind::Once.path()));
            peer.send(once.and(last_data(101, note("next")))).await;
            assert_eq!(peer.expect_end(101).await.body, note("next"), "{name}");
            assert!(matches!(served.heard().await, Heard::Message(_)));
        }
        assert!(served.heard_nothing_more(), "{name}");
        drop(peer);
        served.end().await;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn our_server_answers_odd_and_wrong_frames() {
    for over in Over::BOTH {
        answers_of_our_server(over).await;
    }
}
