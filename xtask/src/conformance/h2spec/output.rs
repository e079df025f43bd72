//! What h2spec and h2specd print: cases below headings, then the failures once more.

/// One case.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) failure: Option<String>,
}

/// The cases with a verdict; one that was skipped has none, and is missed by whoever counts.
pub(super) fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let (mut group, mut section) = (String::new(), String::new());
    for line in text.lines() {
        // What was printed while the case ran is overwritten on a terminal.
        let shown = line.rsplit('\r').next().unwrap_or(line);
        let trimmed = shown.trim();
        if trimmed == "Failures:" {
            break;
        }
        if trimmed.is_empty() {
            continue;
        }
        if let Some(title) = trimmed.strip_prefix('✔') {
            cases.push(Case {
                name: name(&group, &section, title),
                failure: None,
            });
        } else if let Some(title) = trimmed.strip_prefix('×') {
            cases.push(Case {
                name: name(&group, &section, title),
                failure: Some(String::new()),
            });
        } else if !shown.starts_with(' ') {
            trimmed.clone_into(&mut group);
        } else if is_heading(trimmed) {
            trimmed.clone_into(&mut section);
        } else if let Some(Case {
            failure: Some(why), ..
        }) = cases.last_mut()
        {
            why.push_str("\n   | ");
            why.push_str(trimmed);
        }
    }
    cases
}

fn name(group: &str, section: &str, title: &str) -> String {
    format!("{group}, {section}, {}", title.trim())
}

/// `6.9.1. The Flow-Control Window`.
fn is_heading(line: &str) -> bool {
    let Some((number, _)) = line.split_once(". ") else {
        return false;
    };
    number.starts_with(|first: char| first.is_ascii_digit())
        && number
            .chars()
            .all(|each| each.is_ascii_digit() || each == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_reasons_and_places_are_read() {
        let text = "Generic tests for HTTP/2 server\n  1. Starting HTTP/2\n      1: Sends a preface\r    ✔ 1: Sends a preface\n\n    3.5. Preface\n      2: Sends junk\r    × 2: Sends junk\n        -> The endpoint MUST close.\n           Expected: Connection closed\n\n\nFailures: \n\nGeneric tests for HTTP/2 server\n      × 2: Sends junk\n2 tests, 1 passed, 0 skipped, 1 failed\n";
        let found = cases(text);
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0].name,
            "Generic tests for HTTP/2 server, 1. Starting HTTP/2, 1: Sends a preface"
        );
        assert_eq!(found[0].failure, None);
        let why = found[1].failure.as_deref().unwrap_or_default();
        assert!(
            why.contains("MUST close") && why.contains("Expected"),
            "{why}"
        );
        assert!(found[1].name.contains("3.5. Preface"));
    }

    #[test]
    fn a_skipped_case_is_no_case() {
        let text = "Some tests\n  5.1.2. Concurrency\n      1: Sends many\r      1: Sends many\n";
        assert_eq!(cases(text), []);
    }
}
