//! Connections on threads of the server's own, and handlers that begin on their connection's task.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::sync::Barrier;
use trunkline::{Channel, Code, Response, Server, Status};
use trunkline_test_protos::echo::echo::Once;
use trunkline_test_protos::echo::{EchoClient, EchoServer};

use crate::handlers::{Scripted, gated, note, number, plain, scripted, telling};
use crate::world::{PATIENCE, World, soon, until};

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

/// An Echo whose answers tell the thread that they are made on; the call passes a child first.
fn naming() -> Scripted {
    Scripted::default().once(|_, _| {
        Box::pin(async {
            let before = thread_name();
            let beside = tokio::spawn(async { thread_name() }).await;
            assert_eq!(
                beside.ok().as_ref(),
                Some(&before),
                "tasks stay on the thread"
            );
            Ok(Response::new(note(&before)))
        })
    })
}

#[tokio::test]
async fn connections_are_spread_evenly_and_stay_on_their_threads() {
    let server = scripted(naming()).workers(2).bind("127.0.0.1:0").await;
    let server = server.unwrap();
    let (handle, target) = (server.handle(), server.local_address().to_string());
    let serving = tokio::spawn(server.serve());
    let mut per_thread = BTreeMap::<String, usize>::new();
    let mut channels = Vec::new();
    for _ in 0..6 {
        let echo = EchoClient::new(Channel::insecure(&target).unwrap());
        let first = soon(echo.once(note(""))).await.unwrap().into_message().text;
        for _ in 0..5 {
            let again = soon(echo.once(note(""))).await.unwrap().into_message().text;
            assert_eq!(again, first);
        }
        *per_thread.entry(first).or_default() += 1;
        channels.push(echo);
    }
    let expected = [0, 1].map(|number| (format!("trunkline-worker-{number}"), 3));
    assert_eq!(per_thread, BTreeMap::from(expected));
    drop(channels);
    until(&handle, "no connection is live", |stats| {
        stats.live_connections == 0
    })
    .await;
    let report = soon(handle.graceful_stop(PATIENCE)).await;
    assert_eq!(report.unfinished, 0);
    soon(serving).await.unwrap().unwrap();
}

/// One thread each: 32 handlers that all wait for each other, on both of them.
#[tokio::test]
async fn handlers_on_two_threads_wait_for_each_other_and_the_stop_waits_for_them() {
    let gate = Arc::new(Barrier::new(33));
    let server = gated(&gate).workers(2).bind("127.0.0.1:0").await.unwrap();
    let (handle, target) = (server.handle(), server.local_address().to_string());
    let serving = tokio::spawn(server.serve());
    let calls: Vec<_> = (0..2)
        .flat_map(|_| {
            let echo = EchoClient::new(Channel::insecure(&target).unwrap());
            (0..16).map(move |n| tokio::spawn(echo.once(number(n)).owned()))
        })
        .collect();
    until(&handle, "all have begun", |stats| stats.live_rpcs == 32).await;
    let stopper = handle.clone();
    let stopping = tokio::spawn(async move { stopper.graceful_stop(PATIENCE).await });
    until(&handle, "it listens no more", |stats| {
        stats.live_listeners == 0
    })
    .await;
    soon(gate.wait()).await;
    for call in calls {
        soon(call).await.unwrap().unwrap();
    }
    let report = soon(stopping).await.unwrap();
    assert_eq!((report.unfinished, handle.stats().rpcs_completed), (0, 32));
    soon(serving).await.unwrap().unwrap();
}

/// Whatever brings the bytes: streams of all kinds, in memory and over a Unix socket.
#[tokio::test]
async fn streams_run_on_workers_over_any_transport() {
    let world = World::memory(plain().workers(1));
    let mut replies = soon(world.echo().expand(number(3))).await.unwrap();
    let mut seen = Vec::new();
    while let Some(each) = soon(replies.recv()).await.unwrap() {
        seen.push(each.number);
    }
    assert_eq!(seen, [0, 1, 2]);
    drop(replies);
    world.end().await;

    #[cfg(unix)]
    {
        let folder = crate::unix::Folder::new();
        let path = folder.path("workers.sock");
        let listener = trunkline::transport::UnixListener::bind(&path)
            .await
            .unwrap();
        let server = scripted(naming()).workers(0).listen(listener).unwrap();
        let (handle, target) = (server.handle(), server.local_address().to_string());
        let serving = tokio::spawn(server.serve());
        let echo = EchoClient::new(Channel::insecure(target).unwrap());
        let thread = soon(echo.once(note(""))).await.unwrap().into_message().text;
        assert!(thread.starts_with("trunkline-worker-"), "{thread}");
        drop(echo);
        soon(handle.graceful_stop(PATIENCE)).await;
        soon(serving).await.unwrap().unwrap();
    }
}

/// Who drops `serve` ends the connections on all threads too.
#[tokio::test]
async fn dropping_serve_ends_what_runs_on_its_threads() {
    let (teller, mut told) = telling();
    let server = scripted(Scripted::default().once(move |_, _| {
        let guard = teller.guard("handler");
        teller.say("begun");
        Box::pin(async move {
            let _guard = guard;
            std::future::pending::<Result<Response<_>, Status>>().await
        })
    }));
    let server = server.workers(2).bind("127.0.0.1:0").await.unwrap();
    let target = server.local_address().to_string();
    let serving = tokio::spawn(server.serve());
    let echo = EchoClient::new(Channel::insecure(target).unwrap());
    let call = tokio::spawn(echo.once(note("")).owned());
    assert_eq!(soon(told.next()).await, "begun");
    serving.abort();
    assert_eq!(soon(told.next()).await, "handler dropped");
    let failed = soon(call).await.unwrap().unwrap_err();
    assert_eq!(failed.code(), Code::Unavailable, "{failed}");
}

/// A handler's first steps are on the connection's task, the rest on its own; and what one of
/// them does to itself hurts no other.
#[tokio::test]
async fn a_method_that_starts_inline_gets_a_task_only_when_it_waits() {
    let tasks = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&tasks);
    let echo = Scripted::default().once(move |_, request| {
        let seen = Arc::clone(&seen);
        Box::pin(async move {
            let first = tokio::task::id();
            match request.text.as_str() {
                "panic" => panic!("as the test wants it"),
                "wait" => tokio::task::yield_now().await,
                _ => {}
            }
            seen.lock().unwrap().push((first, tokio::task::id()));
            Ok(Response::new(request))
        })
    });
    let service = EchoServer::new(echo).start_inline::<Once>();
    let world = World::tcp(Server::insecure().add_service(service)).await;
    let echo = world.echo();
    for text in ["at once", "wait", "at once"] {
        let reply = soon(echo.once(note(text))).await.unwrap();
        assert_eq!(reply.text, text);
    }
    let failed = soon(echo.once(note("panic"))).await.unwrap_err();
    assert_eq!(failed.code(), Code::Internal, "{failed}");
    assert_eq!(soon(echo.once(note("after"))).await.unwrap().text, "after");
    let seen = std::mem::take(&mut *tasks.lock().unwrap());
    let connection = seen[0].0;
    assert!(
        seen.iter().all(|(first, _)| *first == connection),
        "{seen:?}"
    );
    let ends: Vec<_> = seen.iter().map(|(_, end)| *end == connection).collect();
    assert_eq!(ends, [true, false, true, true]);
    assert_eq!(world.stats().rpcs_panicked, 1);
    drop(echo);
    world.end().await;
}

/// Cancelled and timed out as in a task.
#[tokio::test]
async fn a_method_that_starts_inline_is_cancelled_like_any_other() {
    let (teller, mut told) = telling();
    let echo = Scripted::default().once(move |_, _| {
        let guard = teller.guard("handler");
        teller.say("begun");
        Box::pin(async move {
            let _guard = guard;
            std::future::pending::<Result<Response<_>, Status>>().await
        })
    });
    let service = EchoServer::new(echo).start_inline::<Once>();
    let world = World::tcp(Server::insecure().add_service(service)).await;
    let echo = world.echo();
    let call = tokio::spawn(echo.once(note("")).owned());
    assert_eq!(soon(told.next()).await, "begun");
    call.abort();
    assert_eq!(soon(told.next()).await, "handler dropped");
    drop(echo);
    world.end().await;
}
