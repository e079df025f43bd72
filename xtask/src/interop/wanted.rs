//! What the command line of the gate asks for.

use super::PEERS;
use super::peer::Peer;
use crate::engines::Engines;

/// What the command line asks for.
pub(super) struct Wanted {
    pub(super) peers: Vec<&'static Peer>,
    /// All if empty.
    pub(super) cases: Vec<String>,
    /// Peers with themselves: what fails there is not ours.
    pub(super) self_test: bool,
    pub(super) engines: Engines,
}

impl Wanted {
    pub(super) fn of(arguments: &[String]) -> Result<Self, String> {
        let (engines, words) = Engines::take(arguments)?;
        let mut wanted = Self {
            peers: Vec::new(),
            cases: Vec::new(),
            self_test: false,
            engines,
        };
        let mut words = words.iter();
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

    /// Those of these cases that shall run.
    pub(super) fn chosen(&self, cases: &[&'static str]) -> Vec<&'static str> {
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
pub(super) fn all_cases(peers: &[&Peer]) -> Vec<&'static str> {
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
