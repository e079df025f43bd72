//! What connectconformance says while it judges, read line by line.

use std::collections::BTreeMap;

/// Ends the trace of a failed case.
const TRACE_END: &str = "--------------------";

/// All that was said so far.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    /// Why it failed, by the case's name.
    cases: BTreeMap<String, Option<String>>,
    answered: usize,
    /// The failed case whose lines come.
    failing: Option<String>,
    in_trace: bool,
    total: Option<usize>,
    rest: Vec<String>,
}

impl Transcript {
    pub(super) fn line(&mut self, line: &str) {
        if self.in_failure(line) {
            return;
        }
        if let Some(name) = quoted(line, "Sending request for ") {
            self.cases.entry(name.to_owned()).or_default();
        } else if quoted(line, "Received response for ").is_some() {
            self.answered += 1;
        } else if let Some(name) = line.strip_prefix("FAILED: ") {
            let name = name.trim_end_matches(':');
            self.cases.insert(name.to_owned(), Some(String::new()));
            self.failing = Some(name.to_owned());
        } else if let Some(total) = line.strip_prefix("Total cases: ") {
            self.total = total.trim().parse().ok();
        } else {
            self.rest.push(line.to_owned());
        }
    }

    /// Whether the line is one of a failed case, and is kept there. What comes from two sides at once may stand
    /// between others: only what is indented or traced belongs to it.
    fn in_failure(&mut self, line: &str) -> bool {
        let Some(name) = &self.failing else {
            return false;
        };
        if line.starts_with("---- ") {
            self.in_trace = true;
        } else if !self.in_trace && !line.starts_with('\t') {
            self.failing = None;
            return false;
        }
        if let Some(Some(why)) = self.cases.get_mut(name) {
            why.push('\n');
            why.push_str(line);
        }
        if line == TRACE_END {
            self.in_trace = false;
        }
        true
    }

    /// How many cases have been asked for, and how many of them were answered.
    pub(super) fn progress(&self) -> (usize, usize) {
        (self.cases.len(), self.answered)
    }

    /// What is wrong with the run itself: it ended early, or the judge counted other cases than it named.
    pub(super) fn fault(&self) -> Option<String> {
        let named = self.cases.len();
        match self.total {
            Some(total) if total == named => None,
            Some(total) => Some(format!(
                "it named {named} cases and judged {total}{}",
                self.last_words()
            )),
            None => Some(format!("it ended without a summary{}", self.last_words())),
        }
    }

    /// The cases by name, each with why it failed.
    pub(super) fn into_cases(self) -> impl Iterator<Item = (String, Option<String>)> {
        self.cases.into_iter()
    }

    fn last_words(&self) -> String {
        let last = self.rest.iter().rev().take(10).rev();
        last.map(|line| format!("\n   | {line}")).collect()
    }
}

/// The name in `<before>"<name>"...`.
fn quoted<'a>(line: &'a str, before: &str) -> Option<&'a str> {
    let quoted = line.strip_prefix(before)?.strip_suffix("...")?;
    quoted.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Transcript {
        let mut transcript = Transcript::default();
        for line in text.lines() {
            transcript.line(line);
        }
        transcript
    }

    const RUN: &str = "\
Computed 60 config case permutations.
Sending request for \"Basic/TLS:false/unary\"...
Sending request for \"Errors/(grpc client impl)/unary\"...
Received response for \"Basic/TLS:false/unary\"...
Received response for \"Errors/(grpc client impl)/unary\"...
FAILED: Errors/(grpc client impl)/unary:
\texpecting an error but received none
---- HTTP Trace ----
 request>     0.000ms POST http://host/Unary HTTP/2.0
 request>
response<     0.699ms 200 OK
--------------------

Total cases: 2
1 passed, 1 failed
";

    #[test]
    fn every_case_is_named_and_a_failed_one_keeps_its_trace() {
        let transcript = read(RUN);
        assert_eq!(transcript.progress(), (2, 2));
        assert_eq!(transcript.fault(), None);
        let cases: Vec<_> = transcript.into_cases().collect();
        assert_eq!(cases[0], ("Basic/TLS:false/unary".to_owned(), None));
        assert_eq!(cases[1].0, "Errors/(grpc client impl)/unary");
        let why = cases[1].1.as_deref().unwrap();
        assert!(
            why.contains("received none") && why.contains("200 OK"),
            "{why}"
        );
        assert!(!why.contains("Total"), "{why}");
    }

    #[test]
    fn a_run_without_its_summary_is_at_fault_and_says_its_last_words() {
        let cut: String = RUN
            .lines()
            .take(4)
            .map(|line| format!("{line}\n"))
            .collect();
        let fault = read(&(cut + "error: client stopped\n")).fault().unwrap();
        assert!(fault.contains("error: client stopped"), "{fault}");
    }

    #[test]
    fn a_case_that_was_never_judged_is_a_fault() {
        let text = RUN.replace("Total cases: 2", "Total cases: 1");
        assert!(read(&text).fault().is_some());
    }

    #[test]
    fn a_case_that_could_not_begin_is_one_that_failed() {
        let transcript = read("FAILED: Basic/unary:\n\tno server\nTotal cases: 1\n");
        assert_eq!(transcript.fault(), None);
        let cases: Vec<_> = transcript.into_cases().collect();
        assert_eq!(
            cases,
            [("Basic/unary".to_owned(), Some("\n\tno server".to_owned()))]
        );
    }
}
