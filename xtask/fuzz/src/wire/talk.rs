//! Speaking a script while listening, on paused time, with an end to every wait.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use trunkline_transport::BoxIo;

use super::{Output, Step};

/// How long the other side may not read before the rest is not sent; longer than its own bounds.
const PATIENCE: Duration = Duration::from_secs(60);

/// No promise here takes this long. It passes at once when nothing else can happen.
const BOUND: Duration = Duration::from_secs(600);

/// Runs a scenario on a runtime of its own, whose clock jumps when nobody has anything to do.
pub(crate) fn on_paused_time(scenario: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime").block_on(scenario);
}

/// What must not hang.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match timeout(BOUND, future).await {
        Ok(output) => output,
        Err(_elapsed) => panic!("{what} takes for ever"),
    }
}

/// When a peer reads what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    AllAlong,
    /// Only once it has said everything: what it is sent has to wait meanwhile.
    InTheEnd,
}

impl Hearing {
    pub(crate) const fn late(yes: bool) -> Self {
        if yes { Self::InTheEnd } else { Self::AllAlong }
    }
}

/// Says all of a script and hears what the other side says, until `linger` after the script's end,
/// or the other side's.
pub(crate) async fn speak(
    io: BoxIo,
    steps: Vec<Step>,
    hearing: Hearing,
    linger: Duration,
    mut output: Output,
) -> Output {
    let (mut reads, mut writes) = tokio::io::split(io);
    let says = async {
        for step in steps {
            match step {
                Step::Send(bytes) => {
                    let sent = async {
                        writes.write_all(&bytes).await?;
                        writes.flush().await
                    };
                    match timeout(PATIENCE, sent).await {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) | Err(_) => break,
                    }
                }
                Step::Wait(time) => tokio::time::sleep(time).await,
                Step::Finish => {
                    let _ = writes.shutdown().await;
                    break;
                }
            }
        }
    };
    let hears = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(read @ 1..) = reads.read(&mut buffer).await {
            output.push(buffer.get(..read).unwrap_or_default());
        }
    };
    if hearing == Hearing::InTheEnd {
        says.await;
        let _ = timeout(linger, hears).await;
        return output;
    }
    let says = async {
        says.await;
        tokio::time::sleep(linger).await;
    };
    // Whoever hears the end has heard all.
    tokio::select! {
        biased;
        () = hears => {}
        () = says => {}
    }
    output
}
