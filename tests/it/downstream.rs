//! A handler that calls another server within its own call: deadline and trace travel on, nothing
//! else does, and the end of the one call is the end of the other.

use std::sync::Arc;
use std::time::Duration;

use trunkline::transport::now;
use trunkline::{Code, Response};
use trunkline_test_protos::echo::{EchoClient, Note};

use crate::handlers::{Scripted, note, number, scripted, telling};
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

/// Answers with the milliseconds it has left and the metadata it got.
fn backend() -> Scripted {
    Scripted::default().once(|cx, _| {
        let left = cx.deadline().map(|deadline| deadline.remaining(now()));
        let keys: Vec<_> = cx
            .metadata()
            .iter()
            .map(|(key, _)| key.to_owned())
            .collect();
        Box::pin(async move {
            let mut answer = note(&keys.join(","));
            answer.number = left.map_or(u64::MAX, |left| u64::try_from(left.as_millis()).unwrap());
            Ok(Response::new(answer))
        })
    })
}

/// Waits `request.number` ms, then asks the backend.
fn frontend(backend: EchoClient) -> Scripted {
    let backend = Arc::new(backend);
    Scripted::default().once(move |cx, request| {
        let backend = Arc::clone(&backend);
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(request.number)).await;
            let generous = backend.once(request).timeout(3600 * SECOND);
            Ok(Response::new(generous.within(cx).await?.into_message()))
        })
    })
}

async fn ask(world: &World, wait: u64, timeout: Duration) -> Note {
    let answer = world.echo().once(number(wait)).timeout(timeout).await;
    answer.unwrap().into_message()
}

/// What is left at the frontend is what the backend gets: less, never more, whatever else the
/// call asks for.
#[tokio::test(start_paused = true)]
async fn the_remaining_time_travels_on() {
    let behind = World::memory_with(scripted(backend()), |channel| {
        channel.timeout(7200 * SECOND)
    });
    let world = World::memory(scripted(frontend(behind.echo())));
    assert_eq!(ask(&world, 0, 10 * SECOND).await.number, 10_000);
    assert_eq!(ask(&world, 4_000, 10 * SECOND).await.number, 6_000);
    assert_eq!(ask(&world, 9_999, 10 * SECOND).await.number, 1);
    // Without a deadline of the outer call the inner one has its own.
    let alone = world.echo().once(number(0)).await.unwrap();
    assert_eq!(alone.number, 3_600_000);
    world.end().await;
    behind.end().await;
}

/// The inner call may set itself less.
#[tokio::test(start_paused = true)]
async fn an_inner_call_may_take_less_than_is_left() {
    let behind = World::memory(scripted(backend()));
    let inner = behind.echo();
    let world = World::memory(scripted(Scripted::default().once(move |cx, request| {
        let inner = inner.clone();
        Box::pin(async move {
            let answer = inner.once(request).within(cx).timeout(SECOND).await?;
            Ok(Response::new(answer.into_message()))
        })
    })));
    assert_eq!(ask(&world, 0, 10 * SECOND).await.number, 1_000);
    world.end().await;
    behind.end().await;
}

/// The trace context is for everybody on the way; a token is for the one it was given to.
#[tokio::test(start_paused = true)]
async fn the_trace_travels_on_and_other_metadata_does_not() {
    let behind = World::memory(scripted(backend()));
    let world = World::memory(scripted(frontend(behind.echo())));
    let echo = world.echo();
    let answer = echo
        .once(number(0))
        .metadata("authorization", "Bearer secret")
        .metadata(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        .metadata("tenant", "a")
        .await;
    assert_eq!(answer.unwrap().text, "traceparent");
    drop(echo);
    world.end().await;
    behind.end().await;
}

/// The outer deadline ends the handler, its inner call, and the handler behind that.
#[tokio::test(start_paused = true)]
async fn an_outer_deadline_ends_the_whole_chain() {
    let (teller, mut told) = telling();
    let last = teller.clone();
    let behind = World::memory(scripted(Scripted::default().once(move |_, _| {
        let guard = last.guard("backend");
        Box::pin(async move {
            let _guard = guard;
            std::future::pending().await
        })
    })));
    let inner = behind.echo();
    let world = World::memory(scripted(Scripted::default().once(move |cx, request| {
        let (inner, guard) = (inner.clone(), teller.guard("frontend"));
        Box::pin(async move {
            let _guard = guard;
            let failed = inner.once(request).within(cx).await;
            Ok(Response::new(failed?.into_message()))
        })
    })));
    let echo = world.echo();
    let late = echo.once(note("x")).timeout(SECOND).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
    assert_eq!(late.method(), Some("/tests.echo.Echo/Once"));
    told.expect_all(["backend dropped", "frontend dropped"])
        .await;

    // And so does giving the outer call up.
    let call = tokio::spawn(echo.once(note("x")).owned());
    behind
        .until("the backend is busy", |stats| stats.live_rpcs == 1)
        .await;
    call.abort();
    told.expect_all(["backend dropped", "frontend dropped"])
        .await;
    drop(echo);
    world.end().await;
    behind.end().await;
}
