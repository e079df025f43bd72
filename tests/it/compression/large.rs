//! Large messages are compressed and decompressed away from the tasks that drive connections:
//! others go on meanwhile, and nothing of what streams and calls promise is lost.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use trunkline::server::ResponseCompression;
use trunkline::{Code, Compressor, CompressorRegistry, DecompressError, Payload, Status};
use trunkline_test_protos::echo::Note;

use crate::handlers::{bytes, note, plain};
use crate::world::{World, soon};

/// Large enough for another thread.
const LARGE: usize = 1 << 20;

/// A compressor that works only when it is let, and says when it begins.
///
/// It writes nothing but a length: it is for notes of many equal bytes.
struct Gated {
    began: std::sync::Mutex<Sender<()>>,
    go: std::sync::Mutex<Receiver<()>>,
    running: Arc<AtomicUsize>,
}

/// The hands of a test on a [`Gated`].
struct Gate {
    began: Receiver<()>,
    go: Sender<()>,
    running: Arc<AtomicUsize>,
}

impl Gate {
    /// Waits until the compressor is at work; other tasks run meanwhile.
    async fn began(&self) {
        soon(async {
            while self.began.try_recv().is_err() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }

    fn open(&self) {
        // Nobody may be waiting any more.
        let _ = self.go.send(());
    }
}

fn gated() -> (CompressorRegistry, Gate) {
    let ((began, is_begun), (go, may_go)) = (channel(), channel());
    let running = Arc::default();
    let gate = Gate {
        began: is_begun,
        go,
        running: Arc::clone(&running),
    };
    let compressor = Gated {
        began: began.into(),
        go: may_go.into(),
        running,
    };
    let registry = CompressorRegistry::empty().with(compressor).unwrap();
    (registry, gate)
}

impl Compressor for Gated {
    fn name(&self) -> &'static str {
        "x-gated"
    }

    fn compress(&self, message: &[u8], out: &mut BytesMut) -> io::Result<()> {
        self.running.fetch_add(1, Ordering::SeqCst);
        self.began.lock().unwrap().send(()).ok();
        let let_go = self.go.lock().unwrap().recv();
        self.running.fetch_sub(1, Ordering::SeqCst);
        let_go.map_err(io::Error::other)?;
        out.put_u64(message.len() as u64);
        Ok(())
    }

    fn decompress(
        &self,
        mut message: Payload,
        out: &mut BytesMut,
        _limit: usize,
    ) -> Result<(), DecompressError> {
        // A `Note` of that many bytes in its second field.
        let whole = message.get_u64() as usize;
        let length = whole - 4;
        out.put_slice(&[0x12]);
        out.put_slice(&[
            (length & 0x7f) as u8 | 0x80,
            (length >> 7 & 0x7f) as u8 | 0x80,
            (length >> 14) as u8,
        ]);
        out.put_bytes(7, length);
        Ok(())
    }
}

fn gated_world() -> (World, Gate) {
    let (registry, gate) = gated();
    let server = plain().compressors(registry.clone());
    let world = World::memory_with(server, |channel| channel.compressors(registry));
    (world, gate)
}

/// While a large request is being compressed, other calls on the same connection and the same
/// thread are answered.
#[tokio::test]
async fn other_calls_go_on_meanwhile() {
    let (world, gate) = gated_world();
    let echo = world.echo();
    let large = tokio::spawn(echo.once(bytes(LARGE)).compression("x-gated").owned());
    gate.began().await;
    for _ in 0..100 {
        assert_eq!(soon(echo.once(note("small"))).await.unwrap().text, "small");
    }
    assert!(!large.is_finished());
    gate.open();
    assert_eq!(soon(large).await.unwrap().unwrap().data, bytes(LARGE).data);
    drop(echo);
    world.end().await;
}

/// A send that is dropped while its message is being compressed has sent nothing, and the stream
/// goes on.
#[tokio::test]
async fn a_send_that_is_dropped_meanwhile_has_sent_nothing() {
    let (world, gate) = gated_world();
    let echo = world.echo();
    let (mut sender, mut receiver) = soon(echo.chat().compression("x-gated")).await.unwrap();
    let large = bytes(LARGE);
    tokio::select! {
        biased;
        sent = sender.send(&large) => panic!("sent: {sent:?}"),
        () = gate.began() => {}
    }
    soon(sender.send_uncompressed(&note("next"))).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some(note("next")));
    gate.open();
    gate.open();
    soon(sender.send(&large)).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some(large));
    sender.finish();
    assert_eq!(soon(receiver.recv()).await.unwrap(), None);
    drop((receiver, echo));
    world.end().await;
}

/// The deadline ends a call whose request is still being compressed; the text says so.
#[tokio::test]
async fn the_deadline_is_kept_meanwhile() {
    let (world, gate) = gated_world();
    let echo = world.echo();
    let call = echo.once(bytes(LARGE)).compression("x-gated");
    let error = soon(call.timeout(Duration::from_millis(50))).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);
    assert!(error.message().contains("compressed"), "{error}");

    let call = echo.chat().compression("x-gated");
    let opened = soon(call.timeout(Duration::from_millis(50))).await;
    let (mut sender, receiver) = opened.unwrap();
    let error = soon(sender.send(&bytes(LARGE))).await.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded, "{error}");
    assert_eq!(world.stats().rpcs_started, 1);
    drop((sender, receiver, echo));
    gate.open();
    gate.open();
    world.end().await;
}

/// However many calls compress large messages, only so many threads work on them.
#[tokio::test]
async fn no_more_threads_than_processors_work() {
    let (world, gate) = gated_world();
    let echo = world.echo();
    let processors = std::thread::available_parallelism().unwrap().get();
    let calls: Vec<_> = (0..processors * 3)
        .map(|_| tokio::spawn(echo.once(bytes(LARGE)).compression("x-gated").owned()))
        .collect();
    for _ in 0..calls.len() {
        gate.began().await;
        assert!(gate.running.load(Ordering::SeqCst) <= processors);
        gate.open();
    }
    for call in calls {
        assert!(soon(call).await.unwrap().is_ok());
    }
    drop(echo);
    world.end().await;
}

/// The same on the server, for what it answers and for a stream that its handler sends.
#[tokio::test]
async fn a_server_goes_on_meanwhile() {
    let (registry, gate) = gated();
    let server = plain()
        .compressors(registry.clone())
        .compression(ResponseCompression::prefer(["x-gated"]));
    let world = World::memory_with(server, |channel| channel.compressors(registry));
    let echo = world.echo();
    let large = Note {
        number: 1,
        ..bytes(LARGE)
    };
    let unary = tokio::spawn(echo.once(bytes(LARGE)).owned());
    gate.began().await;
    for _ in 0..10 {
        assert_eq!(soon(echo.once(note("small"))).await.unwrap().text, "small");
    }
    gate.open();
    assert_eq!(soon(unary).await.unwrap().unwrap().data.len(), LARGE);

    let mut notes = soon(echo.expand(large)).await.unwrap();
    gate.began().await;
    assert_eq!(soon(echo.once(note("small"))).await.unwrap().text, "small");
    // The client gives up: the handler is dropped although a thread still works for it.
    notes.cancel();
    assert_eq!(
        soon(notes.recv()).await.unwrap_err().code(),
        Code::Cancelled
    );
    world.quiet().await;
    gate.open();
    drop((notes, echo));
    world.end().await;
}

/// A receiver that is dropped in the middle of `recv` misses nothing, also where the message was
/// being decompressed on another thread.
#[tokio::test]
async fn a_recv_that_is_dropped_meanwhile_loses_nothing() {
    let server = plain().compression(ResponseCompression::prefer(["gzip"]));
    let world = World::memory(server);
    let echo = world.echo();
    let many = Note {
        number: 5,
        ..bytes(3 * LARGE)
    };
    let mut notes = soon(echo.expand(many)).await.unwrap();
    let mut numbers = Vec::new();
    let mut dropped = 0;
    soon(async {
        loop {
            // Polled once, then dropped.
            tokio::select! {
                biased;
                received = notes.recv() => match received? {
                    Some(each) => {
                        assert_eq!(each.data.len(), 3 * LARGE);
                        numbers.push(each.number);
                    }
                    None => return Ok::<(), Status>(()),
                },
                () = tokio::task::yield_now() => dropped += 1,
            }
        }
    })
    .await
    .unwrap();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    assert!(dropped > 0);
    drop((notes, echo));
    world.end().await;
}
