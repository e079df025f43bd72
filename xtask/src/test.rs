//! `test`: all tests of the workspace with nothing but Rust, or those of some crates, or those of some names; what opens
//! connections once per HTTP/2 engine.

use crate::engines::{Engine, Engines};
use crate::outcome::Outcome;
use crate::{peers, process, workspace};
use std::time::Duration;

/// Building everything included, on a small machine.
const BOUND: Duration = Duration::from_secs(2_700);

/// The members whose tests open connections: on the second engine they run alone.
const CONNECTING: &[&str] = &[
    "trunkline",
    "trunkline-client",
    "trunkline-server",
    "trunkline-transport",
];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let members = match workspace::members() {
        Ok(members) => members
            .into_iter()
            .map(|member| member.name)
            .collect::<Vec<_>>(),
        Err(why) => return Outcome::Failed(why),
    };
    let (engines, words) = match Engines::take(arguments) {
        Ok(taken) => taken,
        Err(why) => return Outcome::Failed(why),
    };
    let selection = Selection::new(&words, &members);
    peers::bring_openssl();
    let mut results = Vec::new();
    for engine in engines.each() {
        let Some(arguments) = selection.arguments(engine) else {
            println!("\n== HTTP/2 engine {engine}: nothing chosen opens connections");
            continue;
        };
        println!("\n== HTTP/2 engine {engine}");
        let mut command = process::cargo();
        command.current_dir(workspace::root()).args(arguments);
        results.push(process::run(engine.set(&mut command), BOUND));
    }
    println!("\nForeign peers (what is missing was skipped above, or is by `cargo xtask ci`):");
    for line in peers::describe() {
        println!("  {line}");
    }
    let failures: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    match failures.is_empty() {
        true => Outcome::Passed,
        false => Outcome::Failed(failures.join("; ")),
    }
}

/// Words that name a member choose packages; all others filter tests by name.
#[derive(Debug, PartialEq, Eq)]
struct Selection {
    packages: Vec<String>,
    filters: Vec<String>,
}

impl Selection {
    fn new(words: &[String], members: &[String]) -> Self {
        let mut selection = Self {
            packages: Vec::new(),
            filters: Vec::new(),
        };
        for word in words {
            let member = members
                .iter()
                .find(|member| *member == word || **member == format!("trunkline-{word}"));
            match member {
                Some(member) => selection.packages.push(member.clone()),
                None => selection.filters.push(word.clone()),
            }
        }
        selection
    }

    /// Everything on the default engine; on the other what opens connections, which may be nothing.
    fn arguments(&self, engine: Engine) -> Option<Vec<String>> {
        let mut arguments = vec!["test".to_owned()];
        let mut packages = self.packages.clone();
        if engine != Engine::USUAL {
            arguments.push("--tests".to_owned());
            let is_connecting = |package: &String| CONNECTING.contains(&package.as_str());
            match packages.is_empty() {
                true => packages = CONNECTING.iter().map(|&name| name.to_owned()).collect(),
                false => packages.retain(is_connecting),
            }
            if packages.is_empty() {
                return None;
            }
        }
        if packages.is_empty() {
            arguments.push("--workspace".to_owned());
        }
        for package in packages {
            arguments.extend(["--package".to_owned(), package]);
        }
        if !self.filters.is_empty() {
            arguments.push("--".to_owned());
            arguments.extend(self.filters.iter().cloned());
        }
        Some(arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(engine: Engine, words: &[&str]) -> Option<String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let members = ["trunkline", "trunkline-core", "xtask"].map(str::to_owned);
        let arguments = Selection::new(&words, &members).arguments(engine)?;
        Some(arguments.join(" "))
    }

    #[test]
    fn without_words_everything_runs() {
        assert_eq!(
            arguments(Engine::USUAL, &[]).as_deref(),
            Some("test --workspace")
        );
    }

    #[test]
    fn short_names_of_members_choose_packages_and_other_words_filter() {
        assert_eq!(
            arguments(Engine::USUAL, &["core", "xtask", "goaway"]).as_deref(),
            Some("test --package trunkline-core --package xtask -- goaway")
        );
    }

    #[test]
    fn on_the_other_engine_only_what_opens_connections_runs() {
        let other = |words| arguments(Engine::H2, words);
        let all = other(&["goaway"]).unwrap();
        assert!(all.starts_with("test --tests --package trunkline --package"));
        assert!(all.ends_with(" -- goaway"));
        assert_eq!(
            other(&["core", "trunkline"]).as_deref(),
            Some("test --tests --package trunkline")
        );
        assert_eq!(other(&["core", "goaway"]), None);
    }
}
