//! Messages that are small on the wire and huge when they are inflated, or that end too early.

use std::time::{Duration, Instant};

use bytes::{BufMut, BytesMut};
use tokio::net::TcpStream;
use trunkline::codegen::prost::Message;
use trunkline::transport::BoxIo;
use trunkline::{Code, Encoding, Gzip};
use trunkline_test_protos::echo::Note;

use super::caller::Caller;
use super::process::{MB, Used, report};
use super::victim::Victim;
use super::witness::Witness;
use crate::handlers::bytes;
use crate::support::{
    Event, Peer, RawServer, Served, Wire, data, framed, headers, last_data, prefix, request,
    trailers,
};
use crate::world::{PATIENCE, soaking, soon};

const ONCE: &str = "/tests.echo.Echo/Once";

/// What the features brought, at their smallest.
fn encodings() -> Vec<Encoding> {
    vec![
        Encoding::new(Gzip::with_level(9)).unwrap(),
        #[cfg(feature = "deflate")]
        Encoding::new(trunkline::Deflate::with_level(9)).unwrap(),
        #[cfg(feature = "zstd")]
        Encoding::new(trunkline::Zstd::with_level(19)).unwrap(),
    ]
}

/// Zeros, compressed, in their frame: a gigabyte of them where time does not matter.
async fn bomb(encoding: &Encoding) -> Vec<u8> {
    let encoding = encoding.clone();
    let zeros = tokio::task::spawn_blocking(move || {
        let size = if soaking() { 1 << 30 } else { 64 << 20 };
        let mut frame = BytesMut::from(prefix(0, size).as_slice());
        frame.put_bytes(0, size);
        encoding.compress_frame(frame.freeze()).unwrap().to_vec()
    });
    zeros.await.unwrap()
}

/// Twice the limit.
const MEMORY_ALLOWED: u64 = 8 * MB;

#[track_caller]
fn is_cheap(encoding: &Encoding, used: Used) {
    let name = encoding.name();
    assert!(used.peak < MEMORY_ALLOWED, "{name}: {used}");
    assert!(used.cpu < Duration::from_secs(1), "{name}: {used}");
}

/// Sends as DATA what the windows allow, up to the first thing that the other side says; all that
/// it has said.
async fn feed(peer: &mut Peer, stream: u32, body: &[u8]) -> Vec<Event> {
    let window = 256 * 1024;
    let end = Instant::now() + 2 * PATIENCE;
    let mut sent = 0;
    let mut heard = Vec::new();
    for piece in body.chunks(16_000) {
        let needed = sent + piece.len() as u64;
        loop {
            heard.extend(peer.listen(Duration::ZERO).await);
            let credit = peer.credit.get(&stream).copied().unwrap_or_default();
            if !heard.is_empty() || window + credit >= needed {
                break;
            }
            assert!(Instant::now() < end, "no window for more than {sent} bytes");
            heard.extend(peer.listen(Duration::from_millis(2)).await);
        }
        if !heard.is_empty() {
            return heard;
        }
        peer.send(data(stream, piece)).await;
        sent = needed;
    }
    heard
}

/// RESOURCE_EXHAUSTED, at the cost of the limit, whatever the kind of the call.
#[tokio::test]
async fn bombs_cost_a_server_no_more_than_its_limit() {
    for encoding in encodings() {
        let bomb = bomb(&encoding).await;
        for path in [
            ONCE,
            "/tests.echo.Echo/Expand",
            "/tests.echo.Echo/Collect",
            "/tests.ledger.Ledger/Balance",
        ] {
            // A new process each time: what the allocator keeps of one bomb would hide the next.
            let victim = Victim::start().await;
            let witness = Witness::start(victim.client()).await;
            let socket = soon(TcpStream::connect(&victim.address)).await.unwrap();
            socket.set_nodelay(true).unwrap();
            let mut peer = Peer::client(BoxIo::new(socket)).await;
            let head = request(1, path).field("grpc-encoding", encoding.name());
            let meter = victim.meter();
            peer.send(head).await;
            let mut heard = feed(&mut peer, 1, &bomb).await;
            if heard.is_empty() {
                peer.send(last_data(1, "")).await;
                heard.push(peer.next("an answer").await);
            }
            let used = meter.used();
            let Some(Event::Headers(1, answer, true)) = heard.first() else {
                panic!("{path}: {heard:?}");
            };
            let code = Code::ResourceExhausted.number().to_string();
            assert_eq!(answer.get("grpc-status"), Some(code.as_str()), "{answer}");
            let latencies = witness.found_well().await;
            report(
                &format!(
                    "{} bomb of {} KiB to {path}",
                    encoding.name(),
                    bomb.len() / 1024
                ),
                format_args!("{used}; {latencies}"),
            );
            is_cheap(&encoding, used);
            drop(peer);
            victim.end().await;
        }
    }
}

/// The same for a client, by its server.
#[tokio::test]
async fn bombs_cost_a_client_no_more_than_its_limit() {
    for encoding in encodings() {
        let bomb = bomb(&encoding).await;
        for kind in ["once", "expand", "collect", "chat"] {
            let (mut server, _, address) = RawServer::tcp().await;
            let mut caller = Caller::start(&address).await;
            // What a client needs for its first call is not what this is about.
            caller.begin("once").await;
            let mut peer = server.accept().await;
            peer.expect_end(1).await;
            let head = |stream| headers(stream).status(200).grpc();
            let good = Wire::from(head(1))
                .and(data(1, framed("")))
                .and(trailers(1, 0));
            peer.send(good).await;
            assert_eq!(caller.ended().await, "Ok");
            let meter = caller.meter();
            caller.begin(kind).await;
            peer.expect_end(3).await;
            peer.send(head(3).field("grpc-encoding", encoding.name()))
                .await;
            feed(&mut peer, 3, &bomb).await;
            peer.send(trailers(3, 0)).await;
            let ended = caller.ended().await;
            let used = meter.used();
            report(
                &format!(
                    "{} bomb of {} KiB to a client's {kind}",
                    encoding.name(),
                    bomb.len() / 1024
                ),
                used,
            );
            assert!(ended.starts_with("ResourceExhausted"), "{ended}");
            assert!(ended.contains("max_receive_message_bytes"), "{ended}");
            is_cheap(&encoding, used);
            drop(peer);
            caller.end().await;
        }
    }
}

/// Cut off anywhere, with a prefix that tells the truth about what is left: an error, never a
/// message that is merely shorter.
#[tokio::test]
async fn a_compressed_message_that_is_cut_off_is_an_error() {
    let whole = Note {
        text: "no ".repeat(2_000),
        ..bytes(3_000)
    };
    let plain = framed(whole.encode_to_vec());
    for encoding in encodings() {
        let frame = encoding.compress_frame(plain.clone().into()).unwrap();
        let body = &frame[5..];
        for length in [0, 1, body.len() / 2, body.len() - 5, body.len() - 1] {
            let cut = [prefix(1, length), body[..length].to_vec()].concat();
            let name = encoding.name();
            let served = Served::start();
            let mut peer = served.connect().await;
            let head = request(1, ONCE).field("grpc-encoding", name);
            peer.send(Wire::from(head).and(last_data(1, &cut))).await;
            let answer = peer.expect_end(1).await;
            let code = answer.code();
            assert_eq!(
                code,
                Some(Code::Internal.number()),
                "{name}, {length}: {answer:?}"
            );
            drop(peer);
            served.end().await;

            let (mut server, echo) = RawServer::memory("hostile");
            let script = async {
                let mut peer = server.accept().await;
                peer.expect_end(1).await;
                let head = headers(1).status(200).grpc().field("grpc-encoding", name);
                peer.send(Wire::from(head).and(data(1, &cut)).and(trailers(1, 0)))
                    .await;
                peer
            };
            let (error, peer) = tokio::join!(soon(echo.once(bytes(1))), script);
            let error = error.unwrap_err();
            assert_eq!(error.code(), Code::Internal, "{name}, {length}: {error}");
            crate::support::channel_closes(echo, peer).await;
        }
    }
}
