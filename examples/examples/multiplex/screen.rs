//! The screen: what was in flight when, on which connection, how long it took, what failed and why.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use trunkline::server::{ServerStats, StopReport};
use trunkline::transport::Address;
use trunkline::{MethodDescriptor, Shape};
use trunkline_examples::{say, wrap};

use crate::calls::StubId;
use crate::log::Record;
use crate::services::Seen;
use crate::{STUBS_PER_TASK, TASKS};

const COLUMNS: usize = 60;
const TEXT_COLUMNS: usize = 86;
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const SHAPES: [Shape; 4] = [
    Shape::Unary,
    Shape::ServerStreaming,
    Shape::ClientStreaming,
    Shape::Bidi,
];

/// What the exit code depends on.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) unexpected: usize,
}

pub(crate) fn opening(address: &Address) {
    say!("server  one, on {address}, with two services: multiplex.Numbers, multiplex.Words");
    say!(
        "client  one channel, {TASKS} tasks with {STUBS_PER_TASK} stubs each; a stub makes four calls at once,"
    );
    say!("        one of each kind: unary, server streaming, client streaming, bidirectional");
}

pub(crate) fn report(
    records: &[Record],
    seen: &Seen,
    stats: &ServerStats,
    stop: &StopReport,
) -> Summary {
    over_time(records);
    two_stubs(records);
    methods(records);
    failures(records);
    server(seen, stats, stop);
    closing(records, stats)
}

/// A curve for each kind: how many calls were in flight.
fn over_time(records: &[Record]) {
    let end = records
        .iter()
        .map(|record| record.end)
        .max()
        .unwrap_or_default();
    let curves = SHAPES.map(|shape| in_flight(records, end, |each| each.method.shape == shape));
    let total = in_flight(records, end, |_| true);
    let column = end.as_millis() / COLUMNS as u128;
    say!(
        "\nIn flight over {} ms (a column is {column} ms)",
        end.as_millis()
    );
    let scale = curves.iter().map(|curve| curve.peak).max().unwrap_or(1);
    for (shape, curve) in SHAPES.iter().zip(&curves) {
        say!(
            "  {:<17} {}  peak {:3}",
            shape,
            curve.bars(scale),
            curve.peak
        );
    }
    say!(
        "  {:<17} {}  peak {:3}",
        "all",
        total.bars(total.peak),
        total.peak
    );
}

struct Curve {
    /// The most that were in flight during each column.
    columns: Vec<usize>,
    peak: usize,
}

impl Curve {
    fn bars(&self, scale: usize) -> String {
        let bar = |count: &usize| BARS.get((count * 8).div_ceil(scale.max(1))).unwrap_or(&'█');
        self.columns.iter().map(bar).collect()
    }
}

/// Exact, not sampled: every start counts one up, every end one down, in the order of their times.
fn in_flight(records: &[Record], end: Duration, which: impl Fn(&Record) -> bool) -> Curve {
    let mut events: Vec<(Duration, bool)> = Vec::new();
    for record in records.iter().filter(|record| which(record)) {
        events.extend([(record.start, true), (record.end, false)]);
    }
    // At the same moment the end comes first, so that no peak is made up.
    events.sort_unstable();
    let width = (end / COLUMNS as u32).max(Duration::from_nanos(1));
    let mut columns = vec![0; COLUMNS];
    let mut events = events.into_iter().peekable();
    let mut now = 0_usize;
    for (index, column) in columns.iter_mut().enumerate() {
        let until = width * (index as u32 + 1);
        let last = index + 1 == COLUMNS;
        *column = now;
        while let Some((_, starts)) = events.next_if(|(at, _)| last || *at < until) {
            now = if starts {
                now + 1
            } else {
                now.saturating_sub(1)
            };
            *column = now.max(*column);
        }
    }
    let peak = columns.iter().copied().max().unwrap_or(0);
    Curve { columns, peak }
}

/// Two stubs of the middle of the run, call by call.
fn two_stubs(records: &[Record]) {
    let task = TASKS / 2;
    let of = |stub| {
        let id = StubId { task, stub };
        records.iter().filter(move |record| record.id == id)
    };
    let first = of(3)
        .chain(of(4))
        .map(|record| record.start)
        .min()
        .unwrap_or_default();
    let last = of(3)
        .chain(of(4))
        .map(|record| record.end)
        .max()
        .unwrap_or_default();
    let column = (last.saturating_sub(first) / COLUMNS as u32).max(Duration::from_nanos(1));
    let place = |at: Duration| (at.saturating_sub(first).as_nanos() / column.as_nanos()) as usize;
    say!(
        "\nTwo of the {} stubs: task {task}, its stubs 3 and 4 (a column is {column:.1?})",
        TASKS * STUBS_PER_TASK
    );
    for stub in [3, 4] {
        let mut calls: Vec<&Record> = of(stub).collect();
        calls.sort_by_key(|record| record.method.shape as u8);
        for record in calls {
            let (from, to) = (place(record.start), place(record.end).min(COLUMNS));
            let bar = "━".repeat(to.saturating_sub(from).max(1));
            let line = format!("{:from$}{bar}", "");
            let took = millis(record.took());
            say!(
                "  {:<21} {line:<COLUMNS$} {took:>6} ms",
                short(record.method)
            );
        }
    }
}

/// A line for each method; times are those of the calls answered right.
fn methods(records: &[Record]) {
    say!(
        "\n{:<21} {:<17} {:>6} {:>6} {:>6} {:>8} {:>8} {:>8}",
        "Method",
        "kind",
        "calls",
        "right",
        "peak",
        "min ms",
        "median",
        "max"
    );
    let end = records
        .iter()
        .map(|record| record.end)
        .max()
        .unwrap_or_default();
    let mut by_path: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for record in records {
        by_path.entry(record.method.path).or_default().push(record);
    }
    for (path, calls) in by_path {
        let Some(method) = calls.first().map(|record| record.method) else {
            continue;
        };
        let right = || calls.iter().filter(|record| record.result.is_ok());
        let mut times: Vec<Duration> = right().map(|record| record.took()).collect();
        times.sort_unstable();
        let at = |index: usize| millis(times.get(index).copied().unwrap_or_default());
        say!(
            "{:<21} {:<17} {:>6} {:>6} {:>6} {:>8} {:>8} {:>8}",
            short(method),
            method.shape,
            calls.len(),
            times.len(),
            in_flight(records, end, |each| each.method.path == path).peak,
            at(0),
            at(times.len() / 2),
            at(times.len().saturating_sub(1)),
        );
    }
}

/// Each kind of failure once, with its full text, and how often.
fn failures(records: &[Record]) {
    let mut groups: BTreeMap<(bool, &str, u32), Vec<&Record>> = BTreeMap::new();
    for record in records {
        if let Err(status) = &record.result {
            let key = (record.provoked, record.method.path, status.code().number());
            groups.entry(key).or_default().push(record);
        }
    }
    say!("\nFailed, and why");
    for ((provoked, ..), calls) in groups {
        let Some((record, Err(status))) = calls.first().map(|each| (each, &each.result)) else {
            continue;
        };
        let why = if provoked {
            "on purpose"
        } else {
            "NOT PLANNED"
        };
        let StubId { task, stub } = record.id;
        let took = millis(record.took());
        say!(
            "  {} {why}, like that of task {task}, stub {stub}, after {took} ms:",
            calls.len()
        );
        for line in wrap(&status.to_string(), TEXT_COLUMNS) {
            say!("      {line}");
        }
    }
}

/// What the other side has to say.
fn server(seen: &Seen, stats: &ServerStats, stop: &StopReport) {
    say!("\nAs the server saw it");
    for (peer, methods) in seen.connections() {
        let calls: usize = methods.values().sum();
        say!(
            "  connection from {peer}: {calls} calls of {} methods",
            methods.len()
        );
    }
    say!(
        "  connections accepted {}, open when the last call had ended {}",
        stats.connections_accepted,
        stats.live_connections
    );
    say!(
        "  RPCs started {}, completed {}, given up by the client {}, by the server at their deadline {}, panicked {}",
        stats.rpcs_started,
        stats.rpcs_completed,
        stats.rpcs_cancelled,
        stats.rpcs_deadline_exceeded,
        stats.rpcs_panicked
    );
    say!(
        "  stopped in {} ms, with {} calls and {} connections cut short",
        millis(stop.elapsed),
        stop.cut_short(),
        stop.connections_aborted
    );
}

fn closing(records: &[Record], stats: &ServerStats) -> Summary {
    let kinds: BTreeSet<&str> = records
        .iter()
        .map(|each| each.method.shape.name())
        .collect();
    let services: BTreeSet<&str> = records.iter().map(|each| each.method.service).collect();
    let stubs: BTreeSet<(usize, usize)> = records
        .iter()
        .map(|each| (each.id.task, each.id.stub))
        .collect();
    let messages: usize = records
        .iter()
        .filter_map(|each| each.result.as_ref().ok())
        .sum();
    let failed = |provoked| {
        let planned = |record: &&Record| record.result.is_err() && record.provoked == provoked;
        records.iter().filter(planned).count()
    };
    let idle = records
        .iter()
        .filter(|each| each.provoked && each.result.is_ok())
        .count();
    let unexpected = failed(false) + idle;
    let connections = match stats.connections_accepted {
        1 => "1 connection".to_owned(),
        more => format!("{more} connections"),
    };
    say!(
        "\n{} calls, {} kinds, {} services, {} stubs, {connections}",
        records.len(),
        kinds.len(),
        services.len(),
        stubs.len(),
    );
    say!(
        "{messages} messages in calls answered right, {} calls failed on purpose, {unexpected} not as planned",
        failed(true)
    );
    Summary { unexpected }
}

/// `Numbers.Square`.
fn short(method: &MethodDescriptor) -> String {
    let service = method.service.rsplit('.').next().unwrap_or(method.service);
    format!("{service}.{}", method.name)
}

fn millis(span: Duration) -> String {
    format!("{:.1}", span.as_secs_f64() * 1000.0)
}
