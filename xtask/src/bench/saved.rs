//! Runs that were saved, in `target/bench/`.

use super::options::Options;
use super::record::{self, Row};
use super::results::Results;
use crate::workspace;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::PathBuf;

/// Runs of all cells.
pub(super) const CELLS: &str = "cells";
/// Runs of `tune`.
pub(super) const TUNING: &str = "tuning";

fn folder(kind: &str) -> Result<PathBuf, String> {
    let target = workspace::target_directory(&workspace::root().join("Cargo.toml"))?;
    Ok(target.join("bench").join(kind))
}

/// Writes every number to `target/bench/<kind>/<UTC time>.json`.
pub(super) fn save(
    kind: &str,
    options: &Options,
    rows: &[Row],
    results: &Results,
) -> Result<PathBuf, String> {
    let folder = folder(kind)?;
    let fail = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(fail)?;
    let date = rows.first().map_or("nothing", |row| &row.machine.date);
    let place = folder.join(format!("{date}.json"));
    let document = json!({
        "full": options.is_full(),
        "seconds": options.seconds,
        "cells": record::to_json(rows),
        "rounds": rounds(results),
    });
    fs::write(&place, format!("{document:#}\n")).map_err(fail)?;
    Ok(place)
}

/// Every measurement by itself.
fn rounds(results: &Results) -> Value {
    let cells = results.cells().into_iter().map(|cell| {
        let mut libraries = Map::new();
        for library in results.libraries(&cell) {
            let rounds = results.rounds(&cell, library);
            let rounds = rounds.iter().map(|round| {
                let values = round.values.iter();
                let pairs = values.map(|(metric, value)| (metric.key().to_owned(), json!(value)));
                Value::Object(pairs.collect())
            });
            libraries.insert(library.to_owned(), rounds.collect());
        }
        (cell.name.to_owned(), Value::Object(libraries))
    });
    Value::Object(cells.collect())
}

/// A saved run, and where it is.
pub(super) type Saved = (PathBuf, Vec<Row>);

/// The newest one.
pub(super) fn last(kind: &str) -> Result<Option<Saved>, String> {
    newest(kind, |_| true)
}

/// The newest one that may be recorded.
pub(super) fn last_full(kind: &str) -> Result<Option<Saved>, String> {
    newest(kind, |document| {
        document.get("full") == Some(&Value::from(true))
    })
}

fn newest(kind: &str, is_wanted: impl Fn(&Value) -> bool) -> Result<Option<Saved>, String> {
    let Ok(entries) = fs::read_dir(folder(kind)?) else {
        return Ok(None);
    };
    let mut places: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    // Their names are dates.
    places.sort();
    for place in places.into_iter().rev() {
        let text =
            fs::read_to_string(&place).map_err(|error| format!("{}: {error}", place.display()))?;
        let document: Value = serde_json::from_str(&text).unwrap_or_default();
        // Those of an older bench have other rows.
        if let Ok(rows) = record::from_json(document.get("cells").unwrap_or(&Value::Null))
            && is_wanted(&document)
        {
            return Ok(Some((place, rows)));
        }
    }
    Ok(None)
}
