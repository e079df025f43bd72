//! Client and server over a network that a seed decides about: delays, pieces of any size, partitions, resets, servers
//! that restart, readers that are slow, calls that are dropped. Time is paused, so a minute takes no time, and a seed
//! gives the same again.
//!
//! `TRUNKLINE_SEED=17 cargo test --test it simulation` replays one, and shows what happened.

mod calls;
mod network;
mod pipe;
mod service;

use std::cell::Cell;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use trunkline::client::{BackoffConfig, Keepalive};
use trunkline::server::{ServerHandle, ServerKeepalive};
use trunkline::transport::http2::ServerConfig;
use trunkline::{Channel, Code, Server, Status};
use trunkline_test_protos::echo::{EchoClient, EchoServer, Note};

use crate::world::soaking;
use calls::Call;
use network::{NAME, Network};
use service::Service;

/// Every day.
const SEEDS: u64 = 100;

/// In `cargo xtask soak`.
const MANY_SEEDS: u64 = 1_000;

/// After the last disturbance a call that waits must come through within this time.
const RECOVERY: Duration = Duration::from_secs(60);

/// What happened, each with its time.
#[derive(Clone, Debug)]
struct Log {
    begin: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Log {
    fn new() -> Self {
        Self {
            begin: Instant::now(),
            lines: Arc::default(),
        }
    }

    fn say(&self, what: impl std::fmt::Display) {
        let line = format!("{:>9.3?} {what}", self.begin.elapsed());
        self.lines.lock().unwrap().push(line);
    }
}

#[test]
fn whatever_the_network_does_calls_end_well_or_with_the_truth() {
    let seed = std::env::var("TRUNKLINE_SEED").ok();
    if let Some(seed) = seed.and_then(|text| text.parse().ok()) {
        simulate(seed, true);
        return;
    }
    let seeds = if soaking() { MANY_SEEDS } else { SEEDS };
    for seed in 0..seeds {
        simulate(seed, false);
    }
}

#[test]
fn a_seed_gives_the_same_again() {
    for seed in [3, 1_000_003] {
        assert_eq!(simulate(seed, false), simulate(seed, false), "seed {seed}");
    }
}

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// Counts the panics of each thread: those in tasks of the library end nowhere else.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !is_last_count_of_h2(info) {
                PANICS.set(PANICS.get() + 1);
            }
            before(info);
        }));
    });
}

/// In debug builds h2 asserts, when a connection is dropped, that it counts no stream any more; one whose reset was
/// queued and never written still counts. Nothing comes of it: all that is left to do is to free the memory.
fn is_last_count_of_h2(info: &std::panic::PanicHookInfo<'_>) -> bool {
    let place = info
        .location()
        .is_some_and(|place| place.file().ends_with("proto/streams/counts.rs"));
    place && info.payload_as_str() == Some("assertion failed: !self.has_streams()")
}

/// Runs one seed to its end; what happened, line by line.
fn simulate(seed: u64, shown: bool) -> Vec<String> {
    // The library's own random numbers: those of this thread.
    fastrand::seed(seed);
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    let run = std::panic::AssertUnwindSafe(|| {
        runtime.block_on(async {
            let log = Log {
                lines: kept,
                ..Log::new()
            };
            world(fastrand::Rng::with_seed(seed), &log).await;
        });
    });
    count_panics();
    let before = PANICS.get();
    let ended = std::panic::catch_unwind(run);
    let swallowed = ended.is_ok() && PANICS.get() != before;
    let lines = lines.lock().unwrap().clone();
    if shown || swallowed || ended.is_err() {
        eprintln!("{}", lines.join("\n"));
    }
    assert!(
        !swallowed,
        "seed {seed}: a task panicked, and nobody noticed"
    );
    if let Err(panic) = ended {
        eprintln!("seed {seed}: TRUNKLINE_SEED={seed} cargo test --test it simulation");
        std::panic::resume_unwind(panic);
    }
    lines
}

/// A server that restarts, a channel, and what disturbs them.
async fn world(mut random: fastrand::Rng, log: &Log) {
    let network = Network::new(random.fork());
    let service = Service::default();
    let mut backoff = BackoffConfig::default();
    backoff.max = Duration::from_secs(5);
    let channel = Channel::builder(format!("memory:{NAME}"))
        .insecure()
        .connector(network.connector())
        .keepalive(Keepalive::every(Duration::from_secs(10)))
        .backoff(backoff)
        .build()
        .unwrap();
    let mut servers = vec![Serving::start(&network, &service, &mut random)];
    let mut callers = JoinSet::new();
    for caller in 0..random.usize(1..8) {
        let calls = (0..random.usize(1..12)).map(|number| {
            let name = format!("call {caller}.{number}");
            (Call::draw(&mut random, &name), random.u64(..3_000))
        });
        let calls: Vec<_> = calls.collect();
        let (echo, service, log) = (
            EchoClient::new(channel.clone()),
            service.clone(),
            log.clone(),
        );
        callers.spawn(async move {
            for (call, pause) in calls {
                sleep(Duration::from_millis(pause)).await;
                log.say(call.run(&echo, &service).await);
            }
        });
    }
    for _ in 0..random.usize(..12) {
        sleep(Duration::from_millis(random.u64(..4_000))).await;
        disturb(&network, &service, &mut servers, &mut random, log).await;
    }
    network.heal();
    while let Some(ended) = callers.join_next().await {
        ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    }
    recovers(channel, log).await;
    for server in servers {
        server.stop(Duration::from_secs(5)).await;
    }
    assert_eq!(service.running(), 0, "a handler outlives its server");
    log.say("the end");
}

async fn disturb(
    network: &Network,
    service: &Service,
    servers: &mut Vec<Serving>,
    random: &mut fastrand::Rng,
    log: &Log,
) {
    match random.u8(..5) {
        0 => {
            let both = random.bool();
            let (to_server, to_client) = if both {
                (true, true)
            } else {
                (random.bool(), random.bool())
            };
            let time = Duration::from_millis(random.u64(..60_000));
            log.say(format_args!(
                "partition {to_server} {to_client} for {time:?}"
            ));
            network.partition(to_server, to_client);
            sleep(time).await;
            network.heal();
            log.say("healed");
        }
        1 => {
            log.say("resets");
            network.reset(random.f64());
        }
        2 => {
            let grace = Duration::from_millis(random.u64(..4_000));
            log.say(format_args!(
                "a new server; the old one stops within {grace:?}"
            ));
            let next = Serving::start(network, service, random);
            servers.push(next);
            servers.remove(0).stop(grace).await;
        }
        3 => {
            let pause = Duration::from_millis(random.u64(..10_000));
            log.say(format_args!("the server crashes, back in {pause:?}"));
            network.stop_listening();
            network.reset(1.0);
            servers.remove(0).stop(Duration::ZERO).await;
            sleep(pause).await;
            servers.push(Serving::start(network, service, random));
        }
        _ => log.say("nothing"),
    }
}

/// With the network as it should be, the channel finds its way. A call on a connection that is just ending may still
/// fail: nobody knows whether it was processed.
async fn recovers(channel: Channel, log: &Log) {
    let echo = EchoClient::new(channel);
    let trying = async {
        while let Err(status) = echo.once(Note::default()).wait_for_ready(true).await {
            log.say(&status);
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        }
    };
    let recovered = timeout(RECOVERY, trying).await;
    recovered.expect("a call comes through soon after the last disturbance");
    log.say("recovered");
}

/// One life of the server.
struct Serving {
    handle: ServerHandle,
    task: JoinHandle<Result<(), Status>>,
}

impl Serving {
    fn start(network: &Network, service: &Service, random: &mut fastrand::Rng) -> Self {
        let mut builder = Server::insecure()
            .add_service(EchoServer::new(service.clone()))
            .keepalive(ServerKeepalive::every(Duration::from_secs(20)));
        if random.bool() {
            let mut http2 = ServerConfig::default();
            http2.max_concurrent_streams = random.u32(1..20);
            builder = builder.http2(http2);
        }
        if random.bool() {
            builder = builder
                .max_connection_age(Duration::from_secs(random.u64(1..30)))
                .max_connection_age_grace(Duration::from_secs(random.u64(..20)));
        }
        let server = builder.listen(network.listen()).unwrap();
        Self {
            handle: server.handle(),
            task: tokio::spawn(server.serve()),
        }
    }

    /// Stops it; nothing of it may be left.
    async fn stop(self, grace: Duration) {
        self.handle.graceful_stop(grace).await;
        let stats = self.handle.stats();
        let left = stats.live_connections + stats.live_rpcs + stats.live_children;
        assert_eq!(left, 0, "{stats:?}");
        self.task.await.unwrap().unwrap();
    }
}
