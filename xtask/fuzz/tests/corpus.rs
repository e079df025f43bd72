//! Every committed input through its target: what fuzzing has found once stays found.

use std::fs;
use std::path::{Path, PathBuf};

use trunkline_fuzz::{TARGETS, find, run};

/// What all inputs of a target may weigh: they are read by people.
const FOLDER_BYTES: usize = 64 * 1024;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
}

#[test]
fn every_target_has_inputs_and_every_input_a_target() {
    for target in TARGETS {
        let inputs = entries(&corpus().join(target.name));
        assert!(!inputs.is_empty(), "{}", target.name);
        let bytes: usize = inputs
            .iter()
            .map(|path| fs::read(path).map_or(0, |bytes| bytes.len()))
            .sum();
        assert!(bytes <= FOLDER_BYTES, "{}: {bytes} bytes", target.name);
    }
    for folder in entries(&corpus()) {
        let name = folder
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        assert!(find(name).is_some(), "{name} is no target");
    }
}

#[test]
fn every_input_keeps_its_promise() {
    let mut failures = Vec::new();
    for target in TARGETS {
        for path in entries(&corpus().join(target.name)) {
            let input = fs::read(&path).expect("a readable file");
            if let Err(failure) = run(target, &input) {
                failures.push(format!("{}: {failure}", path.display()));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
