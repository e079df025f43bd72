//! Every way to give a call up reaches its handler, and a call that was given up never looks like
//! one that went well.

use trunkline::{Code, Origin, Status};
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::{Scripted, Told, note, scripted, telling};
use crate::world::{World, soon};

/// Every handler says that it began, waits under a guard, and says how its requests ended.
fn waiting() -> (Scripted, Told) {
    let (teller, told) = telling();
    let [once, expand, collect, chat] = [(); 4].map(|()| teller.clone());
    let echo = Scripted::default()
        .once(move |_, _| {
            let guard = once.guard("once");
            once.say("once");
            Box::pin(async move {
                let _guard = guard;
                std::future::pending().await
            })
        })
        .expand(move |_, _, mut responses| {
            let guard = expand.guard("expand");
            expand.say("expand");
            Box::pin(async move {
                let _guard = guard;
                responses.send(&note("first")).await?;
                std::future::pending().await
            })
        })
        .collect(move |_, mut requests| {
            let (teller, guard) = (collect.clone(), collect.guard("collect"));
            teller.say("collect");
            Box::pin(async move {
                let _guard = guard;
                loop {
                    match requests.recv().await {
                        Ok(Some(_)) => {}
                        Ok(None) => {
                            teller.say("a clean end");
                            return Ok(note("").into());
                        }
                        Err(status) => {
                            teller.say(status.code().name());
                            return Err(status);
                        }
                    }
                }
            })
        })
        .chat(move |cx, _, mut responses| {
            let (guard, child) = (chat.guard("chat"), chat.guard("child"));
            chat.say("chat");
            cx.spawn(async move {
                let _child = child;
                std::future::pending().await
            });
            Box::pin(async move {
                let _guard = guard;
                responses.send(&note("first")).await?;
                std::future::pending().await
            })
        });
    (echo, told)
}

async fn world() -> (World, EchoClient, Told) {
    let (echo, told) = waiting();
    let world = World::tcp(scripted(echo)).await;
    let echo = world.echo();
    (world, echo, told)
}

/// All were cancelled, none completed.
pub(crate) async fn end(world: World, cancelled: u64) {
    world.quiet().await;
    let stats = world.stats();
    assert_eq!(
        (stats.rpcs_cancelled, stats.rpcs_completed),
        (cancelled, 0),
        "{stats:?}"
    );
    assert_eq!(
        stats.connections_accepted, 1,
        "the connection outlives its calls"
    );
    world.end().await;
}

#[tokio::test]
async fn dropping_the_call_drops_the_handler() {
    let (world, echo, mut told) = world().await;
    let call = tokio::spawn(echo.once(note("x")).owned());
    soon(told.expect("once")).await;
    call.abort();
    soon(told.expect("once dropped")).await;

    // Also where it is one branch of a select.
    tokio::select! {
        _ = echo.once(note("x")) => panic!("nobody answers"),
        () = told.expect("once") => {}
    }
    soon(told.expect("once dropped")).await;
    drop(echo);
    end(world, 2).await;
}

#[tokio::test]
async fn dropping_the_receiver_of_a_server_stream_drops_the_handler() {
    let (world, echo, mut told) = world().await;
    let mut notes = soon(echo.expand(note("x"))).await.unwrap();
    assert_eq!(soon(notes.recv()).await.unwrap(), Some(note("first")));
    soon(told.expect("expand")).await;
    drop(notes);
    soon(told.expect("expand dropped")).await;
    drop(echo);
    end(world, 1).await;
}

/// Neither of two halves alone keeps a call alive, and the children go with the handler.
#[tokio::test]
async fn dropping_either_half_ends_the_rpc_and_its_children() {
    let (world, echo, mut told) = world().await;
    let (sender, mut receiver) = soon(echo.chat()).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some(note("first")));
    soon(told.expect("chat")).await;
    drop(sender);
    soon(told.expect_all(["chat dropped", "child dropped"])).await;
    let ended = soon(receiver.recv()).await.unwrap_err();
    assert_eq!(ended.code(), Code::Cancelled, "{ended}");
    assert!(
        ended.message().contains("Sender dropped without finish()"),
        "{ended}"
    );
    drop(receiver);

    let (mut sender, mut receiver) = soon(echo.chat()).await.unwrap();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some(note("first")));
    soon(told.expect("chat")).await;
    drop(receiver);
    soon(told.expect_all(["chat dropped", "child dropped"])).await;
    let refused = soon(sender.send(&note("y"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::Cancelled, "{refused}");
    drop((sender, echo));
    end(world, 2).await;
}

/// An upload that was given up: its handler gets an error, never the end of the requests.
#[tokio::test]
async fn an_upload_that_was_given_up_never_looks_complete() {
    let (world, echo, mut told) = world().await;
    let ends_cancelled = async |told: &mut Told| {
        // The handler is dropped, or sees CANCELLED first: whichever it is polled for.
        let next = soon(told.next()).await;
        if next == "CANCELLED" {
            soon(told.expect("collect dropped")).await;
        } else {
            assert_eq!(next, "collect dropped");
        }
    };

    let (mut sender, sum) = soon(echo.collect()).await.unwrap();
    sender.send(&note("x")).await.unwrap();
    soon(told.expect("collect")).await;
    drop(sender);
    ends_cancelled(&mut told).await;
    let own = soon(sum).await.unwrap_err();
    assert_eq!((own.code(), own.origin()), (Code::Cancelled, Origin::Local));
    assert!(
        own.message().contains("Sender dropped without finish()"),
        "{own}"
    );

    let (mut sender, sum) = soon(echo.collect()).await.unwrap();
    sender.send(&note("x")).await.unwrap();
    soon(told.expect("collect")).await;
    sender.abort();
    ends_cancelled(&mut told).await;
    let own = soon(sum).await.unwrap_err();
    assert_eq!(own.code(), Code::Cancelled);
    assert!(own.message().contains("abort"), "{own}");

    let (mut sender, sum) = soon(echo.collect()).await.unwrap();
    sender.send(&note("x")).await.unwrap();
    soon(told.expect("collect")).await;
    drop(sum);
    ends_cancelled(&mut told).await;
    drop(sender);

    // An early `?` in code that sends.
    let sending = async || -> Result<(), Status> {
        let (mut sender, _sum) = echo.collect().await?;
        sender.send(&note("x")).await?;
        // A call that is given up before anybody else had a turn goes nowhere.
        tokio::task::yield_now().await;
        Err(Status::data_loss("the file ended early"))
    };
    soon(sending()).await.unwrap_err();
    soon(told.expect("collect")).await;
    ends_cancelled(&mut told).await;

    let endless = tokio::spawn(echo.collect().upload(tokio_stream::pending()).owned());
    soon(told.expect("collect")).await;
    endless.abort();
    ends_cancelled(&mut told).await;
    drop(echo);
    end(world, 5).await;
}
