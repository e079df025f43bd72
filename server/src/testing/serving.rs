//! A server in memory, for as long as its guard lives.

use std::time::Duration;

use tokio::task::JoinHandle;
use trunkline_core::Status;
use trunkline_transport::memory::{self, MemoryConnector};

use crate::server::{ServerBuilder, ServerHandle, ServerStats, StopReport};

/// Serves in memory, in a task of its own, and returns how to connect to it.
///
/// Errors: those of [`ServerBuilder::listen`].
///
/// # Panics
/// Outside a tokio runtime.
pub fn serve(server: ServerBuilder) -> Result<(MemoryConnector, Serving), Status> {
    let (connector, listener) = memory::pair("test");
    let server = server.listen(listener)?;
    let serving = Serving {
        handle: server.handle(),
        task: tokio::spawn(server.serve()),
    };
    Ok((connector, serving))
}

/// A server under way. Dropping it ends the server at once: its RPCs fail, nothing is left over.
#[must_use = "the server ends when this is dropped"]
#[derive(Debug)]
pub struct Serving {
    handle: ServerHandle,
    task: JoinHandle<Result<(), Status>>,
}

impl Serving {
    /// Stops and observes the server from elsewhere.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// What is live now, and what has happened.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.handle.stats()
    }

    /// Stops the server as a deployment would, and reports what it had to cut.
    ///
    /// Ends within the grace and 200 ms more; dropping the future stops the server at once.
    pub async fn stop(self, grace: Duration) -> StopReport {
        self.handle.graceful_stop(grace).await
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}
