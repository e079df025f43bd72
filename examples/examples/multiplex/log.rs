//! What the clients note about their calls.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use trunkline::{Method, MethodDescriptor, Status};

use crate::calls::StubId;

/// Collects the calls of all tasks.
#[derive(Debug)]
pub(crate) struct Log {
    started: Instant,
    records: Mutex<Vec<Record>>,
}

/// One call, from before it was made until its result was there. Times count from the log's start.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) id: StubId,
    pub(crate) method: &'static MethodDescriptor,
    pub(crate) start: Duration,
    pub(crate) end: Duration,
    /// Messages both ways that its result counts, or why it failed.
    pub(crate) result: Result<usize, Status>,
    /// A failure is what the call was made for.
    pub(crate) provoked: bool,
}

impl Record {
    pub(crate) fn took(&self) -> Duration {
        self.end.saturating_sub(self.start)
    }
}

impl Log {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            records: Mutex::default(),
        }
    }

    /// Runs a call of method `M` and notes what became of it.
    pub(crate) async fn call<M: Method>(
        &self,
        id: StubId,
        provoked: bool,
        call: impl Future<Output = Result<usize, Status>>,
    ) {
        let start = self.started.elapsed();
        let result = call.await;
        let record = Record {
            id,
            method: M::DESCRIPTOR,
            start,
            end: self.started.elapsed(),
            result,
            provoked,
        };
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.push(record);
    }

    /// All calls so far, in the order of their ends.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
