//! Compressed messages: end to end in all four kinds of call and both directions, and on the wire.

mod large;
mod wire;

use trunkline::server::ResponseCompression;
use trunkline::{Code, CompressorRegistry, Response, Status};
use trunkline_test_protos::echo::Note;

use crate::handlers::{Scripted, bytes, note, number, plain, scripted};
use crate::world::{World, soon};

/// Every encoding that the features brought.
fn encodings() -> Vec<&'static str> {
    CompressorRegistry::default().names().collect()
}

/// Small, under the threshold, over it, and large.
fn sizes() -> [usize; 4] {
    [0, 500, 20_000, 1_000_000]
}

#[tokio::test]
async fn all_kinds_of_call_in_both_directions() {
    for name in encodings() {
        let server = plain().compression(ResponseCompression::prefer([name]));
        let world = World::memory_with(server, |channel| channel.compression(name));
        let echo = world.echo();
        for size in sizes() {
            let sent = bytes(size);
            assert_eq!(*soon(echo.once(sent.clone())).await.unwrap(), sent);

            let mut many = sent.clone();
            many.number = 3;
            let mut notes = soon(echo.expand(many.clone())).await.unwrap();
            for number in 0..3 {
                many.number = number;
                assert_eq!(soon(notes.recv()).await.unwrap(), Some(many.clone()));
            }
            assert_eq!(soon(notes.recv()).await.unwrap(), None);

            let texts = ["x".repeat(size), "y".repeat(size)];
            let upload = echo.collect().upload(texts.iter().map(|text| note(text)));
            let all = soon(upload).await.unwrap();
            assert_eq!(all.text, texts.concat());

            let (mut sender, mut receiver) = soon(echo.chat()).await.unwrap();
            for number in 0..5 {
                let each = Note {
                    number,
                    ..sent.clone()
                };
                soon(sender.send(&each)).await.unwrap();
                assert_eq!(soon(receiver.recv()).await.unwrap(), Some(each));
            }
            sender.finish();
            assert_eq!(soon(receiver.recv()).await.unwrap(), None);
        }
        drop(echo);
        world.end().await;
    }
}

/// Messages of all sizes on one stream, sent in all ways there are, come in the order in which
/// they were sent, although large ones are compressed elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_is_kept_whatever_is_compressed_where() {
    let server = plain().compression(ResponseCompression::Mirror);
    let world = World::memory_with(server, |channel| channel.compression("gzip"));
    let echo = world.echo();
    let (mut sender, mut receiver) = soon(echo.chat()).await.unwrap();
    let notes = |from: u64| {
        (from..from + 10).map(|number| Note {
            number,
            ..bytes([10, 3_000, 600_000, 0][number as usize % 4])
        })
    };
    let sending = async {
        for each in notes(0) {
            sender.send(&each).await?;
        }
        for each in notes(10) {
            sender.send_uncompressed(&each).await?;
        }
        for each in notes(20) {
            sender.feed(&each)?;
            sender.feed_uncompressed(&note("between"))?;
            sender.flush().await?;
        }
        sender.send_all(notes(30)).await?;
        sender.finish();
        Ok::<(), Status>(())
    };
    let receiving = async {
        let mut numbers = Vec::new();
        while let Some(each) = receiver.recv().await? {
            if each.text.is_empty() {
                numbers.push(each.number);
            }
        }
        Ok::<_, Status>(numbers)
    };
    let (sent, received) = soon(async { tokio::join!(sending, receiving) }).await;
    sent.unwrap();
    assert_eq!(received.unwrap(), Vec::from_iter(0..40));
    drop((receiver, echo));
    world.end().await;
}

#[tokio::test]
async fn an_encoding_that_the_channel_does_not_have_is_named() {
    let world = World::memory(plain());
    let echo = world.echo();
    let error = soon(echo.once(note("x")).compression("lzma"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Internal);
    assert!(error.message().contains("\"lzma\""), "{error}");
    let error = soon(echo.chat().compression("lzma")).await.unwrap_err();
    assert!(error.message().contains("\"lzma\""), "{error}");
    assert_eq!(world.stats().rpcs_started, 0);
    drop(echo);
    world.end().await;
}

/// A server that has no compressors refuses, says what would do, and serves the next call.
#[tokio::test]
async fn a_server_that_does_not_know_the_encoding_refuses() {
    let server = plain().compressors(CompressorRegistry::empty());
    let world = World::memory(server);
    let echo = world.echo();
    let error = soon(echo.once(bytes(5_000)).compression("gzip"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented, "{error}");
    assert!(error.message().contains("gzip"), "{error}");
    let (sender, mut receiver) = soon(echo.chat().compression("gzip")).await.unwrap();
    let error = soon(receiver.recv()).await.unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented, "{error}");
    assert!(soon(echo.once(bytes(5_000))).await.is_ok());
    drop((sender, receiver, echo));
    world.end().await;
}

/// The limits count what comes out: a message that is small on the wire is refused all the same,
/// by either side, in all kinds of call; the next call on the connection is served.
#[tokio::test]
async fn limits_count_what_is_decompressed() {
    const LIMIT: usize = 100_000;
    let many = |count: usize| {
        Scripted::default()
            .once(move |_, request| {
                Box::pin(async move {
                    let size = if request.number == 1 { count } else { 0 };
                    Ok(bytes(size).into())
                })
            })
            .expand(move |_, _, mut responses| {
                Box::pin(async move {
                    responses.send(&note("first")).await?;
                    responses.send(&bytes(count)).await
                })
            })
    };
    let server = scripted(many(2 * LIMIT))
        .max_receive_message_bytes(LIMIT)
        .compression(ResponseCompression::prefer(["gzip"]));
    let world = World::memory_with(server, |channel| {
        let channel = channel.compression("gzip");
        channel.max_receive_message_bytes(LIMIT)
    });
    let echo = world.echo();
    let check = |error: Status, side: &str| {
        let text = error.to_string();
        assert_eq!(error.code(), Code::ResourceExhausted, "{text}");
        for word in [
            side,
            "gzip",
            "100000 bytes",
            "receiving",
            "max_receive_message_bytes",
            "/tests.echo.Echo/",
        ] {
            assert!(text.contains(word), "{word}: {text}");
        }
    };
    let next = async || assert!(soon(echo.once(number(0))).await.is_ok());

    check(
        soon(echo.once(bytes(2 * LIMIT))).await.unwrap_err(),
        "server",
    );
    next().await;
    check(soon(echo.once(number(1))).await.unwrap_err(), "client");
    next().await;
    let upload = echo.collect().upload([bytes(2 * LIMIT)]);
    check(soon(upload).await.unwrap_err(), "server");
    next().await;
    let mut notes = soon(echo.expand(number(0))).await.unwrap();
    assert_eq!(soon(notes.recv()).await.unwrap(), Some(note("first")));
    check(soon(notes.recv()).await.unwrap_err(), "client");
    next().await;
    let (mut sender, mut receiver) = soon(echo.chat()).await.unwrap();
    sender.send(&bytes(2 * LIMIT)).await.unwrap();
    check(soon(receiver.recv()).await.unwrap_err(), "server");
    next().await;

    // What is sent counts before it is compressed.
    let unsent = echo.once(bytes(2_000)).max_send_message_bytes(1_000);
    let unsent = soon(unsent).await.unwrap_err();
    assert_eq!(unsent.code(), Code::ResourceExhausted);
    for word in [
        "2003 bytes",
        "1000 bytes",
        "client, sending",
        "max_send_message_bytes",
    ] {
        assert!(unsent.message().contains(word), "{word}: {unsent}");
    }
    assert_eq!(world.stats().connections_accepted, 1);
    drop((notes, sender, receiver, echo));
    world.end().await;
}

/// Compressors of a user's own, on both sides.
#[tokio::test]
async fn compressors_of_ones_own() {
    let registry = || CompressorRegistry::default().with(own::Runs).unwrap();
    let server = plain()
        .compressors(registry())
        .compression(ResponseCompression::prefer(["x-runs"]));
    let world = World::memory_with(server, |channel| channel.compressors(registry()));
    let echo = world.echo();
    let sent = bytes(50_000);
    let answer = soon(echo.once(sent.clone()).compression("x-runs")).await;
    assert_eq!(*answer.unwrap(), sent);
    drop(echo);
    world.end().await;
}

/// On another thread, where its panic could get lost.
#[tokio::test]
async fn a_compressor_that_panics_fails_only_its_call() {
    let registry = || CompressorRegistry::default().with(own::Fuse).unwrap();
    let server = plain().compressors(registry());
    let world = World::memory_with(server, |channel| channel.compressors(registry()));
    let echo = world.echo();
    let error = soon(echo.once(bytes(2_000_000)).compression("x-fuse")).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), Code::Internal, "{error}");
    assert!(error.message().contains("panicked"), "{error}");
    let (mut sender, receiver) = soon(echo.chat().compression("x-fuse")).await.unwrap();
    let error = soon(sender.send(&bytes(2_000_000))).await.unwrap_err();
    assert_eq!(error.code(), Code::Internal, "{error}");
    drop((sender, receiver));
    let answer: Response<Note> = soon(echo.once(note("fine"))).await.unwrap();
    assert_eq!(answer.text, "fine");
    drop(echo);
    world.end().await;
}

/// Compressors that users may bring.
mod own {
    use bytes::{Buf, BufMut, BytesMut};
    use trunkline::{Compressor, DecompressError, Payload};

    /// Runs of one byte as a count and the byte.
    pub(super) struct Runs;

    impl Compressor for Runs {
        fn name(&self) -> &'static str {
            "x-runs"
        }

        fn compress(&self, message: &[u8], out: &mut BytesMut) -> std::io::Result<()> {
            for run in message.chunk_by(|a, b| a == b) {
                for part in run.chunks(255) {
                    out.put_u8(part.len() as u8);
                    out.put_u8(part[0]);
                }
            }
            Ok(())
        }

        fn decompress(
            &self,
            mut message: Payload,
            out: &mut BytesMut,
            limit: usize,
        ) -> Result<(), DecompressError> {
            while message.remaining() >= 2 {
                let (count, byte) = (message.get_u8(), message.get_u8());
                out.put_bytes(byte, usize::from(count));
                if out.len() > limit {
                    return Err(DecompressError::TooLarge);
                }
            }
            Ok(())
        }
    }

    /// Goes off.
    pub(super) struct Fuse;

    impl Compressor for Fuse {
        fn name(&self) -> &'static str {
            "x-fuse"
        }

        fn compress(&self, _: &[u8], _: &mut BytesMut) -> std::io::Result<()> {
            panic!("a compressor of somebody's own")
        }

        fn decompress(
            &self,
            _: Payload,
            _: &mut BytesMut,
            _: usize,
        ) -> Result<(), DecompressError> {
            panic!("a compressor of somebody's own")
        }
    }
}
