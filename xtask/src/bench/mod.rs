//! `bench`: trunkline beside bare h2, tonic, connectrpc and grpc-go, in turn within each round.
//!
//! 1. A measured server always gets its load from the same generator, a measured client always calls the same server; both
//!    are of our own frames and cost a fraction of what they measure.
//! 2. Within a round every library runs once; the order rotates from round to round.
//! 3. A ratio is taken within its round, and the median of the rounds' ratios is reported: what disturbs the machine for
//!    longer than a round disturbs both sides of the ratio.
//! 4. Counts (instructions, allocations, system calls) are the difference of a long run and a short one.

mod cell;
mod cells;
mod counts;
mod gate;
mod machine;
mod measure;
mod options;
mod page;
mod plot;
mod programs;
mod progress;
mod record;
mod report;
mod results;
mod saved;
mod tune;
mod values;

use crate::outcome::Outcome;
use cell::{Cell, Kind};
use machine::Machine;
use options::Options;
use programs::{LIBRARIES, Library, Programs};
use progress::Progress;
use results::{Measurement, Results};
use std::path::Path;

pub(crate) use page::stale;

pub(crate) fn run(arguments: &[String]) -> Outcome {
    match arguments.split_first() {
        Some((first, rest)) if first == "gate" => return gate::run(rest),
        Some((first, [])) if first == "record" => return Outcome::from_result(page::record()),
        Some((first, rest)) if first == "tune" => return Outcome::from_result(tune::run(rest)),
        _ => {}
    }
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(why) => return Outcome::Failed(why),
    };
    if !Path::new("/proc/self/stat").exists() {
        return Outcome::Skipped(
            "CPU time of another process is read from /proc, which this machine has not".to_owned(),
        );
    }
    Outcome::from_result(bench(&options))
}

fn bench(options: &Options) -> Result<(), String> {
    let machine = Machine::here();
    if options.is_smoke {
        programs::test()?;
    }
    let results = measure(options)?;
    let names: Vec<&str> = LIBRARIES.iter().map(|library| library.name).collect();
    let rows = record::rows(&results, &machine, &names, record::MEASURE);
    println!("\n{}", report::render(&rows));
    if !options.is_smoke {
        if let Some((place, before)) = saved::last(saved::CELLS)? {
            let changes = report::changes(&rows, &before);
            if !changes.is_empty() {
                println!("since {}:\n{changes}", place.display());
            }
        }
        let place = saved::save(saved::CELLS, options, &rows, &results)?;
        println!("saved as {}", place.display());
    }
    match results.failures.as_slice() {
        [] => Ok(()),
        failures => Err(failures.join("\n")),
    }
}

/// Every cell, every round, every library.
fn measure(options: &Options) -> Result<Results, String> {
    let wants_go = options
        .cells
        .iter()
        .any(|cell| cell.libraries.contains(&"grpc-go"));
    // A gate needs no second toolchain: that grpc-go's programs run is no promise of ours.
    let programs = Programs::build(wants_go && options.wants("grpc-go") && !options.is_smoke)?;
    let takes_part = |cell: &Cell, library: &Library| {
        cell.libraries.contains(&library.name)
            && options.wants(library.name)
            && programs.has(library)
    };
    let runs = options.cells.iter().map(|cell| {
        let libraries = LIBRARIES.iter().filter(|library| takes_part(cell, library));
        libraries.count() * options.rounds_of(cell)
    });
    let mut progress = Progress::new(runs.sum());
    let mut results = Results::default();
    for cell in &options.cells {
        if let Some(why) = cannot(cell) {
            progress.clear();
            println!("{} is skipped: {why}", cell.name);
            continue;
        }
        let mut libraries: Vec<&Library> = LIBRARIES
            .iter()
            .filter(|library| takes_part(cell, library))
            .collect();
        for round in 0..options.rounds_of(cell) {
            for library in &libraries {
                progress.now(&format!(
                    "{} {}, round {}",
                    cell.name,
                    library.title,
                    round + 1
                ));
                match measure::measure(&programs, library, cell, options) {
                    Ok(values) => results.push(Measurement {
                        cell: *cell,
                        library: library.name,
                        round,
                        values,
                    }),
                    Err(why) => {
                        progress.clear();
                        println!("{} {}: {why}", cell.name, library.title);
                        let first = why.lines().next().unwrap_or_default();
                        let failure = format!("{} {}: {first}", cell.name, library.title);
                        results.failures.push(failure);
                    }
                }
            }
            // The next round begins with another one.
            if !libraries.is_empty() {
                libraries.rotate_left(1);
            }
        }
    }
    progress.clear();
    if !programs.pins() {
        println!(
            "programs of one thread were not kept on a CPU each: there is no taskset, or one CPU"
        );
    }
    Ok(results)
}

/// Why a cell cannot be measured on this machine.
fn cannot(cell: &Cell) -> Option<String> {
    match cell.kind {
        Kind::Counts(_) if !counts::can_count() => Some("there is no valgrind".to_owned()),
        Kind::Idle { connections, .. } => {
            // Beside the connections, each side has a few files more.
            let wanted = connections + 200;
            let files = machine::open_files();
            (files < wanted).then(|| format!("{wanted} open files are wanted, {files} allowed"))
        }
        _ => None,
    }
}
