//! `record`: keeps what the last runs found in `docs/suites.json`, and makes the tables from it that the README and
//! `docs/conformance.md` show.

use crate::outcome::Outcome;
use crate::{process, workspace};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What is recorded.
const RECORD: &str = "docs/suites.json";

/// Where the tables are shown, between the two marks.
const PAGES: &[&str] = &["README.md", "docs/conformance.md"];
const BEGIN: &str = "<!-- suites: written by `cargo xtask record` -->";
const END: &str = "<!-- /suites -->";

/// Commands in the order of the table.
const COMMANDS: &[&str] = &["conformance", "interop", "tools", "fuzz", "soak"];

const GIT_BOUND: Duration = Duration::from_secs(30);

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
    let revision = revision();
    for command in COMMANDS {
        let file = target.join("suites").join(format!("{command}.json"));
        let Ok(text) = fs::read_to_string(&file) else {
            println!("{command}: has not run here, its rows stay as they are");
            continue;
        };
        let ran: Value =
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        merge(&mut recorded, command, &ran, &revision)?;
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

/// What was checked out when it was recorded.
fn revision() -> String {
    let mut command = Command::new("git");
    command
        .current_dir(workspace::root())
        .args(["rev-parse", "--short", "HEAD"]);
    process::capture(&mut command, GIT_BOUND)
        .map(|captured| captured.stdout.trim().to_owned())
        .unwrap_or_default()
}

/// Replaces a command's rows by those of its last run. What somebody chose cases of, or what a tool was missing for,
/// leaves the old ones.
fn merge(recorded: &mut Value, command: &str, ran: &Value, revision: &str) -> Result<(), String> {
    let Some(all) = recorded.as_object_mut() else {
        return Err(format!("{RECORD}: no object"));
    };
    let mut rows: Vec<Value> = Vec::new();
    let mut partial = ran["missing"]
        .as_array()
        .is_some_and(|missing| !missing.is_empty());
    for row in ran["rows"].as_array().into_iter().flatten() {
        if row["partial"] == true {
            partial = true;
            continue;
        }
        if row["comparison"] != true && has_failed(row) {
            return Err(format!(
                "{command}: {row} failed; failures are mended, not recorded"
            ));
        }
        let mut kept = Map::new();
        for key in ["suite", "side", "passed", "total", "seconds", "remark"] {
            kept.insert(key.to_owned(), row[key].clone());
        }
        kept.insert("revision".to_owned(), Value::from(revision));
        rows.push(Value::Object(kept));
    }
    if partial {
        let old = all
            .get(command)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let is_new = |row: &Value| {
            let same =
                |fresh: &Value| fresh["suite"] == row["suite"] && fresh["side"] == row["side"];
            rows.iter().any(same)
        };
        let stay: Vec<Value> = old.into_iter().filter(|row| !is_new(row)).collect();
        rows.extend(stay);
    }
    all.insert(command.to_owned(), Value::from(rows));
    Ok(())
}

fn has_failed(row: &Value) -> bool {
    let failed = row["failed"].as_array();
    row["passed"] != row["total"] || failed.is_some_and(|names| !names.is_empty())
}

/// The rows as Markdown; the seconds stay in the record, they say more about the machine.
fn table(recorded: &Value) -> String {
    let mut out = String::from("| command | suite | judged | passed | |\n|---|---|---|---|---|\n");
    for command in COMMANDS {
        for row in recorded[*command].as_array().into_iter().flatten() {
            let text = |key: &str| row[key].as_str().unwrap_or_default().replace('|', "\\|");
            let count = |key: &str| row[key].as_u64().unwrap_or_default();
            let _ = writeln!(
                out,
                "| `{command}` | {} | {} | {} of {} | {} |",
                text("suite"),
                text("side"),
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

    fn ran(rows: &Value) -> Value {
        json!({"rows": rows, "missing": []})
    }

    fn row(side: &str, passed: u64) -> Value {
        json!({"suite": "s", "side": side, "passed": passed, "total": 3, "seconds": 1.0, "remark": "", "partial": false, "failed": []})
    }

    #[test]
    fn a_whole_run_replaces_the_rows_of_its_command() {
        let mut recorded = json!({});
        merge(
            &mut recorded,
            "fuzz",
            &ran(&json!([row("a", 3), row("b", 3)])),
            "1",
        )
        .unwrap();
        merge(&mut recorded, "fuzz", &ran(&json!([row("c", 3)])), "2").unwrap();
        assert_eq!(recorded["fuzz"].as_array().map(Vec::len), Some(1));
        assert_eq!(recorded["fuzz"][0]["revision"], "2");
    }

    #[test]
    fn a_part_of_a_run_replaces_only_its_own_rows() {
        let mut recorded = json!({});
        merge(
            &mut recorded,
            "fuzz",
            &ran(&json!([row("a", 3), row("b", 3)])),
            "1",
        )
        .unwrap();
        let mut chosen = row("x", 1);
        chosen["partial"] = Value::from(true);
        merge(
            &mut recorded,
            "fuzz",
            &ran(&json!([row("a", 3), chosen])),
            "2",
        )
        .unwrap();
        let sides: Vec<_> = recorded["fuzz"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["side"].clone())
            .collect();
        assert_eq!(sides, ["a", "b"]);
    }

    #[test]
    fn failures_are_not_recorded() {
        let mut recorded = json!({});
        assert!(merge(&mut recorded, "fuzz", &ran(&json!([row("a", 2)])), "1").is_err());
    }

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter");
        let fresh = with_table(&page, "new\n").unwrap();
        assert_eq!(fresh, format!("before\n{BEGIN}\nnew\n{END}\nafter"));
        assert_eq!(with_table("nothing", "new"), None);
    }
}
