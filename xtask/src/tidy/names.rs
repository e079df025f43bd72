//! Names that some folders may not use: the layers, as far as a word in the source tells.

use super::mask::Masked;
use super::{Finding, SourceFile};

/// A word that code in some folders may not name.
struct Ban {
    folders: &'static [&'static str],
    except: &'static [&'static str],
    word: &'static str,
    in_tests: InTests,
    why: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum InTests {
    Banned,
    Allowed,
}

const CORE: &[&str] = &["core/src/"];
const RUNTIME: &[&str] = &["transport/src/", "client/src/", "server/src/"];
const CRATES: &[&str] = &[
    "core/src/",
    "transport/src/",
    "client/src/",
    "server/src/",
    "codegen/src/",
    "src/",
    "examples/",
];

const BANS: &[Ban] = &[
    Ban {
        folders: CRATES,
        except: &["transport/src/http2/h2/"],
        word: "h2::",
        in_tests: InTests::Banned,
        why: "only transport/src/http2/h2 names the h2 crate",
    },
    Ban {
        folders: CORE,
        except: &[],
        word: "tokio",
        in_tests: InTests::Banned,
        why: "core knows no runtime",
    },
    Ban {
        folders: CORE,
        except: &[],
        word: "Instant::now",
        in_tests: InTests::Allowed,
        why: "core reads no clock: time comes in as `now`",
    },
    Ban {
        folders: CORE,
        except: &[],
        word: "SystemTime",
        in_tests: InTests::Allowed,
        why: "core reads no clock",
    },
    Ban {
        folders: CORE,
        except: &[],
        word: "TcpStream",
        in_tests: InTests::Banned,
        why: "core does no IO",
    },
    Ban {
        folders: CORE,
        except: &[],
        word: "TcpListener",
        in_tests: InTests::Banned,
        why: "core does no IO",
    },
    Ban {
        folders: CORE,
        except: &[],
        word: "UdpSocket",
        in_tests: InTests::Banned,
        why: "core does no IO",
    },
    Ban {
        folders: CORE,
        except: &[],
        word: "std::fs",
        in_tests: InTests::Banned,
        why: "core does no IO",
    },
    Ban {
        folders: CORE,
        except: &[],
        word: "std::thread",
        in_tests: InTests::Allowed,
        why: "core never spawns",
    },
];

pub(super) fn check(file: &SourceFile, masked: &Masked) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ban in BANS {
        let applies =
            starts_with_any(&file.path, ban.folders) && !starts_with_any(&file.path, ban.except);
        if !applies || (ban.in_tests == InTests::Allowed && file.is_test()) {
            continue;
        }
        if ban.word == "h2::" && masked.contains("mod h2;") {
            continue; // there the word means the module
        }
        for (number, line, test) in masked.lines() {
            let exempt = test && ban.in_tests == InTests::Allowed;
            if !exempt && names(line, ban.word) {
                findings.push(Finding::new(
                    &file.path,
                    number,
                    "names",
                    format!("`{}`: {}", ban.word, ban.why),
                ));
            }
        }
    }
    findings.extend(clock(file, masked));
    findings
}

/// Above core, time is tokio's, so that a test can pause it.
fn clock(file: &SourceFile, masked: &Masked) -> Vec<Finding> {
    if !starts_with_any(&file.path, RUNTIME) || file.is_test() {
        return Vec::new();
    }
    let imports_tokio = masked
        .lines()
        .any(|(_, line, _)| line.contains("use tokio::time::") && has_word(line, "Instant"));
    let lines = masked.lines().filter(|(_, line, test)| {
        if *test {
            return false; // there it makes an `Instant` to count from
        }
        let bare = names(line, "Instant::now");
        let std = line.contains("std::time::Instant::now") || line.contains("StdInstant::now");
        std || (bare && !imports_tokio && !line.contains("time::Instant::now"))
    });
    let why = "`std::time::Instant::now`: take tokio's clock, which a test can pause";
    lines
        .map(|(number, _, _)| Finding::new(&file.path, number, "clock", why))
        .collect()
}

fn starts_with_any(path: &str, folders: &[&str]) -> bool {
    folders.iter().any(|folder| path.starts_with(folder))
}

/// Whether the line has the word as a whole; a word that ends in `::` is a crate only where its path begins
/// (`http2::h2::x` is a module of ours).
fn names(line: &str, word: &str) -> bool {
    let is_crate = word.ends_with("::");
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).unwrap_or("");
        let after = line.get(at + word.len()..).unwrap_or("");
        let inside_word = before.ends_with(is_word) || (!is_crate && after.starts_with(is_word));
        let inside_path = is_crate
            && before
                .strip_suffix("::")
                .is_some_and(|head| head.ends_with(is_word));
        !inside_word && !inside_path
    })
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c| !is_word(c)).any(|found| found == word)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        let file = SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        check(&file, &Masked::new(text))
            .into_iter()
            .map(|finding| (finding.line, finding.rule))
            .collect()
    }

    #[test]
    fn only_the_engine_names_h2() {
        assert_eq!(
            found("transport/src/stream/send.rs", "\nuse h2::Reason;\n"),
            [(2, "names")]
        );
        assert_eq!(
            found("transport/src/stream/send.rs", "fn f(r: ::h2::Reason) {}\n"),
            [(1, "names")]
        );
        for fine in [
            "use super::h2::Engine;\n",
            "use crate::http2::h2::cell;\n",
            "// h2::Reason\n",
            "mod h2;\npub use h2::X;\n",
        ] {
            assert!(
                found("transport/src/http2/mod.rs", fine).is_empty(),
                "{fine}"
            );
        }
        assert!(found("transport/src/http2/h2/client.rs", "use h2::client;\n").is_empty());
    }

    #[test]
    fn core_knows_no_runtime_and_no_clock() {
        assert_eq!(
            found(
                "core/src/deadline.rs",
                "use std::time::Instant;\nlet now = Instant::now();\n"
            ),
            [(2, "names")]
        );
        assert_eq!(
            found("core/src/a.rs", "let now = std::time::Instant::now();\n"),
            [(1, "names")]
        );
        assert_eq!(
            found("core/src/a.rs", "use tokio::sync::Notify;\n"),
            [(1, "names")]
        );
        let test = "#[cfg(test)]\nmod tests {\n    let now = Instant::now();\n}\n";
        assert!(found("core/src/deadline.rs", test).is_empty());
    }

    #[test]
    fn above_core_time_is_tokios() {
        let std = "use std::time::Instant;\nlet now = Instant::now();\n";
        assert_eq!(found("client/src/call.rs", std), [(2, "clock")]);
        assert_eq!(
            found(
                "client/src/call.rs",
                "let now = std::time::Instant::now();\n"
            ),
            [(1, "clock")]
        );
        for fine in [
            "#[cfg(test)]\nmod tests {\n    let now = std::time::Instant::now();\n}\n",
            "use tokio::time::Instant;\nlet now = Instant::now();\n",
            "use tokio::time::{self, Instant};\nlet now = Instant::now();\n",
            "let now = tokio::time::Instant::now().into_std();\n",
        ] {
            assert!(found("client/src/call.rs", fine).is_empty(), "{fine}");
        }
    }
}
