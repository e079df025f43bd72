//! Status codes that belong to applications: a library that used one would be taken for the handler.

use super::mask::Masked;
use super::{Finding, SourceFile};

/// Source: gRPC "Status codes and their use in gRPC", the codes that libraries never generate.
const RESERVED: &[(&str, &str)] = &[
    ("InvalidArgument", "invalid_argument"),
    ("NotFound", "not_found"),
    ("AlreadyExists", "already_exists"),
    ("FailedPrecondition", "failed_precondition"),
    ("Aborted", "aborted"),
    ("OutOfRange", "out_of_range"),
    ("DataLoss", "data_loss"),
];

const FOLDERS: &[&str] = &["core/src/", "transport/src/", "client/src/", "server/src/"];

/// Where they may stand.
struct Exception {
    path: &'static str,
    #[expect(
        dead_code,
        reason = "the reason is for whoever reads or adds a line here"
    )]
    reason: &'static str,
}

const EXCEPTIONS: &[Exception] = &[
    Exception {
        path: "core/src/code.rs",
        reason: "defines them",
    },
    Exception {
        path: "core/src/status/",
        reason: "writes and reads them",
    },
    Exception {
        path: "client/src/credentials/",
        reason: "turns those of call credentials into INTERNAL",
    },
    Exception {
        path: "client/src/service_config/",
        reason: "reads them out of policies",
    },
    Exception {
        path: "server/src/server/builder.rs",
        reason: "a server that cannot be made: no RPC is near",
    },
    Exception {
        path: "server/src/compression.rs",
        reason: "a server that cannot be made: no RPC is near",
    },
    Exception {
        path: "server/src/router/mod.rs",
        reason: "a server that cannot be made: no RPC is near",
    },
    Exception {
        path: "server/src/services/",
        reason: "the standard services are applications, and their documents name the codes",
    },
];

pub(super) fn check(file: &SourceFile, masked: &Masked) -> Vec<Finding> {
    let exempt = EXCEPTIONS
        .iter()
        .any(|exception| file.path.starts_with(exception.path));
    let ours = FOLDERS.iter().any(|folder| file.path.starts_with(folder));
    if !ours || exempt || file.is_test() {
        return Vec::new();
    }
    let lines = masked.lines().filter(|(_, _, test)| !test);
    lines
        .filter_map(|(number, line, _)| {
            let (code, _) = RESERVED.iter().find(|(variant, function)| {
                ends_word(line, &format!("Code::{variant}"))
                    || line.contains(&format!("Status::{function}("))
            })?;
            let text = format!("{code} is for applications: a library never answers with it");
            Some(Finding::new(&file.path, number, "codes", text))
        })
        .collect()
}

/// Whether the line has the path, and not only the beginning of a longer one.
fn ends_word(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let after = line.get(at + path.len()..).unwrap_or("");
        !after.starts_with(|c: char| c.is_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<usize> {
        let file = SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let findings = check(&file, &Masked::new(text));
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_library_answers_with_no_code_of_applications() {
        let bad =
            "let a = Status::internal(x);\nlet b = Status::not_found(x);\nlet c = Code::Aborted;\n";
        assert_eq!(found("server/src/rpc/run.rs", bad), [2, 3]);
        assert_eq!(found("transport/src/error.rs", bad), [2, 3]);
        for elsewhere in [
            "server/src/router/mod.rs",
            "examples/examples/a.rs",
            "client/src/a/tests.rs",
        ] {
            assert!(found(elsewhere, bad).is_empty(), "{elsewhere}");
        }
        let test = "#[cfg(test)]\nmod tests {\n    let a = Status::not_found(x);\n}\n";
        assert!(found("server/src/rpc/run.rs", test).is_empty());
        assert!(found("server/src/rpc/run.rs", "// Code::NotFound\n").is_empty());
    }
}
