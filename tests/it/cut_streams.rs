//! A stream that was cut is never mistaken for one that is complete, on either side.

use trunkline::client::Receiver;
use trunkline::{Code, Status};
use trunkline_test_protos::echo::{EchoClient, Note};

use crate::support::{
    CANCEL, Heard, LAST_CODE, NO_ERROR, Peer, RawServer, Served, Wire, channel_closes, data,
    headers, last_data, note, request, reset, text, trailers, within,
};

const EXPAND: &str = "/tests.echo.Echo/Expand";

/// The response's head and three messages.
fn three(stream: u32) -> Wire {
    let head = Wire::from(headers(stream).status(200).grpc());
    ["one", "two", "three"]
        .into_iter()
        .fold(head, |wire, words| wire.and(data(stream, note(words))))
}

/// Half a message: its prefix and a byte.
fn half(stream: u32) -> Wire {
    data(stream, &note("never whole")[..6])
}

/// Reads the three messages, then the error, and the error once more.
async fn three_and_an_error(received: &mut Receiver<Note>) -> Status {
    for words in ["one", "two", "three"] {
        let next = within("a message", received.recv()).await;
        assert_eq!(
            next.expect("three messages").expect("three messages").text,
            words
        );
    }
    let error = match within("an error", received.recv()).await {
        Ok(end) => panic!("a cut stream gave {end:?}"),
        Err(error) => error,
    };
    let again = received.recv().await.expect_err("errors are sticky");
    assert_eq!(again.to_string(), error.to_string());
    error
}

/// Server streaming and bidi: three messages, then `cut`; both must say this.
async fn cut_by(cut: impl Fn(u32) -> Wire, code: Code, words: &[&str]) {
    let (mut server, echo) = RawServer::memory("cut");
    let call = async {
        let mut received = echo.expand(text("go")).await.unwrap();
        let error = three_and_an_error(&mut received).await;
        check(&error, code, words, EXPAND);
        let (mut sender, mut received) = echo.chat().await.unwrap();
        let error = three_and_an_error(&mut received).await;
        check(&error, code, words, "/tests.echo.Echo/Chat");
        within("the sender to fail too", async {
            while sender.send(&text("into the void")).await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    };
    let script = async {
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        peer.send(three(1).and(cut(1))).await;
        peer.expect_headers(3).await;
        peer.send(three(3).and(cut(3))).await;
        peer
    };
    let ((), peer) = tokio::join!(call, script);
    channel_closes(echo, peer).await;
}

fn check(error: &Status, code: Code, words: &[&str], method: &str) {
    let all = error.to_string();
    assert_eq!(error.code(), code, "{all}");
    for word in words.iter().chain(&["memory:cut", method]) {
        assert!(all.contains(word), "{word:?} is not in: {all}");
    }
}

#[tokio::test]
async fn a_reset_of_any_code_is_an_error_that_names_it() {
    let names = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    for number in 0..=LAST_CODE {
        let code = match number {
            0x7 => Code::Unavailable,
            0x8 => Code::Cancelled,
            0xb => Code::ResourceExhausted,
            0xc => Code::PermissionDenied,
            _ => Code::Internal,
        };
        let hex = format!("0x{number:x}");
        cut_by(
            |stream| reset(stream, number),
            code,
            &[names[number as usize], &hex, "reset"],
        )
        .await;
    }
    cut_by(
        |stream| reset(stream, 0xbeef),
        Code::Internal,
        &["0xbeef", "reset"],
    )
    .await;
}

#[tokio::test]
async fn an_end_without_trailers_is_an_error() {
    cut_by(
        |stream| last_data(stream, ""),
        Code::Internal,
        &["without a grpc-status"],
    )
    .await;
}

#[tokio::test]
async fn trailers_without_a_status_are_an_error() {
    let bare = |stream| headers(stream).field("x-other", "1").end().into();
    cut_by(bare, Code::Unknown, &["without grpc-status"]).await;
}

#[tokio::test]
async fn a_message_cut_by_the_end_of_the_stream_is_an_error() {
    let ended = |stream| last_data(stream, &note("never whole")[..6]);
    cut_by(ended, Code::Internal, &[]).await;
}

#[tokio::test]
async fn a_message_cut_by_trailers_with_ok_is_an_error() {
    let ended = |stream: u32| half(stream).and(trailers(stream, 0));
    cut_by(ended, Code::Internal, &["inside a message"]).await;
}

#[tokio::test]
async fn a_prefix_cut_by_trailers_with_ok_is_an_error() {
    let ended = |stream: u32| data(stream, [0, 0]).and(trailers(stream, 0));
    cut_by(ended, Code::Internal, &["inside a message"]).await;
}

#[tokio::test]
async fn a_message_cut_by_a_status_gives_the_status() {
    let ended = |stream: u32| half(stream).and(trailers(stream, 9));
    let (mut server, echo) = RawServer::memory("cut");
    let script = async {
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        peer.send(three(1).and(ended(1))).await;
        peer
    };
    let call = async {
        let mut received = echo.expand(text("go")).await.unwrap();
        let error = three_and_an_error(&mut received).await;
        assert!(
            matches!(error.code(), Code::FailedPrecondition | Code::Internal),
            "{error}"
        );
    };
    let ((), peer) = tokio::join!(call, script);
    channel_closes(echo, peer).await;
}

#[tokio::test]
async fn a_message_cut_by_a_reset_is_an_error() {
    let ended = |stream: u32| half(stream).and(reset(stream, NO_ERROR));
    cut_by(ended, Code::Internal, &["NO_ERROR"]).await;
}

#[tokio::test]
async fn only_status_0_is_a_clean_end() {
    let (mut server, echo) = RawServer::memory("whole");
    let script = async {
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        peer.send(three(1).and(trailers(1, 0))).await;
        for code in 1..=17 {
            let stream = 1 + 2 * code;
            peer.expect_end(stream).await;
            peer.send(three(stream).and(trailers(stream, code))).await;
        }
        peer
    };
    let call = async {
        let mut received = echo.expand(text("go")).await.unwrap();
        for _ in 0..3 {
            assert!(received.recv().await.unwrap().is_some());
        }
        assert_eq!(received.recv().await.unwrap(), None);
        assert_eq!(received.recv().await.unwrap(), None, "and it stays so");
        for code in 1..=17 {
            let mut received = echo.expand(text("go")).await.unwrap();
            let error = three_and_an_error(&mut received).await;
            assert_eq!(error.code(), Code::from_number(code), "{error}");
        }
    };
    let (peer, ()) = tokio::join!(script, call);
    channel_closes(echo, peer).await;
}

/// Three messages, then what `cut` does to the whole connection.
async fn connection_cut<F: Future>(
    (server, echo, address): (&mut RawServer, &EchoClient, &str),
    before: Wire,
    cut: impl FnOnce(Peer) -> F,
) {
    let call = async {
        let mut received = echo.expand(text("go")).await.unwrap();
        let error = three_and_an_error(&mut received).await;
        let all = error.to_string();
        assert_eq!(error.code(), Code::Unavailable, "{all}");
        assert!(all.contains(address) && all.contains(EXPAND), "{all}");
        assert!(!error.is_unprocessed(), "{all}");
    };
    let script = async {
        let mut peer = server.accept().await;
        peer.expect_end(1).await;
        peer.send(three(1).and(before)).await;
        // What was sent before has to be read before the socket is torn down.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        cut(peer).await
    };
    let ((), _cut) = tokio::join!(call, script);
}

#[tokio::test]
async fn a_connection_that_ends_in_memory_is_an_error() {
    for before in [Wire::default(), half(1)] {
        let (mut server, echo) = RawServer::memory("fin");
        connection_cut((&mut server, &echo, "memory:fin"), before, async |peer| {
            drop(peer)
        })
        .await;
    }
}

#[tokio::test]
async fn a_tcp_fin_is_an_error() {
    for before in [Wire::default(), half(1)] {
        let (mut server, echo, address) = RawServer::tcp().await;
        let fin = async |mut peer: Peer| {
            peer.finish().await;
            peer
        };
        connection_cut((&mut server, &echo, &address), before, fin).await;
    }
}

#[tokio::test]
async fn a_tcp_reset_is_an_error() {
    for before in [Wire::default(), half(1)] {
        let (mut server, echo, address) = RawServer::tcp().await;
        connection_cut((&mut server, &echo, &address), before, async |peer| {
            drop(peer)
        })
        .await;
    }
}

/// Our server: three messages and `cut`. The handler gets the three, and then an error.
async fn request_cut(method: &str, cut: Wire, code: Code, words: &[&str]) {
    let mut served = Served::start();
    let mut peer = served.connect().await;
    let start = Wire::from(request(1, method));
    let messages = ["one", "two", "three"].map(|words| data(1, note(words)));
    peer.send(start.and(Wire::from(messages)).and(cut)).await;
    three_heard(&mut served).await;
    let error = failure_heard(&mut served).await;
    assert_eq!(error.code(), code, "{method}: {error}");
    for word in words {
        assert!(
            error.to_string().contains(word),
            "{method}: {word:?} is not in: {error}"
        );
    }
    drop(peer);
    served.end().await;
}

async fn three_heard(served: &mut Served) {
    for words in ["one", "two", "three"] {
        match served.heard().await {
            Heard::Message(note) => assert_eq!(note.text, words),
            other => panic!("expected {words:?}, the handler heard {other:?}"),
        }
    }
}

async fn failure_heard(served: &mut Served) -> Status {
    match served.heard().await {
        Heard::Failed(status) => status,
        other => panic!("a cut request gave the handler {other:?}"),
    }
}

const STREAMING: [&str; 2] = ["/tests.echo.Echo/Collect", "/tests.echo.Echo/Chat"];

#[tokio::test]
async fn a_request_reset_with_any_code_is_cancelled() {
    for method in STREAMING {
        for number in 0..=LAST_CODE {
            let hex = format!("0x{number:x}");
            request_cut(method, reset(1, number), Code::Cancelled, &["reset", &hex]).await;
        }
        let inside = half(1).and(reset(1, CANCEL));
        request_cut(method, inside, Code::Cancelled, &["CANCEL"]).await;
    }
}

#[tokio::test]
async fn a_request_that_ends_inside_a_message_is_broken() {
    for method in STREAMING {
        let ended = last_data(1, &note("never whole")[..6]);
        request_cut(method, ended, Code::Internal, &["inside a message"]).await;
        let prefix = data(1, [0, 0, 0]).and(last_data(1, ""));
        request_cut(method, prefix, Code::Internal, &["inside a message"]).await;
        let with_trailers = half(1).and(headers(1).field("x-last", "1").end());
        request_cut(method, with_trailers, Code::Internal, &["inside a message"]).await;
    }
}

#[tokio::test]
async fn a_connection_that_ends_cancels_its_requests() {
    for method in STREAMING {
        for before in [Wire::default(), half(1)] {
            let mut served = Served::start();
            let mut peer = served.connect().await;
            let start = Wire::from(request(1, method));
            let messages = ["one", "two", "three"].map(|words| data(1, note(words)));
            peer.send(start.and(Wire::from(messages)).and(before)).await;
            three_heard(&mut served).await;
            drop(peer);
            let error = failure_heard(&mut served).await;
            assert_eq!(error.code(), Code::Cancelled, "{error}");
            served.end().await;
        }
    }
}

/// A client that has closed its sending side can send nothing more, though it could still read.
#[tokio::test]
async fn a_fin_between_or_inside_messages_cancels_its_requests() {
    for method in STREAMING {
        for before in [Wire::default(), half(1)] {
            let mut served = Served::start();
            let mut peer = served.connect().await;
            let start = Wire::from(request(1, method));
            let messages = ["one", "two", "three"].map(|words| data(1, note(words)));
            peer.send(start.and(Wire::from(messages)).and(before)).await;
            three_heard(&mut served).await;
            peer.finish().await;
            let error = failure_heard(&mut served).await;
            let all = error.to_string();
            assert_eq!(error.code(), Code::Cancelled, "{all}");
            assert!(all.contains("memory:served"), "{all}");
            peer.expect_close().await;
            served.end().await;
        }
    }
}

#[tokio::test]
async fn a_cut_request_of_one_message_never_reaches_the_handler() {
    for method in ["/tests.echo.Echo/Once", "/tests.echo.Echo/Expand"] {
        for cut in [reset(1, NO_ERROR), reset(1, CANCEL)] {
            let mut served = Served::start();
            let mut peer = served.connect().await;
            // Even a whole message: without END_STREAM nobody knows that it is the only one.
            peer.send(
                Wire::from(request(1, method))
                    .and(data(1, note("x")))
                    .and(cut),
            )
            .await;
            served
                .until("the RPC's end", |stats| {
                    stats.rpcs_started == 1 && stats.live_rpcs == 0
                })
                .await;
            assert!(served.heard_nothing_more());
            drop(peer);
            served.end().await;
        }
        let mut served = Served::start();
        let mut peer = served.connect().await;
        peer.send(Wire::from(request(1, method)).and(last_data(1, &note("x")[..6])))
            .await;
        let answer = peer.expect_end(1).await;
        assert_eq!(
            answer.code(),
            Some(Code::Internal.number()),
            "{}",
            answer.message()
        );
        assert!(
            answer.message().contains("inside a message"),
            "{}",
            answer.message()
        );
        assert!(served.heard_nothing_more());
        drop(peer);
        served.end().await;
    }
}
