//! The peer's stream limit: who waits, in which order, and when another connection is opened.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::support::{One, bytes, pair};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn at_the_limit_calls_wait_in_order_and_nothing_reaches_the_wire() {
    let (builder, mut peer) = pair(2);
    let channel = builder.max_connections(1).build().unwrap();
    let mut calls = JoinSet::new();
    let mut open = Vec::new();
    for at in 0..5_u8 {
        let request = Bytes::from(vec![at]);
        calls.spawn(channel.unary::<One>(request).owned());
        tokio::time::sleep(SECOND / 10).await;
        if let Ok(exchange) = peer.calls.try_recv() {
            open.push(exchange);
        }
    }
    assert_eq!(open.len(), 2, "the others wait at the client");
    for at in 0..5_u8 {
        let mut exchange = open.remove(0);
        assert_eq!(
            exchange.message().await.unwrap().unwrap(),
            [at][..],
            "first come, first served"
        );
        exchange.reply(&["y"]);
        tokio::time::sleep(SECOND / 10).await;
        open.extend(peer.calls.try_recv());
    }
    assert_eq!(
        calls
            .join_all()
            .await
            .into_iter()
            .filter(Result::is_ok)
            .count(),
        5
    );
    assert_eq!(peer.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_queued_call_says_what_it_queued_on() {
    let (builder, mut peer) = pair(2);
    let channel = builder.max_connections(1).build().unwrap();
    let first = tokio::spawn(channel.unary::<One>(bytes("1")).owned());
    let second = tokio::spawn(channel.unary::<One>(bytes("2")).owned());
    let (one, two) = (peer.next().await, peer.next().await);
    for _ in 0..2 {
        let third = channel.unary::<One>(bytes("3")).timeout(SECOND);
        let status = third.await.unwrap_err();
        assert_eq!(
            status.to_string(),
            "DEADLINE_EXCEEDED: /test.T/One: pick: no answer within 1s: queued on the stream \
             limit of memory:peer: 2 of 2 streams in use on 1 connection(s), max_connections \
             allows no further one"
        );
        assert!(status.is_unprocessed());
    }
    one.reply(&["y"]);
    two.reply(&["y"]);
    assert!(first.await.unwrap().is_ok() && second.await.unwrap().is_ok());
    assert!(peer.calls.try_recv().is_err(), "the third never left");
}

#[tokio::test(start_paused = true)]
async fn a_queued_call_that_nobody_polls_holds_no_more_than_its_own_stream() {
    let (builder, mut peer) = pair(2);
    let channel = builder.max_connections(1).build().unwrap();
    let mut first = JoinSet::new();
    for _ in 0..2 {
        first.spawn(channel.unary::<One>(bytes("1")).owned());
    }
    let (one, two) = (peer.next().await, peer.next().await);
    let mut asleep = Box::pin(channel.unary::<One>(bytes("asleep")).into_future());
    assert!(tokio::time::timeout(SECOND, &mut asleep).await.is_err());
    let awake = tokio::spawn(channel.unary::<One>(bytes("awake")).owned());
    tokio::time::sleep(SECOND).await;
    one.reply(&["y"]);
    two.reply(&["y"]);
    peer.next().await.reply(&["y"]);
    assert!(awake.await.unwrap().is_ok());
    let server = async { peer.next().await.reply(&["z"]) };
    let (reply, ()) = tokio::join!(asleep, server);
    assert_eq!(reply.unwrap().message(), "z");
}

#[tokio::test(start_paused = true)]
async fn at_a_limit_of_one_a_call_that_nobody_polls_stops_nobody() {
    let (builder, mut peer) = pair(1);
    let channel = builder.max_connections(1).build().unwrap();
    let first = tokio::spawn(channel.unary::<One>(bytes("1")).owned());
    let exchange = peer.next().await;
    let mut asleep = Box::pin(channel.unary::<One>(bytes("asleep")).into_future());
    assert!(tokio::time::timeout(SECOND, &mut asleep).await.is_err());
    let awake: Vec<_> = (0..5)
        .map(|_| tokio::spawn(channel.unary::<One>(bytes("awake")).owned()))
        .collect();
    tokio::time::sleep(SECOND).await;
    exchange.reply(&["y"]);
    assert!(first.await.unwrap().is_ok());
    for each in awake {
        let exchange = tokio::time::timeout(SECOND, peer.next()).await;
        exchange.expect("not held up").reply(&["y"]);
        assert!(each.await.unwrap().is_ok());
    }
    let server = async { peer.next().await.reply(&["z"]) };
    let (reply, ()) = tokio::join!(asleep, server);
    assert_eq!(reply.unwrap().message(), "z", "its place was kept");
}

#[tokio::test(start_paused = true)]
async fn another_connection_is_opened_at_the_limit() {
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    let mut infinite = JoinSet::new();
    for _ in 0..250 {
        infinite.spawn(channel.unary::<One>(bytes("for ever")).owned());
    }
    let mut open = Vec::new();
    for _ in 0..250 {
        open.push(peer.next().await);
    }
    let server = async {
        let exchange = peer.calls.recv().await.unwrap();
        assert_eq!(exchange.connection, 3);
        exchange.reply(&["y"]);
    };
    let one = channel.unary::<One>(bytes("one more")).timeout(SECOND);
    let (reply, ()) = tokio::join!(one.into_future(), server);
    reply.unwrap();
    assert_eq!(peer.connections(), 3);
}

/// Runs a thousand calls at once over one connection that allows ten, and gives how many the peer
/// had open at most. With `cancel`, a third of them is dropped somewhere on the way.
async fn thousand_over_ten(cancel: bool) -> usize {
    let (builder, mut peer) = pair(10);
    let channel = Arc::new(builder.max_connections(1).build().unwrap());
    let most = Arc::new(AtomicUsize::new(0));
    tokio::spawn({
        let (at_once, most) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&most));
        async move {
            while let Some(exchange) = peer.calls.recv().await {
                let now = at_once.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                let at_once = Arc::clone(&at_once);
                tokio::spawn(async move {
                    tokio::task::yield_now().await;
                    at_once.fetch_sub(1, Ordering::SeqCst);
                    exchange.try_reply(&["y"]);
                });
            }
        }
    });
    let mut calls = JoinSet::new();
    for task in 0..1_000 {
        let channel = Arc::clone(&channel);
        calls.spawn(async move {
            let call = channel.unary::<One>(bytes("x")).into_future();
            if cancel && task % 3 == 0 {
                let short = Duration::from_micros(task);
                tokio::time::timeout(short, call).await.ok().transpose()
            } else {
                call.await.map(Some)
            }
        });
    }
    let answers = tokio::time::timeout(30 * SECOND, calls.join_all())
        .await
        .expect("no hang");
    assert!(
        answers.iter().all(Result::is_ok),
        "{:?}",
        answers.iter().find(|each| each.is_err())
    );
    most.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tasks_over_a_limit_of_ten() {
    let most = thousand_over_ten(false).await;
    assert!(most <= 10, "{most} at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_cancelled_in_the_queue_hold_nobody_up() {
    for _ in 0..5 {
        thousand_over_ten(true).await;
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_queue_fail_over_when_the_connection_is_lost() {
    let (builder, mut peer) = pair(1);
    let channel = builder.max_connections(1).build().unwrap();
    let first = tokio::spawn(channel.unary::<One>(bytes("1")).owned());
    let exchange = peer.next().await;
    let second = tokio::spawn(channel.unary::<One>(bytes("2")).owned());
    tokio::time::sleep(SECOND).await;
    peer.go_away();
    exchange.reply(&["y"]);
    assert!(first.await.unwrap().is_ok(), "what is open ends well");
    peer.next().await.reply(&["z"]);
    assert_eq!(second.await.unwrap().unwrap().message(), "z");
    assert_eq!(peer.connections(), 2);
}
