//! One sender beside one receiver beside a cancel, on both sides of one stream: no hang, and no
//! lost wake-up, message or task.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinSet;
use trunkline::client;
use trunkline::server;
use trunkline::transport::http2::{ClientConfig, ServerConfig};
use trunkline::{Code, RequestContext, Status};
use trunkline_test_protos::echo::{EchoClient, Note};

use crate::handlers::{Scripted, number, scripted};
use crate::support::within;
use crate::world::{World, soaking};

const SEEDS: u64 = 1_000;

/// Less than many messages have, and far less than a sender may be ahead.
const WINDOW: u32 = 2_000;

/// What becomes of a stream in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// Both sides send all they have, and end.
    Complete,
    ClientAborts,
    ClientDropsSender,
    ClientCancels,
    ClientDropsReceiver,
    ServerFails,
    ServerEndsEarly,
    Deadline,
}

const PLANS: [Plan; 8] = [
    Plan::Complete,
    Plan::ClientAborts,
    Plan::ClientDropsSender,
    Plan::ClientCancels,
    Plan::ClientDropsReceiver,
    Plan::ServerFails,
    Plan::ServerEndsEarly,
    Plan::Deadline,
];

impl Plan {
    fn of(seed: u64) -> (Self, Rng) {
        let mut rng = Rng::with_seed(seed);
        (PLANS[rng.usize(..PLANS.len())], rng)
    }
}

/// Small ones that are merged, and some that a sender has to wait behind.
fn message(rng: &mut Rng, number: u64) -> Note {
    let most = if rng.u8(..4) == 0 { 40_000 } else { 1_000 };
    let length = rng.usize(..most);
    Note {
        data: vec![7; length],
        number,
        ..Note::default()
    }
}

/// The server's random numbers, and how many messages it sends.
fn server_sends(seed: u64) -> (Rng, u64) {
    let mut rng = Rng::with_seed(seed ^ 0x5e4d);
    let count = rng.u64(1..20);
    (rng, count)
}

/// Lets other tasks run a few times.
async fn pause(rng: &mut Rng) {
    for _ in 0..rng.usize(..8) {
        tokio::task::yield_now().await;
    }
}

/// Sends in a child and receives in the handler, as the seed in the first message tells it.
async fn serve(
    cx: &RequestContext,
    mut requests: server::Receiver<Note>,
    mut responses: server::Sender<Note>,
    completed: &AtomicU64,
) -> Result<(), Status> {
    let Some(first) = requests.recv().await? else {
        return Err(Status::invalid_argument("no seed"));
    };
    let (plan, mut rng) = Plan::of(first.number);
    let (mut sends, mine) = server_sends(first.number);
    cx.spawn(async move {
        for number in 0..mine {
            responses.send(&message(&mut sends, number)).await?;
            pause(&mut sends).await;
        }
        Ok(())
    });
    let patience = match plan {
        Plan::ServerFails | Plan::ServerEndsEarly => rng.u64(..8),
        _ => u64::MAX,
    };
    let mut count = 0;
    while count < patience {
        let Some(note) = requests.recv().await? else {
            break;
        };
        assert_eq!(note.number, count, "in order");
        count += 1;
        pause(&mut rng).await;
    }
    completed.fetch_add(1, Ordering::Relaxed);
    match plan {
        Plan::ServerFails => Err(Status::aborted("as planned")),
        _ => Ok(()),
    }
}

fn world(echo: Scripted, window: u32) -> World {
    let mut on_server = ServerConfig::default();
    on_server.stream_window_bytes = Some(window);
    let mut on_client = ClientConfig::default();
    on_client.stream_window_bytes = Some(window);
    World::memory_with(scripted(echo).http2(on_server), |channel| {
        channel.http2(on_client).max_connections(1)
    })
}

/// One run: its sender and its receiver in two tasks, and what ends them.
async fn run(echo: EchoClient, seed: u64) {
    let (plan, mut rng) = Plan::of(seed);
    let mut call = echo.chat();
    if plan == Plan::Deadline {
        call = call.timeout(Duration::from_micros(rng.u64(..20_000)));
    }
    let Ok((mut sender, received)) = call.await else {
        assert_eq!(plan, Plan::Deadline);
        return;
    };
    let mut sends = Rng::with_seed(seed ^ 0xc11e);
    let mine = sends.u64(1..20);
    let sending = tokio::spawn(async move {
        let stop = match plan {
            Plan::ClientAborts | Plan::ClientDropsSender => sends.u64(..mine),
            _ => mine,
        };
        let mut result = sender.send(&number(seed)).await;
        for number in 0..stop {
            if result.is_err() {
                break;
            }
            result = sender.send(&message(&mut sends, number)).await;
            pause(&mut sends).await;
        }
        match plan {
            Plan::ClientAborts => sender.abort(),
            Plan::ClientDropsSender => drop(sender),
            _ => sender.finish(),
        }
        result
    });
    let receiving = tokio::spawn(receive(received, plan, rng));
    let (sent, got) = tokio::join!(sending, receiving);
    let (sent, got) = (sent.unwrap(), got.unwrap());
    if plan == Plan::Complete {
        sent.unwrap();
    }
    let whole = Ok(server_sends(seed).1);
    let got = got.map_err(|error| error.code());
    match plan {
        Plan::Complete | Plan::ServerEndsEarly => assert_eq!(got, whole, "seed {seed}"),
        Plan::ServerFails => assert_eq!(got, Err(Code::Aborted), "seed {seed}"),
        Plan::ClientAborts | Plan::ClientDropsSender => {
            assert_eq!(got, Err(Code::Cancelled), "seed {seed}");
        }
        Plan::Deadline => {
            let fine = got == whole || got == Err(Code::DeadlineExceeded);
            assert!(fine, "seed {seed}: {got:?}");
        }
        Plan::ClientCancels => {
            // It may have ended before it was cancelled.
            let fine = got == whole || got == Err(Code::Cancelled);
            assert!(fine, "seed {seed}: {got:?}");
        }
        Plan::ClientDropsReceiver => assert!(got.is_ok(), "seed {seed}: {got:?}"),
    }
}

/// How many messages came before a clean end, or before it was dropped.
async fn receive(
    mut received: client::Receiver<Note>,
    plan: Plan,
    mut rng: Rng,
) -> Result<u64, Status> {
    let patience = match plan {
        Plan::ClientCancels | Plan::ClientDropsReceiver => rng.u64(..8),
        _ => u64::MAX,
    };
    let mut count = 0;
    loop {
        if count == patience {
            if plan == Plan::ClientDropsReceiver {
                return Ok(count);
            }
            received.cancel();
        }
        match received.recv().await? {
            Some(note) => assert_eq!(note.number, count, "in order"),
            None => return Ok(count),
        }
        count += 1;
        pause(&mut rng).await;
    }
}

/// All seeds, this many at a time.
async fn all(at_once: usize) {
    let completed = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&completed);
    let service = Scripted::default().chat(move |cx, requests, responses| {
        let counter = Arc::clone(&counter);
        Box::pin(async move { serve(cx, requests, responses, &counter).await })
    });
    let world = world(service, WINDOW);
    let mut runs = JoinSet::new();
    for seed in 0..SEEDS {
        if runs.len() == at_once {
            runs.join_next().await.unwrap().unwrap();
        }
        let run = run(world.echo(), seed);
        runs.spawn(async move { within(format!("seed {seed}"), run).await });
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
    let stats = world.stats();
    assert_eq!(
        stats.connections_accepted, 1,
        "the connection was lost: {stats:?}"
    );
    assert_eq!(stats.rpcs_panicked, 0, "{stats:?}");
    assert!(completed.load(Ordering::Relaxed) > SEEDS / 5, "{stats:?}");
    world.end().await;
}

#[tokio::test]
async fn a_sender_beside_a_receiver_beside_a_cancel_on_one_thread() {
    all(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sender_beside_a_receiver_beside_a_cancel_on_several_threads() {
    all(8).await;
}

/// As many as a debug build does in seconds; 100,000 under `cargo xtask soak`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answered_and_then_cancelled_calls_leave_the_connection_healthy() {
    const TASKS: u64 = 50;
    let calls = if soaking() { 100_000 } else { 20_000 };
    // One message to be read, some that will not be, and then for ever nothing.
    let service = Scripted::default().expand(|_, request, mut responses| {
        Box::pin(async move {
            for each in 0..request.number {
                responses.send(&number(each)).await?;
            }
            std::future::pending().await
        })
    });
    let world = world(service, 64 * 1024);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let echo = world.echo();
        tasks.spawn(async move {
            for call in 0..calls / TASKS {
                let request = number(1 + (task + call) % 7);
                let mut received = echo.expand(request).await.unwrap();
                let first = within("an answer", received.recv()).await;
                assert!(first.expect("an answer").is_some());
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    world.quiet().await;
    let reply = within("a reply", world.echo().once(number(7))).await;
    assert_eq!(reply.unwrap().number, 7);
    let stats = world.stats();
    assert_eq!(stats.connections_accepted, 1, "{stats:?}");
    assert_eq!(stats.rpcs_cancelled, calls, "{stats:?}");
    world.end().await;
}
