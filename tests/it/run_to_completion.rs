//! A method may run to completion without its client, within the deadline and the server's grace.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tracing::Level;
use trunkline::server::{Interceptor, Next, ServerBuilder};
use trunkline::transport::http2::ServerConfig;
use trunkline::transport::memory;
use trunkline::{Code, RequestContext, Response, Server, Status, Trailers};
use trunkline_test_protos::echo::echo::{Chat, Expand, Once};
use trunkline_test_protos::echo::{EchoServer, Note};
use trunkline_test_protos::ledger::ledger::Double;

use crate::handlers::{Guard, Scripted, Teller, note, number, telling};
use crate::log::Log;
use crate::panics::{SECRET, quiet_panics};
use crate::world::{World, soon};

const MS: Duration = Duration::from_millis(1);

/// Three steps, each 10 ms; tells of each, of the cancellation, and of being dropped.
async fn three_steps(cx: &RequestContext, teller: &Teller, guard: Guard) -> Result<(), Status> {
    let _guard = guard;
    for step in 1..=3 {
        tokio::time::sleep(10 * MS).await;
        teller.say(format!("step {step}"));
        if step == 1 {
            cx.cancelled().await;
            teller.say("knows");
        }
    }
    Ok(())
}

/// Echo whose `Once` and `Chat` run to completion, and whose `Expand` does not.
fn careful(teller: &Teller) -> ServerBuilder {
    quiet_panics();
    let (once, expand, chat) = (teller.clone(), teller.clone(), teller.clone());
    let echo = Scripted::default()
        .once(move |cx, request| {
            let teller = once.clone();
            Box::pin(async move {
                let guard = teller.guard("once");
                if request.text == "panic" {
                    cx.cancelled().await;
                    panic!("{SECRET}");
                }
                if request.text == "forever" {
                    teller.say("runs");
                    let _guard = guard;
                    return std::future::pending().await;
                }
                three_steps(cx, &teller, guard).await?;
                Ok(Response::new(request))
            })
        })
        .expand(move |cx, _, responses| {
            let teller = expand.clone();
            Box::pin(async move {
                let _responses = responses;
                three_steps(cx, &teller, teller.guard("expand")).await
            })
        })
        .chat(move |cx, mut requests, mut responses| {
            let teller = chat.clone();
            Box::pin(async move {
                requests.recv().await?;
                let child = teller.clone();
                cx.spawn(async move {
                    tokio::time::sleep(100 * MS).await;
                    child.say("child done");
                    Ok(())
                });
                three_steps(cx, &teller, teller.guard("chat")).await?;
                let sent = responses.send(&note("x")).await.unwrap_err().code();
                let received = requests.recv().await.unwrap_err().code();
                teller.say(format!("{sent} {received}"));
                Ok(())
            })
        });
    Server::insecure().add_service(
        EchoServer::new(echo)
            .run_to_completion::<Once>()
            .run_to_completion::<Chat>(),
    )
}

/// Surrounds calls with nothing.
struct Nothing;

impl Interceptor for Nothing {
    async fn intercept(&self, cx: RequestContext, next: Next<'_>) -> Result<Trailers, Status> {
        next.run(cx).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_finishes_its_steps_without_its_client() {
    for intercepted in [false, true] {
        let (log, _listening) = Log::listen(Level::DEBUG);
        let (teller, mut told) = telling();
        let server = careful(&teller);
        let world = World::memory(match intercepted {
            false => server,
            true => server.intercept(Nothing),
        });
        let echo = world.echo();
        let call = tokio::time::timeout(15 * MS, echo.once(note("x"))).await;
        assert!(call.is_err(), "given up");
        for what in ["step 1", "knows", "step 2", "step 3", "once dropped"] {
            told.expect(what).await;
        }
        world.quiet().await;
        let stats = world.stats();
        assert_eq!((stats.rpcs_cancelled, stats.rpcs_ran_on), (1, 1));

        for words in [
            "cancelled by its client, its handler runs on",
            "ran to completion",
        ] {
            log.line(&[words, "method=\"/tests.echo.Echo/Once\""]);
        }

        // The default: one more turn to learn of it.
        let notes = echo.expand(number(1)).await.unwrap();
        told.expect("step 1").await;
        drop(notes);
        for what in ["knows", "expand dropped"] {
            told.expect(what).await;
        }
        world.quiet().await;
        let stats = world.stats();
        assert_eq!((stats.rpcs_cancelled, stats.rpcs_ran_on), (2, 1));
        log.line(&[
            "RPC cancelled by its client",
            "method=\"/tests.echo.Echo/Expand\"",
        ]);

        // A stream, with a child.
        let (mut sender, notes) = echo.chat().await.unwrap();
        sender.send(&note("x")).await.unwrap();
        told.expect("step 1").await;
        drop((sender, notes));
        for what in [
            "knows",
            "step 2",
            "step 3",
            "chat dropped",
            "CANCELLED CANCELLED",
            "child done",
        ] {
            told.expect(what).await;
        }
        world.quiet().await;
        let stats = world.stats();
        assert_eq!((stats.rpcs_cancelled, stats.rpcs_ran_on), (3, 2));
        assert_eq!(stats.rpcs_completed, 0);
        drop(echo);
        world.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn it_ends_at_the_deadline_and_a_panic_is_one() {
    let (teller, mut told) = telling();
    let world = World::memory(careful(&teller).max_timeout(Duration::from_secs(1)));
    let echo = world.echo();
    let given_up = tokio::time::timeout(MS, echo.once(note("forever"))).await;
    assert!(given_up.is_err());
    told.expect("runs").await;
    told.expect("once dropped").await;
    world.quiet().await;
    let stats = world.stats();
    assert_eq!((stats.rpcs_deadline_exceeded, stats.rpcs_ran_on), (1, 0));

    let given_up = tokio::time::timeout(MS, echo.once(note("panic"))).await;
    assert!(given_up.is_err());
    told.expect("once dropped").await;
    world.quiet().await;
    assert_eq!(world.stats().rpcs_panicked, 1);
    drop(echo);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_stop_of_the_server_gives_it_the_grace_even_when_its_connection_is_gone() {
    let (teller, mut told) = telling();
    let world = World::memory(careful(&teller));
    let World {
        channel, handle, ..
    } = world;
    for text in ["forever", "x"] {
        let stub = trunkline_test_protos::echo::EchoClient::new(channel.clone());
        let given_up = tokio::time::timeout(5 * MS, stub.once(note(text))).await;
        assert!(given_up.is_err());
    }
    told.expect("runs").await;
    drop(channel);
    crate::world::until(&handle, "the connection is gone", |stats| {
        stats.live_connections == 0
    })
    .await;
    assert_eq!(handle.stats().live_rpcs, 2);
    let report = handle.graceful_stop(50 * MS).await;
    for what in ["step 1", "knows", "step 2", "step 3", "once dropped"] {
        told.expect(what).await;
    }
    told.expect("once dropped").await;
    assert_eq!((report.unfinished, report.reset), (0, 1), "{report:?}");
    let stats = handle.stats();
    assert_eq!((stats.rpcs_ran_on, stats.rpcs_stopped), (1, 1), "{stats:?}");
    assert!(report.elapsed < Duration::from_secs(1), "{report:?}");
}

#[tokio::test]
async fn no_more_run_on_than_a_connection_may_have_calls() {
    let gate = Arc::new(Semaphore::new(0));
    let (teller, mut told) = telling();
    let waiting = Arc::clone(&gate);
    let echo = Scripted::default().once(move |_, request| {
        let (gate, guard) = (Arc::clone(&waiting), teller.guard("once"));
        teller.say("runs");
        Box::pin(async move {
            let _guard = guard;
            gate.acquire().await.unwrap().forget();
            Ok(request.into())
        })
    });
    let mut config = ServerConfig::default();
    config.max_concurrent_streams = 3;
    let service = EchoServer::new(echo).run_to_completion::<Once>();
    let world = World::memory(Server::insecure().add_service(service).http2(config));
    let echo = world.echo();
    for n in 1..=5 {
        let call = tokio::spawn(echo.once(Note::default()).owned());
        soon(told.expect("runs")).await;
        call.abort();
        if n > 3 {
            soon(told.expect("once dropped")).await;
        }
    }
    world
        .until("two were dropped", |stats| stats.rpcs_cancelled == 2)
        .await;
    assert_eq!(world.stats().live_rpcs, 3);
    gate.add_permits(3);
    world.quiet().await;
    let stats = world.stats();
    assert_eq!((stats.rpcs_cancelled, stats.rpcs_ran_on), (5, 3));
    drop(echo);
    world.end().await;
}

#[tokio::test]
async fn a_method_of_another_service_is_refused_when_the_server_is_bound() {
    let service = EchoServer::new(Scripted::default())
        .run_to_completion::<Expand>()
        .run_to_completion::<Double>();
    let (_, listener) = memory::pair("refused");
    let refused = Server::insecure().add_service(service).listen(listener);
    let status = refused.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert!(
        status.message().contains("/tests.ledger.Ledger/Double"),
        "{status}"
    );
}
