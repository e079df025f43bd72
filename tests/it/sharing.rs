//! One channel, many stubs, many tasks: everything shares one connection and nothing waits for
//! anything else.

use std::marker::PhantomData;
use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;
use trunkline::client::{self, Summary};
use trunkline::transport::http2::ServerConfig;
use trunkline::{Channel, Status, server};
use trunkline_test_protos::echo::{EchoClient, Note};
use trunkline_test_protos::ledger::{Entry, LedgerClient};

use crate::handlers::{amount, gated, note, number, plain};
use crate::world::{World, soon};

const TASKS: usize = 1_000;
const STUBS: usize = 10;

/// Room for every call of a test on one connection.
fn two_thousand_streams() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.max_concurrent_streams = 2_000;
    config
}

/// Call number `n`, its kind and service by turns; whether the answer is right.
async fn one_of_eight(n: usize, echo: &EchoClient, ledger: &LedgerClient) -> Result<(), Status> {
    let text = format!("call {n}");
    let size = i64::try_from(n).expect("a small number");
    match n % 8 {
        0 => assert_eq!(echo.once(note(&text)).await?.text, text),
        1 => assert_eq!(ledger.double(amount(size)).await?.amount, 2 * size),
        2 => {
            let mut notes = echo.expand(number(5)).await?;
            for expected in 0..5 {
                assert_eq!(notes.recv().await?.map(|each| each.number), Some(expected));
            }
            assert_eq!(notes.recv().await?, None);
        }
        3 => {
            let mut entries = ledger.count(amount(5)).await?;
            for expected in 1..=5 {
                assert_eq!(entries.recv().await?, Some(amount(expected)));
            }
            assert_eq!(entries.recv().await?, None);
        }
        4 => {
            let all = echo
                .collect()
                .upload([note(&text), note("+"), note(&text)])
                .await?;
            assert_eq!(all.text, format!("{text}+{text}"));
        }
        5 => {
            let (mut sender, sum) = ledger.sum().await?;
            for each in 1..=4 {
                sender.send(&amount(each * size)).await?;
            }
            sender.finish();
            assert_eq!(sum.await?.amount, 10 * size);
        }
        6 => {
            let (mut sender, mut receiver) = echo.chat().await?;
            for _ in 0..5 {
                sender.send(&note(&text)).await?;
                assert_eq!(receiver.recv().await?, Some(note(&text)));
            }
            sender.finish();
            assert_eq!(receiver.recv().await?, None);
        }
        _ => {
            let (mut sender, mut receiver) = ledger.balance().await?;
            for each in 1..=5 {
                sender.send(&amount(size)).await?;
                assert_eq!(receiver.recv().await?, Some(amount(each * size)));
            }
            sender.finish();
            assert_eq!(receiver.recv().await?, None);
        }
    }
    Ok(())
}

/// A thousand tasks, each with one of ten stubs of both services on the one channel.
async fn a_thousand_calls(channel: &Channel) {
    let echoes: Vec<_> = (0..STUBS)
        .map(|_| EchoClient::new(channel.clone()))
        .collect();
    let ledgers: Vec<_> = (0..STUBS)
        .map(|_| LedgerClient::new(channel.clone()))
        .collect();
    let mut tasks = JoinSet::new();
    for n in 0..TASKS {
        let (echo, ledger) = (echoes[n % STUBS].clone(), ledgers[n % STUBS].clone());
        tasks.spawn(async move { one_of_eight(n, &echo, &ledger).await });
    }
    while let Some(task) = soon(tasks.join_next()).await {
        task.unwrap().unwrap();
    }
}

/// No handler answers before all thousand are running: one that another held up would hold up all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_of_all_kinds_are_in_flight_at_once_on_one_connection() {
    let gate = Arc::new(Barrier::new(TASKS));
    let server = gated(&gate).http2(two_thousand_streams());
    let world = World::tcp_with(server, |channel| channel.max_connections(1)).await;
    a_thousand_calls(&world.channel).await;
    assert_eq!(world.stats().connections_accepted, 1);
    assert_eq!(world.stats().rpcs_started, 1_000);
    world.quiet().await;
    assert_eq!(world.stats().rpcs_completed, 1_000);
    world.end().await;
}

/// By queueing on the stream limit, or with more connections: as it comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_end_with_the_defaults_too() {
    let world = World::tcp(plain()).await;
    a_thousand_calls(&world.channel).await;
    assert!(
        (1..=4).contains(&world.stats().connections_accepted),
        "{:?}",
        world.stats()
    );
    assert_eq!(world.stats().rpcs_started, 1_000);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_stub_in_an_arc_serves_a_thousand_tasks() {
    let world = World::tcp(plain()).await;
    let echo = Arc::new(world.echo());
    let mut tasks = JoinSet::new();
    for n in 0..1_000 {
        let echo = Arc::clone(&echo);
        tasks.spawn(async move { (n, echo.once(number(n)).await) });
    }
    while let Some(task) = soon(tasks.join_next()).await {
        let (n, reply) = task.unwrap();
        assert_eq!(reply.unwrap().number, n);
    }
    drop(echo);
    world.end().await;
}

/// A call borrows its stub, and `owned` makes it fit for a task: nobody clones a stub.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_stub_behind_a_reference_serves_a_thousand_tasks() {
    let world = World::tcp(plain()).await;
    let echo = world.echo();
    let stub = &echo;
    let mut tasks = JoinSet::new();
    for n in 0..1_000 {
        tasks.spawn(stub.once(number(n)).owned());
    }
    let mut sum = 0;
    while let Some(task) = soon(tasks.join_next()).await {
        sum += task.unwrap().unwrap().number;
    }
    assert_eq!(sum, 999 * 1_000 / 2);

    // And several calls at once from one task, with nothing but the reference.
    let (one, two, three) = tokio::join!(stub.once(number(1)), stub.once(number(2)), async {
        let mut notes = stub.expand(number(1)).await?;
        notes.recv().await
    });
    assert_eq!(one.unwrap().number + two.unwrap().number, 3);
    assert_eq!(three.unwrap().unwrap().number, 0);
    drop(echo);
    world.end().await;
}

const fn shareable<T: Clone + Send + Sync + 'static>() {}
const fn movable<T: Send + 'static>() {}

const _: () = {
    shareable::<Channel>();
    shareable::<EchoClient>();
    shareable::<LedgerClient>();
    shareable::<Status>();
    movable::<client::Sender<Note>>();
    movable::<client::Receiver<Note>>();
    movable::<Summary<Entry>>();
    movable::<server::Sender<Note>>();
    movable::<server::Receiver<Note>>();
};

/// Asks whether a type is `Clone`: the constant of its own comes before that of the trait, but
/// exists only where the bound holds.
struct Ask<T>(PhantomData<T>);

trait Otherwise {
    const IS_CLONE: bool = false;
}

impl<T> Otherwise for Ask<T> {}

impl<T: Clone> Ask<T> {
    const IS_CLONE: bool = true;
}

const _: () = {
    assert!(Ask::<Channel>::IS_CLONE);
    assert!(!Ask::<client::Sender<Note>>::IS_CLONE);
    assert!(!Ask::<client::Receiver<Note>>::IS_CLONE);
    assert!(!Ask::<Summary<Note>>::IS_CLONE);
    assert!(!Ask::<server::Sender<Note>>::IS_CLONE);
    assert!(!Ask::<server::Receiver<Note>>::IS_CLONE);
};
