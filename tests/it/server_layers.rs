//! tower's own layers around the RPCs of a server, each with its effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tower::ServiceBuilder;
use tower::buffer::BufferLayer;
use tower::limit::{ConcurrencyLimitLayer, RateLimitLayer};
use tower::load_shed::LoadShedLayer;
use tower::timeout::TimeoutLayer;
use trunkline::server::{Interceptor, Next, ServerBuilder};
use trunkline::{Code, RequestContext, Response, Server, Status, Trailers};
use trunkline_test_protos::echo::{EchoServer, Note};
use trunkline_test_protos::ledger::LedgerServer;

use crate::handlers::{Plain, Scripted, Teller, amount, note, number, plain, scripted, telling};
use crate::world::{World, soon};

const MS: Duration = Duration::from_millis(1);

/// Handlers that wait for as many milliseconds as the request says, and how many run at once.
fn waiting(teller: &Teller, most: &Arc<AtomicUsize>) -> ServerBuilder {
    let running = Arc::new(AtomicUsize::new(0));
    let (once, expand) = (teller.clone(), teller.clone());
    let most = Arc::clone(most);
    scripted(
        Scripted::default()
            .once(move |_, request| {
                let guard = once.guard("once");
                let (running, most) = (Arc::clone(&running), Arc::clone(&most));
                Box::pin(async move {
                    let _guard = guard;
                    let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    tokio::time::sleep(request.number.try_into().map_or(MS, of_ms)).await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    let mut reply = Response::new(request);
                    reply.trailers_mut().insert("done", "yes")?;
                    Ok(reply)
                })
            })
            .expand(move |_, _, mut responses| {
                let guard = expand.guard("expand");
                Box::pin(async move {
                    let _guard = guard;
                    responses.send(&note("first")).await?;
                    std::future::pending().await
                })
            }),
    )
}

fn of_ms(ms: u32) -> Duration {
    MS * ms
}

#[tokio::test(start_paused = true)]
async fn a_timeout_bounds_calls_and_streams_and_drops_their_handlers() {
    let (teller, mut told) = telling();
    let world = World::memory(waiting(&teller, &Arc::default()).layer(TimeoutLayer::new(20 * MS)));
    let echo = world.echo();
    let reply = echo.once(number(10)).await.unwrap();
    assert_eq!(reply.trailers().get("done"), Some("yes"));
    told.expect("once dropped").await;
    let late = echo.once(number(60_000)).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
    told.expect("once dropped").await;
    let mut notes = echo.expand(number(1)).await.unwrap();
    assert_eq!(notes.recv().await.unwrap(), Some(note("first")));
    let late = notes.recv().await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
    told.expect("expand dropped").await;
    drop((notes, echo));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn one_limit_holds_for_all_calls_of_the_server() {
    let (teller, _told) = telling();
    let most = Arc::default();
    let limit = ConcurrencyLimitLayer::new(2);
    let world = World::memory(waiting(&teller, &most).layer(limit));
    let began = Instant::now();
    let calls: Vec<_> = (0..6)
        .map(|_| tokio::spawn(world.echo().once(number(10)).owned()))
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
    assert!(began.elapsed() >= 30 * MS, "{:?}", began.elapsed());
    // A call that gives up while it waits takes no place.
    let long = tokio::spawn(world.echo().once(number(100)).owned());
    let other = tokio::spawn(world.echo().once(number(100)).owned());
    tokio::time::sleep(MS).await;
    let echo = world.echo();
    let gives_up = echo.once(number(1)).timeout(10 * MS).await;
    assert_eq!(gives_up.unwrap_err().code(), Code::DeadlineExceeded);
    long.await.unwrap().unwrap();
    other.await.unwrap().unwrap();
    echo.once(number(1)).await.unwrap();
    drop(echo);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_first_in_line_leaves_the_place_to_the_next() {
    let (teller, _told) = telling();
    let most = Arc::default();
    let world = World::memory(waiting(&teller, &most).layer(ConcurrencyLimitLayer::new(1)));
    let running = tokio::spawn(world.echo().once(number(100)).owned());
    world.until("it runs", |stats| stats.live_rpcs == 1).await;
    let first = tokio::spawn(world.echo().once(number(1)).timeout(10 * MS).owned());
    world.until("one waits", |stats| stats.live_rpcs == 2).await;
    let next = tokio::spawn(world.echo().once(number(1)).owned());
    world.until("two wait", |stats| stats.live_rpcs == 3).await;
    let gave_up = soon(first).await.unwrap().unwrap_err();
    assert_eq!(gave_up.code(), Code::DeadlineExceeded, "{gave_up}");
    soon(running).await.unwrap().unwrap();
    soon(next).await.unwrap().unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 1);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_spaces_calls_out() {
    let world = World::memory(plain().layer(RateLimitLayer::new(1, Duration::from_secs(1))));
    let began = Instant::now();
    for _ in 0..3 {
        world.echo().once(note("x")).await.unwrap();
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(2), "{took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn shed_load_is_refused_at_once() {
    let (teller, _told) = telling();
    let most = Arc::default();
    let layers = ServiceBuilder::new()
        .layer(LoadShedLayer::new())
        .concurrency_limit(1);
    let world = World::memory(waiting(&teller, &most).layer(layers));
    let first = tokio::spawn(world.echo().once(number(1000)).owned());
    world.until("it runs", |stats| stats.live_rpcs == 1).await;
    let began = Instant::now();
    let shed = world.echo().once(number(1)).await.unwrap_err();
    assert_eq!(shed.code(), Code::ResourceExhausted, "{shed}");
    assert!(began.elapsed() < 500 * MS);
    first.await.unwrap().unwrap();
    world.echo().once(number(1)).await.unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 1);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_buffer_hands_calls_to_a_service_of_its_own_task() {
    let layers = ServiceBuilder::new()
        .layer(BufferLayer::new(8))
        .rate_limit(1, Duration::from_secs(1))
        .timeout(Duration::from_secs(10));
    let world = World::memory(plain().layer(layers));
    let began = Instant::now();
    let calls: Vec<_> = (0..3)
        .map(|n| tokio::spawn(world.echo().once(number(n)).owned()))
        .collect();
    for (n, call) in (0..).zip(calls) {
        assert_eq!(call.await.unwrap().unwrap().number, n);
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(2), "{took:?}");
    let mut notes = world.echo().expand(number(2)).await.unwrap();
    assert_eq!(notes.recv().await.unwrap(), Some(number(0)));
    assert_eq!(notes.recv().await.unwrap(), Some(number(1)));
    assert_eq!(notes.recv().await.unwrap(), None);
    drop(notes);
    world.end().await;
}

/// Appends its name to a header of the request.
struct Mark(&'static str);

impl Interceptor for Mark {
    async fn intercept(&self, mut cx: RequestContext, next: Next<'_>) -> Result<Trailers, Status> {
        cx.metadata_mut().append("mark", self.0)?;
        next.run(cx).await
    }
}

#[derive(Debug)]
struct Secret;

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("secret at /etc/passwd")
    }
}

impl std::error::Error for Secret {}

type Boxed = Box<dyn std::error::Error + Send + Sync>;

#[tokio::test]
async fn layers_and_interceptors_stand_in_one_order() {
    let echo = Scripted::default().once(|cx, _| {
        Box::pin(async move {
            let marks: Vec<_> = cx.metadata().get_all("mark").collect();
            Ok(note(&marks.join(" ")).into())
        })
    });
    let mark = |name: &'static str| {
        tower::util::MapRequestLayer::new(move |mut cx: RequestContext| {
            cx.metadata_mut().append("mark", name).unwrap();
            cx
        })
    };
    let service = EchoServer::new(echo).boxed().layer(mark("five"));
    let server = Server::insecure()
        .intercept(Mark("one"))
        .layer(
            ServiceBuilder::new()
                .layer(mark("two"))
                .layer(mark("three")),
        )
        .intercept(Mark("four"))
        .add_service(service)
        .add_service(LedgerServer::new(Plain::default()));
    let world = World::memory(server);
    let reply = world.echo().once(Note::default()).await.unwrap();
    assert_eq!(reply.text, "one two three four five");
    world.ledger().double(amount(1)).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn an_error_of_a_layer_tells_the_client_nothing_but_a_status_in_it() {
    let fail = tower::util::MapResultLayer::new(
        |_: Result<Trailers, Status>| -> Result<Trailers, Boxed> { Err(Box::new(Secret)) },
    );
    let world = World::memory(plain().layer(fail));
    let status = world.echo().once(note("x")).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(!format!("{status:?}").contains("secret"), "{status:?}");
    world.end().await;

    let refuse = tower::util::MapResultLayer::new(
        |_: Result<Trailers, Status>| -> Result<Trailers, Boxed> {
            Err(Box::new(Status::failed_precondition("not now")))
        },
    );
    let world = World::memory(plain().layer(refuse));
    let status = world.echo().once(note("x")).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.message(), "not now");
    world.end().await;
}
