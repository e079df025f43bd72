//! What is counted while calls run, and the line of JSON that is made of it.

use crate::arguments::ClientArguments;
use crate::histogram::Histogram;
use crate::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Shared by the callers of one connection.
pub(crate) struct Counters {
    units: AtomicU64,
    measuring: AtomicBool,
    latencies: Histogram,
}

impl Counters {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            units: AtomicU64::new(0),
            measuring: AtomicBool::new(false),
            latencies: Histogram::new(),
        })
    }

    /// Calls or messages that are done.
    pub(crate) fn count(&self, units: u64) {
        self.units.fetch_add(units, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn units(&self) -> u64 {
        self.units.load(Ordering::Relaxed)
    }

    /// One call's time, or one message's there and back.
    pub(crate) fn record(&self, latency: Duration) {
        if self.measuring.load(Ordering::Relaxed) {
            self.latencies.record(latency);
        }
    }
}

/// How many calls may still be started, where somebody counts.
pub(crate) struct Budget(Option<AtomicU64>);

impl Budget {
    pub(crate) fn new(calls: Option<u64>) -> Arc<Self> {
        Arc::new(Self(calls.map(AtomicU64::new)))
    }

    /// One less, if there is one.
    pub(crate) fn take(&self) -> bool {
        self.0.as_ref().is_none_or(|left| {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_ok()
        })
    }
}

/// All connections of a run.
pub(crate) struct Meter {
    connections: Vec<Arc<Counters>>,
    server_pid: u32,
    begin: Sample,
}

impl Meter {
    pub(crate) fn new(connections: Vec<Arc<Counters>>, server_pid: u32) -> Self {
        let begin = Sample::take(&connections, server_pid);
        Self {
            connections,
            server_pid,
            begin,
        }
    }

    /// Lets the run warm up, measures, and gives the line.
    pub(crate) async fn measure(mut self, arguments: &ClientArguments) -> String {
        tokio::time::sleep(arguments.warmup).await;
        self.begin();
        tokio::time::sleep(arguments.duration).await;
        self.line()
    }

    /// From here on it counts.
    pub(crate) fn begin(&mut self) {
        for counters in &self.connections {
            counters.measuring.store(true, Ordering::Relaxed);
        }
        self.begin = Sample::take(&self.connections, self.server_pid);
    }

    /// What was counted since the beginning.
    pub(crate) fn line(&self) -> String {
        let end = Sample::take(&self.connections, self.server_pid);
        let latencies = Histogram::new();
        for counters in &self.connections {
            latencies.merge(&counters.latencies);
        }
        let nanos = |share| latencies.quantile(share).as_nanos();
        format!(
            "{{\"calls\":{},\"seconds\":{},\"client_cpu_ns\":{},\"server_cpu_ns\":{},\"p50_ns\":{},\"p99_ns\":{},\
             \"p999_ns\":{},\"client_peak_kib\":{},\"server_peak_kib\":{}}}",
            end.units - self.begin.units,
            (end.at - self.begin.at).as_secs_f64(),
            end.client_cpu
                .saturating_sub(self.begin.client_cpu)
                .as_nanos(),
            end.server_cpu
                .saturating_sub(self.begin.server_cpu)
                .as_nanos(),
            nanos(0.5),
            nanos(0.99),
            nanos(0.999),
            process::peak_memory(std::process::id()),
            process::peak_memory(self.server_pid),
        )
    }
}

/// One look at all counters.
struct Sample {
    at: Instant,
    units: u64,
    client_cpu: Duration,
    server_cpu: Duration,
}

impl Sample {
    fn take(connections: &[Arc<Counters>], server_pid: u32) -> Self {
        let units = |counters: &Arc<Counters>| counters.units.load(Ordering::Relaxed);
        Self {
            at: Instant::now(),
            units: connections.iter().map(units).sum(),
            client_cpu: process::cpu(std::process::id()),
            server_cpu: process::cpu(server_pid),
        }
    }
}
