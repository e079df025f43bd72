//! The calls: every one checks its answer, and a few are made to fail.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::sleep;
use trunkline::Status;
use trunkline_examples::multiplex::{NumbersClient, WordsClient, numbers, words};

use crate::log::Log;
use crate::services::{number, text};

/// Which stub of which task makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StubId {
    pub(crate) task: usize,
    pub(crate) stub: usize,
}

impl StubId {
    /// Some stubs make one call that fails.
    fn mischief(self) -> Option<Mischief> {
        match (self.task % 10, self.stub) {
            (2, 4) => Some(Mischief::TooLarge),
            (5, 5) => Some(Mischief::TooSlow),
            (7, 6) => Some(Mischief::LoseInterest),
            _ => None,
        }
    }

    /// A number that tells the stubs apart.
    fn seed(self) -> i64 {
        i64::try_from(10 * self.task + self.stub).unwrap_or(0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mischief {
    /// `Square` of a number that the handler refuses.
    TooLarge,
    /// `RunningTotal` with a deadline that is too short.
    TooSlow,
    /// `Split`, cancelled after the first word.
    LoseInterest,
}

/// Four calls at once over one stub of `Numbers`.
pub(crate) async fn numbers(stub: &NumbersClient, id: StubId, log: &Log) {
    let (large, slow) = (Mischief::TooLarge, Mischief::TooSlow);
    let (large, slow) = (id.mischief() == Some(large), id.mischief() == Some(slow));
    tokio::join!(
        log.call::<numbers::Square>(id, large, square(stub, id.seed(), large)),
        log.call::<numbers::CountDown>(id, false, count_down(stub, 3 + id.seed() % 5)),
        log.call::<numbers::Sum>(id, false, sum(stub, 2 + id.seed() % 7)),
        log.call::<numbers::RunningTotal>(id, slow, running_total(stub, 4 + id.seed() % 4, slow)),
    );
}

/// Four calls at once over one stub of `Words`.
pub(crate) async fn words(stub: &WordsClient, id: StubId, log: &Log) {
    let bored = id.mischief() == Some(Mischief::LoseInterest);
    tokio::join!(
        log.call::<words::Reverse>(id, false, reverse(stub, id.seed())),
        log.call::<words::Split>(id, bored, split(stub, bored)),
        log.call::<words::Join>(id, false, join(stub)),
        log.call::<words::Shout>(id, false, shout(stub, id.seed())),
    );
}

/// Unary.
async fn square(stub: &NumbersClient, n: i64, too_large: bool) -> Result<usize, Status> {
    let n = if too_large { n + 1_000_000 } else { n };
    let reply = stub.square(number(n)).await?;
    expect(&reply.value, &(n * n))?;
    Ok(2)
}

/// Server streaming: a receiver.
async fn count_down(stub: &NumbersClient, from: i64) -> Result<usize, Status> {
    let mut numbers = stub.count_down(number(from)).await?;
    let mut received = Vec::new();
    while let Some(number) = numbers.recv().await? {
        received.push(number.value);
    }
    expect(&received, &(1..=from).rev().collect())?;
    Ok(1 + received.len())
}

/// Client streaming: an iterator is uploaded.
async fn sum(stub: &NumbersClient, upto: i64) -> Result<usize, Status> {
    let reply = stub.sum().upload((1..=upto).map(number)).await?;
    expect(&reply.value, &(upto * (upto + 1) / 2))?;
    Ok(usize::try_from(upto).unwrap_or(0) + 1)
}

/// Bidirectional: one future sends while the other receives.
async fn running_total(stub: &NumbersClient, upto: i64, hurry: bool) -> Result<usize, Status> {
    let span = Duration::from_millis(if hurry { 15 } else { 5_000 });
    let (mut numbers, mut totals) = stub.running_total().timeout(span).await?;
    let send = async {
        for n in 1..=upto {
            numbers.send(&number(n)).await?;
        }
        numbers.finish();
        Ok(())
    };
    let receive = async {
        let mut received = Vec::new();
        while let Some(total) = totals.recv().await? {
            received.push(total.value);
        }
        Ok::<_, Status>(received)
    };
    let ((), received) = tokio::try_join!(send, receive)?;
    expect(&received, &(1..=upto).map(|n| n * (n + 1) / 2).collect())?;
    Ok(2 * received.len())
}

/// Unary.
async fn reverse(stub: &WordsClient, seed: i64) -> Result<usize, Status> {
    let reply = stub.reverse(text(format!("stub {seed}"))).await?;
    expect(&reply.text.chars().rev().collect(), &format!("stub {seed}"))?;
    Ok(2)
}

/// Server streaming, or given up on after one word.
async fn split(stub: &WordsClient, lose_interest: bool) -> Result<usize, Status> {
    let line = "many calls travel on one wire";
    // What is given up must not be over before: a thousand words take seconds.
    let line = if lose_interest {
        line.repeat(200)
    } else {
        line.to_owned()
    };
    let mut words = stub.split(text(line.clone())).await?;
    let mut received = Vec::new();
    while let Some(word) = words.recv().await? {
        received.push(word.text);
        if lose_interest {
            words.cancel();
        }
    }
    expect(&received.join(" "), &line)?;
    Ok(1 + received.len())
}

/// Client streaming by hand: a sender, and the future of the answer.
async fn join(stub: &WordsClient) -> Result<usize, Status> {
    let (mut words, answer) = stub.join().await?;
    for word in ["sent", "by", "hand"] {
        words.send(&text(word.to_owned())).await?;
        sleep(Duration::from_millis(4)).await;
    }
    words.finish();
    expect(answer.await?.text.as_str(), "sent by hand")?;
    Ok(4)
}

/// Bidirectional, one question at a time.
async fn shout(stub: &WordsClient, seed: i64) -> Result<usize, Status> {
    let (mut texts, mut shouts) = stub.shout().await?;
    let mut messages = 0;
    for n in 0..2 + seed % 3 {
        texts.send(&text(format!("hey {n}"))).await?;
        let shout = shouts.recv().await?.map(|shout| shout.text);
        expect(&shout, &Some(format!("HEY {n}")))?;
        messages += 2;
    }
    texts.finish();
    expect(&shouts.recv().await?, &None)?;
    Ok(messages)
}

/// A wrong answer is a failure like any other, and nobody planned it.
fn expect<T: PartialEq + Debug + ?Sized>(got: &T, want: &T) -> Result<(), Status> {
    if got == want {
        return Ok(());
    }
    Err(Status::data_loss(format!(
        "got {got:?} where {want:?} is right"
    )))
}
