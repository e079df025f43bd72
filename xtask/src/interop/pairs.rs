//! Who calls whom: each row of the report, and how all of them are run.

use super::cases::{self, Direction, Verdict};
use super::ours;
use super::peer::{Installed, Peer, Security, ServerCommand};
use super::wanted::Wanted;
use crate::engines::Engine;
use crate::peers::TestCertificates;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// Rows that run at once. Cases wait more than they compute: for sockets, for machines to start, for reports once a
/// second. With more of them the first iteration of a soak may not start its machine within the second that it has.
const AT_ONCE: usize = 2;

/// One row of the report, before it ran.
pub(super) struct Pair<'a> {
    pub(super) peer: &'static Peer,
    pub(super) side: String,
    /// All that there are, whatever was chosen.
    pub(super) cases: &'static [&'static str],
    direction: Direction<'a>,
}

impl Pair<'_> {
    pub(super) const fn engine(&self) -> Option<Engine> {
        self.direction.engine
    }

    /// The side and its engine.
    pub(super) fn title(&self) -> String {
        let engine = self.engine().map(|engine| format!(", {engine}"));
        self.side.clone() + &engine.unwrap_or_default()
    }
}

/// All rows of a peer. Over TLS only where there are certificates.
pub(super) fn of<'a>(
    peer: &'static Peer,
    installed: &'a Installed,
    ours: &'a Path,
    wanted: &Wanted,
) -> Vec<Pair<'a>> {
    let mut all = Vec::new();
    for security in peer.securities {
        let tls = match (security, &installed.certificates) {
            (Security::Plaintext, _) => None,
            (Security::Tls, Ok(certificates)) => Some(certificates),
            (Security::Tls, Err(_)) => continue,
        };
        for engine in engines(wanted) {
            all.extend(over(peer, &installed.folder, ours, tls, engine));
        }
    }
    all.retain(|pair| !wanted.chosen(pair.cases).is_empty());
    all
}

/// What ours run on; without one of ours, `None`.
fn engines(wanted: &Wanted) -> Vec<Option<Engine>> {
    if wanted.self_test {
        return vec![None];
    }
    let engines = wanted.engines.each();
    engines.into_iter().map(Some).collect()
}

/// Runs all rows, the longest first; what came of each, in their order.
pub(super) fn run(pairs: &[Pair<'_>], wanted: &Wanted) -> Vec<Vec<Verdict>> {
    let mut numbers: Vec<usize> = (0..pairs.len()).collect();
    numbers.sort_by_key(|&number| {
        let pair = pairs.get(number);
        Reverse(pair.map(|pair| (pair.direction.tls.is_some(), pair.cases.len())))
    });
    let left = Mutex::new(numbers.into_iter());
    let done = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let next = left.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((number, pair)) = next.and_then(|it| Some((it, pairs.get(it)?))) else {
                return;
            };
            let begin = Instant::now();
            let verdicts = cases::run(&pair.direction, &wanted.chosen(pair.cases));
            let (suite, seconds) = (pair.peer.suite, begin.elapsed().as_secs());
            let side = pair.title();
            println!("{suite}, {side}: ran in {seconds} s");
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.insert(number, verdicts);
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.into_values().collect()
}

/// Its clients with our server, our client with its servers; or its clients with its first server
/// where none of ours is there to have an engine.
fn over<'a>(
    peer: &'static Peer,
    theirs: &'a Path,
    ours: &'a Path,
    tls: Option<&'a TestCertificates>,
    engine: Option<Engine>,
) -> Vec<Pair<'a>> {
    let self_test = engine.is_none();
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
            peer,
            side: side(name, client.variant),
            cases: client.cases,
            direction: Direction {
                client: (client.command, theirs),
                server,
                tls,
                engine,
            },
        });
    }
    for server in peer.servers.iter().filter(|_| !self_test) {
        pairs.push(Pair {
            peer,
            side: side("client", server.variant),
            cases: server.cases,
            direction: Direction {
                client: (ours::client, ours),
                server: (server.command, theirs),
                tls,
                engine,
            },
        });
    }
    pairs
}
