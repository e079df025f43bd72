//! When the control loop takes connections up, and when it lets go of them: IDLE and the close.

use std::sync::Arc;
use std::time::Instant;

use trunkline_transport::http2::ClientConnection;
use trunkline_transport::now;

use super::{Control, Done};
use crate::balancer::Verdict;
use crate::channel::close::{CloseAction, CloseReport, Closing};
use crate::channel::snapshot::Shared;
use crate::resolver::resolver;
use crate::subchannel::ConnectionId;

impl Control {
    /// The connection takes no more calls: only its end is left to be told.
    pub(super) fn watch_end(&mut self, number: ConnectionId) {
        if let Some(connection) = self.open.get(&number).cloned() {
            self.tasks.spawn(async move {
                connection.ended().await;
                Done::Ended(number)
            });
        }
    }

    /// Calls that are open on any connection.
    fn calls(&self) -> usize {
        self.open.values().map(|each| each.usage().in_use).sum()
    }

    /// Leaves IDLE if a connection is wanted, and goes there if none has been for long. True if
    /// either happened.
    pub(super) fn sleep_or_wake(&mut self, shared: &Shared) -> bool {
        let wanted = shared.take_wanted() || shared.has_waiting();
        if wanted && matches!(self.balancer.verdict(), Verdict::Idle) {
            let config = &shared.config;
            self.resolver
                .get_or_insert_with(|| resolver(&config.target.endpoint, &config.backoff));
            let mut actions = Vec::new();
            self.balancer.wanted(&mut actions);
            self.execute(actions);
            self.idleness.start(now());
            return true;
        }
        if self.idleness.wake_at().is_none_or(|at| now() < at) {
            return false;
        }
        let begun = self.open.values().map(ClientConnection::opened);
        let begun = begun.fold(shared.waited(), u64::wrapping_add);
        let is_used = wanted || self.calls() > 0;
        if !self.idleness.look(now(), begun, is_used) {
            return false;
        }
        tracing::info!(target = %shared.config.target.text, "no call for long: going idle");
        self.let_go();
        true
    }

    /// Stops resolving and connecting, and lets connections end with their last call.
    fn let_go(&mut self) {
        let mut actions = Vec::new();
        self.resolver = None;
        self.balancer.sleep(&mut actions);
        self.execute(actions);
        self.forgive();
    }

    /// Closes the channel step by step; the report once that is done.
    pub(super) fn close(&mut self, shared: &Arc<Shared>, until: Instant) -> Option<CloseReport> {
        let calls = self.calls();
        if self.closing.is_none() {
            tracing::info!(target = %shared.config.target.text, calls, "closing the channel");
            self.kept = Some(Arc::clone(shared));
            self.idleness.stop();
            self.let_go();
            for connection in self.open.values() {
                connection.close();
            }
        }
        let closing = self
            .closing
            .get_or_insert_with(|| Closing::new(now(), until, calls));
        closing.shorten(until);
        match closing.tick(now(), self.open.len(), calls) {
            CloseAction::Wait => None,
            CloseAction::Cut => {
                let why = shared.closed_status().with_unprocessed(false);
                let why = why.context("the grace of the close is over");
                for connection in self.open.values() {
                    connection.abort(why.clone());
                }
                None
            }
            CloseAction::Done(report) => Some(report),
        }
    }
}
