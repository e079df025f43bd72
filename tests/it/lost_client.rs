//! A client process that is killed says no goodbye: its handlers are dropped all the same.

use std::process::{Child, Command, Stdio};

use trunkline::Channel;
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::{Scripted, note, scripted, telling};
use crate::world::{World, soon};

/// Where the other process finds the server. Set: this process is that other one.
const ADDRESS: &str = "TRUNKLINE_TEST_SERVER";

/// Not a test of its own: what the process does that the test below starts, and kills.
#[tokio::test]
async fn as_the_other_process() {
    let Ok(address) = std::env::var(ADDRESS) else {
        return;
    };
    let echo = EchoClient::new(Channel::insecure(address).unwrap());
    let (mut sender, _receiver) = echo.chat().await.unwrap();
    sender.send(&note("hello")).await.unwrap();
    let (mut upload, _sum) = echo.collect().await.unwrap();
    upload.send(&note("hello")).await.unwrap();
    let _ = echo.once(note("hello")).await;
}

/// Killed at the latest when the test is over.
struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_client_that_is_killed_takes_its_handlers_with_it() {
    let (teller, mut told) = telling();
    let [once, collect, chat] = [(); 3].map(|()| teller.clone());
    let server = scripted(
        Scripted::default()
            .once(move |_, _| {
                let guard = once.guard("once");
                once.say("once");
                Box::pin(async move {
                    let _guard = guard;
                    std::future::pending().await
                })
            })
            .collect(move |_, mut requests| {
                let (teller, guard) = (collect.clone(), collect.guard("collect"));
                teller.say("collect");
                Box::pin(async move {
                    let _guard = guard;
                    while requests.recv().await?.is_some() {}
                    teller.say("a clean end");
                    Ok(note("").into())
                })
            })
            .chat(move |cx, mut requests, responses| {
                let (guard, child) = (chat.guard("chat"), chat.guard("child"));
                chat.say("chat");
                cx.spawn(async move {
                    let _child = (child, responses);
                    std::future::pending().await
                });
                Box::pin(async move {
                    let _guard = guard;
                    while requests.recv().await?.is_some() {}
                    std::future::pending().await
                })
            }),
    );
    let world = World::tcp(server).await;
    let program = std::env::current_exe().unwrap();
    // The name of the function above in this binary, wherever the module sits.
    let name = format!(
        "{}::as_the_other_process",
        module_path!().split_once("::").unwrap().1
    );
    let other = Command::new(program)
        .args([name.as_str(), "--exact"])
        .env(ADDRESS, world.address.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut other = Other(other.unwrap());
    soon(told.expect_all(["once", "collect", "chat"])).await;

    other.0.kill().unwrap();
    let guards = [
        "once dropped",
        "collect dropped",
        "chat dropped",
        "child dropped",
    ];
    soon(told.expect_all(guards)).await;
    world
        .until("its connection is gone", |stats| {
            stats.live_connections == 0
        })
        .await;
    world.quiet().await;
    let stats = world.stats();
    assert_eq!(
        (stats.rpcs_cancelled, stats.rpcs_completed),
        (3, 0),
        "{stats:?}"
    );
    world.end().await;
}
