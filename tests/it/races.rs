//! One sender beside one receiver beside whoever gives the call up, in tasks of their own, a
//! thousand times by seeded chance: nobody hangs, nothing is out of order, a cut never looks like
//! an end.

use fastrand::Rng;
use tokio::task::{JoinHandle, yield_now};
use trunkline::{Code, Status, client, server};
use trunkline_test_protos::echo::Note;

use crate::handlers::{Running, Scripted, number, scripted};
use crate::world::{World, soon};

const SEEDS: u64 = 1_000;

async fn pause(random: &mut Rng) {
    for _ in 0..random.u8(..4) {
        yield_now().await;
    }
}

/// Sends `count` numbers, and finishes unless the dice are against it.
async fn send(mut sender: client::Sender<Note>, count: u64, mut random: Rng) -> Result<(), Status> {
    for n in 0..count {
        sender.send(&number(n)).await?;
        pause(&mut random).await;
    }
    match random.u8(..10) {
        0 => sender.abort(),
        1 => drop(sender),
        _ => sender.finish(),
    }
    Ok(())
}

/// Receives until the end, of whatever kind; gives how much came before it.
async fn receive(
    mut receiver: client::Receiver<Note>,
    mut random: Rng,
) -> (u64, Result<(), Status>) {
    let cancel_after = (random.u8(..10) == 0).then(|| random.u64(..10));
    let mut received = 0;
    loop {
        if cancel_after == Some(received) {
            receiver.cancel();
        }
        match receiver.recv().await {
            Ok(Some(each)) => assert_eq!(each.number, received, "order is kept"),
            Ok(None) => return (received, Ok(())),
            Err(status) => return (received, Err(status)),
        }
        received += 1;
        pause(&mut random).await;
    }
}

/// Sends back what comes in from two tasks of its own, or fails on the way.
fn mirror<'a>(
    cx: &'a trunkline::RequestContext,
    mut requests: server::Receiver<Note>,
    mut responses: server::Sender<Note>,
) -> Running<'a, ()> {
    let seed = cx.metadata().get("seed").and_then(|seed| seed.parse().ok());
    let mut random = Rng::with_seed(seed.unwrap_or(0) ^ 0x5eed);
    let fail_at = (random.u8(..5) == 0).then(|| random.u64(..20));
    let (hand_over, mut handed_over) = tokio::sync::mpsc::channel(4);
    cx.spawn(async move {
        while let Some(each) = handed_over.recv().await {
            responses.send(&each).await?;
        }
        Ok(())
    });
    Box::pin(async move {
        let mut seen = 0;
        while let Some(each) = requests.recv().await? {
            if fail_at == Some(seen) {
                return Err(Status::aborted("by chance"));
            }
            seen += 1;
            // Fails only when the child has, which is then the RPC's status.
            let _ = hand_over.send(each).await;
            pause(&mut random).await;
        }
        Ok(())
    })
}

/// What a task came to, unless it was aborted.
async fn outcome<T>(task: JoinHandle<T>) -> Option<T> {
    match soon(task).await {
        Ok(done) => Some(done),
        Err(error) => {
            assert!(error.is_cancelled(), "{error}");
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_sender_one_receiver_and_a_cancel_never_hang() {
    let world = World::tcp(scripted(Scripted::default().chat(mirror))).await;
    let echo = world.echo();
    let (mut clean, mut cut) = (0, 0);
    for seed in 0..SEEDS {
        let mut random = Rng::with_seed(seed);
        let count = random.u64(..40);
        let call = echo.chat().metadata("seed", seed.to_string());
        let (sender, receiver) = soon(call).await.unwrap();
        let sending = tokio::spawn(send(sender, count, random.fork()));
        let receiving = tokio::spawn(receive(receiver, random.fork()));
        // The third party takes half of the call away, or all of it, or leaves it alone.
        for _ in 0..random.u8(..30) {
            yield_now().await;
        }
        match random.u8(..8) {
            0 => sending.abort(),
            1 => receiving.abort(),
            2 => {
                sending.abort();
                receiving.abort();
            }
            _ => {}
        }
        let sent = outcome(sending).await;
        match outcome(receiving).await {
            Some((received, Ok(()))) => {
                assert_eq!(received, count, "seed {seed}: a clean end before the end");
                assert!(sent.is_some_and(|sent| sent.is_ok()), "seed {seed}");
                clean += 1;
            }
            Some((received, Err(status))) => {
                assert!(received <= count, "seed {seed}");
                let expected = matches!(status.code(), Code::Cancelled | Code::Aborted);
                assert!(expected, "seed {seed}: {status}");
                cut += 1;
            }
            None => {}
        }
    }
    assert!(
        clean > 100 && cut > 100,
        "{clean} clean, {cut} cut: the dice are loaded"
    );
    assert_eq!(world.stats().connections_accepted, 1);
    drop(echo);
    world.end().await;
}

/// The same for calls with one request: answered, given up, or too late, at about the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_race_with_deadlines_and_drops() {
    let world = World::tcp(scripted(Scripted::default().once(|_, request| {
        Box::pin(async move {
            for _ in 0..request.number {
                yield_now().await;
            }
            Ok(request.into())
        })
    })))
    .await;
    let echo = world.echo();
    for seed in 0..SEEDS {
        let mut random = Rng::with_seed(seed);
        let stub = echo.clone();
        let work = random.u64(..30);
        let micros = random.u64(1..2_000);
        let call = tokio::spawn(async move {
            stub.once(number(work))
                .timeout(std::time::Duration::from_micros(micros))
                .await
        });
        for _ in 0..random.u8(..30) {
            yield_now().await;
        }
        if random.bool() {
            call.abort();
        }
        match outcome(call).await {
            Some(Ok(reply)) => assert_eq!(reply.number, work),
            Some(Err(late)) => assert_eq!(late.code(), Code::DeadlineExceeded, "{seed}: {late}"),
            None => {}
        }
    }
    assert_eq!(soon(echo.once(number(1))).await.unwrap().number, 1);
    assert_eq!(world.stats().connections_accepted, 1);
    drop(echo);
    world.end().await;
}
