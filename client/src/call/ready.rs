//! The slow path of a pick: waiting for a connection, and for a free stream on one.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use trunkline_core::{Stage, Status};

use super::expiry::Expiry;
use crate::channel::{Picked, Picker, Shared, loop_panics};

/// How often one call starts a control loop that panics: what makes it panic is mostly a runtime
/// without a timer, which does not change.
const MAX_STARTS: u32 = 3;

/// Waits until a stream can be opened; the deadline bounds all of it.
///
/// Errors: what the channel failed with, at once unless the call waits for ready;
/// DEADLINE_EXCEEDED saying what the call was waiting for; INTERNAL where no channel can run.
pub(crate) async fn wait(
    shared: Arc<Shared>,
    wait_for_ready: bool,
    mut expiry: Expiry,
) -> Result<Picked, Status> {
    // Who calls again and again what fails at once gives way to others now and then: to those too that would make it
    // succeed.
    tokio::task::coop::consume_budget().await;
    let _waiting = shared.count_waiting();
    let mut starts = 0_u32;
    loop {
        // Registered before the snapshot is read: a change in between is not missed.
        let mut changed = pin!(shared.changed.notified());
        changed.as_mut().enable();
        if shared.closed_by().is_some() {
            return Err(shared.closed_status());
        }
        if shared.ensure_running()? {
            starts += 1;
            if starts > 1 {
                if starts > MAX_STARTS && shared.has_panicked() {
                    return Err(loop_panics());
                }
                // The runtime is shutting down and drops each new loop at once: give way to it.
                tokio::task::yield_now().await;
            }
        }
        match &shared.snapshot().picker {
            Picker::Failed(why) if !wait_for_ready => return Err(why.clone()),
            Picker::Closed(why) => return Err(why.clone()),
            Picker::Idle => shared.wake.notify_one(),
            Picker::Failed(_) | Picker::Resolving | Picker::Connecting(..) => {}
            Picker::Ready(_) => match queue(&shared, &mut expiry).await? {
                Some(picked) => return Ok(picked),
                None => continue,
            },
        }
        if expiry.bound(changed).await.is_none() {
            let snapshot = shared.snapshot();
            return Err(expiry
                .status(snapshot.stage(), snapshot.describe())
                .with_unprocessed(true));
        }
    }
}

/// Waits in order of arrival for a free stream; `None` where the connections are gone.
async fn queue(shared: &Shared, expiry: &mut Expiry) -> Result<Option<Picked>, Status> {
    let picked = shared.try_pick(|connection, permit| Picked {
        connection: connection.clone(),
        permit,
    });
    if picked.is_some() {
        return Ok(picked);
    }
    let mut ticket = shared.queue.join();
    shared.wake.notify_one();
    loop {
        // Registered before the snapshot is read: a change in between is not missed.
        let mut changed = pin!(shared.changed.notified());
        changed.as_mut().enable();
        if !matches!(shared.snapshot().picker, Picker::Ready(_)) {
            return Ok(None);
        }
        let back = || shared.wake.notify_one();
        let either = poll_fn(|cx| match ticket.poll_turn(cx, back) {
            Poll::Ready(picked) => Poll::Ready(Some(picked)),
            Poll::Pending => changed.as_mut().poll(cx).map(|()| None),
        });
        match expiry.bound(either).await {
            Some(Some(picked)) => return Ok(Some(picked)),
            Some(None) => {}
            None => return Err(expired_in_queue(shared, expiry)),
        }
    }
}

fn expired_in_queue(shared: &Shared, expiry: &Expiry) -> Status {
    let snapshot = shared.snapshot();
    expiry
        .status(Stage::Pick, snapshot.describe())
        .with_unprocessed(true)
}
