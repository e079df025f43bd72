//! What suites of tests found: on the screen as it comes, in one table at the end, and in files.
//!
//! A [`Run`] is one command's; it has a [`Row`] for each suite and side. `record` keeps what the last runs found in
//! `docs/`, from where the tables of the README are made.

mod files;
mod record;

use crate::engines::Engine;
use crate::outcome::Outcome;
use crate::report::Table;
use crate::workspace;
use std::time::Duration;

pub(crate) use record::{run as record, stale_tables};

/// One case of a suite.
#[derive(Debug, PartialEq)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) time: Duration,
    /// Why it failed, in as many lines as it takes.
    pub(crate) failure: Option<String>,
}

/// One suite against one side of ours.
#[derive(Debug)]
pub(crate) struct Row {
    suite: String,
    side: String,
    engine: Option<Engine>,
    cases: Vec<Case>,
    expected: Option<usize>,
    is_partial: bool,
    is_comparison: bool,
    time: Duration,
    remark: String,
}

impl Row {
    /// `suite` is who wrote the tests, by name and version; `side` is what of ours they judged, and over what.
    pub(crate) fn new(suite: impl Into<String>, side: impl Into<String>) -> Self {
        Self {
            suite: suite.into(),
            side: side.into(),
            engine: None,
            cases: Vec::new(),
            expected: None,
            is_partial: false,
            is_comparison: false,
            time: Duration::ZERO,
            remark: String::new(),
        }
    }

    /// What speaks HTTP/2 in ours, where that makes two rows.
    pub(crate) const fn on(mut self, engine: Option<Engine>) -> Self {
        self.engine = engine;
        self
    }

    /// How many cases there have to be: one that vanished, or a new one, is a failure. Without it, one at least.
    pub(crate) const fn expecting(mut self, cases: usize) -> Self {
        self.expected = Some(cases);
        self
    }

    /// Somebody chose among the cases: it is judged by those that ran, and not recorded.
    pub(crate) const fn partial(mut self) -> Self {
        self.is_partial = true;
        self.expected = None;
        self
    }

    /// Another's, for comparison: what it fails is shown, and fails nothing.
    pub(crate) const fn comparison(mut self) -> Self {
        self.is_comparison = true;
        self
    }

    /// A word beside the figures.
    pub(crate) fn remark(mut self, remark: impl Into<String>) -> Self {
        self.remark = remark.into();
        self
    }

    /// A case that ended, in this time; `failure` says why it did not pass.
    pub(crate) fn case(
        &mut self,
        name: impl Into<String>,
        time: Duration,
        failure: Option<String>,
    ) {
        self.cases.push(Case {
            name: name.into(),
            time,
            failure,
        });
    }

    /// How long the whole suite took, where that is more than the sum of its cases.
    pub(crate) const fn took(&mut self, time: Duration) {
        self.time = time;
    }

    fn passed(&self) -> usize {
        let passed = |case: &&Case| case.failure.is_none();
        self.cases.iter().filter(passed).count()
    }

    /// As many as there have to be, even if fewer ran.
    fn total(&self) -> usize {
        self.expected.unwrap_or(0).max(self.cases.len())
    }

    fn seconds(&self) -> f64 {
        let cases: Duration = self.cases.iter().map(|case| case.time).sum();
        self.time.max(cases).as_secs_f64()
    }

    fn holds(&self) -> bool {
        let count = self.cases.len();
        if self.is_comparison {
            return count > 0;
        }
        self.passed() == count && count > 0 && self.expected.is_none_or(|wanted| wanted == count)
    }

    /// Why it does not hold, beyond the cases that say so themselves.
    fn miscounted(&self) -> Option<String> {
        let ran = self.cases.len();
        match self.expected {
            Some(wanted) if wanted != ran => {
                Some(format!("{ran} cases ran, there have to be {wanted}"))
            }
            None if ran == 0 => Some("no case ran".to_owned()),
            _ => None,
        }
    }

    fn engine(&self) -> &'static str {
        self.engine.map_or("", Engine::name)
    }

    /// Who judged what.
    fn name(&self) -> String {
        let engine = self.engine.map(|engine| format!(", engine {engine}"));
        format!(
            "{}, {}{}",
            self.suite,
            self.side,
            engine.unwrap_or_default()
        )
    }

    fn line(&self) -> String {
        format!(
            "{}: {}/{} in {:.1} s",
            self.name(),
            self.passed(),
            self.total(),
            self.seconds()
        )
    }

    /// The line, and which cases failed: all that the last lines of a long run show of it.
    fn verdict(&self) -> String {
        let failed = self.cases.iter().filter_map(|case| {
            let first = case.failure.as_ref()?.lines().next().unwrap_or_default();
            Some(format!("{} ({first})", case.name))
        });
        let failed: Vec<String> = failed.collect();
        match failed.is_empty() {
            true => self.line(),
            false => format!("{}: {}", self.line(), failed.join(", ")),
        }
    }
}

/// All that one command found.
#[derive(Debug)]
pub(crate) struct Run {
    command: &'static str,
    rows: Vec<Row>,
    missing: Vec<String>,
    is_partial: bool,
}

impl Run {
    /// `command` is the subcommand, and the name of its files in `target/suites/`.
    pub(crate) const fn new(command: &'static str) -> Self {
        Self {
            command,
            rows: Vec::new(),
            missing: Vec::new(),
            is_partial: false,
        }
    }

    /// Somebody chose among the suites: those that did not run stay recorded as they are.
    pub(crate) const fn partial(mut self, is_partial: bool) -> Self {
        self.is_partial = is_partial;
        self
    }

    /// A suite has ended: says so at once, with every failure.
    pub(crate) fn add(&mut self, row: Row) {
        for case in &row.cases {
            if let Some(why) = &case.failure {
                println!("-- FAILED {}, {}: {why}", row.name(), case.name);
            }
        }
        if let Some(why) = row.miscounted() {
            println!("-- FAILED {}: {why}", row.name());
        }
        println!("{}", row.line());
        self.rows.push(row);
    }

    /// A suite that cannot start at all counts as failed.
    pub(crate) fn failed(
        &mut self,
        suite: &str,
        side: &str,
        engine: Option<Engine>,
        why: impl Into<String>,
    ) {
        let mut row = Row::new(suite, side).on(engine);
        row.case("start", Duration::ZERO, Some(why.into()));
        self.add(row);
    }

    /// A suite whose tool is not here: skipped by name at home, a failure under `CI=true`.
    pub(crate) fn missing(&mut self, what: impl Into<String>) {
        let what = what.into();
        println!("-- missing: {what}");
        self.missing.push(what);
    }

    /// Prints the table, writes the files, and says how it went.
    pub(crate) fn finish(self) -> Outcome {
        println!("\n{}", self.table());
        let written = workspace::target_directory(&workspace::root().join("Cargo.toml"))
            .and_then(|target| files::write(&self, &target.join("suites")));
        match written {
            Ok(()) => self.outcome(),
            Err(why) => Outcome::Failed(why),
        }
    }

    fn table(&self) -> String {
        let mut table = Table::new(&["suite", "side", "engine", "passed", "seconds", "remark"]);
        for row in &self.rows {
            table.row(vec![
                row.suite.clone(),
                row.side.clone(),
                row.engine().to_owned(),
                format!("{}/{}", row.passed(), row.total()),
                format!("{:.1}", row.seconds()),
                row.remark.clone(),
            ]);
        }
        let mut text = table.render();
        for what in &self.missing {
            text.push_str(&format!("missing: {what}\n"));
        }
        text
    }

    fn outcome(&self) -> Outcome {
        let failed: Vec<String> = self
            .rows
            .iter()
            .filter(|row| !row.holds())
            .map(Row::verdict)
            .collect();
        if !failed.is_empty() {
            return Outcome::Failed(failed.join("; "));
        }
        if self.missing.is_empty() && self.rows.is_empty() {
            Outcome::Failed("nothing ran: no suite has what was chosen".to_owned())
        } else if self.missing.is_empty() {
            Outcome::Passed
        } else {
            Outcome::missing_tool(self.missing.join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(expected: usize, failures: &[Option<&str>]) -> Row {
        let mut row = Row::new("a suite v1", "server").expecting(expected);
        for (number, failure) in failures.iter().enumerate() {
            let time = Duration::from_millis(100);
            row.case(format!("case {number}"), time, failure.map(str::to_owned));
        }
        row
    }

    #[test]
    fn a_row_holds_when_exactly_the_expected_cases_passed() {
        assert!(row(2, &[None, None]).holds());
        assert!(!row(2, &[None, Some("why")]).holds());
        assert!(!row(3, &[None, None]).holds(), "one vanished");
        assert!(!row(1, &[None, None]).holds(), "one is new");
        assert!(!Row::new("s", "x").holds(), "nothing ran");
        assert!(row(3, &[None]).partial().holds(), "somebody chose");
    }

    #[test]
    fn a_vanished_case_counts_in_the_total() {
        assert_eq!(
            row(3, &[None, Some("why")]).line(),
            "a suite v1, server: 1/3 in 0.2 s"
        );
    }

    #[test]
    fn a_run_in_which_nothing_ran_has_not_passed() {
        assert!(matches!(Run::new("test").outcome(), Outcome::Failed(_)));
    }

    #[test]
    fn one_row_that_does_not_hold_fails_the_run() {
        let mut run = Run::new("test");
        run.add(row(1, &[None]));
        assert_eq!(run.outcome(), Outcome::Passed);
        run.add(row(2, &[None]));
        assert_eq!(
            run.outcome(),
            Outcome::Failed("a suite v1, server: 1/2 in 0.1 s".to_owned())
        );
    }

    #[test]
    fn the_last_words_of_a_run_name_the_case_that_failed() {
        let mut run = Run::new("test");
        run.add(row(2, &[None, Some("client: timed out\n   | more")]));
        assert_eq!(
            run.outcome(),
            Outcome::Failed(
                "a suite v1, server: 1/2 in 0.2 s: case 1 (client: timed out)".to_owned()
            )
        );
    }
}
