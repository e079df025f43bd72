//! A peer that says a program, and writes down what the engine does after each of its steps.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use trunkline::transport::BoxIo;

use super::program::Step;
use super::seen::{Event, Log};
use crate::http2::native::spoken::Spoken;

/// On paused time this passes once nobody has anything to do any more.
const SILENCE: Duration = Duration::from_millis(1);

/// How long an engine may leave the peer's bytes unread: those of this length it takes at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is seen later than this after the last frame is nobody's answer to it.
const LINGER: Duration = Duration::from_secs(3);

/// Says everything, and calls `before` before each step; what was seen after each step, and at last after the end of what is said.
pub(super) async fn talk(
    io: BoxIo,
    steps: &[Step],
    log: &Log,
    mut spoken: Spoken,
    mut before: impl AsyncFnMut(usize),
) -> Vec<Vec<Event>> {
    let (mut reads, mut writes) = tokio::io::split(io);
    let hearing = log.clone();
    let hears = tokio::spawn(async move {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(read @ 1..) = reads.read(&mut buffer).await {
            spoken.push(buffer.get(..read).unwrap_or_default());
        }
        hearing.push(Event::Closed);
    });
    let mut seen = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        before(at).await;
        // What that leads to goes out before the peer says more.
        sleep(SILENCE).await;
        for piece in &step.pieces {
            // One that is gone takes nothing: what was said before counts.
            let _ = timeout(PATIENCE, writes.write_all(&piece.bytes)).await;
            let _ = writes.flush().await;
            if let Some(time) = piece.then {
                sleep(time).await;
            }
        }
        sleep(SILENCE).await;
        seen.push(log.take());
    }
    let _ = writes.shutdown().await;
    sleep(LINGER).await;
    seen.push(log.take());
    hears.abort();
    if let Err(error) = hears.await
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
    seen
}
