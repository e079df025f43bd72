//! The cases, and how one is run.

use super::peer::{Client, Server};
use crate::process;
use std::time::{Duration, Instant};

/// By their names in the interop test descriptions. A case that vanishes from a peer is a failure, not a skip.
pub(super) const CASES: &[&str] = &[
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
];

/// The longest that a case takes on a good day is a second.
const CASE_BOUND: Duration = Duration::from_secs(20);

/// How a case ended.
pub(super) enum Verdict {
    Pass(Duration),
    Fail(String),
}

/// Runs each case with a client process of its own against one server; a server that died is started again.
pub(super) fn run(client: &Client<'_>, server: &Server<'_>, cases: &[&str]) -> Vec<Verdict> {
    let mut running = None;
    let mut verdicts = Vec::new();
    for case in cases {
        let mut alive = match running.take() {
            Some(alive) => alive,
            None => match server.start() {
                Ok(started) => started,
                Err(why) => {
                    verdicts.push(Verdict::Fail(why));
                    continue;
                }
            },
        };
        let verdict = run_one(client, alive.port(), case);
        let died = alive.died();
        match (verdict, died) {
            (verdict, None) => {
                verdicts.push(verdict);
                running = Some(alive);
            }
            (Verdict::Pass(_), Some(how)) => {
                verdicts.push(Verdict::Fail(format!("the server ended: {how}")))
            }
            (Verdict::Fail(why), Some(how)) => {
                verdicts.push(Verdict::Fail(format!("{why}; and the server ended: {how}")))
            }
        }
    }
    verdicts
}

fn run_one(client: &Client<'_>, port: u16, case: &str) -> Verdict {
    let begin = Instant::now();
    match process::capture(&mut client.command(port, case), CASE_BOUND) {
        Err(error) => Verdict::Fail(format!("the client cannot start: {error}")),
        Ok(captured) if captured.succeeded() => Verdict::Pass(begin.elapsed()),
        Ok(captured) => {
            let ending = captured.ending();
            Verdict::Fail(format!(
                "client: {ending}\n{}{}",
                indent(&captured.stdout),
                indent(&captured.stderr)
            ))
        }
    }
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("   | {line}\n")).collect()
}
