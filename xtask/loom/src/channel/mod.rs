//! What a channel, its calls and its control loop share, with a loop that only hears and answers.

#[path = "../../../../client/src/channel/queue.rs"]
#[allow(
    dead_code,
    reason = "a cell of the client, of which the models use a part"
)]
pub(crate) mod queue;
#[path = "../../../../client/src/channel/snapshot.rs"]
#[allow(
    dead_code,
    reason = "a cell of the client, of which the models use a part"
)]
pub(crate) mod snapshot;

pub(crate) mod models;

/// What a channel was built with: nothing that a model looks at but its name.
pub(crate) mod builder {
    use std::sync::atomic::AtomicBool;

    use crate::sync::Notify;

    #[derive(Debug)]
    pub(crate) struct Config {
        pub(crate) target: Target,
        /// The first loop ends at once, as with a runtime that shuts down.
        pub(crate) first_dies: AtomicBool,
        /// Notified after the last word of a loop.
        pub(crate) stopped: Notify,
    }

    #[derive(Debug)]
    pub(crate) struct Target {
        pub(crate) text: &'static str,
    }
}

/// How a close went: nothing that a model looks at.
pub(crate) mod close {
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct CloseReport;
}

/// The states that a model's loop publishes.
pub(crate) mod state {
    use trunkline_core::Status;

    use crate::http2::ClientConnection;

    #[derive(Debug)]
    #[allow(dead_code, reason = "the product's")]
    pub(crate) enum Picker {
        Idle,
        Resolving,
        Connecting((), ()),
        Ready(Ready),
        Failed(Status),
        Closed(Status),
    }

    #[derive(Debug)]
    pub(crate) struct Ready {
        pub(crate) connections: Vec<ClientConnection>,
    }

    impl std::fmt::Display for Picker {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a state")
        }
    }
}

/// A control loop that answers each wish for a connection with a failure.
pub(crate) mod control {
    use std::sync::atomic::Ordering;
    use std::sync::{Arc, Weak};

    use trunkline_core::Status;

    use super::close::CloseReport;
    use super::snapshot::{Shared, Snapshot};
    use super::state::Picker;
    use crate::sync::Notify;

    #[derive(Debug)]
    pub(crate) struct Control {
        shared: Weak<Shared>,
        wake: Arc<Notify>,
    }

    impl Control {
        pub(crate) fn new(shared: &Arc<Shared>) -> Self {
            Self {
                shared: Arc::downgrade(shared),
                wake: Arc::clone(&shared.wake),
            }
        }

        /// What the product's does with these in each round, in its order.
        pub(crate) async fn run(self) {
            loop {
                let Some(shared) = self.shared.upgrade() else {
                    return;
                };
                if shared.config.first_dies.swap(false, Ordering::Relaxed) {
                    return;
                }
                if shared.closed_by().is_some() {
                    shared.publish(Snapshot::closed(shared.closed_status()));
                    shared.close_done(CloseReport);
                    return;
                }
                if shared.take_wanted() || shared.has_waiting() {
                    shared.publish(Snapshot {
                        picker: Picker::Failed(Status::unavailable("nothing is there")),
                        attempts: 1,
                        last_failure: None,
                    });
                }
                drop(shared);
                self.wake.notified().await;
            }
        }
    }

    impl Drop for Control {
        fn drop(&mut self) {
            if let Some(shared) = self.shared.upgrade() {
                shared.stopped();
                shared.config.stopped.notify_one();
            }
        }
    }
}

/// What of the balancer a state is described with: at home beside this module.
pub(crate) mod balancer {
    use trunkline_core::Status;

    pub(crate) struct Cause<'a>(pub(crate) &'a Status);

    impl std::fmt::Display for Cause<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0.message())
        }
    }
}
