//! Counts that noise cannot move: what a call costs in instructions, allocations and system calls, as the difference of a
//! long run and a short one.

use super::cell::Side;
use super::programs::{Library, Place, Programs, RunningServer, finish};
use super::values::{Metric, Values};
use crate::process;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Calls of the two runs beneath valgrind, and of those where system calls are counted.
const SLOW_CALLS: [u32; 2] = [4_000, 12_000];
const FAST_CALLS: [u32; 2] = [20_000, 60_000];

/// In flight on the only connection.
const IN_FLIGHT: &str = "10";

const BOUND: Duration = Duration::from_secs(300);

/// What a tool said of one run.
type Counted = Vec<(Metric, f64)>;

/// A program beneath which others run, and what it says of them at the end.
struct Counter {
    name: &'static str,
    words: &'static [&'static str],
    calls: [u32; 2],
    /// It writes to this option's file; otherwise to standard error.
    file_option: Option<&'static str>,
    read: fn(&str) -> Option<Counted>,
}

const INSTRUCTIONS: Counter = Counter {
    name: "valgrind",
    words: &[
        "valgrind",
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
    ],
    calls: SLOW_CALLS,
    file_option: None,
    read: read_callgrind,
};

const ALLOCATIONS: Counter = Counter {
    name: "valgrind",
    words: &["valgrind", "--tool=dhat", "--dhat-out-file=/dev/null"],
    calls: SLOW_CALLS,
    file_option: None,
    read: read_dhat,
};

/// It slows nothing down; needs to be allowed to.
const PERF: Counter = Counter {
    name: "perf",
    words: &["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter"],
    calls: FAST_CALLS,
    file_option: Some("-o"),
    read: read_perf,
};

/// It slows its program down, which then finds more ready at a time: a lower bound.
const STRACE: Counter = Counter {
    name: "strace",
    words: &["strace", "-f", "-c"],
    calls: FAST_CALLS,
    file_option: Some("-o"),
    read: read_strace,
};

/// Whether instructions and allocations can be counted here.
pub(super) fn can_count() -> bool {
    process::exists("valgrind", "--version")
}

/// Everything that the tools of this machine count.
///
/// Errors: a program that failed, or a tool that says nothing.
pub(super) fn measure(
    programs: &Programs,
    library: &Library,
    side: Side,
) -> Result<Values, String> {
    let mut values = exact(programs, library, side)?;
    let counter = if can_perf() { &PERF } else { &STRACE };
    if process::exists(counter.name, "--version") {
        values.extend(difference(programs, library, side, counter)?);
    }
    Ok(values)
}

/// Instructions and allocations alone; nothing without valgrind.
pub(super) fn exact(programs: &Programs, library: &Library, side: Side) -> Result<Values, String> {
    let mut values = Values::new();
    if can_count() {
        for counter in [&INSTRUCTIONS, &ALLOCATIONS] {
            values.extend(difference(programs, library, side, counter)?);
        }
    }
    Ok(values)
}

fn can_perf() -> bool {
    let mut command = Command::new("perf");
    command.args(["stat", "-e", "raw_syscalls:sys_enter", "true"]);
    process::capture(&mut command, BOUND).is_ok_and(|captured| captured.succeeded())
}

fn difference(
    programs: &Programs,
    library: &Library,
    side: Side,
    counter: &Counter,
) -> Result<Values, String> {
    let [short, long] = counter.calls;
    let few = count(programs, library, side, counter, short)?;
    let many = count(programs, library, side, counter, long)?;
    let per_call = many.into_iter().zip(few).map(|((metric, many), (_, few))| {
        let each = (many - few) / f64::from(long - short);
        (metric, (each * 100.0).round() / 100.0)
    });
    Ok(per_call.collect())
}

/// One run of so many calls.
fn count(
    programs: &Programs,
    library: &Library,
    side: Side,
    counter: &Counter,
    calls: u32,
) -> Result<Counted, String> {
    let place = programs.scratch.join("counted.txt");
    let mut beneath: Vec<String> = counter.words.iter().map(|&word| word.to_owned()).collect();
    if let Some(option) = counter.file_option {
        beneath.extend([option.to_owned(), place.display().to_string()]);
    }
    let calls = calls.to_string();
    let said = match side {
        Side::Client => client(programs, library, counter, (&beneath, &place), &calls)?,
        _ => server(programs, library, counter, (&beneath, &place), &calls)?,
    };
    (counter.read)(&said).ok_or_else(|| {
        let last = said.lines().next_back().unwrap_or_default();
        format!("{} says nothing of {}: {last}", counter.name, library.title)
    })
}

fn server(
    programs: &Programs,
    library: &Library,
    counter: &Counter,
    (beneath, place): (&[String], &Path),
    calls: &str,
) -> Result<String, String> {
    let fail = |error: std::io::Error| format!("{}: {error}", place.display());
    let mut command = programs.of(library, "server", Place::FirstCpu, beneath);
    command.arg("--st");
    let said = match counter.file_option {
        None => Some(File::create(place).map_err(fail)?),
        Some(_) => None,
    };
    let server = RunningServer::start(&mut command, said)?;
    let mut load = programs.own("load", Place::SecondCpu);
    load.args([
        "--address",
        &server.address,
        "--in-flight",
        IN_FLIGHT,
        "--calls",
        calls,
    ]);
    finish(&mut load, BOUND)?;
    server.stop()?;
    fs::read_to_string(place).map_err(fail)
}

fn client(
    programs: &Programs,
    library: &Library,
    counter: &Counter,
    (beneath, place): (&[String], &Path),
    calls: &str,
) -> Result<String, String> {
    let mut mirror = programs.own("mirror", Place::FirstCpu);
    let mirror = RunningServer::start(mirror.arg("--st"), None)?;
    let mut command = programs.of(library, "client", Place::SecondCpu, beneath);
    command.arg("--st");
    command.args([
        "--address",
        &mirror.address,
        "--in-flight",
        IN_FLIGHT,
        "--calls",
        calls,
    ]);
    let captured = finish(&mut command, BOUND)?;
    match counter.file_option {
        None => Ok(captured.stderr),
        Some(_) => {
            fs::read_to_string(place).map_err(|error| format!("{}: {error}", place.display()))
        }
    }
}

/// `==1== Collected : 123456`
fn read_callgrind(said: &str) -> Option<Counted> {
    let mut lines = said.lines();
    let line = lines.find_map(|line| line.split_once("Collected :"))?;
    Some(vec![(Metric::Instructions, number(line.1)?)])
}

/// `==1== Total:     1,234 bytes in 56 blocks`
fn read_dhat(said: &str) -> Option<Counted> {
    let line = said.lines().find_map(|line| line.split_once("Total:"))?;
    let (bytes, blocks) = line.1.split_once("bytes in")?;
    Some(vec![
        (Metric::Allocations, number(blocks.strip_suffix("blocks")?)?),
        (Metric::AllocatedBytes, number(bytes)?),
    ])
}

/// `1234,,raw_syscalls:sys_enter,…`
fn read_perf(said: &str) -> Option<Counted> {
    let line = said.lines().find(|line| line.contains("raw_syscalls"))?;
    let calls = number(line.split(',').next()?)?;
    Some(vec![(Metric::SystemCalls, calls)])
}

/// `100.00    0.000123           1       123         4 total`
fn read_strace(said: &str) -> Option<Counted> {
    let line = said.lines().find(|line| line.ends_with("total"))?;
    let calls = number(line.split_whitespace().nth(3)?)?;
    Some(vec![(Metric::SystemCalls, calls)])
}

fn number(text: &str) -> Option<f64> {
    text.trim().replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tools_say_is_read() {
        let callgrind = "==7== Events    : Ir\n==7== Collected : 123456\n";
        let dhat =
            "==7== Total:     1,234 bytes in 56 blocks\n==7== At t-gmax: 9 bytes in 1 blocks\n";
        let perf = "# started\n\n812,,raw_syscalls:sys_enter,1,100.00,,\n";
        let strace = "calls\n100.00    0.000123           1       345         4 total\n";
        assert_eq!(
            read_callgrind(callgrind),
            Some(vec![(Metric::Instructions, 123_456.0)])
        );
        assert_eq!(
            read_dhat(dhat),
            Some(vec![
                (Metric::Allocations, 56.0),
                (Metric::AllocatedBytes, 1_234.0)
            ])
        );
        assert_eq!(read_perf(perf), Some(vec![(Metric::SystemCalls, 812.0)]));
        assert_eq!(
            read_strace(strace),
            Some(vec![(Metric::SystemCalls, 345.0)])
        );
        assert_eq!(read_callgrind("nothing"), None);
    }
}
