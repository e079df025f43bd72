//! Every RPC has a task of its own.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::sync::Barrier;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio_stream::Stream;
use trunkline::server::{Interceptor, Next, Receiver, Sender, ServerBuilder};
use trunkline::transport::http2::ServerConfig;
use trunkline::{Channel, Code, RequestContext, Response, Server, Status, Trailers};
use trunkline_test_protos::echo::{Echo, EchoClient, EchoServer, Note};

use crate::handlers::{Scripted, gated, note, number, scripted, telling};
use crate::world::{PATIENCE, World, soon, until};

/// Handlers run at the same time, not one after the other: none returns before all have begun.
#[tokio::test]
async fn a_thousand_handlers_wait_for_each_other() {
    let mut http2 = ServerConfig::default();
    http2.max_concurrent_streams = 2_000;
    let server = gated(&Arc::new(Barrier::new(1_000))).http2(http2);
    let world = World::tcp_with(server, |channel| channel.max_connections(1)).await;
    let echo = world.echo();
    let mut calls = JoinSet::new();
    for n in 0..1_000 {
        calls.spawn(echo.once(number(n)).owned());
    }
    let mut sum = 0;
    while let Some(call) = soon(calls.join_next()).await {
        sum += call.unwrap().unwrap().number;
    }
    assert_eq!(sum, 999 * 1_000 / 2);
    assert_eq!(world.stats().connections_accepted, 1);
    drop(echo);
    world.end().await;
}

/// The server has two workers, and a handler blocks one of them until the test has seen the
/// calls of another connection answered.
#[test]
fn a_handler_that_blocks_its_thread_does_not_stop_other_connections() {
    let serving = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let calling = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();

    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let (teller, mut told) = telling();
    let server = scripted(
        Scripted::default().expand(move |_, request, mut responses| {
            teller.say("blocking");
            // Blocks the thread, as code that does not know of tokio does.
            let waited = released.lock().unwrap().recv_timeout(PATIENCE);
            Box::pin(async move {
                let text = if waited.is_ok() {
                    "released"
                } else {
                    "gave up"
                };
                responses.send(&note(text)).await?;
                drop(request);
                Ok(())
            })
        }),
    );
    let server = serving.block_on(server.bind("127.0.0.1:0")).unwrap();
    let (handle, address) = (server.handle(), server.local_address().to_string());
    serving.spawn(server.serve());

    calling.block_on(async {
        let blocked = EchoClient::new(Channel::insecure(&address).unwrap());
        let mut answer = soon(blocked.expand(note("x"))).await.unwrap();
        soon(told.expect("blocking")).await;

        let others: Vec<_> = (0..4)
            .map(|_| Channel::insecure(&address).unwrap())
            .collect();
        for channel in others {
            let echo = EchoClient::new(channel);
            for n in 0..25 {
                assert_eq!(soon(echo.once(number(n))).await.unwrap().number, n);
            }
        }

        release.send(()).unwrap();
        assert_eq!(soon(answer.recv()).await.unwrap().unwrap().text, "released");
        assert_eq!(soon(answer.recv()).await.unwrap(), None);
        drop((answer, blocked));
        until(&handle, "nothing is live", |s| {
            s.live_rpcs + s.live_connections == 0
        })
        .await;
        soon(handle.graceful_stop(PATIENCE)).await;
    });
    serving.shutdown_timeout(Duration::from_secs(5));
}

/// A handler that waits is no obstacle for those behind it on the same connection.
#[tokio::test(start_paused = true)]
async fn a_handler_that_waits_does_not_stop_its_own_connection() {
    let world = World::memory(scripted(Scripted::default().once(|_, request| {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(request.number)).await;
            Ok(Response::new(request))
        })
    })));
    let echo = world.echo();
    let mut calls = JoinSet::new();
    // The longest first.
    for seconds in (1..=100).rev() {
        calls.spawn(echo.once(number(seconds)).owned());
    }
    let mut order = Vec::new();
    while let Some(call) = calls.join_next().await {
        order.push(call.unwrap().unwrap().number);
    }
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(order.len(), 100);
    drop(echo);
    world.end().await;
}

/// A child outlives the handler's return: the stream it was given ends after its last message.
#[tokio::test(start_paused = true)]
async fn the_rpc_ends_after_its_children() {
    let world = World::memory(scripted(Scripted::default().expand(
        |cx, request, mut responses| {
            cx.spawn(async move {
                for n in 0..request.number {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    responses.send(&number(n)).await?;
                }
                Ok(())
            });
            Box::pin(async { Ok(()) })
        },
    )));
    let echo = world.echo();
    let mut notes = echo.expand(number(5)).await.unwrap();
    for n in 0..5 {
        assert_eq!(notes.recv().await.unwrap().unwrap().number, n);
    }
    assert_eq!(notes.recv().await.unwrap(), None);
    drop((notes, echo));
    world.end().await;
}

/// The first child that fails ends the RPC with its status, and its siblings with it.
#[tokio::test(start_paused = true)]
async fn a_failing_child_ends_the_rpc_and_its_siblings() {
    let (teller, mut told) = telling();
    let world = World::memory(scripted(Scripted::default().chat(
        move |cx, _, mut responses| {
            let (sibling, handler) = (teller.guard("sibling"), teller.guard("handler"));
            cx.spawn(async move {
                let _sibling = sibling;
                std::future::pending().await
            });
            cx.spawn(async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Err(Status::data_loss("the child found nothing"))
            });
            Box::pin(async move {
                let _handler = handler;
                responses.send(&note("first")).await?;
                std::future::pending().await
            })
        },
    )));
    let echo = world.echo();
    let (sender, mut receiver) = echo.chat().await.unwrap();
    assert_eq!(receiver.recv().await.unwrap().unwrap().text, "first");
    let failed = receiver.recv().await.unwrap_err();
    assert_eq!(failed.code(), Code::DataLoss);
    assert_eq!(failed.message(), "the child found nothing");
    told.expect_all(["sibling dropped", "handler dropped"])
        .await;
    drop((sender, receiver, echo));
    world.end().await;
}

/// Its handlers are no `async fn`: what they have captured is theirs until they are dropped.
struct Handwritten;

/// Its child runs for as long as the handler can feed it.
fn feeding(cx: &RequestContext) -> UnboundedSender<Note> {
    let (feed, mut fed) = unbounded_channel();
    cx.spawn(async move {
        while fed.recv().await.is_some() {}
        Ok(())
    });
    feed
}

/// Feeds the requests to the child until there are no more.
fn feed(
    cx: &RequestContext,
    mut requests: Receiver<Note>,
) -> impl Future<Output = Result<(), Status>> + Send + use<> {
    let feed = feeding(cx);
    poll_fn(move |cx| {
        while let Some(note) = ready!(Pin::new(&mut requests).poll_next(cx)) {
            feed.send(note?).expect("a child that listens");
        }
        Poll::Ready(Ok(()))
    })
}

impl Echo for Handwritten {
    fn once(
        &self,
        cx: &RequestContext,
        request: Note,
    ) -> impl Future<Output = Result<Response<Note>, Status>> + Send {
        let (feed, mut request) = (feeding(cx), Some(request));
        poll_fn(move |_| {
            let note = request.take().expect("polled once");
            feed.send(note.clone()).expect("a child that listens");
            Poll::Ready(Ok(note.into()))
        })
    }

    fn expand(
        &self,
        cx: &RequestContext,
        request: Note,
        _: Sender<Note>,
    ) -> impl Future<Output = Result<(), Status>> + Send {
        let (feed, mut request) = (feeding(cx), Some(request));
        poll_fn(move |_| {
            let note = request.take().expect("polled once");
            feed.send(note).expect("a child that listens");
            Poll::Ready(Ok(()))
        })
    }

    fn collect(
        &self,
        cx: &RequestContext,
        requests: Receiver<Note>,
    ) -> impl Future<Output = Result<Response<Note>, Status>> + Send {
        let mut feed = Box::pin(feed(cx, requests));
        poll_fn(move |cx| feed.as_mut().poll(cx).map_ok(|()| note("all").into()))
    }

    fn chat(
        &self,
        cx: &RequestContext,
        requests: Receiver<Note>,
        _: Sender<Note>,
    ) -> impl Future<Output = Result<(), Status>> + Send {
        feed(cx, requests)
    }
}

struct LetsPass;

impl Interceptor for LetsPass {
    async fn intercept(&self, cx: RequestContext, next: Next<'_>) -> Result<Trailers, Status> {
        next.run(cx).await
    }
}

async fn handwritten_handlers_end(server: ServerBuilder) {
    let world = World::memory(server);
    let echo = world.echo();
    assert_eq!(soon(echo.once(number(3))).await.unwrap().number, 3);
    let mut notes = soon(echo.expand(number(3))).await.unwrap();
    assert_eq!(soon(notes.recv()).await.unwrap(), None);
    let all = soon(echo.collect().upload((0..3).map(number))).await;
    assert_eq!(all.unwrap().text, "all");
    let (mut sender, mut receiver) = soon(echo.chat()).await.unwrap();
    for n in 0..3 {
        soon(sender.send(&number(n))).await.unwrap();
    }
    sender.finish();
    assert_eq!(soon(receiver.recv()).await.unwrap(), None);
    drop((notes, receiver, echo));
    world.end().await;
}

/// A child that waits for what its handler holds is no reason to wait for ever: the handler is
/// dropped when it is done, not when its RPC is.
#[tokio::test(start_paused = true)]
async fn what_a_handler_has_captured_is_gone_before_its_children_are_waited_for() {
    let server = || Server::insecure().add_service(EchoServer::new(Handwritten));
    handwritten_handlers_end(server()).await;
    handwritten_handlers_end(server().intercept(LetsPass)).await;
}
