//! The frame of every client program: a closed loop of unary calls on some connections, measured for a while.

use crate::arguments::{ClientArguments, runtime};
use crate::cpu;
use crate::grpc::Failure;
use crate::histogram::Histogram;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a client library brings; each concurrent caller gets a clone.
pub trait Client: Clone + Send + 'static {
    /// One connection to the server.
    fn connect(address: SocketAddr) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// One unary call with this payload; gives the payload of the answer.
    fn call(&mut self, payload: Vec<u8>) -> impl Future<Output = Result<Vec<u8>, Failure>> + Send;
}

/// Shared by the callers of one connection.
struct Counters {
    calls: AtomicU64,
    measuring: AtomicBool,
    latencies: Histogram,
}

/// Loads the server as the command line says and prints one line of JSON.
///
/// Errors: any failed call ends the program: a benchmark of errors measures nothing.
pub fn run_client<C: Client>() -> Result<(), Failure> {
    let arguments = ClientArguments::parse()?;
    runtime(arguments.single_thread)?.block_on(load::<C>(&arguments))
}

async fn load<C: Client>(arguments: &ClientArguments) -> Result<(), Failure> {
    let mut connections = Vec::new();
    for _ in 0..arguments.connections {
        let counters = Arc::new(Counters {
            calls: AtomicU64::new(0),
            measuring: AtomicBool::new(false),
            latencies: Histogram::new(),
        });
        let client = C::connect(arguments.address).await?;
        for _ in 0..arguments.in_flight {
            tokio::spawn(caller(client.clone(), arguments.payload, counters.clone()));
        }
        connections.push(counters);
    }
    tokio::time::sleep(arguments.warmup).await;
    for counters in &connections {
        counters.measuring.store(true, Ordering::Relaxed);
    }
    let begin = Sample::take(&connections, arguments.server_pid);
    tokio::time::sleep(arguments.duration).await;
    let end = Sample::take(&connections, arguments.server_pid);

    let latencies = Histogram::new();
    for counters in &connections {
        latencies.merge(&counters.latencies);
    }
    println!("{}", end.since(&begin, &latencies));
    // The callers never end by themselves; their connections end with the process.
    std::process::exit(0);
}

async fn caller<C: Client>(mut client: C, payload: usize, counters: Arc<Counters>) {
    let request = vec![0x5a; payload];
    loop {
        let begin = Instant::now();
        match client.call(request.clone()).await {
            Ok(answer) if answer.len() == payload => {}
            Ok(answer) => fail(&format!("{} bytes came back", answer.len())),
            Err(error) => fail(&error.to_string()),
        }
        counters.calls.fetch_add(1, Ordering::Relaxed);
        if counters.measuring.load(Ordering::Relaxed) {
            counters.latencies.record(begin.elapsed());
        }
    }
}

fn fail(why: &str) -> ! {
    eprintln!("a call failed: {why}");
    std::process::exit(1);
}

/// One look at all counters.
struct Sample {
    at: Instant,
    calls: u64,
    client_cpu: Duration,
    server_cpu: Duration,
}

impl Sample {
    fn take(connections: &[Arc<Counters>], server_pid: u32) -> Self {
        let calls = connections
            .iter()
            .map(|counters| counters.calls.load(Ordering::Relaxed))
            .sum();
        Self {
            at: Instant::now(),
            calls,
            client_cpu: cpu::of_process(std::process::id()),
            server_cpu: cpu::of_process(server_pid),
        }
    }

    fn since(&self, begin: &Self, latencies: &Histogram) -> String {
        format!(
            "{{\"calls\":{},\"seconds\":{},\"client_cpu_ns\":{},\"server_cpu_ns\":{},\"p50_ns\":{},\"p99_ns\":{}}}",
            self.calls - begin.calls,
            (self.at - begin.at).as_secs_f64(),
            (self.client_cpu - begin.client_cpu).as_nanos(),
            (self.server_cpu - begin.server_cpu).as_nanos(),
            latencies.quantile(0.50).as_nanos(),
            latencies.quantile(0.99).as_nanos(),
        )
    }
}
