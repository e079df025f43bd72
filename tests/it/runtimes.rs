//! A channel belongs to no runtime: it is built without one, and outlives the one it ran on.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use trunkline::client::{ConnectivityState, Keepalive};
use trunkline::server::ServerHandle;
use trunkline::{Channel, Code};
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::{note, number, plain};
use crate::world::{PATIENCE, soon, until};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A server on threads of its own.
fn serving() -> (Runtime, ServerHandle, String) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = runtime.block_on(plain().bind("127.0.0.1:0")).unwrap();
    let (handle, address) = (server.handle(), server.local_address().to_string());
    runtime.spawn(server.serve());
    (runtime, handle, address)
}

#[test]
fn a_channel_is_built_without_a_runtime_and_used_on_any() {
    let (server, handle, address) = serving();
    let echo = EchoClient::new(Channel::insecure(address).unwrap());
    let call = echo.once(note("made outside"));

    let first = runtime();
    assert_eq!(first.block_on(soon(call)).unwrap().text, "made outside");
    assert_eq!(
        first.block_on(soon(echo.once(note("again")))).unwrap().text,
        "again"
    );
    assert_eq!(handle.stats().connections_accepted, 1);
    // Its control loop and its connection go with it.
    drop(first);

    let second = runtime();
    for n in 0..10 {
        assert_eq!(
            second.block_on(soon(echo.once(number(n)))).unwrap().number,
            n
        );
    }
    assert_eq!(handle.stats().connections_accepted, 2);

    // Two runtimes at once: the second one's calls use the first one's connection.
    let third = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let elsewhere = third.spawn(echo.once(note("elsewhere")).owned());
    let answered = second.block_on(async { soon(elsewhere).await.unwrap() });
    assert_eq!(answered.unwrap().text, "elsewhere");
    assert_eq!(handle.stats().connections_accepted, 2);

    drop(echo);
    drop((second, third));
    server.block_on(until(&handle, "nothing is live", |stats| {
        stats.live_connections + stats.live_rpcs == 0
    }));
    server.block_on(soon(handle.graceful_stop(PATIENCE)));
    server.shutdown_timeout(Duration::from_secs(5));
}

/// Halves of a call whose runtime is gone fail; they do not hang, and do not panic.
#[test]
fn calls_end_with_the_runtime_that_carried_them() {
    let (server, handle, address) = serving();
    let echo = EchoClient::new(Channel::insecure(address).unwrap());
    let first = runtime();
    let (mut sender, mut receiver) = first.block_on(soon(echo.chat())).unwrap();
    first.block_on(async {
        soon(sender.send(&note("one"))).await.unwrap();
        assert_eq!(soon(receiver.recv()).await.unwrap(), Some(note("one")));
    });
    drop(first);

    let second = runtime();
    let lost = second.block_on(soon(receiver.recv())).unwrap_err();
    assert_eq!(lost.code(), Code::Unavailable, "{lost}");
    let unsent = second
        .block_on(soon(sender.send(&note("two"))))
        .unwrap_err();
    assert!(
        matches!(unsent.code(), Code::Unavailable | Code::Cancelled),
        "{unsent}"
    );
    drop((sender, receiver, echo));
    server.block_on(until(&handle, "nothing is live", |stats| {
        stats.live_connections + stats.live_rpcs == 0
    }));
    server.block_on(soon(handle.graceful_stop(PATIENCE)));
    server.shutdown_timeout(Duration::from_secs(5));
}

/// Who watches from elsewhere learns that the runtime with the connections is gone, and connects on
/// its own; keepalive and the idle timeout start over with the new connection.
#[test]
fn a_watcher_outlives_the_runtime_with_the_connections() {
    let (server, handle, address) = serving();
    let mut keepalive = Keepalive::every(Duration::from_secs(10));
    keepalive.without_calls = true;
    let channel = Channel::builder(address).insecure().keepalive(keepalive);
    let channel = channel.build().unwrap();
    let first = runtime();
    first.block_on(async {
        soon(EchoClient::new(channel.clone()).once(note("x")))
            .await
            .unwrap();
    });
    assert_eq!(channel.state(), ConnectivityState::Ready);
    let second = runtime();
    let watch = channel.clone();
    let watching = second.spawn(async move { watch.changed(ConnectivityState::Ready).await });
    second.block_on(tokio::task::yield_now());
    drop(first);
    let state = second.block_on(soon(watching)).unwrap();
    assert_eq!(state, ConnectivityState::Idle);
    second.block_on(async {
        channel.connect().unwrap();
        let mut state = channel.state();
        while state != ConnectivityState::Ready {
            state = soon(channel.changed(state)).await;
        }
        let report = soon(channel.close(PATIENCE)).await;
        assert_eq!((report.completed, report.cancelled), (0, 0));
    });
    assert_eq!(handle.stats().connections_accepted, 2);
    server.block_on(until(&handle, "nothing is live", |stats| {
        stats.live_connections + stats.live_rpcs == 0
    }));
    server.block_on(soon(handle.graceful_stop(PATIENCE)));
    server.shutdown_timeout(Duration::from_secs(5));
}

/// Outside of any runtime a call fails with a text that says so.
#[test]
fn a_call_that_is_polled_outside_of_a_runtime_says_so() {
    let echo = EchoClient::new(Channel::insecure("127.0.0.1:1").unwrap());
    let mut cx = Context::from_waker(Waker::noop());
    let mut calls = [
        std::pin::pin!(echo.once(note("x")).into_future()),
        std::pin::pin!(
            echo.once(note("x"))
                .timeout(Duration::from_secs(1))
                .into_future()
        ),
    ];
    for call in &mut calls {
        let Poll::Ready(Err(status)) = call.as_mut().poll(&mut cx) else {
            panic!("it cannot wait for anything here");
        };
        assert_eq!(status.code(), Code::Internal);
        assert!(
            status.to_string().contains("outside of a tokio runtime"),
            "{status}"
        );
        assert!(status.is_unprocessed());
    }
}
