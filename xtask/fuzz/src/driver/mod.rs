//! The driver for stable Rust: seeded mutation of the corpus, without coverage to guide it.
//!
//! It is our own because the inputs are plain bytes that libFuzzer takes too: one corpus, one format
//! of findings, one replay. A property-testing crate would bring generators and shrinkers of another
//! kind, and more to build.

mod minimise;
mod mutate;
mod watch;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::{Failure, Target, run};

pub use minimise::minimised;
pub use mutate::mutate;
use watch::{Watch, peak_bytes};

/// What memory all inputs together may take at once. The largest that a target needs is far below.
const MAX_PEAK_BYTES: u64 = 768 << 20;

/// Executions between two looks at memory.
const LOOK_EVERY: u64 = 128;

/// How one run is done.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the mutations come from: the same seed tries the same inputs.
    pub seed: u64,
    /// How long.
    pub time: Duration,
    /// How many inputs at most. What a seed tries first is the same on every machine.
    pub executions: u64,
    /// The folder with the inputs to begin with; may be missing.
    pub corpus: PathBuf,
    /// Where the input that is running is written to, if it must be known after a crash. Slower.
    pub trace: Option<PathBuf>,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How many inputs were tried, those of the corpus included.
    pub executions: u64,
    /// How long it took.
    pub time: Duration,
    /// The input that failed, made as small as it goes, and how it fails.
    pub finding: Option<(Vec<u8>, Failure)>,
}

/// Tries inputs until the time is over or one fails.
///
/// What takes longer than a minute ends the process with code 3, after writing the input to `trace` or,
/// without it, to the folder for temporary files.
pub fn drive(target: &'static Target, settings: &Settings) -> Outcome {
    let begin = Instant::now();
    let watch = Watch::start(target.name, settings.trace.clone());
    let mut executions = 0;
    let mut attempt = |input: &[u8]| -> Result<(), Failure> {
        watch.begins(input);
        let result = run(target, input);
        watch.ended();
        executions += 1;
        let looks = settings.trace.is_some() || executions % LOOK_EVERY == 0;
        result.and_then(|()| if looks { within_memory() } else { Ok(()) })
    };
    let corpus = read_corpus(&settings.corpus);
    let mut failed = None;
    for input in &corpus {
        if let Err(failure) = attempt(input) {
            failed = Some((input.clone(), failure));
            break;
        }
    }
    let mut random = Rng::with_seed(settings.seed);
    let mut left = settings.executions;
    while failed.is_none() && left > 0 && begin.elapsed() < settings.time {
        left -= 1;
        let input = mutate(&corpus, target.max_bytes, &mut random);
        if let Err(failure) = attempt(&input) {
            failed = Some((input, failure));
        }
    }
    let time = begin.elapsed();
    let finding = failed.map(|(input, failure)| {
        let same = |smaller: &[u8]| {
            watch.begins(smaller);
            let again = run(target, smaller);
            watch.ended();
            again.is_err_and(|other| other.is_like(&failure))
        };
        (minimised(input, same), failure.clone())
    });
    Outcome {
        executions,
        time,
        finding,
    }
}

fn within_memory() -> Result<(), Failure> {
    match peak_bytes() {
        Some(peak) if peak > MAX_PEAK_BYTES => Err(Failure {
            place: "memory".to_owned(),
            message: format!("{} MiB were in use at once", peak >> 20),
        }),
        _ => Ok(()),
    }
}

/// The files of a folder, in the order of their names, so that the same seed means the same inputs.
fn read_corpus(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let inputs = paths.iter().filter_map(|path| std::fs::read(path).ok());
    inputs.collect()
}
