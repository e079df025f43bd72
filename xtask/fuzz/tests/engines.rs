//! Both HTTP/2 engines do the same with what is committed and with what a seed makes of it, or
//! differ for a reason with a name; and each reason is one that occurs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use trunkline_fuzz::{Settings, compare_clients, compare_servers, drive, find, lawful_differences};

fn corpus(target: &str) -> PathBuf {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    corpus.join(target)
}

fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(corpus(target)).expect("a corpus");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let read = |path: PathBuf| {
        let input = fs::read(&path).expect("a readable file");
        (path, input)
    };
    paths.map(read).collect()
}

#[test]
fn every_difference_that_is_known_occurs() {
    let mut unseen: BTreeSet<_> = lawful_differences().collect();
    let mut explain = |target: &str, compare: fn(&[u8]) -> Result<Vec<&'static str>, String>| {
        for (path, input) in inputs(target) {
            match compare(&input) {
                Ok(names) => unseen.retain(|name| !names.contains(name)),
                Err(difference) => panic!("{}: {difference}", path.display()),
            }
        }
    };
    explain("http2-servers", compare_servers);
    explain("http2-clients", compare_clients);
    assert!(unseen.is_empty(), "never seen: {unseen:?}");
}

/// What the seed makes of the corpus, the same every day.
fn seeded(target: &str) {
    let target = find(target).expect("a target");
    let outcome = drive(
        target,
        &Settings {
            seed: 7,
            time: Duration::from_secs(60),
            executions: 100,
            corpus: corpus(target.name),
            trace: None,
        },
    );
    if let Some((input, failure)) = outcome.finding {
        panic!("{}: {failure}", input.escape_ascii());
    }
}

#[test]
fn servers_of_both_engines_do_the_same() {
    seeded("http2-servers");
}

#[test]
fn clients_of_both_engines_do_the_same() {
    seeded("http2-clients");
}
