//! What a consumer gets into its tree.

use super::{Consumer, Places};
use crate::process;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const BOUND: Duration = Duration::from_secs(60);

/// What no default build may need: C++, cmake, protoc, or a foreign TLS.
const NOWHERE: &[&str] = &[
    "aws-lc-rs",
    "aws-lc-sys",
    "cmake",
    "native-tls",
    "openssl",
    "openssl-sys",
    "protobuf-src",
    "protoc-bin-vendored",
];

/// Two versions of one of these in a tree are two worlds of types.
const ONCE: &[&str] = &["bytes", "h2", "http", "prost", "rustls", "tokio"];

/// How many crates there are.
pub(super) struct Size {
    /// For building and running.
    pub(super) all: usize,
    /// For running.
    pub(super) normal: usize,
}

/// The versions of each crate.
type Tree = BTreeMap<String, BTreeSet<String>>;

/// Looks at the tree of a consumer, its build script's included.
///
/// Errors: what is in it and must not be.
pub(super) fn check(places: &Places, consumer: &Consumer) -> Result<Size, String> {
    let normal = read(places, consumer, "normal")?;
    let all = read(places, consumer, "normal,build")?;
    let mut faults = faults(&normal, consumer.without);
    faults.extend(doubles(&all));
    faults.extend(self::faults(&all, NOWHERE));
    if !faults.is_empty() {
        let name = consumer.name;
        return Err(format!(
            "the tree of consumer-{name} has {}",
            faults.join(", ")
        ));
    }
    Ok(Size {
        all: all.values().map(BTreeSet::len).sum(),
        normal: normal.values().map(BTreeSet::len).sum(),
    })
}

fn read(places: &Places, consumer: &Consumer, edges: &str) -> Result<Tree, String> {
    let package = format!("consumer-{}", consumer.name);
    let mut command = places.cargo();
    command.args(["tree", "--package", &package, "--edges", edges]);
    command.args(["--prefix", "none", "--format", "{p}"]);
    let captured = process::capture(&mut command, BOUND);
    let captured = captured.map_err(|error| format!("cargo tree: {error}"))?;
    if captured.succeeded() {
        Ok(parse(&captured.stdout))
    } else {
        Err(format!(
            "cargo tree: {}\n{}",
            captured.ending(),
            captured.stderr
        ))
    }
}

/// Lines of `name v1.2.3`, perhaps with more behind.
fn parse(text: &str) -> Tree {
    let mut tree = Tree::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            let versions = tree.entry(name.to_owned()).or_default();
            versions.insert(version.to_owned());
        }
    }
    tree
}

fn faults(tree: &Tree, unwanted: &[&str]) -> Vec<String> {
    let found = unwanted.iter().filter(|name| tree.contains_key(**name));
    found.map(|name| (*name).to_owned()).collect()
}

fn doubles(tree: &Tree) -> Vec<String> {
    let once = ONCE
        .iter()
        .filter_map(|name| Some((name, tree.get(*name)?)));
    let twice = once.filter(|(_, versions)| versions.len() > 1);
    twice
        .map(|(name, versions)| {
            let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
            format!("{name} as {}", versions.join(" and "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_be_there_is_found() {
        let tree = parse(
            "consumer v0.0.0 (/somewhere)\nhttp v1.5.0\nhttp v0.2.1\ncmake v0.1.0\nring v0.17.0 (*)\nhttp v1.5.0 (*)\n",
        );
        assert_eq!(faults(&tree, NOWHERE), ["cmake"]);
        assert_eq!(doubles(&tree), ["http as v0.2.1 and v1.5.0"]);
        assert!(faults(&tree, &["tokio"]).is_empty());
    }
}
