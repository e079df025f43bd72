//! `record`: keeps what the last runs found in `docs/suites.json`, and makes the tables from it that the README and
//! `docs/conformance.md` show.

use crate::outcome::Outcome;
use crate::workspace;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// What is recorded.
const RECORD: &str = "docs/suites.json";

/// Where the tables are shown, between the two marks.
const PAGES: &[&str] = &["README.md", "docs/conformance.md"];
const BEGIN: &str = "<!-- suites: written by `cargo xtask record` -->";
const END: &str = "<!-- /suites -->";

/// Commands in the order of the table.
const COMMANDS: &[&str] = &["conformance", "interop", "tools", "fuzz", "soak"];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let Some(word) = arguments.first() {
        return Outcome::Failed(format!("record takes no arguments, but got {word:?}"));
    }
    Outcome::from_result(record())
}

/// The pages whose tables are not those of the record, each with what is wrong with it.
pub(crate) fn stale_tables(root: &Path) -> Vec<(&'static str, String)> {
    let Ok(text) = fs::read_to_string(root.join(RECORD)) else {
        return Vec::new();
    };
    let Ok(recorded) = serde_json::from_str::<Value>(&text) else {
        return vec![(RECORD, "not JSON".to_owned())];
    };
    let mut stale = Vec::new();
    for page in PAGES {
        let Ok(text) = fs::read_to_string(root.join(page)) else {
            continue;
        };
        match with_table(&text, &table(&recorded)) {
            Some(fresh) if fresh == text => {}
            Some(_) => {
                let why =
                    format!("the table of suites is not that of {RECORD}: `cargo xtask record`");
                stale.push((*page, why));
            }
            None => stale.push((*page, "no place for the table of suites".to_owned())),
        }
    }
    stale
}

fn record() -> Result<(), String> {
    let root = workspace::root();
    let target = workspace::target_directory(&root.join("Cargo.toml"))?;
    let place = root.join(RECORD);
    let mut recorded = match fs::read_to_string(&place) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| format!("{RECORD}: {error}"))?,
        Err(_) => json!({}),
    };
    for command in COMMANDS {
        let file = target.join("suites").join(format!("{command}.json"));
        let Ok(text) = fs::read_to_string(&file) else {
            println!("{command}: has not run here, its rows stay as they are");
            continue;
        };
        let ran: Value =
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        merge(&mut recorded, command, &ran)?;
    }
    let text = format!("{recorded:#}\n");
    fs::write(&place, text).map_err(|error| format!("{RECORD}: {error}"))?;
    for page in PAGES {
        let place = root.join(page);
        let text = fs::read_to_string(&place).map_err(|error| format!("{page}: {error}"))?;
        let fresh = with_table(&text, &table(&recorded))
            .ok_or_else(|| format!("{page}: no line {BEGIN:?} followed by {END:?}"))?;
        fs::write(&place, fresh).map_err(|error| format!("{page}: {error}"))?;
    }
    println!(
        "{RECORD} and the tables of {} are as the last runs",
        PAGES.join(" and ")
    );
    Ok(())
}

/// Replaces a command's rows by those of its last run. What somebody chose suites or cases of, or what a tool was
/// missing for, leaves the old ones.
fn merge(recorded: &mut Value, command: &str, ran: &Value) -> Result<(), String> {
    let Some(all) = recorded.as_object_mut() else {
        return Err(format!("{RECORD}: no object"));
    };
    let mut rows: Vec<Value> = Vec::new();
    let is_missing = |missing: &Vec<Value>| !missing.is_empty();
    let mut partial = ran["partial"] == true || ran["missing"].as_array().is_some_and(is_missing);
    for row in ran["rows"].as_array().into_iter().flatten() {
        if row["partial"] == true {
            partial = true;
            continue;
        }
        if has_failed(row) {
            return Err(format!(
                "{command}: {row} failed; failures are mended, not recorded"
            ));
        }
        let mut kept = Map::new();
        for key in [
            "suite", "side", "engine", "passed", "total", "seconds", "remark",
        ] {
            kept.insert(key.to_owned(), row[key].clone());
        }
        kept.insert("revision".to_owned(), ran["revision"].clone());
        rows.push(Value::Object(kept));
    }
    if partial {
        let old = all
            .get(command)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        rows = in_place(old, rows);
    }
    all.insert(command.to_owned(), Value::from(rows));
    Ok(())
}

/// The old rows with the fresh ones in their places, and behind them those that have none.
fn in_place(mut old: Vec<Value>, fresh: Vec<Value>) -> Vec<Value> {
    for row in fresh {
        let same = |old: &&mut Value| {
            ["suite", "side", "engine"]
                .iter()
                .all(|key| old.get(key) == row.get(key))
        };
        match old.iter_mut().find(same) {
            Some(place) => *place = row,
            None => old.push(row),
        }
    }
    old
}

/// What is there for comparison fails only where nothing ran.
fn has_failed(row: &Value) -> bool {
    if row["comparison"] == true {
        return row["total"] == 0;
    }
    let failed = row["failed"].as_array();
    row["passed"] != row["total"] || failed.is_some_and(|names| !names.is_empty())
}

/// The rows as Markdown; the seconds stay in the record, they say more about the machine.
fn table(recorded: &Value) -> String {
    let mut out = String::from(
        "| command | suite | judged | engine | passed | |\n|---|---|---|---|---|---|\n",
    );
    for command in COMMANDS {
        for row in recorded[*command].as_array().into_iter().flatten() {
            let text = |key: &str| row[key].as_str().unwrap_or_default().replace('|', "\\|");
            let count = |key: &str| row[key].as_u64().unwrap_or_default();
            let _ = writeln!(
                out,
                "| `{command}` | {} | {} | {} | {} of {} | {} |",
                text("suite"),
                text("side"),
                text("engine"),
                count("passed"),
                count("total"),
                text("remark")
            );
        }
    }
    out
}

/// The page with this between its marks; `None` if it has none.
fn with_table(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(revision: &str, rows: &Value) -> Value {
        json!({"rows": rows, "missing": [], "partial": false, "revision": revision})
    }

    fn row(side: &str, passed: u64) -> Value {
        json!({"suite": "s", "side": side, "engine": "", "passed": passed, "total": 3, "seconds": 1.0, "remark": "", "partial": false, "failed": []})
    }

    /// Of what was recorded: sides and revisions.
    fn kept(recorded: &Value) -> Vec<(&str, &str)> {
        let mut kept = Vec::new();
        for row in recorded["fuzz"].as_array().unwrap() {
            let side = row["side"].as_str().unwrap();
            kept.push((side, row["revision"].as_str().unwrap()));
        }
        kept
    }

    #[test]
    fn a_whole_run_replaces_the_rows_of_its_command() {
        let mut recorded = json!({});
        let both = ran("1", &json!([row("a", 3), row("b", 3)]));
        merge(&mut recorded, "fuzz", &both).unwrap();
        merge(&mut recorded, "fuzz", &ran("2", &json!([row("c", 3)]))).unwrap();
        assert_eq!(kept(&recorded), [("c", "2")]);
    }

    #[test]
    fn a_part_of_a_run_replaces_only_its_own_rows() {
        let both = ran("1", &json!([row("b", 3), row("a", 3)]));
        let mut chosen = row("x", 1);
        chosen["partial"] = Value::from(true);
        let cases_chosen = ran("2", &json!([row("a", 3), chosen]));
        let mut suites_chosen = ran("2", &json!([row("a", 3)]));
        suites_chosen["partial"] = Value::from(true);
        let mut tool_missing = ran("2", &json!([row("a", 3)]));
        tool_missing["missing"] = json!(["a tool"]);
        for part in [cases_chosen, suites_chosen, tool_missing] {
            let mut recorded = json!({});
            merge(&mut recorded, "fuzz", &both).unwrap();
            merge(&mut recorded, "fuzz", &part).unwrap();
            assert_eq!(kept(&recorded), [("b", "1"), ("a", "2")], "{part}");
        }
    }

    #[test]
    fn failures_are_not_recorded_but_of_what_is_there_for_comparison() {
        let mut recorded = json!({});
        let failed = ran("1", &json!([row("a", 2)]));
        merge(&mut recorded, "fuzz", &failed).unwrap_err();
        let mut other = row("a", 2);
        other["comparison"] = Value::from(true);
        merge(&mut recorded, "fuzz", &ran("1", &json!([other]))).unwrap();
        assert_eq!(kept(&recorded), [("a", "1")]);
        other["total"] = Value::from(0);
        merge(&mut recorded, "fuzz", &ran("1", &json!([other]))).unwrap_err();
    }

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter");
        let fresh = with_table(&page, "new\n").unwrap();
        assert_eq!(fresh, format!("before\n{BEGIN}\nnew\n{END}\nafter"));
        assert_eq!(with_table("nothing", "new"), None);
    }
}
