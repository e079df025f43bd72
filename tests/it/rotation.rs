//! A server that ends its connections by age or idleness loses no call.

use std::time::Duration;

use trunkline::{Code, Response};

use crate::handlers::{Scripted, note, number, plain, scripted, telling};
use crate::support::{Event, NO_ERROR, Served};
use crate::world::{World, soon};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn two_hundred_calls_a_second_and_a_stream_notice_no_rotation() {
    const SECONDS: u64 = 6;
    // Ages are spread at random: with some seeds the last connection ends just before it is counted.
    fastrand::seed(1);
    let world = World::memory(plain().max_connection_age(SECOND));
    let echo = world.echo();
    let (mut sender, mut receiver) = soon(echo.chat()).await.unwrap();
    let mut calls = Vec::new();
    for n in 0..SECONDS * 200 {
        calls.push(tokio::spawn(echo.once(number(n)).owned().into_future()));
        tokio::time::sleep(SECOND / 200).await;
        if n % 100 == 0 {
            sender.send(&number(n)).await.unwrap();
            assert_eq!(soon(receiver.recv()).await.unwrap(), Some(number(n)));
        }
    }
    for (n, call) in (0..).zip(calls) {
        let reply = soon(call).await.unwrap();
        assert_eq!(reply.map(|reply| reply.number).ok(), Some(n), "call {n}");
    }
    let opened = world.stats().connections_accepted;
    assert!((4..=8).contains(&opened), "about one each second: {opened}");
    assert_eq!(
        world.stats().live_connections,
        2,
        "the stream's is still there"
    );
    sender.finish();
    assert_eq!(soon(receiver.recv()).await.unwrap(), None);
    drop((receiver, echo));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn connections_that_came_together_do_not_leave_together() {
    let served = Served::with(|server| server.max_connection_age(100 * SECOND));
    let started = tokio::time::Instant::now();
    let mut told = Vec::new();
    for _ in 0..50 {
        let mut peer = served.connect().await;
        told.push(tokio::spawn(async move {
            let events = peer.listen(200 * SECOND).await;
            let first = events
                .iter()
                .find(|event| matches!(event, Event::GoAway(..)));
            let Some(Event::GoAway(last, code, _)) = first else {
                panic!("{events:?}");
            };
            assert_eq!((*last, *code), (u32::MAX >> 1, NO_ERROR), "two steps");
            peer.pinged[0] - started
        }));
    }
    let mut ages = Vec::new();
    for each in told {
        ages.push(soon_even_if_long(each).await.as_secs());
    }
    ages.sort_unstable();
    let (first, last) = (ages[0], ages[49]);
    assert!(first >= 90 && last <= 111, "{ages:?}");
    assert!(last - first >= 8, "{ages:?}");
    served.end().await;
}

async fn soon_even_if_long<T>(task: tokio::task::JoinHandle<T>) -> T {
    let waited = tokio::time::timeout(400 * SECOND, task).await;
    waited.expect("done by now").unwrap()
}

/// A chat that never ends by itself.
fn holding() -> (Scripted, crate::handlers::Told) {
    let (teller, told) = telling();
    let echo = Scripted::default().chat(move |_, mut requests, mut responses| {
        let guard = teller.guard("chat");
        Box::pin(async move {
            let _guard = guard;
            while let Some(each) = requests.recv().await? {
                responses.send(&each).await?;
            }
            std::future::pending().await
        })
    });
    (echo, told)
}

#[tokio::test(start_paused = true)]
async fn after_the_grace_of_its_age_a_stream_is_cut_and_told_why() {
    let (echo, mut told) = holding();
    let server = scripted(echo)
        .max_connection_age(10 * SECOND)
        .max_connection_age_grace(5 * SECOND);
    let world = World::memory(server);
    let (mut sender, mut receiver) = soon(world.echo().chat()).await.unwrap();
    let started = tokio::time::Instant::now();
    sender.send(&note("x")).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some(note("x")));
    let cut = tokio::time::timeout(60 * SECOND, receiver.recv()).await;
    let cut = cut.expect("at the end of the grace").unwrap_err();
    let after = started.elapsed();
    assert!((14 * SECOND..=17 * SECOND).contains(&after), "{after:?}");
    assert_eq!(cut.code(), Code::Unavailable, "{cut}");
    assert!(cut.to_string().contains("max_connection_age"), "{cut}");
    told.expect("chat dropped").await;
    soon(world.echo().once(note("next"))).await.unwrap();
    drop((sender, receiver));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let (teller, _told) = telling();
    let slow = Scripted::default().once(move |_, request| {
        let _ = &teller;
        Box::pin(async move {
            tokio::time::sleep(25 * SECOND).await;
            Ok(Response::new(request))
        })
    });
    let world = World::memory(scripted(slow).max_connection_idle(10 * SECOND));
    let echo = world.echo();
    for round in 1..=3 {
        let reply = tokio::time::timeout(60 * SECOND, echo.once(note("x")).into_future()).await;
        assert_eq!(
            reply.unwrap().unwrap().text,
            "x",
            "longer than the limit, but no idleness"
        );
        assert_eq!(world.stats().connections_accepted, round);
        tokio::time::sleep(9 * SECOND).await;
        assert_eq!(world.stats().live_connections, 1);
        tokio::time::sleep(2 * SECOND).await;
        assert_eq!(world.stats().live_connections, 0);
    }
    drop(echo);
    world.end().await;
}

/// One that never carried a call is closed too, also if its client does not listen.
#[tokio::test(start_paused = true)]
async fn an_unused_connection_of_a_mute_client_is_closed() {
    let served = Served::with(|server| server.max_connection_idle(10 * SECOND));
    let mut peer = served.connect().await;
    peer.acknowledges = false;
    let events = peer.listen(15 * SECOND).await;
    assert!(matches!(events.last(), Some(Event::Closed)), "{events:?}");
    drop(peer);
    served.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_the_server_meets_a_connection_that_is_already_leaving() {
    let (echo, mut told) = holding();
    let world = World::memory(scripted(echo).max_connection_age(SECOND));
    let (mut sender, mut receiver) = soon(world.echo().chat()).await.unwrap();
    sender.send(&note("x")).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some(note("x")));
    tokio::time::sleep(5 * SECOND).await;
    let report = soon(world.handle.graceful_stop(SECOND)).await;
    assert_eq!((report.trailers, report.unfinished), (1, 0), "{report:?}");
    assert!(report.elapsed <= SECOND + SECOND / 5, "{report:?}");
    told.expect("chat dropped").await;
    let cut = soon(receiver.recv()).await.unwrap_err();
    assert!(cut.to_string().contains("shutting down"), "{cut}");
    drop((sender, receiver));
    world.end().await;
}
