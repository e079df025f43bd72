//! The children of one RPC, and those who wait for its cancellation.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::task::{JoinError, JoinSet};
use trunkline_core::{Stage, Status};

use super::cancel::Cause;
use crate::server::ChildGuard;
use crate::signal::Signal;

/// What an RPC has beside its handler. Dropping it aborts the children.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// Made by the first one, for it allocates.
    children: Mutex<Option<JoinSet<Result<(), Status>>>>,
    cancelled: Signal,
    /// Somebody has called `cancelled()`.
    watched: AtomicBool,
}

impl Scope {
    pub(super) fn spawn(
        &self,
        guard: ChildGuard,
        child: impl Future<Output = Result<(), Status>> + Send + 'static,
    ) {
        let mut children = self.children();
        children.get_or_insert_default().spawn(async move {
            let _guard = guard;
            child.await
        });
    }

    pub(super) async fn cancelled(&self) {
        self.watched.store(true, Ordering::Relaxed);
        self.cancelled.wait().await;
    }

    /// Tells those who wait for the cancellation; true if there are any.
    pub(super) fn cancel(&self) -> bool {
        self.cancelled.raise();
        self.watched.load(Ordering::Relaxed)
    }

    /// Ready when no child runs any more, or when one has failed.
    pub(super) fn poll_done(&self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        let mut children = self.children();
        let Some(children) = &mut *children else {
            return Poll::Ready(Ok(()));
        };
        loop {
            match ready!(children.poll_join_next(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(status))) => return Poll::Ready(Err(Cause::Child(status))),
                Some(Err(error)) => return Poll::Ready(Err(broken(&error))),
            }
        }
    }

    pub(super) fn abort(&self) {
        if let Some(children) = &mut *self.children() {
            children.abort_all();
        }
    }

    fn children(&self) -> MutexGuard<'_, Option<JoinSet<Result<(), Status>>>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn broken(error: &JoinError) -> Cause {
    if error.is_panic() {
        return Cause::ChildPanic;
    }
    // Nobody but the runtime's own shutdown aborts a child of a live RPC.
    let status = Status::unavailable("the runtime is shutting down");
    Cause::Child(status.with_stage(Stage::Handler))
}
