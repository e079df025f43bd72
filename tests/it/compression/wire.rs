//! Compression as peers see it that play by the rules, and as peers try it that do not.

use bytes::Bytes;
use trunkline::client::ChannelBuilder;
use trunkline::codegen::prost::Message;
use trunkline::server::ResponseCompression;
use trunkline::{Channel, Code, CompressorRegistry, Encoding, Gzip, Status};
use trunkline_test_protos::echo::{EchoClient, Note};

use crate::handlers::{Scripted, bytes, note as plain_note};
use crate::support::{
    Exchange, Headers, Heard, RawServer, Served, Wire, channel_closes, data, framed, headers,
    last_data, note, prefix, request, trailers, within,
};

const ONCE: &str = "/tests.echo.Echo/Once";
const COLLECT: &str = "/tests.echo.Echo/Collect";
const CHAT: &str = "/tests.echo.Echo/Chat";

fn gzip() -> Encoding {
    CompressorRegistry::default().find("gzip").unwrap().clone()
}

/// A message in its frame, compressed, with the flag.
fn gzipped(message: &Note) -> Vec<u8> {
    let frame = gzip().compress_frame(framed(message.encode_to_vec()).into());
    let frame = frame.unwrap();
    assert_eq!(frame[0], 1, "large enough to be compressed");
    frame.to_vec()
}

/// The messages of a body with their flags, decompressed where they are compressed.
fn read(mut body: &[u8]) -> Vec<(u8, Note)> {
    let mut messages = Vec::new();
    while let [flag, a, b, c, d, rest @ ..] = body {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let (message, rest) = rest.split_at(length);
        let message = match flag {
            0 => Bytes::copy_from_slice(message),
            _ => {
                let wire = Bytes::copy_from_slice(message);
                let inflated = gzip().decompress(wire.into(), usize::MAX).unwrap();
                inflated.into_bytes()
            }
        };
        messages.push((*flag, Note::decode(message).unwrap()));
        body = rest;
    }
    messages
}

/// A request to a server that is served like this, and its answer.
async fn asked(
    configure: impl FnOnce(trunkline::server::ServerBuilder) -> trunkline::server::ServerBuilder,
    head: Headers,
    body: &[u8],
) -> (Exchange, Served) {
    let served = Served::with(configure);
    let mut peer = served.connect().await;
    let mut question = Wire::from(head);
    let mut pieces = body.chunks(16_384).peekable();
    while let Some(piece) = pieces.next() {
        question = question.and(match pieces.peek() {
            Some(_) => data(1, piece),
            None => last_data(1, piece),
        });
    }
    peer.send(question).await;
    let answer = peer.expect_end(1).await;
    // Whatever it was, the connection is healthy.
    peer.send(Wire::from(request(3, ONCE)).and(last_data(3, note("next"))))
        .await;
    let next = peer.expect_end(3).await;
    assert_eq!((next.code(), next.body), (Some(0), note("next")));
    (answer, served)
}

fn in_gzip(path: &str) -> Headers {
    request(1, path).field("grpc-encoding", "gzip")
}

#[tokio::test]
async fn what_a_client_says_and_sends() {
    let (mut server, builder) = RawServer::builder("wire");
    let channel = builder.build().unwrap();
    let echo = EchoClient::new(channel);
    let script = async {
        let mut peer = server.accept().await;
        let mut seen = Vec::new();
        for stream in [1, 3, 5, 7] {
            let exchange = peer.expect_end(stream).await;
            seen.push((
                exchange.head.get("grpc-encoding").map(str::to_owned),
                exchange.head.get("grpc-accept-encoding").map(str::to_owned),
                read(&exchange.body)
                    .iter()
                    .map(|(flag, _)| *flag)
                    .collect::<Vec<_>>(),
            ));
            let head = Wire::from(headers(stream).status(200).grpc());
            let answer = head.and(data(stream, note("ok")));
            peer.send(answer.and(trailers(stream, 0))).await;
        }
        (peer, seen)
    };
    let calls = async {
        // Plain, though answers may be compressed.
        echo.once(bytes(20_000)).await.unwrap();
        // 100 bytes are not worth it.
        echo.once(bytes(100)).compression("gzip").await.unwrap();
        echo.once(bytes(1 << 20)).compression("gzip").await.unwrap();
        let (mut sender, summary) = echo.collect().compression("gzip").await.unwrap();
        sender.send(&bytes(100)).await.unwrap();
        sender.send(&bytes(5_000)).await.unwrap();
        sender.send_uncompressed(&bytes(5_000)).await.unwrap();
        sender.feed(&bytes(600_000)).unwrap();
        sender.finish();
        summary.await.unwrap();
    };
    let (mut all, ()) = within("the calls", async { tokio::join!(script, calls) }).await;
    let known = CompressorRegistry::default();
    let known = known.accept_encoding().unwrap().to_str().unwrap();
    let accept = Some(known.to_owned());
    let gzip = Some("gzip".to_owned());
    let expected = vec![
        (None, accept.clone(), vec![0]),
        (gzip.clone(), accept.clone(), vec![0]),
        (gzip.clone(), accept.clone(), vec![1]),
        (gzip, accept, vec![0, 1, 0, 1]),
    ];
    assert_eq!(std::mem::take(&mut all.1), expected);
    channel_closes(echo, all.0).await;
}

/// What the channel says is a default; a call says otherwise, and a channel without compressors
/// says nothing.
#[tokio::test]
async fn calls_override_their_channel() {
    let head_of = async |configure: fn(ChannelBuilder) -> ChannelBuilder,
                         encoding: Option<&str>| {
        let (mut server, builder) = RawServer::builder("wire");
        let echo = EchoClient::new(configure(builder).build().unwrap());
        let script = async {
            let mut peer = server.accept().await;
            let exchange = peer.expect_end(1).await;
            let head = Wire::from(headers(1).status(200).grpc());
            peer.send(head.and(data(1, note("ok"))).and(trailers(1, 0)))
                .await;
            (peer, exchange)
        };
        let mut call = echo.once(bytes(5_000));
        if let Some(encoding) = encoding {
            call = call.compression(encoding);
        }
        let (call, (peer, exchange)) = tokio::join!(call.into_future(), script);
        call.unwrap();
        channel_closes(echo, peer).await;
        let flag = exchange.body[0];
        (exchange.head, flag)
    };
    let (head, flag) = head_of(|channel| channel.compression("gzip"), None).await;
    assert_eq!((head.get("grpc-encoding"), flag), (Some("gzip"), 1));
    let (head, flag) = head_of(|channel| channel.compression("gzip"), Some("identity")).await;
    assert_eq!((head.get("grpc-encoding"), flag), (None, 0));
    let min = |channel: ChannelBuilder| channel.compression_min_bytes(10_000);
    let (head, flag) = head_of(min, Some("gzip")).await;
    assert_eq!((head.get("grpc-encoding"), flag), (Some("gzip"), 0));
    let none = |channel: ChannelBuilder| channel.compressors(CompressorRegistry::empty());
    let (head, _) = head_of(none, None).await;
    assert_eq!(head.get("grpc-accept-encoding"), None);

    let fault = Channel::builder("host:1").insecure().compression("lzma");
    let fault = fault.build().unwrap_err().to_string();
    assert!(fault.contains("\"lzma\""), "{fault}");
}

#[tokio::test]
async fn a_server_answers_with_what_the_client_accepts_and_it_is_told_to() {
    let off = ResponseCompression::Off;
    let gzip = ResponseCompression::prefer(["gzip"]);
    for (responses, encoding, accept, expected) in [
        (off, Some("gzip"), Some("gzip"), None),
        (
            ResponseCompression::Mirror,
            Some("gzip"),
            None,
            Some("gzip"),
        ),
        (ResponseCompression::Mirror, None, Some("gzip"), None),
        (gzip.clone(), None, Some(" identity , gzip"), Some("gzip")),
        (gzip.clone(), None, Some("br,,unknown"), None),
        (gzip.clone(), None, Some(""), None),
        (gzip, None, None, None),
    ] {
        for path in [ONCE, CHAT] {
            let mut head = request(1, path);
            if let Some(encoding) = encoding {
                head = head.field("grpc-encoding", encoding);
            }
            if let Some(accept) = accept {
                head = head.field("grpc-accept-encoding", accept);
            }
            let large = bytes(5_000);
            let small = plain_note("small");
            let mut body = framed(large.encode_to_vec());
            let mut sent = vec![large];
            if path == CHAT {
                body.extend(framed(small.encode_to_vec()));
                sent.push(small);
            }
            let (answer, served) =
                asked(|each| each.compression(responses.clone()), head, &body).await;
            let what = format!("{responses:?}, {encoding:?}, {accept:?}, {path}");
            assert_eq!(answer.code(), Some(0), "{what}: {answer:?}");
            assert_eq!(answer.head.get("grpc-encoding"), expected, "{what}");
            let (flags, got): (Vec<_>, Vec<_>) = read(&answer.body).into_iter().unzip();
            assert_eq!(got, sent, "{what}");
            assert_eq!(flags[0], u8::from(expected.is_some()), "{what}");
            assert!(flags[1..].iter().all(|flag| *flag == 0), "small: {what}");
            served.end().await;
        }
    }
}

/// Flag 0 inside a compressed stream is as good as flag 1, message by message.
#[tokio::test]
async fn both_flags_mix_on_a_stream() {
    let texts = ["a".repeat(50), "b".repeat(50), "c".repeat(50)];
    let notes: Vec<_> = texts.iter().map(|text| plain_note(text)).collect();
    let body = [
        gzipped(&notes[0]),
        framed(notes[1].encode_to_vec()),
        gzipped(&notes[2]),
    ]
    .concat();
    let (answer, mut served) = asked(|each| each, in_gzip(COLLECT), &body).await;
    assert_eq!(answer.code(), Some(0), "{answer:?}");
    assert_eq!(read(&answer.body)[0].1.text, texts.concat());
    for expected in notes {
        match served.heard().await {
            Heard::Message(got) => assert_eq!(got, expected),
            other => panic!("{other:?}"),
        }
    }
    served.end().await;
}

/// An empty message, compressed: gzip makes some twenty bytes of it.
#[tokio::test]
async fn an_empty_message_may_be_compressed() {
    const EMPTY: [u8; 20] = [
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let body = [prefix(1, EMPTY.len()), EMPTY.to_vec()].concat();
    let (answer, served) = asked(|each| each, in_gzip(ONCE), &body).await;
    assert_eq!((answer.code(), answer.body), (Some(0), framed([])));
    served.end().await;
    // But nothing at all is no gzip.
    let (answer, served) = asked(|each| each, in_gzip(ONCE), &prefix(1, 0)).await;
    assert_eq!(answer.code(), Some(Code::Internal.number()), "{answer:?}");
    served.end().await;
}

/// Each is INTERNAL, says what is wrong, and runs no handler.
#[tokio::test]
async fn a_server_refuses_what_is_broken() {
    let good = gzipped(&bytes(5_000));
    let shorter = [prefix(1, good.len() - 6), good[5..good.len() - 1].to_vec()].concat();
    let longer = [prefix(1, good.len() - 4), good[5..].to_vec(), vec![0]].concat();
    let garbage = [prefix(1, 7), b"garbage".to_vec()].concat();
    let mut flag_2 = good.clone();
    flag_2[0] = 2;
    for (head, body, words) in [
        (
            request(1, ONCE),
            &good,
            &["compressed flag", "grpc-encoding"][..],
        ),
        (
            request(1, ONCE).field("grpc-encoding", "identity"),
            &good,
            &["compressed flag", "grpc-encoding"],
        ),
        (in_gzip(ONCE), &shorter, &["gzip", "decompressed"]),
        (in_gzip(ONCE), &longer, &["gzip", "decompressed"]),
        (
            in_gzip(ONCE),
            &garbage,
            &["gzip", "7 bytes", "decompressed"],
        ),
        (in_gzip(ONCE), &flag_2, &["0x02"]),
    ] {
        let (answer, mut served) = asked(|each| each, head, body).await;
        assert_eq!(answer.code(), Some(Code::Internal.number()), "{answer:?}");
        for word in words {
            assert!(
                answer.message().contains(word),
                "{word}: {}",
                answer.message()
            );
        }
        // The one that came after.
        assert!(matches!(served.heard().await, Heard::Message(_)));
        assert!(served.heard_nothing_more());
        served.end().await;
    }
}

/// 48 MiB that are 48 KiB on the wire: over the limit, at the cost of the limit.
fn bomb() -> Vec<u8> {
    let smallest = Encoding::new(Gzip::with_level(9)).unwrap();
    let frame = smallest.compress_frame(framed(vec![0; 48 << 20]).into());
    frame.unwrap().to_vec()
}

#[track_caller]
fn is_bomb(code: Code, text: &str, side: &str) {
    assert_eq!(code, Code::ResourceExhausted, "{text}");
    for word in [
        side,
        "4194304",
        "gzip",
        "receiving",
        "max_receive_message_bytes",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[tokio::test]
async fn a_bomb_of_a_clients_is_refused() {
    let bomb = bomb();
    assert!(bomb.len() < 60_000);
    for path in [ONCE, COLLECT, CHAT, "/tests.echo.Echo/Expand"] {
        let (answer, served) = asked(|each| each, in_gzip(path), &bomb).await;
        let code = Code::from_number(answer.code().unwrap());
        is_bomb(code, answer.message(), "server");
        served.end().await;
    }
}

/// What our client makes of an answer, in a unary and in a streaming call; the next call on the
/// connection is answered.
async fn answered(head: fn(u32) -> Headers, body: &[u8]) -> [Status; 2] {
    let (mut server, echo) = RawServer::memory("wire");
    let script = async {
        let mut peer = server.accept().await;
        for stream in [1, 5] {
            peer.expect_end(stream).await;
            let mut answer = Wire::from(head(stream));
            for piece in body.chunks(16_384) {
                answer = answer.and(data(stream, piece));
            }
            peer.send(answer.and(trailers(stream, 0))).await;
            let next = stream + 2;
            peer.expect_end(next).await;
            let plain = Wire::from(headers(next).status(200).grpc());
            peer.send(plain.and(data(next, note("next"))).and(trailers(next, 0)))
                .await;
        }
        peer
    };
    let calls = async {
        let unary = echo.once(plain_note("x")).await.unwrap_err();
        assert_eq!(echo.once(plain_note("x")).await.unwrap().text, "next");
        let mut notes = echo.expand(plain_note("x")).await.unwrap();
        let streaming = notes.recv().await.unwrap_err();
        assert_eq!(echo.once(plain_note("x")).await.unwrap().text, "next");
        [unary, streaming]
    };
    let both = async { tokio::join!(script, calls) };
    let (peer, errors) = within("the calls", both).await;
    channel_closes(echo, peer).await;
    errors
}

fn grpc(stream: u32) -> Headers {
    headers(stream).status(200).grpc()
}

fn answer_in_gzip(stream: u32) -> Headers {
    grpc(stream).field("grpc-encoding", "gzip")
}

#[tokio::test]
async fn a_bomb_of_a_servers_is_refused() {
    for error in answered(answer_in_gzip, &bomb()).await {
        is_bomb(error.code(), &error.to_string(), "client");
    }
}

#[tokio::test]
async fn a_client_refuses_what_is_broken() {
    let good = gzipped(&bytes(5_000));
    let garbage = [prefix(1, 7), b"garbage".to_vec()].concat();
    let unknown = |stream| grpc(stream).field("grpc-encoding", "br");
    for (head, body, words) in [
        (
            grpc as fn(u32) -> Headers,
            &good,
            &["compressed flag", "grpc-encoding"][..],
        ),
        (
            answer_in_gzip,
            &garbage,
            &["gzip", "7 bytes", "decompressed"],
        ),
        (unknown, &good, &["grpc-encoding \"br\"", "gzip"]),
    ] {
        for error in answered(head, body).await {
            let text = error.to_string();
            assert_eq!(error.code(), Code::Internal, "{text}");
            for word in words {
                assert!(text.contains(word), "{word}: {text}");
            }
        }
    }
}

/// One response, and one message of a stream, that are left alone where others are compressed.
#[tokio::test]
async fn a_handler_leaves_single_responses_alone() {
    let secret = Scripted::default()
        .once(|_, request| {
            Box::pin(async move { Ok(trunkline::Response::new(request).uncompressed()) })
        })
        .expand(|_, request, mut responses| {
            Box::pin(async move {
                responses.send(&request).await?;
                responses.send_uncompressed(&request).await?;
                responses.feed(&request)?;
                responses.feed_uncompressed(&request)
            })
        });
    let (connector, listener) = trunkline::transport::memory::pair("served");
    let builder =
        crate::handlers::scripted(secret).compression(ResponseCompression::prefer(["gzip"]));
    let server = builder.listen(listener).unwrap();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let address = trunkline::transport::Address::Memory("served".into());
    let io = trunkline::transport::Connector::connect(&connector, &address).await;
    let mut peer = crate::support::Peer::client(io.unwrap()).await;
    let body = framed(bytes(5_000).encode_to_vec());
    for (stream, path, expected) in [
        (1, ONCE, &[0][..]),
        (3, "/tests.echo.Echo/Expand", &[1, 0, 1, 0]),
    ] {
        let head = request(stream, path).field("grpc-accept-encoding", "gzip");
        peer.send(Wire::from(head).and(last_data(stream, &body)))
            .await;
        let answer = peer.expect_end(stream).await;
        let messages = read(&answer.body);
        let flags: Vec<_> = messages.iter().map(|(flag, _)| *flag).collect();
        assert_eq!(flags, expected, "{path}");
        assert!(messages.iter().all(|(_, each)| *each == bytes(5_000)));
    }
    drop(peer);
    handle.graceful_stop(crate::world::PATIENCE).await;
    serving.await.unwrap().unwrap();
}

/// A call that is refused goes out once more, and is the same.
#[tokio::test]
async fn a_call_that_is_sent_again_is_the_same() {
    let (mut server, echo) = RawServer::memory("wire");
    let script = async {
        let mut peer = server.accept().await;
        let first = peer.expect_end(1).await;
        peer.send(crate::support::reset(1, crate::support::REFUSED_STREAM))
            .await;
        let again = peer.expect_end(3).await;
        assert_eq!(first.body, again.body);
        assert_eq!(first.body[0], 1);
        assert_eq!(again.head.get("grpc-encoding"), Some("gzip"));
        let head = Wire::from(headers(3).status(200).grpc());
        peer.send(head.and(data(3, note("ok"))).and(trailers(3, 0)))
            .await;
        peer
    };
    let call = echo.once(bytes(2 << 20)).compression("gzip");
    let (answer, peer) = tokio::join!(within("the call", call), script);
    assert_eq!(answer.unwrap().text, "ok");
    channel_closes(echo, peer).await;
}

#[tokio::test]
async fn a_server_cannot_be_told_to_use_what_it_does_not_have() {
    let builder = crate::handlers::plain().compression(ResponseCompression::prefer(["lzma"]));
    let (_, listener) = trunkline::transport::memory::pair("unused");
    let error = builder.listen(listener).unwrap_err();
    assert!(error.message().contains("\"lzma\""), "{error}");
}
