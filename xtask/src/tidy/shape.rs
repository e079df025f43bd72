//! How long files are, how they begin, and what no file may hold.

use super::{Finding, SourceFile};

/// Past this a file is asked why.
const WARN_LINES: usize = 400;
/// Past this it is split.
const MAX_LINES: usize = 600;
/// Tests are lists of cases: longer, but not endless.
const MAX_TEST_LINES: usize = 900;

/// First folders of paths that exist on one machine only.
const MACHINE_FOLDERS: &[&str] = &["work", "root", "farm", "home"];

/// Rules for every text file.
pub(super) fn check_any(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        if let Some(path) = machine_path(line) {
            findings.push(Finding::new(
                &file.path,
                index + 1,
                "path",
                format!("`{path}` exists on one machine only"),
            ));
        }
        if line.ends_with([' ', '\t']) && !file.is_generated() {
            findings.push(Finding::new(
                &file.path,
                index + 1,
                "space",
                "white space at the end of the line",
            ));
        }
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') && !file.is_generated() {
        findings.push(Finding::new(
            &file.path,
            file.text.lines().count(),
            "space",
            "no newline at the end of the file",
        ));
    }
    findings
}

/// Rules for Rust that a person wrote.
pub(super) fn check_rust(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The tests of a file stand beside it, and a README may be the doc of its crate.
    let says = file.path.ends_with("/tests.rs")
        || file.text.starts_with("//!")
        || file.text.starts_with("#![doc = include_str!");
    if !says {
        let text = "does not begin with a `//!` line that says what the file is for";
        findings.push(Finding::new(&file.path, 1, "header", text));
    }
    let lines = file.text.lines().count();
    let max = if file.is_test() {
        MAX_TEST_LINES
    } else {
        MAX_LINES
    };
    if lines > max {
        findings.push(Finding::new(
            &file.path,
            max + 1,
            "size",
            format!("{lines} lines, more than {max}: split it"),
        ));
    } else if lines > WARN_LINES && !file.is_test() {
        let text = format!("{lines} lines: why more than {WARN_LINES}?");
        findings.push(Finding::new(&file.path, WARN_LINES + 1, "size", text).warning());
    }
    findings
}

/// An absolute path below one of the machine's folders; the same word inside a longer path or URL is none.
fn machine_path(line: &str) -> Option<String> {
    MACHINE_FOLDERS.iter().find_map(|folder| {
        let needle = format!("/{folder}/");
        let (at, _) = line.match_indices(&needle).find(|(at, _)| {
            let before = line.get(..*at).and_then(|head| head.chars().next_back());
            !before.is_some_and(|c| c.is_alphanumeric() || "_-.~*}>)".contains(c))
        })?;
        let tail = line.get(at..)?;
        Some(
            tail.chars()
                .take_while(|c| !c.is_whitespace() && !"\"'`)>".contains(*c))
                .collect(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        let path = ["", "home", "me", "x"].join("/");
        let findings = check_any(&file("README.md", &format!("ok\nsee `{path}` there\n")));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, 2);
        assert!(findings[0].text.contains(&format!("`{path}`")));
        for fine in [
            "https://example.org/home/x\n",
            "examples/work/a\n",
            "~/.cache/x\n",
            "../root/x\n",
        ] {
            assert!(check_any(&file("README.md", fine)).is_empty(), "{fine}");
        }
    }

    #[test]
    fn lines_end_where_their_text_ends() {
        assert_eq!(check_any(&file("a.rs", "fn a() {} \n"))[0].rule, "space");
        assert_eq!(
            check_any(&file("a.rs", "fn a() {}"))[0].text,
            "no newline at the end of the file"
        );
    }

    #[test]
    fn a_file_says_what_it_is_for() {
        assert_eq!(check_rust(&file("a.rs", "fn a() {}\n"))[0].rule, "header");
        for (path, fine) in [
            ("a.rs", "//! A.\nfn a() {}\n"),
            ("a/tests.rs", "use super::*;\n"),
            ("a/lib.rs", "#![doc = include_str!(\"../README.md\")]\n"),
        ] {
            assert!(check_rust(&file(path, fine)).is_empty(), "{path}");
        }
    }

    #[test]
    fn long_files_warn_and_then_fail_and_tests_may_be_longer() {
        let text = |lines: usize| format!("//! A.\n{}", "\n".repeat(lines - 1));
        assert!(check_rust(&file("a/src/x.rs", &text(400))).is_empty());
        assert_eq!(
            check_rust(&file("a/src/x.rs", &text(401)))[0].severity,
            super::super::Severity::Warning
        );
        assert_eq!(
            check_rust(&file("a/src/x.rs", &text(601)))[0].severity,
            super::super::Severity::Error
        );
        assert!(check_rust(&file("tests/it/x.rs", &text(900))).is_empty());
        assert_eq!(check_rust(&file("a/src/x/tests.rs", &text(901))).len(), 1);
    }
}
