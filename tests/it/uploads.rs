//! Whole streams handed over, large messages, and servers that answer before they have heard all.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_core::Stream;
use trunkline::{Code, Origin, Response, Status};
use trunkline_test_protos::echo::Note;

use crate::handlers::{Scripted, bytes, note, number, plain, scripted, telling};
use crate::world::{World, soon};

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn upload_takes_an_iterator_or_a_stream() {
    let world = World::tcp(plain()).await;
    let echo = world.echo();
    let from_array = soon(echo.collect().upload([note("a"), note("b")]))
        .await
        .unwrap();
    assert_eq!(from_array.text, "ab");
    let from_iterator = soon(echo.collect().upload((0..1_000).map(number)))
        .await
        .unwrap();
    assert_eq!(from_iterator.number, 999 * 1_000 / 2);
    let (feed, fed) = tokio::sync::mpsc::channel(1);
    let feeding = tokio::spawn(async move {
        for n in 0..100 {
            feed.send(number(n)).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    let stream = tokio_stream::wrappers::ReceiverStream::new(fed);
    let from_stream = soon(echo.collect().upload(stream)).await.unwrap();
    assert_eq!(from_stream.number, 99 * 100 / 2);
    soon(feeding).await.unwrap();
    let nothing = soon(echo.collect().upload([])).await.unwrap();
    assert_eq!(*nothing, Note::default());
    drop(echo);
    world.end().await;
}

#[tokio::test]
async fn send_all_sends_everything_on_both_sides() {
    let world = World::tcp(scripted(Scripted::default().chat(
        |_, mut requests, mut responses| {
            Box::pin(async move {
                let mut sum = 0;
                while let Some(each) = requests.recv().await? {
                    sum += each.number;
                }
                responses
                    .send_all(tokio_stream::iter((0..=sum).map(number)))
                    .await
            })
        },
    )))
    .await;
    let echo = world.echo();
    let (mut sender, mut receiver) = echo.chat().await.unwrap();
    soon(sender.send_all((0..100).map(number))).await.unwrap();
    soon(sender.send_all(tokio_stream::iter([number(50)])))
        .await
        .unwrap();
    sender.finish();
    for n in 0..=5_000 {
        assert_eq!(soon(receiver.recv()).await.unwrap(), Some(number(n)));
    }
    assert_eq!(soon(receiver.recv()).await.unwrap(), None);
    drop((receiver, echo));
    world.end().await;
}

/// `feed` does not wait, `flush` does.
#[tokio::test]
async fn fed_messages_arrive_after_a_flush() {
    let world = World::tcp(plain()).await;
    let echo = world.echo();
    let (mut sender, mut receiver) = echo.chat().await.unwrap();
    for n in 0..100 {
        sender.feed(&number(n)).unwrap();
    }
    soon(sender.flush()).await.unwrap();
    for n in 0..100 {
        assert_eq!(soon(receiver.recv()).await.unwrap(), Some(number(n)));
    }
    sender.finish();
    assert_eq!(soon(receiver.recv()).await.unwrap(), None);
    drop((receiver, echo));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_cross_in_both_directions() {
    let limit = 17 * MIB;
    let server = plain().max_receive_message_bytes(limit);
    let world = World::tcp_with(server, |channel| channel.max_receive_message_bytes(limit)).await;
    let echo = world.echo();
    let mut large = bytes(0);
    large.data = (0..16 * MIB).map(|n| (n / 251) as u8).collect();

    let reply = soon(echo.once(large.clone())).await.unwrap();
    assert!(reply.data == large.data, "byte for byte");

    let (mut sender, mut receiver) = echo.chat().await.unwrap();
    for _ in 0..2 {
        soon(sender.send(&large)).await.unwrap();
        let received = soon(receiver.recv()).await.unwrap().unwrap();
        assert!(received.data == large.data, "byte for byte");
    }
    sender.finish();
    assert_eq!(soon(receiver.recv()).await.unwrap(), None);
    drop((receiver, echo));
    world.end().await;
}

/// Notes without end; counts how many were taken, and tells when it is dropped.
struct Endless {
    taken: Arc<AtomicUsize>,
    _guard: crate::handlers::Guard,
}

impl Stream for Endless {
    type Item = Note;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Note>> {
        self.taken.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Some(bytes(64 * 1024)))
    }
}

/// A server that has heard enough: its answer stops the upload, which takes no more messages.
#[tokio::test]
async fn an_early_answer_reaches_a_client_that_is_still_uploading() {
    let world = World::tcp(scripted(Scripted::default().collect(|_, mut requests| {
        Box::pin(async move {
            let first = requests.recv().await?.unwrap_or_default();
            if first.data.is_empty() {
                return Ok(Response::new(note("enough")));
            }
            Err(Status::permission_denied("not for you"))
        })
    })))
    .await;
    let echo = world.echo();
    let taken = Arc::new(AtomicUsize::new(0));
    let (teller, mut told) = telling();
    let endless = Endless {
        taken: Arc::clone(&taken),
        _guard: teller.guard("producer"),
    };
    let refused = soon(echo.collect().upload(endless)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    assert_eq!(refused.message(), "not for you");
    assert_eq!(refused.origin(), Origin::Peer);
    soon(told.expect("producer dropped")).await;
    let taken = taken.load(Ordering::SeqCst) * 64 * 1024;
    assert!(
        taken < 4 * MIB,
        "{taken} bytes were taken: more than windows and pipes hold"
    );

    // An early OK is an answer too.
    let endless = std::iter::once(note("first")).chain(std::iter::repeat_with(|| bytes(64 * 1024)));
    assert_eq!(
        soon(echo.collect().upload(endless)).await.unwrap().text,
        "enough"
    );
    drop(echo);
    world.end().await;
}

/// By hand: the sender hears of it, and the summary has the answer.
#[tokio::test]
async fn an_early_answer_stops_a_sender_that_waits_for_window() {
    let world = World::tcp(scripted(Scripted::default().chat(|_, mut requests, _| {
        Box::pin(async move {
            requests.recv().await?;
            Err(Status::aborted("heard one, wanted none"))
        })
    })))
    .await;
    let echo = world.echo();
    let (mut sender, mut receiver) = echo.chat().await.unwrap();
    let sending = async {
        loop {
            if let Err(status) = sender.send(&bytes(64 * 1024)).await {
                return status;
            }
        }
    };
    let stopped = soon(sending).await;
    assert!(
        matches!(stopped.code(), Code::Aborted | Code::Cancelled),
        "{stopped}"
    );
    let answer = soon(receiver.recv()).await.unwrap_err();
    assert_eq!(answer.code(), Code::Aborted, "{answer}");
    assert_eq!(answer.message(), "heard one, wanted none");
    drop((sender, receiver, echo));
    world.end().await;
}
