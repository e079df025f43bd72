//! Deadlines that a connection's driver watches, and those that it leaves to the callers' timers.

use tokio::runtime;
use tokio::time::timeout;
use trunkline_core::{Compressor, DecompressError, Payload};

use super::*;
use crate::stream::Compression;

/// Waits until nothing more can come but the deadline, and how long that was.
async fn expiry(call: &mut RecvHalf<Bytes>) -> Duration {
    let begin = now();
    poll_fn(|cx| match call.poll_message(cx) {
        Poll::Ready(_) => panic!("nobody answers"),
        Poll::Pending if call.has_expired() == Some(true) => Poll::Ready(()),
        Poll::Pending => Poll::Pending,
    })
    .await;
    now() - begin
}

#[tokio::test(start_paused = true)]
async fn the_driver_wakes_each_reader_at_its_own_deadline() {
    const SPANS: [u64; 5] = [700, 90, 91, 3_000, 90];
    let world = World::of((Engine::Native, Engine::Native)).await;
    let spans = SPANS.map(Duration::from_millis);
    let calls = spans.map(|span| (span, world.unary_within(span)));
    let mut waiting = tokio::task::JoinSet::new();
    for (span, mut call) in calls {
        assert_eq!(call.has_expired(), Some(false));
        waiting.spawn(async move { (span, expiry(&mut call).await) });
    }
    while let Some(waited) = waiting.join_next().await {
        let (span, waited) = waited.unwrap();
        let late = waited.checked_sub(span).expect("never early");
        assert!(late <= Duration::from_millis(1), "{waited:?} for {span:?}");
    }
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_before_anybody_reads_is_seen_by_the_first_who_does() {
    let world = World::of((Engine::Native, Engine::Native)).await;
    let mut unread = world.unary_within(Duration::from_millis(50));
    let mut over = world.unary_within(Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(expiry(&mut unread).await, Duration::ZERO);
    assert_eq!(expiry(&mut over).await, Duration::ZERO);
    drop((unread, over));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_and_a_deadline_that_come_together_are_an_answer() {
    let mut world = World::of((Engine::Native, Engine::Native)).await;
    let mut call = world.unary_within(Duration::from_millis(50));
    let (_, responder) = world.accept().await.into_parts();
    tokio::time::sleep(Duration::from_millis(50)).await;
    responder.reply(
        &form(),
        &Metadata::new(),
        frame(&message(8)),
        &Metadata::new(),
    );
    assert_eq!(call.recv().await.unwrap(), Some(message(8)));
    assert_eq!(call.recv().await.unwrap(), None);
    // Those that were answered leave nothing behind that would expire another.
    let mut next = world.unary_within(Duration::from_secs(60));
    assert!(expiry(&mut next).await >= Duration::from_secs(60));
    drop((call, next));
    world.end().await;
}

/// The driver's runtime may stand still, when the caller's does not.
#[test]
fn the_driver_watches_no_deadline_of_a_call_on_another_runtime() {
    let runtime = || {
        let mut builder = runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let (here, there) = (runtime(), runtime());
    let world = here.block_on(World::of((Engine::Native, Engine::Native)));
    let span = Duration::from_secs(60);
    let call = there.block_on(async { world.unary_within(span) });
    assert_eq!(call.has_expired(), None);
    drop(call);
    let call = world.unary_within(span);
    assert_eq!(call.has_expired(), None, "nor of one without a runtime");
    drop(call);
    here.block_on(world.end());
}

/// A task that has called and then blocks its thread keeps the driver that it woke there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_several_threads_each_call_has_a_timer_of_its_own() {
    let world = World::of((Engine::Native, Engine::Native)).await;
    let call = world.unary_within(Duration::from_secs(60));
    assert_eq!(call.has_expired(), None);
    drop(call);
    world.end().await;
}

/// One octet less for each message.
struct Shorter;

impl Compressor for Shorter {
    fn name(&self) -> &'static str {
        "shorter"
    }

    fn compress(&self, message: &[u8], out: &mut BytesMut) -> std::io::Result<()> {
        out.extend_from_slice(message.split_first().map_or(&[], |(_, rest)| rest));
        Ok(())
    }

    fn decompress(
        &self,
        message: Payload,
        out: &mut BytesMut,
        _: usize,
    ) -> Result<(), DecompressError> {
        out.extend_from_slice(&[0]);
        out.extend_from_slice(&message.into_bytes());
        Ok(())
    }
}

/// The stream is over by then, and nobody watches it.
#[test]
fn while_an_answer_is_decompressed_its_reader_is_told_to_have_a_timer() {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let (release, released) = std::sync::mpsc::channel::<()>();
    runtime.block_on(async {
        let registry = CompressorRegistry::empty().with(Shorter).unwrap();
        let (near, far) = memory::pipe();
        let config = ServerConfig {
            engine: Engine::Native,
            ..ServerConfig::default()
        };
        let shorter = registry.find("shorter").unwrap().clone();
        tokio::spawn(async move {
            let server = ServerConnection::handshake(far, peer(), &config).await;
            let mut connection = server.unwrap();
            while let Some(stream) = poll_fn(|cx| connection.poll_next(cx)).await {
                let (_, responder) = stream.unwrap().into_parts();
                let answer = shorter.compress_frame(frame(&message(200_000))).unwrap();
                let form = ResponseForm {
                    subtype: "proto",
                    encoding: Some(shorter.clone()),
                };
                responder.reply(&form, &Metadata::new(), answer, &Metadata::new());
            }
        });
        let config = ClientConfig {
            engine: Engine::Native,
            ..ClientConfig::default()
        };
        let config = config.with_compression(Compression::new(registry));
        let client = ClientConnection::handshake(near, peer(), &config, Arc::default());
        let client = client.await.unwrap();
        // All of the pool is busy with something else.
        tokio::task::spawn_blocking(move || released.recv());
        let permit = client.try_permit().unwrap();
        let until = Some(Deadline::after(now(), Duration::from_secs(60)));
        let question = frame(&message(8));
        let call =
            with_head(|head| client.start_single_until(permit, head, question, LIMIT, until));
        let mut call = RecvHalf::client(call.unwrap(), Box::new(RawCodec));
        assert_eq!(call.has_expired(), Some(false), "its connection watches");
        let told = poll_fn(|cx| match call.poll_message(cx) {
            Poll::Pending if call.has_expired().is_none() => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
            Poll::Ready(_) => panic!("nothing can be decompressed"),
        });
        timeout(Duration::from_secs(10), told).await.unwrap();
        drop(release);
        let answer: Bytes = call.recv().await.unwrap().unwrap();
        assert_eq!(answer.len(), 200_000);
    });
}
