//! `interop`: our programs against those of other implementations, both directions, every case by name.

mod cases;
mod go;
mod go_extra;
mod grpc_js;
mod grpcio;
mod java;
mod nginx;
mod ours;
mod peer;
mod running;

use crate::outcome::Outcome;
use crate::peers::TestCertificates;
use crate::report::Table;
use crate::suites::{Row, Run};
use cases::{Direction, Verdict};
use peer::{Installed, Peer, Security};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

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
    let mut run = Run::new("interop");
    for peer in &wanted.peers {
        match (peer.install)() {
            Ok(installed) => judge(peer, &installed, &programs, &wanted, &mut run),
            Err(why) => run.missing(why),
        }
    }
    run.finish()
}

/// What the command line asks for.
struct Wanted {
    peers: Vec<&'static Peer>,
    /// All if empty.
    cases: Vec<String>,
    /// Peers with themselves: what fails there is not ours.
    self_test: bool,
}

impl Wanted {
    fn of(arguments: &[String]) -> Result<Self, String> {
        let mut wanted = Self {
            peers: Vec::new(),
            cases: Vec::new(),
            self_test: false,
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--self-test" => wanted.self_test = true,
                "--peer" => {
                    let name = words.next().map_or("", String::as_str);
                    wanted.peers.push(peer_of(name)?);
                }
                case if all_cases(PEERS).contains(&case) => wanted.cases.push(case.to_owned()),
                unknown => {
                    let known = all_cases(PEERS).join(", ");
                    return Err(format!("no case {unknown:?}; there are {known}"));
                }
            }
        }
        if wanted.peers.is_empty() {
            wanted.peers = PEERS.to_vec();
        }
        Ok(wanted)
    }

    fn chosen(&self, cases: &[&'static str]) -> Vec<&'static str> {
        let chosen = |case: &&str| self.cases.is_empty() || self.cases.iter().any(|it| it == case);
        cases.iter().copied().filter(chosen).collect()
    }
}

fn peer_of(name: &str) -> Result<&'static Peer, String> {
    let mut peers = PEERS.iter().copied();
    peers.find(|peer| peer.name == name).ok_or_else(|| {
        let known: Vec<&str> = PEERS.iter().map(|peer| peer.name).collect();
        format!("no peer {name:?}; there are {}", known.join(", "))
    })
}

/// Every case that one of their programs has, once.
fn all_cases(peers: &[&Peer]) -> Vec<&'static str> {
    let mut all = Vec::new();
    for peer in peers {
        let clients = peer.clients.iter().map(|client| client.cases);
        let servers = peer.servers.iter().map(|server| server.cases);
        for case in clients.chain(servers).flatten() {
            if !all.contains(case) {
                all.push(*case);
            }
        }
    }
    all
}

/// One row of the report, before it ran.
struct Pair<'a> {
    side: String,
    cases: &'static [&'static str],
    direction: Direction<'a>,
}

/// Runs all that this peer can do with us, and adds its rows and its table of cases.
fn judge(peer: &Peer, installed: &Installed, ours: &Path, wanted: &Wanted, run: &mut Run) {
    let mut all = Vec::new();
    for &security in peer.securities {
        let tls = match (security, &installed.certificates) {
            (Security::Plaintext, _) => None,
            (Security::Tls, Ok(certificates)) => Some(certificates),
            (Security::Tls, Err(why)) => {
                run.missing(format!("{} over TLS: {why}", peer.suite));
                continue;
            }
        };
        all.extend(pairs(peer, &installed.folder, ours, tls, wanted.self_test));
    }
    all.retain(|pair| !wanted.chosen(pair.cases).is_empty());
    let mut columns = Vec::new();
    for (pair, verdicts) in all.iter().zip(run_all(peer, &all, wanted)) {
        let mut row = Row::new(peer.suite, &pair.side).expecting(pair.cases.len());
        if wanted.self_test || !wanted.cases.is_empty() {
            row = row.partial();
        }
        let cases = wanted.chosen(pair.cases);
        let cells = verdicts.iter().map(cell);
        columns.push((
            pair.side.clone(),
            cases.iter().copied().zip(cells).collect(),
        ));
        for (case, verdict) in cases.into_iter().zip(verdicts) {
            row.case(case, verdict.time, verdict.failure);
        }
        run.add(row);
    }
    println!("\n{}", table(peer, &columns));
}

/// Two at a time: cases wait more than they compute. Over TLS, the slower half, first.
fn run_all(peer: &Peer, pairs: &[Pair<'_>], wanted: &Wanted) -> Vec<Vec<Verdict>> {
    let left = Mutex::new((0..pairs.len()).collect::<Vec<_>>());
    let done = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let next = left.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some((number, pair)) = next.and_then(|it| Some((it, pairs.get(it)?))) else {
                return;
            };
            let begin = Instant::now();
            let verdicts = cases::run(&pair.direction, &wanted.chosen(pair.cases));
            let seconds = begin.elapsed().as_secs();
            println!("{}, {}: ran in {seconds} s", peer.suite, pair.side);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.insert(number, verdicts);
        }
    };
    thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.into_values().collect()
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

fn table(peer: &Peer, columns: &[(String, Vec<(&str, String)>)]) -> String {
    let mut heading = vec![peer.suite];
    heading.extend(columns.iter().map(|(side, _)| side.as_str()));
    let mut table = Table::new(&heading);
    for case in all_cases(&[peer]) {
        let of = |column: &Vec<(&str, String)>| {
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

/// Its clients with our server, our client with its servers; or its clients with its first server.
fn pairs<'a>(
    peer: &Peer,
    theirs: &'a Path,
    ours: &'a Path,
    tls: Option<&'a TestCertificates>,
    self_test: bool,
) -> Vec<Pair<'a>> {
    let over = if tls.is_some() { "TLS" } else { "plaintext" };
    let side = |side: &str, variant: &str| match variant {
        "" => format!("{side}, {over}"),
        variant => format!("{side} ({variant}), {over}"),
    };
    let mut pairs = Vec::new();
    for client in peer.clients {
        let (name, server) = match peer.servers.first() {
            Some(server) if self_test => ("itself", (server.command, theirs)),
            _ => ("server", (ours::server as ServerCommand, ours)),
        };
        pairs.push(Pair {
            side: side(name, client.variant),
            cases: client.cases,
            direction: Direction {
                client: (client.command, theirs),
                server,
                tls,
            },
        });
    }
    for server in peer.servers.iter().filter(|_| !self_test) {
        pairs.push(Pair {
            side: side("client", server.variant),
            cases: server.cases,
            direction: Direction {
                client: (ours::client, ours),
                server: (server.command, theirs),
                tls,
            },
        });
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_and_cases_are_chosen_by_name() {
        let words = ["--peer", "go", "empty_unary"].map(str::to_owned);
        let wanted = Wanted::of(&words).unwrap();
        assert_eq!(wanted.peers.len(), 1);
        let peer = wanted.peers[0];
        assert_eq!(wanted.chosen(peer.clients[0].cases), ["empty_unary"]);
    }

    #[test]
    fn an_unknown_name_is_told_what_there_is() {
        let why = Wanted::of(&["--peer".to_owned(), "cobol".to_owned()]).err();
        assert!(why.is_some_and(|why| why.contains("cobol") && why.contains("go")));
        let why = Wanted::of(&["empty_binary".to_owned()]).err();
        assert!(why.is_some_and(|why| why.contains("empty_unary")));
    }

    #[test]
    fn no_list_of_cases_names_one_twice() {
        for peer in PEERS {
            let clients = peer.clients.iter().map(|client| client.cases);
            let servers = peer.servers.iter().map(|server| server.cases);
            for cases in clients.chain(servers) {
                let mut names = cases.to_vec();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), cases.len(), "{}", peer.name);
            }
        }
    }
}
