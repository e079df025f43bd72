//! Everything at once, for long: calls of all kinds, deadlines, drops, cancels, failures, connections that end by
//! age, servers that stop and come again, networks that cut connections. Every call has an outcome that may be, and
//! when all is over nothing is left.
//!
//! A second every day; half an hour under `cargo xtask soak`, or as many minutes as `TRUNKLINE_SOAK_MINUTES` says.
//! The connection of the steady server has the smallest window there is, in both directions: were some of it not given
//! back now and then, calls would hang before the half hour is over. That nothing at all is lost, to the last byte, is
//! in `windows`.

mod calls;
mod relay;

use std::net::SocketAddr;
use std::time::Duration;

use fastrand::Rng;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use trunkline::client::{BackoffConfig, ChannelBuilder};
use trunkline::server::{ServerBuilder, ServerHandle};
use trunkline::transport::Address;
use trunkline::transport::http2::{ClientConfig, ServerConfig};
use trunkline::{Channel, Server, Status};
use trunkline_test_protos::echo::{EchoClient, EchoServer};

use crate::world::{PATIENCE, soaking, soon, until};
use calls::{Call, Service, Tally, Way};
use relay::Relay;

/// How many calls run at a time, per server.
const CALLERS: u64 = 8;

/// How much is between two readings of the memory.
const MEMORY_STEPS: u32 = 12;

/// No call takes this long: those that never would have a deadline, or are dropped.
const HANGS: Duration = Duration::from_secs(60);

/// How long the load lasts.
fn length() -> Duration {
    if !soaking() {
        return Duration::from_secs(1);
    }
    let minutes = std::env::var("TRUNKLINE_SOAK_MINUTES").ok();
    let minutes = minutes.map_or(30, |text| text.parse().expect("whole minutes"));
    Duration::from_secs(60 * minutes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mixed_load_leaves_nothing_behind() {
    let tasks = Handle::current().metrics().num_alive_tasks();
    let length = length();
    let until = Instant::now() + length;
    let (steady, rotating) = (tokio::spawn(steady(until)), tokio::spawn(rotating(until)));
    let torn = tokio::spawn(torn(until));
    let mut memory = Vec::new();
    for _ in 0..MEMORY_STEPS {
        sleep(length / MEMORY_STEPS).await;
        memory.push(resident() >> 20);
    }
    for (name, world) in [("steady", steady), ("rotating", rotating), ("torn", torn)] {
        let tally = timeout(4 * HANGS, world).await.expect("an end").unwrap();
        if soaking() {
            eprintln!("{name}: {tally}");
        }
        assert!(tally.well() > 0, "{name}: {tally}");
    }
    let gone = async {
        while Handle::current().metrics().num_alive_tasks() > tasks {
            sleep(Duration::from_millis(2)).await;
        }
    };
    let left = || Handle::current().metrics().num_alive_tasks() - tasks;
    let waited = timeout(PATIENCE, gone).await;
    assert!(waited.is_ok(), "{} tasks are left", left());
    if soaking() {
        eprintln!("memory, MB: {memory:?}");
        // What the allocator makes of its heaps takes a while to settle.
        let (warm, end) = (memory[2], memory.last().copied().unwrap_or_default());
        assert!(end <= warm + warm / 2 + 32, "it grows: {memory:?}");
    }
}

/// The memory of this process; 0 where the system does not say.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

/// One connection for all of the time, with the smallest windows: calls that nobody disturbs end well.
async fn steady(until: Instant) -> Tally {
    let (mut serving, mut calling) = (ServerConfig::default(), ClientConfig::default());
    serving.connection_window_bytes = 65_535;
    calling.connection_window_bytes = 65_535;
    let site = Site::start(|builder| builder.http2(serving)).await;
    let client = channel(site.address, |builder| builder.http2(calling));
    let tally = load(&client, until, Way::Steady).await;
    let stats = site.handle.stats();
    assert_eq!(
        (stats.connections_accepted, stats.connections_expelled),
        (1, 0),
        "{stats:?}"
    );
    drop(client);
    site.end().await;
    tally
}

/// A server that ends each connection after a moment: no call notices, whatever it sends. Over the h2 crate a stream of
/// requests that begins in that very moment may, and hears that nobody has looked at it.
async fn rotating(until: Instant) -> Tally {
    let age = length() / 4;
    let age = age.min(Duration::from_secs(2));
    let site = Site::start(|builder| builder.max_connection_age(age)).await;
    let client = channel(site.address, |builder| builder);
    let tally = load(&client, until, Way::Rotating).await;
    let stats = site.handle.stats();
    assert!(stats.connections_accepted > 1, "{stats:?}");
    drop(client);
    site.end().await;
    tally
}

/// A server that stops and comes again, behind a network that cuts connections: calls may be UNAVAILABLE.
async fn torn(until: Instant) -> Tally {
    let first = Site::start(|builder| builder).await;
    let (place, places) = watch::channel(first.address);
    let relay = Relay::start(places).await;
    let mut backoff = BackoffConfig::default();
    backoff.initial = Duration::from_millis(10);
    backoff.max = Duration::from_millis(100);
    let client = channel(relay.address, |builder| builder.backoff(backoff));
    let restarts = async {
        let (mut site, mut random) = (first, Rng::with_seed(4));
        while Instant::now() < until {
            let pause = Duration::from_millis(random.u64(200..5_000));
            sleep(pause.min(until.saturating_duration_since(Instant::now()))).await;
            let next = Site::start(|builder| builder).await;
            place.send_replace(next.address);
            // Now and then long enough for all that runs.
            let grace = Duration::from_millis(random.u64(..400));
            std::mem::replace(&mut site, next).stop(grace).await;
        }
        site
    };
    let (tally, site) = tokio::join!(load(&client, until, Way::Torn), restarts);
    drop(client);
    relay.end().await;
    site.end().await;
    tally
}

/// Calls one after the other in several tasks; then none is left, nor a stream of one.
async fn load(channel: &Channel, until: Instant, way: Way) -> Tally {
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let echo = EchoClient::new(channel.clone());
        let mut random = Rng::with_seed(way as u64 * CALLERS + caller);
        callers.spawn(async move {
            let mut tally = Tally::default();
            while Instant::now() < until {
                let call = Call::draw(&mut random);
                let Ok(how) = timeout(HANGS, call.make(&echo)).await else {
                    panic!("hangs: {call:?}");
                };
                call.judge(&how, way);
                tally.count(&how);
            }
            tally
        });
    }
    let mut all = Tally::default();
    while let Some(tally) = callers.join_next().await {
        all.add(&tally.unwrap());
    }
    let over = async {
        loop {
            let stats = channel.stats();
            if stats.streams_in_use + stats.queued_calls + stats.waiting_calls == 0 {
                return;
            }
            sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = timeout(PATIENCE, over).await;
    assert!(waited.is_ok(), "left in use: {:?}", channel.stats());
    all
}

fn channel(address: SocketAddr, options: impl FnOnce(ChannelBuilder) -> ChannelBuilder) -> Channel {
    let builder = Channel::builder(address.to_string()).insecure();
    options(builder).build().unwrap()
}

/// A server, over TCP.
struct Site {
    handle: ServerHandle,
    address: SocketAddr,
    serving: JoinHandle<Result<(), Status>>,
}

impl Site {
    async fn start(options: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let builder = Server::insecure().add_service(EchoServer::new(Service));
        let server = options(builder).bind("127.0.0.1:0").await.unwrap();
        let Address::Tcp(address) = *server.local_address() else {
            panic!("no TCP: {:?}", server.local_address());
        };
        Self {
            handle: server.handle(),
            address,
            serving: tokio::spawn(server.serve()),
        }
    }

    /// Once its clients are gone.
    async fn end(self) {
        let is_quiet = "no call and no connection lives";
        until(&self.handle, is_quiet, |stats| {
            stats.live_rpcs + stats.live_children + stats.live_connections == 0
        })
        .await;
        self.stop(PATIENCE).await;
    }

    /// While they call. Every RPC that began has ended in some way.
    async fn stop(self, grace: Duration) {
        let report = timeout(grace + PATIENCE, self.handle.graceful_stop(grace)).await;
        let report = report.expect("in time");
        assert_eq!(report.unfinished, 0, "{report:?}");
        soon(self.serving).await.unwrap().unwrap();
        let stats = self.handle.stats();
        let live = stats.live_rpcs + stats.live_children + stats.live_connections;
        assert_eq!((live, stats.rpcs_panicked), (0, 0), "{stats:?}");
        let ended = stats.rpcs_completed + stats.rpcs_cancelled + stats.rpcs_stopped;
        let ended = ended + stats.rpcs_deadline_exceeded;
        assert_eq!(stats.rpcs_started, ended, "{stats:?}");
    }
}
