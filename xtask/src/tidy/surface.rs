//! A crate's surface is its lib.rs: private modules and one list of `pub use`, so that it fits a screen.

use super::mask::Masked;
use super::{Finding, SourceFile};

/// Modules that are public on purpose.
struct PublicModule {
    file: &'static str,
    name: &'static str,
    #[expect(
        dead_code,
        reason = "the reason is for whoever reads or adds a line here"
    )]
    reason: &'static str,
}

const PUBLIC_MODULES: &[PublicModule] = &[
    PublicModule {
        file: "core/src/lib.rs",
        name: "protocol",
        reason: "plumbing for transport, client and server: out of the users' way",
    },
    PublicModule {
        file: "core/src/lib.rs",
        name: "stats",
        reason: "events and infos whose names say little outside of it",
    },
    PublicModule {
        file: "transport/src/lib.rs",
        name: "credentials",
        reason: "named by those who secure connections, and re-exported by the facade",
    },
    PublicModule {
        file: "transport/src/lib.rs",
        name: "http2",
        reason: "the engine boundary: its names mean nothing without the prefix",
    },
    PublicModule {
        file: "transport/src/lib.rs",
        name: "net",
        reason: "one module per kind of socket",
    },
    PublicModule {
        file: "transport/src/lib.rs",
        name: "stream",
        reason: "the halves that client and server wrap",
    },
    PublicModule {
        file: "src/lib.rs",
        name: "codegen",
        reason: "the paths that generated code names, hidden from docs",
    },
    PublicModule {
        file: "core/src/lib.rs",
        name: "codegen",
        reason: "the paths that all generated code names, hidden from docs",
    },
    PublicModule {
        file: "client/src/lib.rs",
        name: "codegen",
        reason: "the paths that generated clients name, hidden from docs",
    },
    PublicModule {
        file: "server/src/lib.rs",
        name: "codegen",
        reason: "the paths that generated servers name, hidden from docs",
    },
    PublicModule {
        file: "server/src/lib.rs",
        name: "testing",
        reason: "test doubles: a feature of their own, which the facade re-exports",
    },
    PublicModule {
        file: "src/lib.rs",
        name: "client",
        reason: "all of a crate, under the path that rustc then names in its errors",
    },
    PublicModule {
        file: "src/lib.rs",
        name: "server",
        reason: "all of a crate, under the path that rustc then names in its errors",
    },
    PublicModule {
        file: "src/lib.rs",
        name: "transport",
        reason: "all of a crate, under the path that rustc then names in its errors",
    },
    PublicModule {
        file: "src/lib.rs",
        name: "testing",
        reason: "test support under its own name",
    },
];

/// What an item of a lib.rs may begin with.
const ALLOWED: &[&str] = &[
    "mod ",
    "pub use ",
    "pub(crate) use ",
    "use ",
    "extern crate ",
];

pub(super) fn check(file: &SourceFile, masked: &Masked) -> Vec<Finding> {
    if !file.path.ends_with("src/lib.rs") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut depth = 0_usize;
    let mut in_item = false;
    for (number, line, test) in masked.lines() {
        let code = line.trim();
        let begins = depth == 0
            && !in_item
            && !code.is_empty()
            && !code.starts_with('#')
            && !code.starts_with(']');
        if begins && !test {
            findings.extend(item(&file.path, number, code));
        }
        for c in code.chars() {
            match c {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        // An attribute ends with its line; every other item at its semicolon or closing brace.
        in_item = !code.is_empty()
            && depth == 0
            && !code.starts_with('#')
            && !code.ends_with([';', '}', ']']);
    }
    findings
}

fn item(path: &str, number: usize, code: &str) -> Option<Finding> {
    if let Some(rest) = code.strip_prefix("pub mod ") {
        let name: String = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let known = PUBLIC_MODULES
            .iter()
            .any(|module| module.file == path && module.name == name);
        let text = format!(
            "`pub mod {name}`: a lib.rs has private modules and `pub use`; reasoned exceptions are in tidy's list"
        );
        return (!known).then(|| Finding::new(path, number, "surface", text));
    }
    if ALLOWED.iter().any(|allowed| code.starts_with(allowed)) {
        return None;
    }
    let begin: String = code.chars().take(40).collect();
    Some(Finding::new(
        path,
        number,
        "surface",
        format!("`{begin}`: a lib.rs only lists modules and `pub use`"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let file = SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        check(&file, &Masked::new(text))
            .into_iter()
            .map(|finding| finding.line)
            .collect()
    }

    #[test]
    fn private_modules_and_lists_of_names_are_the_surface() {
        let text = "//! Doc.\n#![doc(html_root_url = \"x\")]\n\nmod a;\n#[cfg(feature = \"b\")]\nmod b;\n\npub use a::{\n    One,\n    Two,\n};\n\
                    #[cfg(test)]\nmod tests {\n    fn helper() {}\n}\n";
        assert!(lines("client/src/lib.rs", text).is_empty());
    }

    #[test]
    fn items_and_public_modules_are_found() {
        assert_eq!(
            lines(
                "client/src/lib.rs",
                "mod a;\npub fn f() {\n    g();\n}\npub mod b;\n"
            ),
            [2, 5]
        );
    }

    #[test]
    fn listed_modules_may_be_public_where_they_are_listed() {
        assert!(lines("core/src/lib.rs", "pub mod protocol;\n").is_empty());
        assert_eq!(lines("client/src/lib.rs", "pub mod protocol;\n"), [1]);
    }

    #[test]
    fn other_files_are_free() {
        assert!(lines("client/src/channel/mod.rs", "pub mod a;\nfn f() {}\n").is_empty());
    }
}
