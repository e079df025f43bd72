//! Programs that a test starts, which are this one once more, and what they use: measured from
//! outside, by what Linux tells of a process.

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use trunkline::transport::http2::Engine;

use crate::world::{soaking, soon};

/// What lines begin with that the two processes exchange: the test harness writes some of its own.
const MARK: &str = "hostile: ";

/// A megabyte.
pub(crate) const MB: u64 = 1 << 20;

/// Whether what is attacked speaks HTTP/2 by the engine written for gRPC, which says why it closes
/// a connection, and closes it for more reasons.
pub(crate) fn is_native() -> bool {
    Engine::default() == Engine::Native
}

/// Says something to the process that started this one.
pub(crate) fn tell(line: &str) {
    // Not `print!`, which the harness keeps to itself.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{MARK}{line}");
    let _ = out.flush();
}

/// Prints what was measured, when it is asked for.
pub(crate) fn report(what: &str, measured: impl std::fmt::Display) {
    if soaking() {
        let _ = writeln!(std::io::stdout(), "measured: {what}: {measured}");
    }
}

/// Another process; killed at the latest when the test is over.
pub(crate) struct Process {
    child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    /// The first thing that it said.
    pub(crate) greeting: String,
}

impl Process {
    /// Starts this program to run one test of the module `hostile`, which does what the variable
    /// says, with a command of the shell before it.
    pub(crate) async fn start(test: &str, variable: &str, value: &str, before: &str) -> Self {
        let program = std::env::current_exe().unwrap();
        // The name of the test in this binary, wherever this module sits.
        let (_, here) = module_path!().split_once("::").unwrap();
        let (family, _) = here.rsplit_once("::").unwrap();
        let mut child = Command::new("sh")
            .args(["-c", &format!("{before} exec \"$0\" \"$@\"")])
            .arg(program)
            .args([&format!("{family}::{test}"), "--exact"])
            .env(variable, value)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let questions = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut this = Self {
            child,
            questions,
            answers,
            greeting: String::new(),
        };
        this.greeting = this.heard().await;
        this
    }

    /// Says a line to it.
    pub(crate) async fn say(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.questions.write_all(line.as_bytes()).await.unwrap();
    }

    /// The next line that it says.
    pub(crate) async fn heard(&mut self) -> String {
        loop {
            let line = soon(self.answers.next_line()).await.unwrap();
            let line = line.expect("the other process lives");
            // The harness may have begun the line.
            if let Some((_, said)) = line.split_once(MARK) {
                return said.to_owned();
            }
        }
    }

    /// It ends well when it is told to.
    pub(crate) async fn end(mut self) {
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
