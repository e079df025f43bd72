//! Two halves, two tasks, one stream: opening waits for nobody, order is kept, a slow reader holds
//! its own sender back and nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use trunkline::Status;
use trunkline::server;
use trunkline_test_protos::echo::Note;

use crate::handlers::{Scripted, bytes, note, number, plain, scripted, telling};
use crate::world::{World, soon};

const MESSAGES: u64 = 100_000;

/// What one message takes on the wire, about: prefix, tag, length, payload, number.
const MESSAGE_BYTES: u64 = 110;

/// The stream window (256 KiB), what a sender may queue before it waits, and the pipes between:
/// far below the 11 MB that are sent in all.
const MOST_AHEAD_BYTES: u64 = 1024 * 1024;

/// What was sent and received in one direction.
#[derive(Debug, Default)]
struct Progress {
    sent: AtomicU64,
    received: AtomicU64,
    most_ahead: AtomicU64,
}

impl Progress {
    fn sent(&self) {
        let sent = self.sent.fetch_add(1, Ordering::SeqCst) + 1;
        let ahead = sent - self.received.load(Ordering::SeqCst);
        self.most_ahead.fetch_max(ahead, Ordering::SeqCst);
    }

    fn check(&self) {
        assert_eq!(self.received.load(Ordering::SeqCst), MESSAGES);
        let ahead = self.most_ahead.load(Ordering::SeqCst) * MESSAGE_BYTES;
        assert!(
            ahead < MOST_AHEAD_BYTES,
            "the sender ran {ahead} bytes ahead"
        );
    }

    /// Takes number `n`, as slow as a reader is that sleeps after every thousandth.
    async fn received(&self, n: u64, message: Option<Note>) {
        assert_eq!(message.expect("not the end").number, n, "order is kept");
        self.received.fetch_add(1, Ordering::SeqCst);
        if n % 1_000 == 999 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn message(n: u64) -> Note {
    Note {
        number: n,
        ..bytes(100)
    }
}

async fn serve_both_ways(
    progress: Arc<[Progress; 2]>,
    mut requests: server::Receiver<Note>,
) -> Result<(), Status> {
    for n in 0..MESSAGES {
        progress[0].received(n, requests.recv().await?).await;
    }
    assert_eq!(requests.recv().await?, None);
    Ok(())
}

/// Four tasks on one stream: a sender and a receiver on each side.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_messages_each_way_keep_order_and_bounds() {
    let progress: Arc<[Progress; 2]> = Arc::default();
    let at_server = Arc::clone(&progress);
    let world = World::tcp(scripted(Scripted::default().chat(
        move |cx, requests, mut responses| {
            let (progress, sending) = (Arc::clone(&at_server), Arc::clone(&at_server));
            cx.spawn(async move {
                for n in 0..MESSAGES {
                    responses.send(&message(n)).await?;
                    sending[1].sent();
                }
                Ok(())
            });
            Box::pin(serve_both_ways(progress, requests))
        },
    )))
    .await;
    let echo = world.echo();
    let (mut sender, mut receiver) = echo.chat().await.unwrap();
    let at_client = Arc::clone(&progress);
    let sending = tokio::spawn(async move {
        for n in 0..MESSAGES {
            sender.send(&message(n)).await?;
            at_client[0].sent();
        }
        sender.finish();
        Ok::<_, Status>(())
    });
    let at_client = Arc::clone(&progress);
    let receiving = tokio::spawn(async move {
        for n in 0..MESSAGES {
            at_client[1].received(n, receiver.recv().await?).await;
        }
        receiver.recv().await
    });
    // The one bound of this file that a slow machine could feel: the work itself takes seconds.
    let guard = Duration::from_secs(60);
    tokio::time::timeout(guard, sending)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(
        tokio::time::timeout(guard, receiving)
            .await
            .unwrap()
            .unwrap()
            .unwrap(),
        None
    );
    progress.iter().for_each(Progress::check);
    drop(echo);
    world.end().await;
}

/// Straight-line code: open, send, receive, against a server that says nothing before it was
/// spoken to.
#[tokio::test]
async fn a_server_that_answers_only_after_the_first_message_is_no_deadlock() {
    let world = World::tcp(plain()).await;
    let echo = world.echo();
    let (mut sender, mut receiver) = soon(echo.chat()).await.unwrap();
    soon(sender.send(&note("first"))).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap().unwrap().text, "first");
    sender.finish();
    assert_eq!(soon(receiver.recv()).await.unwrap(), None);

    let (mut sender, sum) = soon(echo.collect()).await.unwrap();
    soon(sender.send(&note("only"))).await.unwrap();
    sender.finish();
    assert_eq!(soon(sum).await.unwrap().text, "only");
    drop((receiver, echo));
    world.end().await;
}

/// The client waits for headers before it sends anything, the server for a message after them.
#[tokio::test]
async fn a_server_may_send_headers_before_the_first_message() {
    let world = World::tcp(scripted(Scripted::default().chat(
        |_, mut requests, mut responses| {
            Box::pin(async move {
                responses.insert_header("stage", "ready")?;
                responses.send_headers().await?;
                assert!(responses.with_headers(|_| ()).is_err(), "they are gone");
                while let Some(each) = requests.recv().await? {
                    responses.send(&each).await?;
                }
                Ok(())
            })
        },
    )))
    .await;
    let echo = world.echo();
    let (mut sender, mut receiver) = soon(echo.chat()).await.unwrap();
    let headers = soon(receiver.headers()).await.unwrap();
    assert_eq!(headers.get("stage"), Some("ready"));
    soon(sender.send(&note("go"))).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap().unwrap().text, "go");
    sender.finish();
    assert_eq!(soon(receiver.recv()).await.unwrap(), None);
    drop((receiver, echo));
    world.end().await;
}

/// A message that a slow producer sends does not wait for the next one.
#[tokio::test]
async fn a_single_message_leaves_at_once() {
    let (teller, mut told) = telling();
    let world = World::tcp(scripted(Scripted::default().chat(
        move |_, mut requests, _responses| {
            let teller = teller.clone();
            Box::pin(async move {
                while let Some(each) = requests.recv().await? {
                    teller.say(each.text);
                }
                Ok(())
            })
        },
    )))
    .await;
    let echo = world.echo();
    let (mut sender, mut receiver) = echo.chat().await.unwrap();
    for text in ["one", "two", "three"] {
        sender.send(&note(text)).await.unwrap();
        // Nothing is sent before the server has seen this one.
        soon(told.expect(text)).await;
    }
    sender.finish();
    assert_eq!(soon(receiver.recv()).await.unwrap(), None);
    drop((receiver, echo));
    world.end().await;
}

/// Streams that nobody reads hold back their own sender, and no call beside them.
#[tokio::test]
async fn unread_streams_do_not_stall_their_siblings() {
    let sent = Arc::new(AtomicU64::new(0));
    let at_server = Arc::clone(&sent);
    let world = World::tcp_with(
        scripted(Scripted::default().expand(move |_, _, mut responses| {
            let sent = Arc::clone(&at_server);
            Box::pin(async move {
                loop {
                    responses.send(&bytes(16 * 1024)).await?;
                    sent.fetch_add(16 * 1024, Ordering::SeqCst);
                }
            })
        })),
        |channel| channel.max_connections(1),
    )
    .await;
    let echo = world.echo();
    let mut unread = Vec::new();
    for _ in 0..99 {
        unread.push(echo.expand(number(0)).await.unwrap());
    }
    for n in 0..500 {
        assert_eq!(soon(echo.once(number(n))).await.unwrap().number, n);
    }
    // Each may fill its window, its sender's queue and what lies between, and no more.
    let per_stream = sent.load(Ordering::SeqCst) / 99;
    assert!(per_stream > 0, "they have begun");
    assert!(
        per_stream < MOST_AHEAD_BYTES,
        "{per_stream} bytes per unread stream"
    );
    assert_eq!(world.stats().connections_accepted, 1);
    drop((unread, echo));
    world.end().await;
}
