//! Messages of a few bytes, by the hundred thousand: nobody's budget for small frames is used up,
//! and who sends nothing but small frames to a stream that nobody reads gets nowhere with it.

use std::time::Duration;

use tokio::task::JoinSet;
use trunkline::transport::http2::ServerConfig;
use trunkline::{Status, client};
use trunkline_test_protos::echo::Note;

use crate::handlers::{Scripted, note, scripted};
use crate::world::{World, soon};

/// More streams than a connection has by default, and messages of 15 bytes: 100,200 of them.
const STREAMS: u32 = 300;
const MESSAGES: u64 = 334;

fn tiny(n: u64) -> Note {
    note(&format!("{n:013}"))
}

async fn read_all(mut receiver: client::Receiver<Note>) -> Result<(), Status> {
    for n in 0..MESSAGES {
        assert_eq!(receiver.recv().await?, Some(tiny(n)));
    }
    assert_eq!(receiver.recv().await?, None);
    Ok(())
}

async fn world(echo: Scripted) -> World {
    let mut http2 = ServerConfig::default();
    http2.max_concurrent_streams = STREAMS;
    let server = scripted(echo).http2(http2);
    World::tcp_with(server, |channel| channel.max_connections(1)).await
}

/// All of them wait unread for a while: senders merge what is ready, so the peer's budget for
/// small frames holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tiny_messages_do_not_kill_the_connection() {
    let world = world(Scripted::default().expand(|_, _, mut responses| {
        Box::pin(async move {
            for n in 0..MESSAGES {
                responses.send(&tiny(n)).await?;
            }
            Ok(())
        })
    }))
    .await;
    let echo = world.echo();
    let mut receivers = Vec::new();
    for _ in 0..STREAMS {
        receivers.push(soon(echo.expand(note("go"))).await.unwrap());
    }
    // All handlers are done sending before anybody reads.
    world.quiet().await;
    let mut tasks = JoinSet::new();
    for receiver in receivers {
        tasks.spawn(read_all(receiver));
    }
    while let Some(task) = soon(tasks.join_next()).await {
        task.unwrap().unwrap();
    }
    assert_eq!(world.stats().connections_accepted, 1);
    drop(echo);
    world.end().await;
}

/// The same the other way: handlers that read late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tiny_requests_do_not_kill_the_connection() {
    let world = world(Scripted::default().collect(|_, mut requests| {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let mut all = Note::default();
            while let Some(each) = requests.recv().await? {
                assert_eq!(each, tiny(all.number));
                all.number += 1;
            }
            Ok(all.into())
        })
    }))
    .await;
    let echo = world.echo();
    let mut tasks = JoinSet::new();
    for _ in 0..STREAMS {
        tasks.spawn(echo.collect().upload((0..MESSAGES).map(tiny)).owned());
    }
    while let Some(task) = soon(tasks.join_next()).await {
        assert_eq!(task.unwrap().unwrap().number, MESSAGES);
    }
    assert_eq!(world.stats().connections_accepted, 1);
    drop(echo);
    world.end().await;
}
