//! `interop`: our programs against those of other implementations, both directions, every case by name.

mod cases;
mod go;
mod go_extra;
mod grpc_js;
mod grpcio;
mod java;
mod nginx;
mod ours;
mod pairs;
mod peer;
mod running;
mod wanted;

use crate::outcome::Outcome;
use crate::report::Table;
use crate::suites::{Row, Run};
use cases::Verdict;
use pairs::Pair;
use peer::{Peer, Security};
use wanted::{Wanted, all_cases};

pub(crate) use ours::build as build_programs;
pub(crate) use peer::{Listen, ServerCommand};
pub(crate) use running::Running;

/// In the order of the report.
const PEERS: &[&Peer] = &[
    &go::PEER,
    &go_extra::PEER,
    &java::PEER,
    &grpcio::PEER,
    &grpc_js::PEER,
    &nginx::PEER,
];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let wanted = match Wanted::of(arguments) {
        Ok(wanted) => wanted,
        Err(why) => return Outcome::Failed(why),
    };
    let programs = match ours::build() {
        Ok(folder) => folder,
        Err(why) => return Outcome::Failed(why),
    };
    let mut run = Run::new("interop").partial(!arguments.is_empty());
    let mut installed = Vec::new();
    for &peer in &wanted.peers {
        match (peer.install)() {
            Ok(there) => installed.push((peer, there)),
            Err(why) => run.missing(why),
        }
    }
    for (peer, there) in &installed {
        if let (true, Err(why)) = (
            peer.securities.contains(&Security::Tls),
            &there.certificates,
        ) {
            run.missing(format!("{} over TLS: {why}", peer.suite));
        }
    }
    let each = installed.iter();
    let all: Vec<Pair<'_>> = each
        .flat_map(|(peer, there)| pairs::of(peer, there, &programs, &wanted))
        .collect();
    let verdicts = pairs::run(&all, &wanted);
    report(&all, verdicts, &wanted, &mut run);
    run.finish()
}

/// A line for each of the peers that only this gate brings.
pub(crate) fn describe() -> [String; 2] {
    [go_extra::describe(), nginx::describe()]
}

/// The case and its cell, for each that ran.
type Column = Vec<(&'static str, String)>;

/// Adds the rows, and prints a table of cases for each peer.
fn report(all: &[Pair<'_>], verdicts: Vec<Vec<Verdict>>, wanted: &Wanted, run: &mut Run) {
    let mut columns: Vec<(&Pair<'_>, Column)> = Vec::new();
    for (pair, verdicts) in all.iter().zip(verdicts) {
        let mut row = Row::new(pair.peer.suite, &pair.side)
            .on(pair.engine())
            .expecting(pair.cases.len());
        if wanted.self_test || !wanted.cases.is_empty() {
            row = row.partial();
        }
        let cases = wanted.chosen(pair.cases);
        let cells = verdicts.iter().map(cell);
        columns.push((pair, cases.iter().copied().zip(cells).collect()));
        for (case, verdict) in cases.into_iter().zip(verdicts) {
            row.case(case, verdict.time, verdict.failure);
        }
        run.add(row);
    }
    for of_one_peer in columns.chunk_by(|(one, _), (other, _)| one.peer.name == other.peer.name) {
        println!("\n{}", table(of_one_peer));
    }
}

fn cell(verdict: &Verdict) -> String {
    let time = verdict.time.as_millis();
    let result = if verdict.failure.is_none() {
        "PASS"
    } else {
        "FAIL"
    };
    format!("{result} {time:>6} ms")
}

fn table(columns: &[(&Pair<'_>, Column)]) -> String {
    let peer = columns.first().map(|(pair, _)| pair.peer);
    let titles: Vec<String> = columns.iter().map(|(pair, _)| pair.title()).collect();
    let mut heading = vec![peer.map_or("", |peer| peer.suite)];
    heading.extend(titles.iter().map(String::as_str));
    let mut table = Table::new(&heading);
    for case in all_cases(peer.as_slice()) {
        let of = |column: &Column| {
            let found = column.iter().find(|(name, _)| *name == case);
            found.map(|(_, cell)| cell.clone())
        };
        let cells: Vec<Option<String>> = columns.iter().map(|(_, column)| of(column)).collect();
        if cells.iter().any(Option::is_some) {
            let mut row = vec![case.to_owned()];
            row.extend(
                cells
                    .into_iter()
                    .map(|cell| cell.unwrap_or_else(|| "-".to_owned())),
            );
            table.row(row);
        }
    }
    table.render()
}
