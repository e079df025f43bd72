//! The table for the screen and the file for later comparison.

use super::options::Options;
use super::results::{Results, median};
use crate::report::Table;
use crate::workspace;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io};

const NANOS_PER_MICRO: f64 = 1_000.0;

/// Medians over the rounds; a ratio with the least and the greatest of its rounds behind it.
pub(super) fn render(results: &Results) -> String {
    let mut table = Table::new(&[
        "side",
        "cell",
        "program",
        "CPU us/call",
        "to h2",
        "to tonic",
        "(min-max)",
        "calls/s",
        "p50 us",
        "p99 us",
    ]);
    for (side, cell) in results.groups() {
        for library in ["h2", "tonic", "trunkline"] {
            let rounds = results.rounds(side, &cell, library);
            if rounds.is_empty() {
                continue;
            }
            let to_tonic = results.ratios(side, &cell, library, "tonic");
            table.row(vec![
                side.name().to_owned(),
                cell.name(),
                library.to_owned(),
                format!(
                    "{:.2}",
                    median(rounds.iter().map(|round| round.cpu_per_call()))
                ),
                format!("{:.2}", median(results.ratios(side, &cell, library, "h2"))),
                format!("{:.2}", median(to_tonic.iter().copied())),
                spread(&to_tonic),
                format!(
                    "{:.0}",
                    median(rounds.iter().map(|round| round.calls_per_second()))
                ),
                format!(
                    "{:.0}",
                    median(
                        rounds
                            .iter()
                            .map(|round| round.numbers.p50_ns / NANOS_PER_MICRO)
                    )
                ),
                format!(
                    "{:.0}",
                    median(
                        rounds
                            .iter()
                            .map(|round| round.numbers.p99_ns / NANOS_PER_MICRO)
                    )
                ),
            ]);
        }
    }
    table.render()
}

fn spread(ratios: &[f64]) -> String {
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if least.is_finite() {
        format!("{least:.2}-{greatest:.2}")
    } else {
        "-".to_owned()
    }
}

/// Writes every measurement to `target/bench/<UTC time>.json`.
pub(super) fn save(options: &Options, results: &Results) -> io::Result<PathBuf> {
    let folder = workspace::root().join("target/bench");
    fs::create_dir_all(&folder)?;
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    let path = folder.join(format!("{}.json", timestamp(seconds)));
    let text =
        serde_json::to_string_pretty(&document(options, results)).map_err(io::Error::other)?;
    fs::write(&path, text + "\n")?;
    Ok(path)
}

fn document(options: &Options, results: &Results) -> Value {
    let measurements: Vec<Value> = results
        .iter()
        .map(|found| {
            json!({
                "side": found.side.name(),
                "cell": found.cell.name(),
                "program": found.library,
                "round": found.round,
                "cpu_us_per_call": found.cpu_per_call(),
                "calls_per_second": found.calls_per_second(),
                "calls": found.numbers.calls,
                "seconds": found.numbers.seconds,
                "client_cpu_ns": found.numbers.client_cpu_ns,
                "server_cpu_ns": found.numbers.server_cpu_ns,
                "p50_ns": found.numbers.p50_ns,
                "p99_ns": found.numbers.p99_ns,
            })
        })
        .collect();
    json!({
        "rounds": options.rounds,
        "seconds": options.seconds,
        "single_thread": options.single_thread,
        "cpus": std::thread::available_parallelism().map_or(0, usize::from),
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        "measurements": measurements,
    })
}

/// `2026-11-22T15-04-05Z` of seconds since 1970, by the calendar of days since 0000-03-01.
fn timestamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153; // from March
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year + carry;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}-{:02}-{:02}Z",
        rest / 3_600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00-00-00Z"),
            (951_782_400, "2000-02-29T00-00-00Z"),
            (1_735_689_599, "2024-12-31T23-59-59Z"),
            (1_795_359_845, "2026-11-22T15-04-05Z"),
        ] {
            assert_eq!(timestamp(seconds), expected);
        }
    }
}
