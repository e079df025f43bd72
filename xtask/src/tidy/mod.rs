//! `tidy`: the house rules that a program can check. Each finding names file, line and rule.

mod codes;
mod layering;
mod mask;
mod names;
mod shape;
mod surface;

use crate::outcome::Outcome;
use crate::{bench, process, suites, workspace};
use std::fmt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const GIT_BOUND: Duration = Duration::from_secs(60);

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    file: String,
    line: usize,
    rule: &'static str,
    text: String,
    severity: Severity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    Error,
    /// Printed, but no reason to fail.
    Warning,
}

impl Finding {
    fn new(file: &str, line: usize, rule: &'static str, text: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            rule,
            text: text.into(),
            severity: Severity::Error,
        }
    }

    fn warning(self) -> Self {
        Self {
            severity: Severity::Warning,
            ..self
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        write!(
            f,
            "{}:{}: {kind}[{}] {}",
            self.file, self.line, self.rule, self.text
        )
    }
}

/// A file of the tree as the checkers see it.
#[derive(Debug)]
struct SourceFile {
    /// Relative to the root, with `/`.
    path: String,
    text: String,
}

impl SourceFile {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Written by a program: other rules apply there.
    fn is_generated(&self) -> bool {
        let folder = ["/golden/", "/generated/", "/corpus/"]
            .iter()
            .any(|each| self.path.contains(each));
        folder
            || self
                .text
                .lines()
                .take(3)
                .any(|line| line.contains("@generated"))
    }

    /// Nothing but tests: what production code may not do is fine here.
    fn is_test(&self) -> bool {
        let path = format!("/{}", self.path);
        path.contains("/tests/") || path.ends_with("/tests.rs")
    }
}

pub(crate) fn run(_: &[String]) -> Outcome {
    let root = workspace::root();
    let checked = files(&root).and_then(|files| {
        let members = workspace::members()?;
        Ok((check(&files, &members, &root), files.len()))
    });
    let (findings, count) = match checked {
        Ok(checked) => checked,
        Err(why) => return Outcome::Failed(why),
    };
    for finding in &findings {
        println!("{finding}");
    }
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .count();
    println!(
        "tidy: {count} files, {errors} errors, {} warnings",
        findings.len() - errors
    );
    if errors == 0 {
        Outcome::Passed
    } else {
        Outcome::Failed(format!("{errors} house rules broken"))
    }
}

fn check(files: &[SourceFile], members: &[workspace::Package], root: &Path) -> Vec<Finding> {
    let mut findings = layering::check(members, root);
    for file in files {
        findings.extend(shape::check_any(file));
        if !file.is_rust() || file.is_generated() {
            continue;
        }
        let masked = mask::Masked::new(&file.text);
        findings.extend(shape::check_rust(file));
        findings.extend(codes::check(file, &masked));
        findings.extend(names::check(file, &masked));
        findings.extend(surface::check(file, &masked));
    }
    let stale = suites::stale_tables(root).into_iter();
    findings.extend(stale.map(|(page, why)| Finding::new(page, 1, "suites", why)));
    let stale = bench::stale(root).into_iter();
    findings.extend(stale.map(|(page, why)| Finding::new(page, 1, "bench", why)));
    findings.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    findings
}

/// What git tracks, or would track at the next `git add`; files that are not text are left out.
fn files(root: &Path) -> Result<Vec<SourceFile>, String> {
    let mut command = Command::new("git");
    command.current_dir(root).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let listed = process::capture(&mut command, GIT_BOUND)
        .map_err(|error| format!("git ls-files: {error}"))?;
    if !listed.succeeded() {
        return Err(format!(
            "git ls-files: {}: {}",
            listed.ending(),
            listed.stderr
        ));
    }
    let paths = listed.stdout.split('\0').filter(|path| !path.is_empty());
    Ok(paths
        .filter_map(|path| {
            Some(SourceFile {
                path: path.to_owned(),
                text: std::fs::read_to_string(root.join(path)).ok()?,
            })
        })
        .collect())
}
