//! Messages of a few bytes, by the hundred thousand: nobody's budget for small frames is used up.

use std::time::Duration;

use tokio::task::JoinSet;
use trunkline::{Status, client};
use trunkline_test_protos::echo::Note;

use crate::handlers::{Scripted, number, plain, scripted};
use crate::world::{World, soon};

async fn read_all(mut receiver: client::Receiver<Note>, count: u64) -> Result<(), Status> {
    for n in 0..count {
        let received = receiver.recv().await?;
        assert_eq!(received.map(|each| each.number), Some(n));
    }
    assert_eq!(receiver.recv().await?, None);
    Ok(())
}

/// 100,000 tiny messages on 200 streams wait unread for a while: senders merge what is ready, so
/// the peer's budget for small frames holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tiny_messages_do_not_kill_the_connection() {
    let world = World::tcp(plain()).await;
    let echo = world.echo();
    let mut receivers = Vec::new();
    for _ in 0..200 {
        receivers.push(soon(echo.expand(number(500))).await.unwrap());
    }
    // All handlers are done sending before anybody reads.
    world.quiet().await;
    let mut tasks = JoinSet::new();
    for receiver in receivers {
        tasks.spawn(read_all(receiver, 500));
    }
    while let Some(task) = soon(tasks.join_next()).await {
        task.unwrap().unwrap();
    }
    drop(echo);
    world.end().await;
}

/// The same the other way: handlers that read late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tiny_requests_do_not_kill_the_connection() {
    let world = World::tcp(scripted(Scripted::default().collect(|_, mut requests| {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let mut all = Note::default();
            while let Some(each) = requests.recv().await? {
                all.number += each.number;
            }
            Ok(all.into())
        })
    })))
    .await;
    let echo = world.echo();
    let mut tasks = JoinSet::new();
    for _ in 0..200 {
        tasks.spawn(echo.collect().upload((0..500).map(number)).owned());
    }
    while let Some(task) = soon(tasks.join_next()).await {
        assert_eq!(task.unwrap().unwrap().number, 499 * 500 / 2);
    }
    drop(echo);
    world.end().await;
}
