//! Threads with a runtime of their own, each of which serves some of the connections whole.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use trunkline_core::Status;
use trunkline_transport::credentials::BoxCredentials;
use trunkline_transport::{Address, BoxIo, DetachedIo};

use super::stats::ConnectionGuard;
use super::{Shared, connection};

/// How long a worker waits for the last words of its connections once the server has stopped:
/// they take 100 ms, so this is only ever reached by one that hangs.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Where a server's connections are served.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// On the runtime that `serve` runs on.
    Here,
    Workers(Arc<[Worker]>),
}

/// A connection that was accepted, on its way to its task.
pub(super) struct Accepted {
    pub(super) io: BoxIo,
    pub(super) from: Address,
    pub(super) credentials: BoxCredentials,
    pub(super) guard: ConnectionGuard,
    pub(super) shared: Arc<Shared>,
}

impl Accepted {
    fn run(self) -> impl Future<Output = ()> + Send {
        let Self {
            io,
            from,
            credentials,
            guard,
            shared,
        } = self;
        connection::run(io, from, credentials, guard, shared)
    }
}

impl Place {
    /// Starts the connection's task, on the worker that has the fewest.
    pub(super) fn start(&self, accepted: Accepted) {
        match self {
            Self::Here => {
                tokio::spawn(accepted.run());
            }
            Self::Workers(all) => {
                if let Some(worker) = all.iter().min_by_key(|worker| worker.live()) {
                    worker.take(accepted);
                }
            }
        }
    }
}

/// One thread, from where connections are handed to it.
#[derive(Debug)]
pub(super) struct Worker {
    jobs: mpsc::UnboundedSender<Job>,
    live: Arc<AtomicUsize>,
}

/// There are as many as `max_connections` at the most.
struct Job {
    io: DetachedIo,
    /// All but the `io`, which is not on a runtime now.
    rest: Box<dyn FnOnce(BoxIo) -> Accepted + Send>,
    live: Live,
}

/// One of a worker's connections.
struct Live(Arc<AtomicUsize>);

impl Live {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Worker {
    fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    fn take(&self, accepted: Accepted) {
        let Accepted {
            io,
            from,
            credentials,
            guard,
            shared,
        } = accepted;
        let io = match io.detach() {
            Ok(io) => io,
            Err(error) => {
                tracing::debug!(peer = %from, %error, "the socket cannot be moved to its worker");
                return;
            }
        };
        let rest = Box::new(|io| Accepted {
            io,
            from,
            credentials,
            guard,
            shared,
        });
        let live = Live::new(&self.live);
        // Refused only by a worker whose thread has ended, and the server with it.
        let _ = self.jobs.send(Job { io, rest, live });
    }
}

/// The threads of a server, seen from `serve`.
pub(super) struct Threads {
    ended: Vec<oneshot::Receiver<()>>,
}

impl Threads {
    /// Starts as many threads as are asked for; 0 is one for each processor.
    ///
    /// Errors: UNAVAILABLE when the system refuses a thread or what its runtime needs.
    pub(super) fn start(wanted: usize, shared: &Arc<Shared>) -> Result<(Self, Place), Status> {
        let wanted = match wanted {
            0 => thread::available_parallelism().map_or(1, NonZeroUsize::get),
            some => some,
        };
        let mut all = Vec::new();
        let mut ended = Vec::new();
        for number in 0..wanted {
            let (worker, end) = start(number, Arc::clone(shared)).map_err(|error| {
                Status::unavailable(format!("cannot start worker thread {number}: {error}"))
                    .with_source(error)
            })?;
            all.push(worker);
            ended.push(end);
        }
        Ok((Self { ended }, Place::Workers(all.into())))
    }

    /// Waits until all threads have let go of their connections.
    pub(super) async fn ended(self) {
        for ended in self.ended {
            // Dropped by a thread that is gone already.
            let _ = ended.await;
        }
    }
}

fn start(number: usize, shared: Arc<Shared>) -> io::Result<(Worker, oneshot::Receiver<()>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (jobs, inbox) = mpsc::unbounded_channel();
    let (end, ended) = oneshot::channel();
    let name = format!("trunkline-worker-{number}");
    thread::Builder::new().name(name).spawn(move || {
        run(runtime, inbox, &shared);
        drop(end);
    })?;
    let live = Arc::default();
    Ok((Worker { jobs, live }, ended))
}

/// A worker's thread, from its start to its end.
fn run(runtime: Runtime, mut inbox: mpsc::UnboundedReceiver<Job>, shared: &Shared) {
    // Its copies live as long as the connections.
    let (alive, mut all_gone) = mpsc::channel::<()>(1);
    runtime.block_on(async move {
        while let Some(Job { io, rest, live }) = inbox.recv().await {
            let alive = alive.clone();
            match io.attach() {
                Ok(io) => {
                    let accepted = rest(io);
                    tokio::spawn(async move {
                        accepted.run().await;
                        drop((live, alive));
                    });
                }
                Err(error) => tracing::debug!(%error, "a socket cannot be waited for"),
            }
        }
        // RPCs may outlive their connections; the stop waits for them.
        shared.stopped.wait().await;
        drop(alive);
        let _ = timeout(LAST_WORDS, all_gone.recv()).await;
    });
    // Blocking work of handlers goes on by itself, as it does when their own runtime ends.
    runtime.shutdown_background();
}
