//! What a cancelled call leaves behind: messages that had arrived, handlers that were told, and a
//! connection in good health.

use trunkline::{Code, Origin};

use crate::cancel::end;
use crate::handlers::{Scripted, note, number, scripted, telling};
use crate::world::{World, soaking, soon};

/// What had arrived is still read, then comes CANCELLED.
#[tokio::test]
async fn cancel_keeps_what_had_arrived() {
    let (teller, mut told) = telling();
    let world = World::tcp(scripted(Scripted::default().expand(
        move |_, _, mut responses| {
            let (teller, guard) = (teller.clone(), teller.guard("expand"));
            Box::pin(async move {
                let _guard = guard;
                responses
                    .send_all(tokio_stream::iter((0..3).map(number)))
                    .await?;
                teller.say("sent");
                std::future::pending().await
            })
        },
    )))
    .await;
    let echo = world.echo();
    let mut notes = soon(echo.expand(note("x"))).await.unwrap();
    assert_eq!(soon(notes.recv()).await.unwrap(), Some(number(0)));
    soon(told.expect("sent")).await;
    notes.cancel();
    soon(told.expect("expand dropped")).await;
    let mut rest = 0;
    let ended = loop {
        match soon(notes.recv()).await {
            Ok(Some(_)) => rest += 1,
            Ok(None) => panic!("a cancelled stream ended cleanly"),
            Err(status) => break status,
        }
    };
    assert!(rest <= 2);
    assert_eq!(
        (ended.code(), ended.origin()),
        (Code::Cancelled, Origin::Local),
        "{ended}"
    );
    drop((notes, echo));
    end(world, 1).await;
}

/// Handlers that ask are told before they are dropped.
#[tokio::test]
async fn a_handler_may_watch_for_its_cancellation() {
    let (teller, mut told) = telling();
    let world = World::tcp(scripted(Scripted::default().once(move |cx, _| {
        let (teller, guard) = (teller.clone(), teller.guard("once"));
        Box::pin(async move {
            let _guard = guard;
            teller.say("waiting");
            cx.cancelled().await;
            teller.say("cancelled");
            std::future::pending().await
        })
    })))
    .await;
    let echo = world.echo();
    let call = tokio::spawn(echo.once(note("x")).owned());
    soon(told.expect("waiting")).await;
    call.abort();
    soon(told.expect("cancelled")).await;
    soon(told.expect("once dropped")).await;
    drop(echo);
    end(world, 1).await;
}

/// After the end, dropping a half, or cancelling, changes nothing.
#[tokio::test]
async fn after_the_end_nothing_can_be_cancelled() {
    let world = World::tcp(scripted(Scripted::default())).await;
    let echo = world.echo();
    for _ in 0..10 {
        let (sender, mut receiver) = soon(echo.chat()).await.unwrap();
        sender.finish();
        assert_eq!(soon(receiver.recv()).await.unwrap(), None);
        receiver.cancel();
        assert_eq!(soon(receiver.recv()).await.unwrap(), None);
        let (sender, sum) = soon(echo.collect()).await.unwrap();
        sender.finish();
        soon(sum).await.unwrap();
    }
    world.quiet().await;
    assert_eq!(
        (world.stats().rpcs_completed, world.stats().rpcs_cancelled),
        (20, 0)
    );
    drop(echo);
    world.end().await;
}

/// Ten thousand here; a hundred thousand, which take over ten seconds in a debug build, under
/// `cargo xtask soak`.
#[tokio::test]
async fn thousands_of_answered_and_then_cancelled_calls_leave_the_connection_healthy() {
    let server = scripted(Scripted::default().expand(|_, _, mut responses| {
        Box::pin(async move {
            responses.send(&note("first")).await?;
            std::future::pending().await
        })
    }));
    let world = World::tcp_with(server, |channel| channel.max_connections(1)).await;
    let echo = world.echo();
    let rounds = if soaking() { 2_000 } else { 200 };
    for _ in 0..rounds {
        let mut batch = Vec::new();
        for _ in 0..50 {
            batch.push(soon(echo.expand(note("x"))).await.unwrap());
        }
        for notes in &mut batch {
            assert_eq!(soon(notes.recv()).await.unwrap(), Some(note("first")));
        }
    }
    assert_eq!(soon(echo.once(note("well"))).await.unwrap().text, "well");
    world.quiet().await;
    let stats = world.stats();
    assert_eq!(
        (stats.rpcs_cancelled, stats.connections_accepted),
        (rounds * 50, 1),
        "{stats:?}"
    );
    // Room again for as many calls as at the start.
    let mut held = Vec::new();
    for _ in 0..256 {
        held.push(soon(echo.expand(note("x"))).await.unwrap());
    }
    for notes in &mut held {
        assert_eq!(soon(notes.recv()).await.unwrap(), Some(note("first")));
    }
    drop((held, echo));
    world.end().await;
}
