//! The arrows between our crates, the outside crates that each may build with, and lint inheritance.

use super::Finding;
use crate::workspace::{Kind, Package};
use std::path::Path;

/// One crate's place in the stack.
struct Layer {
    name: &'static str,
    /// Ours that it may depend on, in any table of its manifest.
    ours: &'static [&'static str],
    /// Outside crates that it may build with; its tests may use others. `None`: a program of ours that nobody builds upon.
    outside: Option<&'static [&'static str]>,
}

/// Ours, and for tests only: any crate's tests may use them.
const TEST_SUPPORT: &str = "trunkline-test-";

const LAYERS: &[Layer] = &[
    Layer {
        name: "trunkline-core",
        ours: &[],
        outside: Some(&[
            "base64",
            "bytes",
            "http",
            "prost",
            "prost-types",
            "flate2",
            "zstd",
        ]),
    },
    Layer {
        name: "trunkline-transport",
        ours: &["trunkline-core"],
        outside: Some(&[
            "base64",
            "bytes",
            "futures-core",
            "h2",
            "http",
            "pin-project-lite",
            "rustls-native-certs",
            "rustls-pki-types",
            "socket2",
            "tokio",
            "tokio-rustls",
            "tracing",
            "webpki-roots",
        ]),
    },
    Layer {
        name: "trunkline-client",
        ours: &["trunkline-core", "trunkline-transport"],
        outside: Some(&[
            "arc-swap",
            "bytes",
            "fastrand",
            "futures-core",
            "http",
            "pin-project-lite",
            "serde_json",
            "tokio",
            "tower-layer",
            "tower-service",
            "tracing",
        ]),
    },
    Layer {
        name: "trunkline-server",
        ours: &["trunkline-core", "trunkline-transport"],
        outside: Some(&[
            "bytes",
            "fastrand",
            "futures-core",
            "http",
            "listenfd",
            "pin-project-lite",
            "tokio",
            "tower-layer",
            "tower-service",
            "tracing",
        ]),
    },
    Layer {
        name: "trunkline-codegen",
        ours: &[],
        // miette is how protox tells line and column; prost reads what prost-types leaves out. Both come with the others anyway.
        outside: Some(&["miette", "prost", "prost-build", "prost-types", "protox"]),
    },
    Layer {
        name: "trunkline",
        ours: &[
            "trunkline-core",
            "trunkline-transport",
            "trunkline-client",
            "trunkline-server",
            "trunkline-codegen",
        ],
        outside: Some(&["tower"]),
    },
    Layer {
        name: "trunkline-examples",
        ours: &["trunkline", "trunkline-codegen"],
        outside: None,
    },
    Layer {
        name: "trunkline-conformance",
        ours: &["trunkline", "trunkline-codegen"],
        outside: None,
    },
    Layer {
        name: "trunkline-fuzz",
        ours: &[
            "trunkline",
            "trunkline-core",
            "trunkline-transport",
            "trunkline-codegen",
        ],
        outside: None,
    },
    Layer {
        name: "trunkline-interop",
        ours: &["trunkline", "trunkline-codegen"],
        outside: None,
    },
    Layer {
        name: "trunkline-h2spec",
        ours: &["trunkline-core", "trunkline-transport"],
        outside: None,
    },
    // Holds cells of other crates by their source.
    Layer {
        name: "trunkline-loom",
        ours: &["trunkline-core"],
        outside: None,
    },
    Layer {
        name: "trunkline-test-protos",
        ours: &["trunkline", "trunkline-codegen"],
        outside: None,
    },
    Layer {
        name: "trunkline-shared-protos",
        ours: &["trunkline", "trunkline-codegen"],
        outside: None,
    },
    Layer {
        name: "trunkline-test-shapes",
        ours: &["trunkline", "trunkline-codegen", "trunkline-shared-protos"],
        outside: None,
    },
    // Everyone waits for it before the first test.
    Layer {
        name: "xtask",
        ours: &[],
        outside: Some(&["serde_json"]),
    },
];

/// The manifests of the workspace's members.
pub(super) fn check(members: &[Package], root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in members {
        let path = member
            .manifest
            .strip_prefix(root)
            .unwrap_or(&member.manifest);
        let path = path.to_string_lossy().replace('\\', "/");
        let text = std::fs::read_to_string(&member.manifest).unwrap_or_default();
        findings.extend(arrows(member, &path, &text));
        findings.extend(lints(&path, &text));
    }
    findings
}

fn arrows(member: &Package, path: &str, manifest: &str) -> Vec<Finding> {
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == member.name) else {
        return vec![Finding::new(
            path,
            1,
            "layering",
            format!("{} has no line in tidy's table of layers", member.name),
        )];
    };
    let mut findings = Vec::new();
    for dependency in &member.dependencies {
        let name = dependency.name.as_str();
        let is_ours = LAYERS.iter().any(|layer| layer.name == name);
        let allowed = if name.starts_with(TEST_SUPPORT) {
            dependency.kind == Kind::Dev
        } else if is_ours {
            layer.ours.contains(&name)
        } else {
            dependency.kind == Kind::Dev
                || layer.outside.is_none_or(|outside| outside.contains(&name))
        };
        if !allowed {
            let text = format!(
                "{} may not depend on {name}: see the stack in ARCHITECTURE.md",
                member.name
            );
            findings.push(Finding::new(
                path,
                line_of(manifest, name),
                "layering",
                text,
            ));
        }
    }
    findings
}

/// Looks for the table's two lines, as every manifest here writes them.
fn lints(path: &str, manifest: &str) -> Option<Finding> {
    let mut lines = manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[lints]")
        .skip(1);
    let inherits = lines.next() == Some("workspace = true");
    (!inherits).then(|| {
        Finding::new(
            path,
            line_of(manifest, "[lints]"),
            "lints",
            "no `[lints]` with `workspace = true`",
        )
    })
}

/// The first line that begins with `word`, or 1.
fn line_of(manifest: &str, word: &str) -> usize {
    manifest
        .lines()
        .position(|line| line.starts_with(word))
        .map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn member(name: &str, dependencies: &[(&str, Kind)]) -> Package {
        Package {
            name: name.to_owned(),
            dependencies: dependencies
                .iter()
                .map(|&(name, kind)| Dependency {
                    name: name.to_owned(),
                    kind,
                })
                .collect(),
            ..Package::default()
        }
    }

    #[test]
    fn client_and_server_never_see_each_other() {
        let manifest = "[package]\n\n[dependencies]\ntrunkline-server = { workspace = true }\n";
        let findings = arrows(
            &member("trunkline-client", &[("trunkline-server", Kind::Normal)]),
            "client/Cargo.toml",
            manifest,
        );
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].line, findings[0].rule), (4, "layering"));
        let dev = arrows(
            &member("trunkline-client", &[("trunkline-server", Kind::Dev)]),
            "client/Cargo.toml",
            manifest,
        );
        assert_eq!(dev.len(), 1, "not even in tests");
    }

    #[test]
    fn a_new_outside_crate_is_named_and_tests_are_free() {
        let normal = arrows(
            &member("trunkline-core", &[("tokio", Kind::Normal)]),
            "core/Cargo.toml",
            "",
        );
        assert!(
            normal[0]
                .text
                .contains("trunkline-core may not depend on tokio")
        );
        let dev = arrows(
            &member("trunkline-core", &[("tokio", Kind::Dev)]),
            "core/Cargo.toml",
            "",
        );
        assert!(dev.is_empty());
        let program = arrows(
            &member("trunkline-examples", &[("anything", Kind::Normal)]),
            "examples/Cargo.toml",
            "",
        );
        assert!(program.is_empty());
    }

    #[test]
    fn test_support_is_for_tests() {
        let dev = [("trunkline-test-protos", Kind::Dev)];
        assert!(arrows(&member("trunkline", &dev), "Cargo.toml", "").is_empty());
        let normal = [("trunkline-test-protos", Kind::Normal)];
        assert_eq!(
            arrows(&member("trunkline", &normal), "Cargo.toml", "").len(),
            1
        );
    }

    #[test]
    fn an_unknown_member_is_a_finding() {
        assert_eq!(
            arrows(&member("trunkline-extra", &[]), "extra/Cargo.toml", "").len(),
            1
        );
    }

    #[test]
    fn lints_must_be_inherited() {
        assert!(lints("a/Cargo.toml", "[lints]\nworkspace = true\n").is_none());
        assert!(lints("a/Cargo.toml", "[package]\nname = \"a\"\n").is_some());
    }
}
