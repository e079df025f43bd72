//! The engine against itself and against the one on the h2 crate, both ways.

mod bulk;
mod closing;
mod deadlines;
mod ending;
mod held;
mod idle;
mod leaving;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use http::uri::Authority;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use trunkline_core::protocol::read_request;
use trunkline_core::{
    Code, CompressorRegistry, Deadline, FrameEncoder, Metadata, RawCodec, Status,
};

use crate::http2::native::frame::{PREFACE, Reason, StreamId, write};
use crate::http2::{
    ClientConfig, ClientConnection, Engine, RequestHead, ResponseForm, ServerConfig,
    ServerConnection, ServerStream, SharedStream,
};
use crate::stream::{RecvHalf, SendHalf};
use crate::{Address, Peer, memory, now};

const LIMIT: usize = 8 << 20;

/// Who calls whom. One of the two is ours.
const PAIRS: [(Engine, Engine); 3] = [
    (Engine::Native, Engine::Native),
    (Engine::Native, Engine::H2),
    (Engine::H2, Engine::Native),
];

struct World {
    client: ClientConnection,
    streams: mpsc::UnboundedReceiver<ServerStream>,
    server: JoinHandle<Result<(), Status>>,
}

impl World {
    async fn of((near, far): (Engine, Engine)) -> Self {
        let (near_io, far_io) = memory::pipe();
        let (sender, streams) = mpsc::unbounded_channel();
        let config = ServerConfig {
            engine: far,
            ..ServerConfig::default()
        };
        let server = tokio::spawn(async move {
            let mut connection = ServerConnection::handshake(far_io, peer(), &config).await?;
            while let Some(stream) = poll_fn(|cx| connection.poll_next(cx)).await {
                let _ = sender.send(stream?);
            }
            Ok(())
        });
        let config = ClientConfig {
            engine: near,
            ..ClientConfig::default()
        };
        let freed = Arc::new(Notify::new());
        let client = ClientConnection::handshake(near_io, peer(), &config, freed);
        Self {
            client: client.await.unwrap(),
            streams,
            server,
        }
    }

    fn bidi(&self) -> (SendHalf<Bytes>, RecvHalf<Bytes>) {
        let permit = self.client.try_permit().unwrap();
        let streams = with_head(|head| self.client.start_streaming(permit, head, LIMIT));
        let (send, recv) = streams.unwrap();
        (
            SendHalf::client(send, Box::new(RawCodec), LIMIT),
            RecvHalf::client(recv, Box::new(RawCodec)),
        )
    }

    fn unary(&self, message: &Bytes) -> RecvHalf<Bytes> {
        let permit = self.client.try_permit().unwrap();
        let frame = frame(message);
        let recv = with_head(|head| self.client.start_single(permit, head, frame, LIMIT));
        RecvHalf::client(recv.unwrap(), Box::new(RawCodec))
    }

    fn unary_within(&self, span: Duration) -> RecvHalf<Bytes> {
        let permit = self.client.try_permit().unwrap();
        let frame = frame(&message(8));
        let until = Some(Deadline::after(now(), span));
        let recv = with_head(|head| {
            let client = &self.client;
            client.start_single_until(permit, head, frame, LIMIT, until)
        });
        RecvHalf::client(recv.unwrap(), Box::new(RawCodec))
    }

    async fn accept(&mut self) -> ServerStream {
        let mut stream = self.streams.recv().await.unwrap();
        assert_eq!(stream.path(), "/test.Echo/Call");
        let method = stream.http_method().to_owned();
        let registry = CompressorRegistry::empty();
        let fields = read_request(&method, stream.take_fields(), &registry).unwrap();
        assert_eq!(fields.timeout, Some(Duration::from_secs(9)));
        assert_eq!(fields.metadata.get("x-key"), Some("value"));
        stream
    }

    async fn accept_shared(&mut self) -> (SendHalf<Bytes>, RecvHalf<Bytes>, SharedStream) {
        let (body, responder) = self.accept().await.into_parts();
        let shared = responder.share(body, form());
        (
            SendHalf::server(shared.clone(), Box::new(RawCodec), LIMIT),
            RecvHalf::server_shared(shared.clone(), Box::new(RawCodec), LIMIT),
            shared,
        )
    }

    /// Nothing is left, and the server finds that its client went in order.
    async fn end(self) {
        // The engine on the h2 crate gives permits back with its next write.
        while self.client.usage().in_use > 0 {
            tokio::task::yield_now().await;
        }
        self.client.close();
        self.client.ended().await;
        self.server.await.unwrap().unwrap();
    }
}

fn peer() -> Peer {
    Peer::new(Address::Memory("test".into()))
}

fn form() -> ResponseForm {
    ResponseForm {
        subtype: "proto",
        encoding: None,
    }
}

fn with_head<R>(start: impl FnOnce(&RequestHead<'_>) -> R) -> R {
    let mut metadata = Metadata::new();
    metadata.insert("x-key", "value").unwrap();
    start(&RequestHead {
        path: "/test.Echo/Call",
        authority: &Authority::from_static("test"),
        subtype: "proto",
        encoding: None,
        accept_encoding: None,
        timeout: Some(Duration::from_secs(9)),
        user_agent: &HeaderValue::from_static("agent"),
        metadata: &metadata,
    })
}

fn frame(message: &Bytes) -> Bytes {
    let mut out = BytesMut::new();
    let mut frames = FrameEncoder::new(LIMIT);
    frames.encode(message, &RawCodec, &mut out).unwrap();
    out.freeze()
}

fn message(length: usize) -> Bytes {
    (0..length).map(|n| (n % 251) as u8).collect()
}

#[tokio::test]
async fn a_unary_call_of_any_size_is_answered() {
    for pair in PAIRS {
        let mut world = World::of(pair).await;
        for length in [0, 64, 10_000, 100_000, 3 << 20] {
            let sent = message(length);
            let mut answer = world.unary(&sent);
            let (body, responder) = world.accept().await.into_parts();
            let mut requests = RecvHalf::server(body, Box::new(RawCodec), LIMIT);
            let serve = async {
                let got: Bytes = requests.recv().await.unwrap().unwrap();
                assert_eq!(requests.recv().await.unwrap(), None);
                let mut trailers = Metadata::new();
                trailers.insert("x-last", "word").unwrap();
                responder.reply(&form(), &Metadata::new(), frame(&got), &trailers);
            };
            let call = async {
                assert_eq!(answer.recv().await.unwrap(), Some(sent), "{pair:?}");
                assert_eq!(answer.recv().await.unwrap(), None);
                assert_eq!(answer.trailers().get("x-last"), Some("word"));
            };
            tokio::join!(serve, call);
        }
        world.end().await;
    }
}

#[tokio::test]
async fn both_sides_of_a_stream_send_and_wait_for_their_readers() {
    for pair in PAIRS {
        let mut world = World::of(pair).await;
        let (mut send, mut recv) = world.bidi();
        let (mut replies, mut requests, shared) = world.accept_shared().await;
        let sizes = || (0..400).map(|n| (n * 37) % 9_000);
        let uploading = async {
            for size in sizes() {
                send.send(&message(size)).await.unwrap();
            }
            send.half_close();
        };
        let echoing = async {
            while let Some(each) = requests.recv().await.unwrap() {
                replies.send(&each).await.unwrap();
            }
            shared.finish(Ok(&Metadata::new()));
        };
        let reading = async {
            for size in sizes() {
                assert_eq!(recv.recv().await.unwrap(), Some(message(size)), "{pair:?}");
            }
            assert_eq!(recv.recv().await.unwrap(), None);
        };
        tokio::join!(uploading, echoing, reading);
        drop((send, recv));
        world.end().await;
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_before_its_driver_had_a_turn_goes_nowhere() {
    for far in [Engine::Native, Engine::H2] {
        let mut world = World::of((Engine::Native, far)).await;
        drop(world.unary(&message(10)));
        drop(world.bidi());
        let mut answer = world.unary(&message(20));
        let (body, responder) = world.accept().await.into_parts();
        let mut requests = RecvHalf::server(body, Box::new(RawCodec), LIMIT);
        let got: Bytes = requests.recv().await.unwrap().unwrap();
        assert_eq!(got, message(20));
        responder.fail(&Status::not_found("nothing"));
        let error = answer.recv().await.unwrap_err();
        assert_eq!(error.message(), "nothing");
        assert!(
            world.streams.try_recv().is_err(),
            "the others were not opened"
        );
        world.end().await;
    }
}

#[tokio::test]
async fn a_stream_that_one_side_gives_up_ends_on_both() {
    for pair in PAIRS {
        let mut world = World::of(pair).await;
        let (send, mut recv) = world.bidi();
        let (_replies, mut requests, shared) = world.accept_shared().await;
        drop(send);
        let error = requests.recv().await.unwrap_err();
        assert!(error.message().contains("CANCEL"), "{error}");
        let seen = poll_fn(|cx| shared.poll_reset(cx)).await;
        assert!(seen.message().contains("CANCEL"), "{seen}");
        let own = recv.recv().await.unwrap_err();
        assert_eq!(own.message(), "Sender dropped without finish()");

        let (mut send, mut recv) = world.bidi();
        let (_replies, _requests, shared) = world.accept_shared().await;
        shared.finish(Err(&Status::aborted("enough")));
        let error = recv.recv().await.unwrap_err();
        assert_eq!(error.message(), "enough");
        let error = send.send(&message(1)).await.unwrap_err();
        assert_eq!(error.message(), "enough", "the sender learns of it as well");
        drop((send, recv));
        world.end().await;
    }
}

/// What waits for the socket is no stream's any more, so no stream can be let go of for it.
#[tokio::test]
async fn memory_that_only_the_output_holds_costs_the_connection() {
    let (mut near, far) = memory::pipe();
    let config = ServerConfig {
        engine: Engine::Native,
        max_held_bytes: 1,
        ..ServerConfig::default()
    };
    let server = tokio::spawn(async move {
        let mut connection = ServerConnection::handshake(far, peer(), &config).await?;
        while let Some(stream) = poll_fn(|cx| connection.poll_next(cx)).await {
            let (body, responder) = stream?.into_parts();
            drop(body);
            let answer = frame(&message(230_000));
            responder.reply(&form(), &Metadata::new(), answer, &Metadata::new());
        }
        Ok::<_, Status>(())
    });
    let mut hello = BytesMut::from(&PREFACE[..]);
    write::settings(&[(4, 1 << 20)], &mut hello);
    write::window_update(StreamId::ZERO, 1 << 20, &mut hello);
    // POST, http, a path of one octet.
    let block = [0x83, 0x86, 0x84];
    write::headers(StreamId(1), &block, true, 16_384, &mut hello);
    near.write_all(&hello).await.unwrap();
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert!(server.is_finished(), "it is not asked for ever");
    let why = server.await.unwrap().unwrap_err();
    assert!(why.message().contains("max_held_bytes"), "{why}");
}

/// A peer that breaks the protocol and keeps its socket open is told why within a bound of its own.
#[tokio::test(start_paused = true)]
async fn a_failed_handshake_is_told_before_the_last_words_are_read() {
    let (near, mut far) = memory::pipe();
    let config = ClientConfig {
        engine: Engine::Native,
        ..ClientConfig::default()
    };
    let begin = tokio::time::Instant::now();
    let mut hello = BytesMut::new();
    // SETTINGS_MAX_FRAME_SIZE below what it may be.
    write::settings(&[(5, 1)], &mut hello);
    far.write_all(&hello).await.unwrap();
    let failed = ClientConnection::handshake(near, peer(), &config, Arc::new(Notify::new())).await;
    let why = failed.err().unwrap();
    assert_eq!(why.code(), Code::Unavailable, "{why}");
    assert_eq!(begin.elapsed(), Duration::ZERO);
    let mut heard = Vec::new();
    far.read_to_end(&mut heard).await.unwrap();
    let goaway = heard.windows(4).any(|four| four == [0, 0, 0, 1]);
    assert!(goaway, "no GOAWAY with PROTOCOL_ERROR in {heard:?}");
}

/// The kinds of the frames behind a client's preface.
fn kinds(mut octets: &[u8]) -> Vec<u8> {
    octets = octets.get(PREFACE.len()..).unwrap_or_default();
    let mut kinds = Vec::new();
    while let Some(([a, b, c, kind, ..], behind)) = octets.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        kinds.push(*kind);
        octets = behind.get(length..).unwrap_or_default();
    }
    kinds
}

/// Whoever asked before the goodbye was read is served: behind the answer to its PING the server
/// takes nothing more.
#[tokio::test]
async fn calls_that_wait_to_be_opened_go_out_ahead_of_the_answer_to_a_goodbye() {
    let (near, mut far) = memory::pipe();
    let config = ClientConfig {
        engine: Engine::Native,
        ..ClientConfig::default()
    };
    let mut hello = BytesMut::new();
    write::settings(&[], &mut hello);
    far.write_all(&hello).await.unwrap();
    let client = ClientConnection::handshake(near, peer(), &config, Arc::new(Notify::new())).await;
    let client = client.unwrap();
    let mut goodbye = BytesMut::new();
    write::go_away(StreamId::MAX, Reason::NO_ERROR, b"later", &mut goodbye);
    write::ping(false, *b"goodbye!", &mut goodbye);
    far.write_all(&goodbye).await.unwrap();
    let permit = client.try_permit().unwrap();
    let call = with_head(|head| client.start_streaming(permit, head, LIMIT)).unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"goodbye!") {
        assert_ne!(far.read_buf(&mut heard).await.unwrap(), 0, "{heard:?}");
    }
    let kinds = kinds(&heard);
    let [.., before, last] = kinds.as_slice() else {
        panic!("{kinds:?}");
    };
    assert_eq!((*before, *last), (1, 6), "HEADERS, then PING: {kinds:?}");
    assert!(client.try_permit().is_none(), "nothing more is opened");
    drop(call);
}
