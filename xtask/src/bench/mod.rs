//! `bench`: CPU time per call of our programs, tonic's and bare h2's, in turn within each round.
//!
//! 1. A measured server always gets its load from the bare h2 client, a measured client always calls the bare h2 server.
//! 2. Within a round every program runs once; the order rotates from round to round.
//! 3. A ratio is taken within its round, and the median of the rounds' ratios is reported: what disturbs the machine for
//!    longer than a round disturbs both sides of the ratio.

mod options;
mod programs;
mod report;
mod results;

use crate::outcome::{self, Outcome};
use crate::{process, workspace};
use options::{Cell, Options, Side};
use programs::Programs;
use results::{Measurement, Results};
use std::path::Path;
use std::time::Duration;

/// The workspace of the load programs, apart from ours: see its manifest.
const MANIFEST: &str = "xtask/bench/Cargo.toml";

const BUILD_BOUND: Duration = Duration::from_secs(1_800);

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(why) => return Outcome::Failed(why),
    };
    if !Path::new("/proc/self/stat").exists() {
        return Outcome::Skipped(
            "CPU time of another process is read from /proc, which this machine has not".to_owned(),
        );
    }
    match measure(&options) {
        Ok(results) => {
            println!("\n{}", report::render(&results));
            finish(&options, &results)
        }
        Err(why) => Outcome::Failed(why),
    }
}

fn measure(options: &Options) -> Result<Results, String> {
    let manifest = workspace::root().join(MANIFEST);
    let mut command = process::cargo();
    command
        .args(["build", "--release", "--manifest-path"])
        .arg(&manifest);
    if outcome::is_ci() {
        // A dependency that one of our crates gained must have reached this lock file too.
        command.arg("--locked");
    }
    process::run(&mut command, BUILD_BOUND)?;
    let programs = Programs::find(&manifest)?;

    let mut results = Results::default();
    for cell in &options.cells {
        for side in &options.sides {
            println!("{} {}", side.name(), cell.name());
            for round in 0..options.rounds {
                results.extend(one_round(options, &programs, *side, cell, round)?);
            }
        }
    }
    Ok(results)
}

/// Every program once.
fn one_round(
    options: &Options,
    programs: &Programs,
    side: Side,
    cell: &Cell,
    round: usize,
) -> Result<Vec<Measurement>, String> {
    let mut libraries = programs.libraries();
    let first = round % libraries.len().max(1);
    libraries.rotate_left(first);
    let runs = libraries.into_iter().map(|library| {
        let numbers = match side {
            Side::Server => programs.run(library, "h2", cell, options)?,
            Side::Client => programs.run("h2", library, cell, options)?,
        };
        Ok(Measurement {
            side,
            cell: cell.clone(),
            library,
            round,
            numbers,
        })
    });
    runs.collect()
}

fn finish(options: &Options, results: &Results) -> Outcome {
    if let Some(idle) = results
        .iter()
        .find(|measurement| measurement.numbers.calls == 0)
    {
        return Outcome::Failed(format!(
            "{} {}: no call was answered",
            idle.side.name(),
            idle.library
        ));
    }
    if options.smoke {
        return Outcome::Passed;
    }
    match report::save(options, results) {
        Ok(path) => {
            println!("saved as {}", path.display());
            Outcome::Passed
        }
        Err(error) => Outcome::Failed(format!("cannot save the results: {error}")),
    }
}
