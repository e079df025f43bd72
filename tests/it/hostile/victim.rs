//! The server that is attacked: this program, started once more, and measured from outside.

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use trunkline::server::{ResponseCompression, ServerBuilder, ServerHandle};
use trunkline::tls::{ClientTls, Roots};
use trunkline::transport::http2::ServerConfig;
use trunkline::{Channel, Server};
use trunkline_test_protos::echo::{EchoClient, EchoServer};
use trunkline_test_protos::ledger::LedgerServer;

use super::process::{Meter, Process, tell};
use crate::handlers::{Plain, Scripted, note};
use crate::support;
use crate::tls::certificates::Authority;
use crate::world::{PATIENCE, soon};

/// Which server the other process is to be. Set: this process is that other one.
const KIND: &str = "TRUNKLINE_TEST_VICTIM";

static RUNNING: AtomicU64 = AtomicU64::new(0);
static MOST: AtomicU64 = AtomicU64::new(0);

/// Counts the handlers that are running, and the most that ever were.
struct Running;

impl Running {
    fn new() -> Self {
        let now = RUNNING.fetch_add(1, Ordering::SeqCst) + 1;
        MOST.fetch_max(now, Ordering::SeqCst);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// `Once` and `Collect` are plain, `Expand` sends the request that many times, and `Chat` never
/// reads and never ends.
fn service() -> Scripted {
    Scripted::default()
        .once(|_, request| {
            let running = Running::new();
            Box::pin(async move {
                let _running = running;
                Ok(request.into())
            })
        })
        .chat(|_, requests, responses| {
            let running = Running::new();
            Box::pin(async move {
                let _held = (running, requests, responses);
                std::future::pending().await
            })
        })
}

/// Not a test of its own: what the process does that the tests start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_the_server() {
    let Ok(kind) = std::env::var(KIND) else {
        return;
    };
    let mut greeting = String::new();
    let server = if kind == "tls" {
        let authority = Authority::new("the victim's");
        greeting = authority.pem.replace('\n', "|");
        Server::builder().credentials(authority.server())
    } else {
        Server::insecure()
    };
    let server = if kind == "patient" {
        patient(server)
    } else {
        server
    };
    let server = server
        .add_service(EchoServer::new(service()))
        .add_service(LedgerServer::new(Plain::default()))
        .compression(ResponseCompression::Mirror);
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let handle = server.handle();
    tell(&format!("{} {greeting}", server.local_address()));
    std::thread::spawn(move || answer(&handle));
    server.serve().await.unwrap();
}

fn patient(server: ServerBuilder) -> ServerBuilder {
    let mut http2 = ServerConfig::default();
    http2.defence.pings = u32::MAX;
    server.http2(http2).keepalive(support::patient())
}

/// A line for each line; the end of them ends the process.
fn answer(handle: &ServerHandle) {
    for _question in std::io::stdin().lock().lines() {
        let stats = handle.stats();
        tell(&format!(
            "connections={} rpcs={} running={} most={} started={} cancelled={} handshakes_failed={} \
             accept_errors={} accepted={} rejected={} panicked={} completed={}",
            stats.live_connections,
            stats.live_rpcs,
            RUNNING.load(Ordering::SeqCst),
            MOST.load(Ordering::SeqCst),
            stats.rpcs_started,
            stats.rpcs_cancelled,
            stats.handshakes_failed,
            stats.accept_errors,
            stats.connections_accepted,
            stats.requests_rejected,
            stats.rpcs_panicked,
            stats.rpcs_completed,
        ));
    }
    std::process::exit(0);
}

/// The other process.
pub(crate) struct Victim {
    process: Process,
    pub(crate) address: String,
    /// The certificate of its authority, if it speaks TLS.
    authority: String,
}

impl Victim {
    /// In plaintext, with the limits of the defaults.
    pub(crate) async fn start() -> Self {
        Self::of_kind("plain", "").await
    }

    /// As [`start`](Self::start), but its clients may send PINGs as they like: some attackers ask by
    /// them whether they were heard.
    pub(crate) async fn patient() -> Self {
        Self::of_kind("patient", "").await
    }

    /// Over TLS.
    pub(crate) async fn tls() -> Self {
        Self::of_kind("tls", "").await
    }

    /// With no more descriptors than this.
    pub(crate) async fn with_descriptors(count: u32) -> Self {
        Self::of_kind("plain", &format!("ulimit -n {count};")).await
    }

    async fn of_kind(kind: &str, before: &str) -> Self {
        let process = Process::start("victim::as_the_server", KIND, kind, before).await;
        let (address, authority) = process.greeting.split_once(' ').unwrap();
        Self {
            address: address.to_owned(),
            authority: authority.replace('|', "\n"),
            process,
        }
    }

    /// Begins to measure.
    pub(crate) fn meter(&self) -> Meter {
        self.process.meter()
    }

    /// A client of ours on a connection of its own.
    pub(crate) fn client(&self) -> EchoClient {
        let channel = Channel::builder(&self.address);
        let channel = if self.authority.is_empty() {
            channel.insecure()
        } else {
            let roots = Roots::from_pem(&self.authority).unwrap();
            channel.credentials(ClientTls::builder().roots(roots).build().unwrap())
        };
        EchoClient::new(channel.build().unwrap())
    }

    /// The server's counters by name.
    pub(crate) async fn counts(&mut self) -> BTreeMap<String, u64> {
        self.process.say("?").await;
        let line = self.process.heard().await;
        let pairs = line.split(' ').map(|pair| {
            let (name, count) = pair.split_once('=').unwrap();
            (name.to_owned(), count.parse().unwrap())
        });
        pairs.collect()
    }

    /// Waits until the counters are as wanted.
    pub(crate) async fn until(
        &mut self,
        wanted: &str,
        reached: impl Fn(&BTreeMap<String, u64>) -> bool,
    ) -> BTreeMap<String, u64> {
        let end = Instant::now() + 2 * PATIENCE;
        loop {
            let counts = self.counts().await;
            if reached(&counts) {
                return counts;
            }
            assert!(Instant::now() < end, "in vain for {wanted}: {counts:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// With the clients gone no connection, RPC or handler is left, and the server still serves.
    pub(crate) async fn end(mut self) {
        self.until("nothing to be left", |counts| {
            counts["connections"] + counts["rpcs"] + counts["running"] == 0
        })
        .await;
        let last = soon(self.client().once(note("last"))).await.unwrap();
        assert_eq!(last.text, "last");
        self.process.end().await;
    }
}
