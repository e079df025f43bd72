//! `bench tune`: what the choices of a program's author do, each alone and some together, to trunkline's server.

use super::cell::{Cell, Kind};
use super::cells::CELLS;
use super::machine::Machine;
use super::measure;
use super::options::Options;
use super::programs::{LIBRARIES, Library, Programs};
use super::progress::Progress;
use super::record::{self, Entry, Row};
use super::results::{Measurement, Results};
use super::values::Metric;
use super::{report, saved};
use std::fmt::Write as _;

/// What the others are compared with.
pub(super) const PLAIN: &str = "plain";

/// A way to build and to start the programs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Variant {
    /// For the record, and for its folder in `target`.
    pub(super) name: &'static str,
    /// For people.
    title: &'static str,
    /// Of the build.
    pub(super) environment: &'static [(&'static str, &'static str)],
    /// Of the crate of the programs.
    pub(super) features: &'static str,
    /// For the server.
    server_words: &'static [&'static str],
}

const LTO: &[(&str, &str)] = &[
    ("CARGO_PROFILE_RELEASE_LTO", "fat"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
];

const fn variant(name: &'static str, title: &'static str) -> Variant {
    Variant {
        name,
        title,
        environment: &[],
        features: "",
        server_words: &[],
    }
}

/// In the order of the report; those without environment and features share the build of the first one.
const VARIANTS: &[Variant] = &[
    variant(PLAIN, "as it comes"),
    Variant {
        environment: LTO,
        ..variant("lto", "fat LTO, one codegen unit")
    },
    Variant {
        features: "mimalloc",
        ..variant("mimalloc", "mimalloc")
    },
    Variant {
        features: "silent",
        ..variant("silent", "tracing compiled out")
    },
    Variant {
        environment: LTO,
        features: "mimalloc,silent",
        ..variant("all", "the three together")
    },
    Variant {
        server_words: &["--workers", "0"],
        ..variant("workers", "`workers(0)`: a runtime for each core")
    },
    Variant {
        server_words: &["--window", "65536"],
        ..variant("window-64k", "windows of 64 KiB, always")
    },
    Variant {
        server_words: &["--window", "4194304"],
        ..variant("window-4m", "windows of 4 MiB, always")
    },
];

const SHOWN: &[&str] = &[
    "server-unary-64-c8-s10",
    "server-unary-64-c8-s10-mt",
    "server-large-64k-c4-s4",
    "server-large-1m-c2-s2",
];

/// Measures every variant and saves what was found.
///
/// Errors: a build or a call that failed.
pub(super) fn run(arguments: &[String]) -> Result<(), String> {
    let options = Options::parse(arguments)?;
    let library = LIBRARIES.first().ok_or("no library")?;
    let results = measure_all(&options, library)?;
    let machine = Machine::here();
    let names: Vec<&str> = VARIANTS.iter().map(|variant| variant.name).collect();
    let rows = record::rows(&results, &machine, &names, PLAIN);
    println!("\n{}", report::render(&rows));
    let place = saved::save(saved::TUNING, &options, &rows, &results)?;
    println!("saved as {}", place.display());
    Ok(())
}

fn measure_all(options: &Options, library: &Library) -> Result<Results, String> {
    let mut builds = Vec::new();
    for variant in VARIANTS {
        let is_plain = variant.environment.is_empty() && variant.features.is_empty();
        let programs = if is_plain {
            Programs::build(false)?
        } else {
            Programs::variant(variant)?
        };
        builds.push((variant, programs));
    }
    let cells: Vec<Cell> = SHOWN
        .iter()
        .filter_map(|name| CELLS.iter().find(|cell| cell.name == *name))
        .copied()
        .collect();
    let mut progress = Progress::new(cells.len() * builds.len() * options.rounds);
    let mut results = Results::default();
    for cell in cells {
        for round in 0..options.rounds {
            builds.rotate_left(1);
            for (variant, programs) in &builds {
                progress.now(&format!("{} {}", cell.name, variant.title));
                let Kind::Timed(side, threads, load) = cell.kind else {
                    continue;
                };
                let words = variant.server_words;
                let timed = measure::Timed {
                    side,
                    threads,
                    load,
                    server_words: words,
                };
                results.push(Measurement {
                    cell,
                    library: variant.name,
                    round,
                    values: measure::timed(programs, library, &timed, options)?,
                });
            }
        }
    }
    progress.clear();
    Ok(results)
}

/// Of CPU for each call, to the programs as they come.
pub(super) fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "CPU of trunkline's server for each call, to what it is without the change:\n\n| |",
    );
    for row in rows {
        let _ = write!(out, " {} |", row.title);
    }
    let _ = writeln!(out, "\n|---|{}", "---|".repeat(rows.len()));
    for variant in VARIANTS {
        let _ = write!(out, "| {} |", variant.title);
        for row in rows {
            let shown = row.entry(variant.name).map_or_else(String::new, shown);
            let _ = write!(out, " {shown} |");
        }
        out.push('\n');
    }
    out
}

fn shown(entry: &Entry) -> String {
    if entry.library == PLAIN {
        let us = entry.values.get(&Metric::Cpu).copied().unwrap_or(f64::NAN);
        return format!("{} µs", Metric::Cpu.show(us));
    }
    let ratio = entry.ratios.get(&Metric::Cpu);
    ratio.map_or_else(String::new, |ratio| format!("{:.2}", ratio.median))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_are_measured_in_cells_that_there_are() {
        for name in SHOWN {
            let cell = CELLS.iter().find(|cell| cell.name == *name).unwrap();
            assert!(matches!(cell.kind, Kind::Timed(..)), "{name}");
        }
        assert_eq!(VARIANTS.first().unwrap().name, PLAIN);
    }
}
