//! How cases are run: each by a client process of its own, against one server.

use super::peer::{Call, ClientCommand, ServerCommand};
use super::running::Running;
use crate::engines::Engine;
use crate::peers::TestCertificates;
use crate::process;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// What the two soaks are told, by all who have them; each puts its own dashes in front.
pub(super) const SOAK_FLAGS: [&str; 5] = [
    "soak_iterations=1000",
    "soak_max_failures=0",
    "soak_per_iteration_max_acceptable_latency_ms=1000",
    "soak_overall_timeout_seconds=120",
    "soak_num_threads=1",
];

/// The policy through which the clients of others learn of load reports, for those who have it.
pub(super) const ORCA_POLICY: &str =
    r#"service_config_json={"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}"#;

/// The longest that a case takes on a good day is a few seconds.
const CASE_BOUND: Duration = Duration::from_secs(30);

/// More than the soaks give themselves.
const SOAK_BOUND: Duration = Duration::from_secs(150);

/// Who calls whom, over what.
pub(super) struct Direction<'a> {
    /// Each with the folder of its programs.
    pub(super) client: (ClientCommand, &'a Path),
    pub(super) server: (ServerCommand, &'a Path),
    pub(super) tls: Option<&'a TestCertificates>,
    /// Of the one that is ours, if one is; others do not know the variable.
    pub(super) engine: Option<Engine>,
}

/// How a case ended.
pub(super) struct Verdict {
    pub(super) time: Duration,
    /// Why it did not pass.
    pub(super) failure: Option<String>,
}

pub(super) fn is_soak(case: &str) -> bool {
    case.ends_with("_soak")
}

/// Runs the cases in order; a server that died is started again.
pub(super) fn run(direction: &Direction<'_>, cases: &[&str]) -> Vec<Verdict> {
    let mut running = None;
    let each = cases.iter().map(|case| {
        let begin = Instant::now();
        let failure = run_one(direction, &mut running, case).err();
        let time = begin.elapsed();
        Verdict { time, failure }
    });
    each.collect()
}

fn run_one(
    direction: &Direction<'_>,
    running: &mut Option<Running>,
    case: &str,
) -> Result<(), String> {
    let mut server = match running.take() {
        Some(alive) => alive,
        None => Running::start(direction.server, direction.tls, direction.engine)?,
    };
    let call = Call {
        port: server.port(),
        case,
        tls: direction.tls,
    };
    let (client, folder) = direction.client;
    let mut command = client(folder, &call);
    if let Some(engine) = direction.engine {
        engine.set(&mut command);
    }
    let called = call_once(&mut command, case);
    let Some(how) = server.died() else {
        *running = Some(server);
        return called;
    };
    let ended = format!("the server ended: {how}");
    Err(called.map_or_else(|why| format!("{why}; and {ended}"), |()| ended.clone()))
}

fn call_once(command: &mut Command, case: &str) -> Result<(), String> {
    let bound = if is_soak(case) {
        SOAK_BOUND
    } else {
        CASE_BOUND
    };
    let captured = process::capture(command, bound)
        .map_err(|error| format!("the client cannot start: {error}"))?;
    if captured.succeeded() {
        return Ok(());
    }
    let ending = captured.ending();
    let said = indent(&captured.stdout) + &indent(&captured.stderr);
    Err(format!("client: {ending}\n{said}"))
}

/// The last lines of it: a soak says one per iteration.
fn indent(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.len().saturating_sub(40);
    let lines = lines.get(last..).unwrap_or_default();
    lines.iter().map(|line| format!("   | {line}\n")).collect()
}
