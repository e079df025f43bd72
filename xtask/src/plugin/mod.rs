//! `plugin`: protoc and buf run protoc-gen-trunkline, and what they write is what a build script writes.

mod tools;

use crate::outcome::Outcome;
use crate::{process, workspace};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use tools::describe;

const BUILD_BOUND: Duration = Duration::from_secs(900);
const CASE_BOUND: Duration = Duration::from_secs(60);

/// One of the folders below `codegen/tests/golden`.
struct Case {
    folder: &'static str,
    /// The folder with the files to compare, inside it.
    expected: &'static str,
    files: &'static [&'static str],
    parameters: &'static [&'static str],
    /// protoc 3.21 is older than editions.
    editions: bool,
}

const PLAIN: Case = Case {
    folder: "",
    expected: "expected",
    files: &[],
    parameters: &[],
    editions: false,
};

const CASES: &[Case] = &[
    Case {
        folder: "kinds",
        files: &["guide.proto"],
        ..PLAIN
    },
    Case {
        folder: "kinds",
        expected: "client_only",
        files: &["guide.proto"],
        parameters: &[
            "build_server=false",
            "bytes=.",
            "type_attribute=.guide.Point=#[derive(PartialOrd)]",
            "field_attribute=.guide.Point.latitude=#[doc(alias = \"north\")]",
        ],
        ..PLAIN
    },
    Case {
        folder: "kinds",
        expected: "server_only",
        files: &["guide.proto"],
        parameters: &["build_client=false"],
        ..PLAIN
    },
    Case {
        folder: "names",
        files: &["names.proto"],
        ..PLAIN
    },
    Case {
        folder: "clashes",
        files: &["clashes.proto"],
        ..PLAIN
    },
    Case {
        folder: "packages",
        files: &[
            "shop/money.proto",
            "shop/orders/orders.proto",
            "shop/stock/stock.proto",
        ],
        parameters: &["include_file=all.rs"],
        ..PLAIN
    },
    Case {
        folder: "bare",
        files: &["bare.proto"],
        ..PLAIN
    },
    Case {
        folder: "modern",
        files: &["modern/modern.proto", "modern/implicit.proto"],
        editions: true,
        ..PLAIN
    },
];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let Some(word) = arguments.first() {
        return Outcome::Failed(format!("plugin takes no arguments, but got {word:?}"));
    }
    let plugin = match build() {
        Ok(plugin) => plugin,
        Err(why) => return Outcome::Failed(why),
    };
    let mut missing = Vec::new();
    let mut failed = Vec::new();
    for (name, tool, generate) in [
        ("protoc", tools::protoc(), protoc as Generate),
        ("buf", tools::buf(), buf as Generate),
    ] {
        match tool {
            Err(why) => missing.push(why),
            Ok(tool) => {
                for case in CASES.iter().filter(|case| name == "buf" || !case.editions) {
                    let result = check(&tool, generate, case, &plugin);
                    let title = format!("{name} {}/{}", case.folder, case.expected);
                    println!(
                        "{title}: {}",
                        result.as_ref().err().map_or("ok", String::as_str)
                    );
                    failed.extend(result.err().map(|why| format!("{title}: {why}")));
                }
                let refused = refuses(&tool, generate, &plugin);
                failed.extend(refused.err().map(|why| format!("{name}: {why}")));
            }
        }
    }
    match (failed.first(), missing.is_empty()) {
        (Some(first), _) => {
            Outcome::Failed(format!("{} of the cases differ: {first}", failed.len()))
        }
        (None, true) => Outcome::Passed,
        (None, false) => Outcome::missing_tool(missing.join("; ")),
    }
}

fn build() -> Result<PathBuf, String> {
    let root = workspace::root();
    let mut command = process::cargo();
    command.current_dir(&root).args([
        "build",
        "--package",
        "trunkline-codegen",
        "--bin",
        "protoc-gen-trunkline",
    ]);
    process::run(&mut command, BUILD_BOUND)?;
    let target = workspace::target_directory(&root.join("Cargo.toml"))?;
    Ok(target.join("debug/protoc-gen-trunkline"))
}

/// One run: the tool, the protos' folder, the files, the parameters, the plugin, the folder to write to.
struct Run<'a> {
    tool: &'a tools::Tool,
    protos: &'a Path,
    files: &'a [&'a str],
    parameters: &'a [&'a str],
    plugin: &'a Path,
    out: &'a Path,
}

type Generate = fn(&Run<'_>) -> Result<process::Captured, String>;

fn protoc(run: &Run<'_>) -> Result<process::Captured, String> {
    let mut command = run.tool.command();
    command
        .current_dir(run.protos)
        .arg("-I.")
        .arg(format!(
            "--plugin=protoc-gen-trunkline={}",
            run.plugin.display()
        ))
        .arg(format!("--trunkline_out={}", run.out.display()))
        .args(
            run.parameters
                .iter()
                .map(|parameter| format!("--trunkline_opt={parameter}")),
        )
        .args(run.files);
    process::capture(&mut command, CASE_BOUND).map_err(|error| error.to_string())
}

fn buf(run: &Run<'_>) -> Result<process::Captured, String> {
    let mut template = format!(
        "version: v2\nplugins:\n  - local: {:?}\n    out: {:?}\n    strategy: all\n",
        run.plugin, run.out
    );
    if !run.parameters.is_empty() {
        template.push_str("    opt:\n");
        for parameter in run.parameters {
            let _ = writeln!(template, "      - {parameter:?}");
        }
    }
    let mut command = run.tool.command();
    command
        .current_dir(run.out)
        .arg("generate")
        .arg(run.protos)
        .args(["--template", &template]);
    process::capture(&mut command, CASE_BOUND).map_err(|error| error.to_string())
}

/// Generates a case and compares.
fn check(tool: &tools::Tool, generate: Generate, case: &Case, plugin: &Path) -> Result<(), String> {
    let protos = workspace::root()
        .join("codegen/tests/golden")
        .join(case.folder);
    let out = Scratch::new(case.folder)?;
    let captured = generate(&Run {
        tool,
        protos: &protos,
        files: case.files,
        parameters: case.parameters,
        plugin,
        out: &out.0,
    })?;
    if !captured.succeeded() {
        return Err(format!("{}: {}", captured.ending(), captured.stderr.trim()));
    }
    let (expected, found) = (texts(&protos.join(case.expected))?, texts(&out.0)?);
    if !expected.keys().eq(found.keys()) {
        return Err(format!("wrote {:?}", found.keys().collect::<Vec<_>>()));
    }
    for ((name, expected), found) in expected.iter().zip(found.values()) {
        let mut lines = expected.lines().zip(found.lines()).enumerate();
        if let Some((at, (old, new))) = lines.find(|(_, (old, new))| old != new) {
            return Err(format!("{name}:{}: {new:?} instead of {old:?}", at + 1));
        }
        if expected.len() != found.len() {
            return Err(format!(
                "{name}: {} bytes instead of {}",
                found.len(),
                expected.len()
            ));
        }
    }
    Ok(())
}

/// A wrong parameter ends the tool with our text, not with a panic.
fn refuses(tool: &tools::Tool, generate: Generate, plugin: &Path) -> Result<(), String> {
    let out = Scratch::new("refused")?;
    let captured = generate(&Run {
        tool,
        protos: &workspace::root().join("codegen/tests/golden/bare"),
        files: &["bare.proto"],
        parameters: &["no_such_option=1"],
        plugin,
        out: &out.0,
    })?;
    if captured.succeeded() || !captured.stderr.contains("no_such_option") {
        return Err(format!(
            "a wrong parameter went through: {}",
            captured.stderr.trim()
        ));
    }
    Ok(())
}

fn texts(folder: &Path) -> Result<BTreeMap<String, String>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut texts = BTreeMap::new();
    for entry in entries.flatten() {
        let text = fs::read_to_string(entry.path()).map_err(|error| error.to_string())?;
        texts.insert(entry.file_name().to_string_lossy().into_owned(), text);
    }
    Ok(texts)
}

/// A folder that goes with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Result<Self, String> {
        let name = format!("trunkline-plugin-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
