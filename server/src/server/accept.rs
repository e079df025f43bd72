//! Taking connections from a listener. Nothing that a listener says ends this, but the stop.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trunkline_transport::credentials::BoxCredentials;
use trunkline_transport::{BoxListener, now};

use super::Shared;
use super::stats::{ConnectionGuard, ListenerGuard};
use super::workers::{Accepted, Place};

/// The first pause after an error that a retry at once would meet again, such as EMFILE.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// The longest pause: a server that is out of descriptors looks again each second.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A listener, and what secures the connections that it takes.
pub(super) struct Door {
    pub(super) listener: BoxListener,
    pub(super) credentials: BoxCredentials,
}

/// Accepts until the server stops, then drops the listener.
pub(super) async fn run(door: Door, place: Place, shared: Arc<Shared>) {
    let Door {
        mut listener,
        credentials,
    } = door;
    let _live = ListenerGuard::new(Arc::clone(&shared));
    let address = listener.address();
    tracing::debug!(%address, "listening");
    let mut pause = Pause::default();
    let mut refusals = Seldom::default();
    while let Some(accepted) = shared.drain.unless(listener.accept()).await {
        match accepted {
            Ok((io, from)) => {
                pause = Pause::default();
                match ConnectionGuard::new(&shared) {
                    Some(guard) => {
                        place.start(Accepted {
                            io,
                            from,
                            credentials: credentials.clone(),
                            guard,
                            shared: Arc::clone(&shared),
                        });
                    }
                    None => {
                        if let Some(more) = refusals.tell(now()) {
                            let limit = shared.limits.max_connections;
                            tracing::warn!(
                                %address, %from, limit, more, "connection refused: too many"
                            );
                        }
                    }
                }
            }
            Err(error) => {
                shared.counters.accept_failed();
                let wait = pause.after(&error);
                if wait.is_zero() {
                    tracing::debug!(%address, %error, "a connection was gone before it was taken");
                } else {
                    tracing::warn!(%address, %error, pause = ?wait, "accept failed");
                }
                // Even a pause of nothing lets other tasks run.
                let slept = async {
                    tokio::task::yield_now().await;
                    tokio::time::sleep(wait).await;
                };
                if shared.drain.unless(slept).await.is_none() {
                    break;
                }
            }
        }
    }
    tracing::debug!(%address, "not listening any more");
}

/// How long to wait after an error of `accept`.
///
/// 1. An error that concerns one connection alone (it was gone before we took it): not at all, or
///    whoever opens and resets connections could slow the others down.
/// 2. Anything else: 5 ms, doubling up to 1 s, and from 5 ms again after a success.
#[derive(Debug, Default)]
struct Pause {
    last: Option<Duration>,
}

impl Pause {
    fn after(&mut self, error: &io::Error) -> Duration {
        if is_of_one_connection(error) {
            return Duration::ZERO;
        }
        let next = self
            .last
            .map_or(FIRST_PAUSE, |last| (last * 2).min(LONGEST_PAUSE));
        self.last = Some(next);
        next
    }
}

/// Keeps what clients can bring about as often as they like from filling the log.
///
/// Shape: at most one line a second, which says how many more there were since the last one.
#[derive(Debug, Default)]
struct Seldom {
    told: Option<Instant>,
    kept: u64,
}

impl Seldom {
    /// One more: how many were kept back since the last line, if it is time for the next one.
    fn tell(&mut self, now: Instant) -> Option<u64> {
        let quiet = self.told.and_then(|told| told.checked_add(LONGEST_PAUSE));
        if quiet.is_some_and(|until| now < until) {
            self.kept += 1;
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.kept))
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::{Duration, Instant};

    use super::{Pause, Seldom};

    #[test]
    fn refusals_are_told_once_a_second_and_counted_between() {
        let mut refusals = Seldom::default();
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let told = [0, 1, 999, 1_000, 1_001, 5_000].map(|millis| refusals.tell(at(millis)));
        assert_eq!(told, [Some(0), None, None, Some(2), None, Some(1)]);
    }

    #[test]
    fn pauses_grow_to_a_second_and_one_lost_connection_costs_none() {
        let mut pause = Pause::default();
        let full = io::Error::from_raw_os_error(24);
        let aborted = io::Error::from(io::ErrorKind::ConnectionAborted);
        let pauses: Vec<_> = (0..10).map(|_| pause.after(&full).as_millis()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        assert_eq!(pause.after(&aborted).as_millis(), 0);
    }
}
