//! How each kind of cell is measured: one library, one round.

use super::cell::{Cell, Kind, Load, Side, Threads};
use super::counts;
use super::options::Options;
use super::programs::{Library, Place, Programs, RunningServer, finish};
use super::values::{Line, Metric, Values};
use std::process::Command;
use std::time::Duration;

/// Beyond its own warm-up and measured time, a program may take this long.
const GRACE: Duration = Duration::from_secs(30);
/// Thousands of connections, with TLS.
const IDLE_BOUND: Duration = Duration::from_secs(180);

const LINK_WARMUP: f64 = 5.0;
const LINK_SECONDS: f64 = 3.0;
const LINK_PAYLOAD: usize = 65_536;

const UNREAD_STREAMS: usize = 99;
/// A call that has no answer by then has none at all.
const UNREAD_BOUND: Duration = Duration::from_secs(15);

/// One library's numbers.
///
/// Errors: a program that cannot be started, or a call that failed.
pub(super) fn measure(
    programs: &Programs,
    library: &Library,
    cell: &Cell,
    options: &Options,
) -> Result<Values, String> {
    match cell.kind {
        Kind::Timed(side, threads, load) => {
            let asked = Timed {
                side,
                threads,
                load,
                server_words: &[],
            };
            timed(programs, library, &asked, options)
        }
        Kind::Idle {
            connections,
            streams,
            tls,
            gives_back,
        } => idle(programs, library, (connections, streams), tls, gives_back),
        Kind::Link => link(programs, library),
        Kind::Unread => unread(programs, library, options),
        Kind::Counts(side) => counts::measure(programs, library, side),
    }
}

/// Where the two sides run. Those that wait for each other share a CPU: waking another one, in a virtual machine, costs more
/// than what is measured.
fn places(threads: Threads, load: &Load) -> (Place, Place) {
    match threads {
        Threads::Many => (Place::Anywhere, Place::Anywhere),
        Threads::One if load.connections * load.in_flight == 1 => {
            (Place::FirstCpu, Place::FirstCpu)
        }
        Threads::One => (Place::FirstCpu, Place::SecondCpu),
    }
}

/// Calls for a while.
pub(super) struct Timed {
    pub(super) side: Side,
    pub(super) threads: Threads,
    pub(super) load: Load,
    /// For the library's server.
    pub(super) server_words: &'static [&'static str],
}

/// Starts both sides, and lets them warm up and run.
///
/// Errors: a program that cannot be started, or a call that failed.
pub(super) fn timed(
    programs: &Programs,
    library: &Library,
    asked: &Timed,
    options: &Options,
) -> Result<Values, String> {
    let (side, threads, load) = (asked.side, asked.threads, &asked.load);
    let (server_place, client_place) = places(threads, load);
    let is_single = threads == Threads::One;
    let mut server = match side {
        Side::Client => programs.own("mirror", server_place),
        _ => programs.of(library, "server", server_place, &[]),
    };
    if side == Side::Client {
        // It shares the machine with tokio's default of the client: one thread, as the load generator.
        server.arg("--st");
        shape(&mut server, load);
    } else {
        server.args(asked.server_words);
        if is_single {
            server.arg("--st");
        }
    }
    let server = RunningServer::start(&mut server, None)?;
    let mut client = match side {
        Side::Server => programs.own("load", client_place),
        _ => programs.of(library, "client", client_place, &[]),
    };
    if side != Side::Server && is_single {
        client.arg("--st");
    }
    shape(&mut client, load);
    let warmup = options.seconds / 3.0;
    for (name, value) in [
        ("--address", server.address.clone()),
        ("--connections", load.connections.to_string()),
        ("--in-flight", load.in_flight.to_string()),
        ("--warmup", warmup.to_string()),
        ("--seconds", options.seconds.to_string()),
        ("--server-pid", server.id().to_string()),
    ] {
        client.args([name, &value]);
    }
    if let Some(rate) = load.rate {
        client.args(["--rate", &rate.to_string()]);
    }
    let bound = GRACE + Duration::from_secs_f64(warmup + options.seconds);
    let line = run(&mut client, bound)?;
    let (cpu, peak) = match side {
        Side::Server => (line.number("server_cpu_ns"), "server_peak_kib"),
        Side::Client => (line.number("client_cpu_ns"), "client_peak_kib"),
        Side::Both => (
            line.number("server_cpu_ns") + line.number("client_cpu_ns"),
            "server_peak_kib",
        ),
    };
    let calls = line.number("calls");
    if calls < 1.0 {
        return Err(format!("{}: no call was answered", library.title));
    }
    Ok(Values::from([
        (Metric::Cpu, cpu / 1_000.0 / calls),
        (Metric::PerSecond, calls / line.number("seconds")),
        (Metric::P50, line.number("p50_ns") / 1_000.0),
        (Metric::P99, line.number("p99_ns") / 1_000.0),
        (Metric::P999, line.number("p999_ns") / 1_000.0),
        (Metric::PeakMemory, line.number(peak)),
    ]))
}

fn shape(command: &mut Command, load: &Load) {
    command.args(["--shape", load.shape]);
    command.args(["--payload", &load.payload_bytes.to_string()]);
}

fn idle(
    programs: &Programs,
    library: &Library,
    (connections, streams): (usize, usize),
    tls: bool,
    gives_back: bool,
) -> Result<Values, String> {
    let certificates = programs.certificates();
    let mut server = programs.of(library, "server", Place::FirstCpu, &[]);
    server.arg("--st");
    if tls {
        server.arg("--tls").arg(&certificates);
    }
    let server = RunningServer::start(&mut server, None)?;
    let mut client = programs.own("idle", Place::SecondCpu);
    for (name, value) in [
        ("--address", server.address.clone()),
        ("--connections", connections.to_string()),
        ("--in-flight", streams.to_string()),
        ("--server-pid", server.id().to_string()),
        ("--seconds", u8::from(gives_back).to_string()),
    ] {
        client.args([name, &value]);
    }
    if tls {
        client.arg("--tls").arg(&certificates);
    }
    let line = run(&mut client, IDLE_BOUND)?;
    let start = line.number("start_kib");
    let things = connections * streams.max(1);
    #[expect(clippy::cast_precision_loss, reason = "some thousand")]
    let each = (line.number("open_kib") - start) / things as f64;
    let mut values = Values::from([(Metric::PeakMemory, line.number("open_kib"))]);
    if gives_back {
        values.insert(Metric::Kept, line.number("kept_kib") / start);
    } else {
        values.insert(Metric::MemoryEach, each);
    }
    Ok(values)
}

fn link(programs: &Programs, library: &Library) -> Result<Values, String> {
    let mut server = programs.of(library, "server", Place::Anywhere, &[]);
    let server = RunningServer::start(&mut server, None)?;
    let mut relay = programs.own("relay", Place::Anywhere);
    relay.args(["--address", &server.address]);
    let relay = RunningServer::start(&mut relay, None)?;
    let mut client = programs.of(library, "client", Place::Anywhere, &[]);
    for (name, value) in [
        ("--address", relay.address.clone()),
        ("--shape", "download".to_owned()),
        ("--payload", LINK_PAYLOAD.to_string()),
        // Without end.
        ("--messages", i32::MAX.to_string()),
        ("--warmup", LINK_WARMUP.to_string()),
        ("--seconds", LINK_SECONDS.to_string()),
        ("--server-pid", server.id().to_string()),
    ] {
        client.args([name, &value]);
    }
    let line = run(&mut client, GRACE)?;
    #[expect(clippy::cast_precision_loss, reason = "exactly 2^16")]
    let bytes = line.number("calls") * LINK_PAYLOAD as f64;
    let rate = bytes / line.number("seconds") / 1e6;
    Ok(Values::from([(Metric::MegabytesPerSecond, rate)]))
}

fn unread(programs: &Programs, library: &Library, options: &Options) -> Result<Values, String> {
    let alone = unary_beside(programs, library, options, 0)?;
    // Where streams that nobody reads take the connection's whole window, the call never ends.
    let beside = unary_beside(programs, library, options, UNREAD_STREAMS).unwrap_or_else(|why| {
        let first = why.lines().nth(1).unwrap_or(&why);
        println!("{} stalls: {first}", library.title);
        f64::INFINITY
    });
    Ok(Values::from([
        (Metric::P99, beside),
        (Metric::TimesAlone, beside / alone),
    ]))
}

/// The 99th percentile in microseconds.
fn unary_beside(
    programs: &Programs,
    library: &Library,
    options: &Options,
    streams: usize,
) -> Result<f64, String> {
    let mut server = programs.of(library, "server", Place::FirstCpu, &[]);
    server.arg("--st");
    let server = RunningServer::start(&mut server, None)?;
    let mut client = programs.of(library, "client", Place::SecondCpu, &[]);
    client.arg("--st");
    for (name, value) in [
        ("--address", server.address.clone()),
        ("--unread", streams.to_string()),
        ("--warmup", (options.seconds / 3.0).to_string()),
        ("--seconds", options.seconds.to_string()),
        ("--server-pid", server.id().to_string()),
    ] {
        client.args([name, &value]);
    }
    let line = run(&mut client, UNREAD_BOUND)?;
    if line.number("calls") < 1.0 {
        return Err("no call was answered".to_owned());
    }
    Ok(line.number("p99_ns") / 1_000.0)
}

/// A program that prints a line of numbers.
fn run(command: &mut Command, bound: Duration) -> Result<Line, String> {
    let captured = finish(command, bound)?;
    Line::parse(&captured.stdout).ok_or_else(|| {
        let line = crate::process::command_line(command);
        format!("{line}: printed {:?}", captured.stdout)
    })
}
