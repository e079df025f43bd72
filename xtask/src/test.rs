//! `test`: all tests of the workspace with nothing but Rust, or those of some crates, or those of some names.

use crate::outcome::Outcome;
use crate::{peers, process, workspace};
use std::time::Duration;

/// Building everything included, on a small machine.
const BOUND: Duration = Duration::from_secs(2_700);

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let members = match workspace::members() {
        Ok(members) => members
            .into_iter()
            .map(|member| member.name)
            .collect::<Vec<_>>(),
        Err(why) => return Outcome::Failed(why),
    };
    let selection = Selection::new(arguments, &members);
    peers::bring_openssl();
    let mut command = process::cargo();
    command
        .current_dir(workspace::root())
        .args(selection.arguments());
    let result = process::run(&mut command, BOUND);
    println!("\nForeign peers (what is missing was skipped above, or is by `cargo xtask ci`):");
    for line in peers::describe() {
        println!("  {line}");
    }
    Outcome::from_result(result)
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

    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["test".to_owned()];
        if self.packages.is_empty() {
            arguments.push("--workspace".to_owned());
        }
        for package in &self.packages {
            arguments.extend(["--package".to_owned(), package.clone()]);
        }
        if !self.filters.is_empty() {
            arguments.push("--".to_owned());
            arguments.extend(self.filters.iter().cloned());
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(words: &[&str]) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let members = ["trunkline", "trunkline-core", "xtask"].map(str::to_owned);
        Selection::new(&words, &members).arguments()
    }

    #[test]
    fn without_words_everything_runs() {
        assert_eq!(arguments(&[]), ["test", "--workspace"]);
    }

    #[test]
    fn short_names_of_members_choose_packages_and_other_words_filter() {
        assert_eq!(
            arguments(&["core", "xtask", "goaway"]),
            [
                "test",
                "--package",
                "trunkline-core",
                "--package",
                "xtask",
                "--",
                "goaway"
            ]
        );
    }
}
