//! The server that is attacked: this program, started once more, and measured from outside.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use trunkline::server::{ResponseCompression, ServerHandle};
use trunkline::tls::{ClientTls, Roots};
use trunkline::{Channel, Server};
use trunkline_test_protos::echo::{EchoClient, EchoServer};
use trunkline_test_protos::ledger::LedgerServer;

use crate::handlers::{Plain, Scripted, note};
use crate::tls::certificates::Authority;
use crate::world::{PATIENCE, soaking, soon};

/// Which server the other process is to be. Set: this process is that other one.
const KIND: &str = "TRUNKLINE_TEST_VICTIM";

/// What lines begin with that the two processes exchange: the test harness writes some of its own.
const MARK: &str = "victim: ";

/// A megabyte.
pub(crate) const MB: u64 = 1 << 20;

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

fn tell(line: &str) {
    // Not `print!`, which the harness keeps to itself.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{MARK}{line}");
    let _ = out.flush();
}

/// The other process; killed at the latest when the test is over.
pub(crate) struct Victim {
    child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    pub(crate) address: String,
    /// The certificate of its authority, if it speaks TLS.
    authority: String,
}

impl Victim {
    /// In plaintext, with the limits of the defaults.
    pub(crate) async fn start() -> Self {
        Self::of_kind("plain", "").await
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
        let program = std::env::current_exe().unwrap();
        // The name of the function above in this binary, wherever the module sits.
        let name = format!(
            "{}::as_the_server",
            module_path!().split_once("::").unwrap().1
        );
        let mut child = Command::new("sh")
            .args(["-c", &format!("{before} exec \"$0\" \"$@\"")])
            .arg(program)
            .args([name.as_str(), "--exact"])
            .env(KIND, kind)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let questions = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let greeting = heard(&mut answers).await;
        let (address, authority) = greeting.split_once(' ').unwrap();
        Self {
            address: address.to_owned(),
            authority: authority.replace('|', "\n"),
            child,
            questions,
            answers,
        }
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
        self.questions.write_all(b"?\n").await.unwrap();
        let line = heard(&mut self.answers).await;
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
        drop(self.questions);
        let ended = soon(self.child.wait()).await.unwrap();
        assert!(ended.success(), "{ended}");
    }

    /// Begins to measure.
    pub(crate) fn meter(&self) -> Meter {
        let id = self.child.id().unwrap();
        // Forgets the highest mark of the memory.
        let _ = std::fs::write(format!("/proc/{id}/clear_refs"), "5");
        Meter {
            id,
            memory: memory(id, "VmRSS:"),
            cpu: cpu(id),
            began: Instant::now(),
        }
    }
}

async fn heard(answers: &mut Lines<BufReader<ChildStdout>>) -> String {
    loop {
        let line = soon(answers.next_line()).await.unwrap();
        let line = line.expect("the other process lives");
        // The harness may have begun the line.
        if let Some((_, said)) = line.split_once(MARK) {
            return said.to_owned();
        }
    }
}

/// What a process has used since this was made.
pub(crate) struct Meter {
    id: u32,
    memory: u64,
    cpu: Duration,
    began: Instant,
}

/// What a process has used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    /// Bytes of memory by which the highest mark is above the beginning.
    pub(crate) peak: u64,
    /// Bytes of memory that are still there.
    pub(crate) kept: u64,
    /// On all processors.
    pub(crate) cpu: Duration,
    pub(crate) time: Duration,
}

impl Meter {
    pub(crate) fn used(&self) -> Used {
        Used {
            peak: memory(self.id, "VmHWM:").saturating_sub(self.memory),
            kept: memory(self.id, "VmRSS:").saturating_sub(self.memory),
            cpu: cpu(self.id) - self.cpu,
            time: self.began.elapsed(),
        }
    }
}

impl std::fmt::Display for Used {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mb = |bytes: u64| bytes as f64 / MB as f64;
        write!(
            f,
            "memory +{:.1} MB at most, +{:.1} MB kept, CPU {:.2} s of {:.2} s",
            mb(self.peak),
            mb(self.kept),
            self.cpu.as_secs_f64(),
            self.time.as_secs_f64(),
        )
    }
}

fn memory(id: u32, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

/// In user and kernel mode: fields 14 and 15, in hundredths of a second.
fn cpu(id: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<_> = fields.split_whitespace().collect();
    let ticks: u64 = [fields[11], fields[12]]
        .iter()
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}

/// Prints what was measured, when it is asked for.
pub(crate) fn report(what: &str, measured: impl std::fmt::Display) {
    if soaking() {
        let _ = writeln!(std::io::stdout(), "measured: {what}: {measured}");
    }
}

/// A good client that calls again and again while others attack.
pub(crate) struct Witness {
    calling: JoinHandle<Vec<Duration>>,
    stop: tokio::sync::oneshot::Sender<()>,
}

/// How long the calls of a [`Witness`] took.
#[derive(Debug)]
pub(crate) struct Latencies(Vec<Duration>);

impl Witness {
    /// Starts to call, one call after the other.
    pub(crate) async fn start(echo: EchoClient) -> Self {
        soon(echo.once(note("warm"))).await.unwrap();
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let calling = tokio::spawn(async move {
            let mut all = Vec::new();
            while stopped.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Empty) {
                let began = Instant::now();
                let answer = soon(echo.once(note("still here?"))).await;
                assert_eq!(answer.unwrap().text, "still here?");
                all.push(began.elapsed());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            all
        });
        Self { calling, stop }
    }

    /// All of its calls were answered, none of them late.
    pub(crate) async fn is_well(self) -> Latencies {
        let _ = self.stop.send(());
        let mut all = soon(self.calling).await.unwrap();
        all.sort_unstable();
        let latencies = Latencies(all);
        assert!(
            latencies.share(99) < Duration::from_secs(1),
            "another connection felt it: {latencies}"
        );
        latencies
    }
}

impl Latencies {
    /// So many of a hundred calls took no longer.
    fn share(&self, of_a_hundred: usize) -> Duration {
        let place = (self.0.len() * of_a_hundred).div_ceil(100);
        self.0[place.saturating_sub(1)]
    }
}

impl std::fmt::Display for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        write!(
            f,
            "{} calls of another connection: p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
            self.0.len(),
            ms(self.share(50)),
            ms(self.share(99)),
            ms(self.share(100)),
        )
    }
}
