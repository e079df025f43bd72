//! Sources whose messages are ready together: what they gave arrives, however they go on, and they
//! are asked for no more than there is room for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures_core::Stream;
use tokio_stream::wrappers::ReceiverStream;
use trunkline::Code;
use trunkline::transport::http2::ClientConfig;
use trunkline_test_protos::echo::Note;

use crate::handlers::{Scripted, bytes, note, number, scripted};
use crate::panics::{SECRET, quiet_panics};
use crate::world::{World, soon};

/// `Expand` answers with what this makes.
fn sending<S: Stream<Item = Note> + Send + 'static>(
    source: impl Fn() -> S + Send + Sync + 'static,
) -> Scripted {
    Scripted::default().expand(move |_, _, mut responses| {
        let source = source();
        Box::pin(async move { responses.send_all(source).await })
    })
}

/// The numbers that arrive, and how the call ends.
async fn numbers(world: &World) -> (Vec<u64>, Option<Code>) {
    let echo = world.echo();
    let mut receiver = soon(echo.expand(note("go"))).await.unwrap();
    let mut all = Vec::new();
    loop {
        match soon(receiver.recv()).await {
            Ok(Some(each)) => all.push(each.number),
            Ok(None) => return (all, None),
            Err(status) => return (all, Some(status.code())),
        }
    }
}

#[tokio::test]
async fn what_comes_before_a_message_that_is_refused_arrives() {
    for before in [0, 1, 5, 31, 32, 33, 1_000] {
        let echo = sending(move || {
            let refused = std::iter::once(bytes(5_000));
            tokio_stream::iter((0..before).map(number).chain(refused).chain([number(0)]))
        });
        let server = scripted(echo).max_send_message_bytes(4_000);
        let world = World::tcp(server).await;
        let (all, code) = numbers(&world).await;
        assert_eq!(all, (0..before).collect::<Vec<_>>());
        assert_eq!(code, Some(Code::ResourceExhausted));
        world.end().await;
    }
}

#[tokio::test]
async fn what_comes_before_a_panic_of_the_source_arrives() {
    quiet_panics();
    for before in [1, 5, 40] {
        let echo = sending(move || {
            tokio_stream::iter((0..=before).map(move |n| {
                assert!(n < before, "{SECRET}");
                number(n)
            }))
        });
        let world = World::tcp(scripted(echo)).await;
        let (all, code) = numbers(&world).await;
        assert_eq!(all, (0..before).collect::<Vec<_>>());
        assert_eq!(code, Some(Code::Internal));
        world.end().await;
    }
}

/// Small ones, large ones, and empty ones, in any order.
#[tokio::test]
async fn messages_of_all_sizes_keep_their_order() {
    let size = |n: usize| [0, 10, 300, 9_000, 20_000, 1, 100_000][n * n % 7];
    let echo = sending(move || tokio_stream::iter((0..300).map(move |n| bytes(size(n)))));
    let world = World::tcp(scripted(echo)).await;
    let echo = world.echo();
    let mut receiver = soon(echo.expand(note("go"))).await.unwrap();
    for n in 0..300 {
        assert_eq!(soon(receiver.recv()).await.unwrap(), Some(bytes(size(n))));
    }
    assert_eq!(soon(receiver.recv()).await.unwrap(), None);
    drop((receiver, echo));
    world.end().await;
}

/// A source that has no second message yet: the first one does not wait for it.
#[tokio::test]
async fn a_message_does_not_wait_for_the_next_one() {
    let (feed, fed) = tokio::sync::mpsc::channel(1);
    let fed = Mutex::new(Some(ReceiverStream::new(fed)));
    let echo = sending(move || fed.lock().unwrap().take().unwrap());
    let world = World::tcp(scripted(echo)).await;
    let echo = world.echo();
    let mut receiver = soon(echo.expand(note("go"))).await.unwrap();
    for n in 0..10 {
        feed.send(number(n)).await.unwrap();
        assert_eq!(soon(receiver.recv()).await.unwrap(), Some(number(n)));
    }
    drop(feed);
    assert_eq!(soon(receiver.recv()).await.unwrap(), None);
    drop((receiver, echo));
    world.end().await;
}

/// Its messages are ready whenever it is asked, but cost it work: the eighth is not even begun
/// before the first has arrived.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_source_that_works_long_for_its_messages_holds_none_back() {
    const WORK: Duration = Duration::from_millis(3);
    let (tell, told) = mpsc::channel();
    let told = Arc::new(Mutex::new(told));
    let echo = sending(move || {
        let told = Arc::clone(&told);
        tokio_stream::iter((0..20).map(move |n| {
            std::thread::sleep(WORK);
            let has_arrived = || told.lock().unwrap().recv_timeout(Duration::from_secs(5));
            number(if n == 7 && has_arrived().is_err() {
                0
            } else {
                n
            })
        }))
    });
    let world = World::tcp(scripted(echo)).await;
    let echo = world.echo();
    let mut receiver = soon(echo.expand(note("go"))).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some(number(0)));
    tell.send(()).unwrap();
    for n in 1..20 {
        assert_eq!(soon(receiver.recv()).await.unwrap(), Some(number(n)));
    }
    assert_eq!(soon(receiver.recv()).await.unwrap(), None);
    drop((receiver, echo));
    world.end().await;
}

/// A peer that does not read: no more is taken than its window and what may wait for window.
#[tokio::test]
async fn a_source_is_asked_for_no_more_than_there_is_room_for() {
    const WINDOW: usize = 64 * 1024;
    const AHEAD: usize = 32 * 1024;
    const EACH: usize = 100;
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let echo = sending(move || {
        let counter = Arc::clone(&counter);
        tokio_stream::iter((0..100_000).map(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            bytes(EACH)
        }))
    });
    let world = World::tcp_with(scripted(echo), |channel| {
        let mut config = ClientConfig::default();
        config.stream_window_bytes = Some(u32::try_from(WINDOW).unwrap());
        channel.http2(config)
    })
    .await;
    let echo = world.echo();
    let receiver = soon(echo.expand(note("go"))).await.unwrap();
    let taken = || taken.load(Ordering::SeqCst) * EACH;
    soon(async {
        while taken() < WINDOW {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Time enough to take far more.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let bytes = taken();
    assert!(bytes <= WINDOW + AHEAD, "{bytes}");
    drop((receiver, echo));
    world.end().await;
}
