//! What is written again, and what Cargo is told: no more than has changed.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use trunkline_codegen::configure;

#[path = "../../tests/shapes/tree.rs"]
mod tree;

const LARGE: tree::Size = tree::Size {
    packages: 40,
    files: 5,
};

/// For every day.
const SCALED: tree::Size = tree::Size {
    packages: 16,
    files: 4,
};

/// A tree of protos, and the folder that their Rust goes to.
struct Tree {
    protos: PathBuf,
    out: PathBuf,
    files: Vec<PathBuf>,
}

impl Tree {
    fn new(name: &str, size: tree::Size) -> Self {
        let folder = fresh(name);
        let protos = folder.join("protos");
        let files = tree::write(&protos, size).unwrap();
        Self {
            protos,
            out: folder.join("out"),
            files,
        }
    }

    /// Compiles, and names the files that were written; their times tell.
    fn compile(&self) -> Vec<String> {
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        for name in self.outputs().into_keys() {
            let file = File::options().append(true).open(self.out.join(name));
            file.unwrap().set_modified(long_ago).unwrap();
        }
        configure()
            .descriptor_set("descriptors.bin")
            .out_dir(&self.out)
            .compile(&self.files, &[&self.protos])
            .unwrap();
        let modified = |name: &String| {
            let file = fs::metadata(self.out.join(name)).unwrap();
            file.modified().unwrap() != long_ago
        };
        self.outputs().into_keys().filter(modified).collect()
    }

    fn outputs(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(&self.out).into_iter().flatten();
        entries
            .map(|entry| entry.unwrap())
            .map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read(entry.path()).unwrap())
            })
            .collect()
    }

    fn edit(&self, name: &str, old: &str, new: &str) {
        let path = self.protos.join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{text}");
        fs::write(path, text.replacen(old, new, 1)).unwrap();
    }
}

#[test]
fn many_packages_are_written_once_and_then_by_what_changed() {
    let soaks = env::var_os("TRUNKLINE_SOAK").is_some();
    let size = if soaks { LARGE } else { SCALED };
    let mut tree = Tree::new("large", size);
    let written = tree.compile();
    // The packages, the tree of modules, the descriptors.
    assert_eq!(written.len(), size.packages + 2, "{written:?}");
    let before = tree.outputs();

    assert!(tree.compile().is_empty(), "nothing has changed");

    // A comment is in the Rust of its package, and not in descriptors.
    let name = tree::file_name(7, 2);
    tree.edit(&name, "// Message 2 of package 7.", "// Another comment.");
    assert_eq!(tree.compile(), ["org.p7.rs"]);
    tree.edit(&name, "// Another comment.", "// Message 2 of package 7.");
    assert_eq!(tree.compile(), ["org.p7.rs"]);
    assert_eq!(tree.outputs(), before);

    // A field is in both; packages that import this one name the message, not what it holds.
    tree.edit(
        &name,
        "string name = 2;",
        "string name = 2; bool extra = 99;",
    );
    assert_eq!(tree.compile(), ["descriptors.bin", "org.p7.rs"]);

    // A new package is in the tree of modules.
    let file = PathBuf::from("new.proto");
    fs::write(
        tree.protos.join(&file),
        "syntax = \"proto3\"; package fresh; message New {}",
    )
    .unwrap();
    tree.files.push(file);
    assert_eq!(tree.compile(), ["descriptors.bin", "fresh.rs", "mod.rs"]);
}

#[test]
fn the_order_in_which_files_are_named_changes_nothing() {
    let size = tree::Size {
        packages: 5,
        files: 3,
    };
    let mut tree = Tree::new("order", size);
    tree.compile();
    tree.files.reverse();
    assert_eq!(tree.compile(), ["descriptors.bin"]);
    // Those that import all others are enough.
    tree.files.retain(|file| file.ends_with("m2.proto"));
    assert!(tree.compile().is_empty());
}

#[test]
fn nothing_is_written_when_something_is_wrong() {
    let size = tree::Size {
        packages: 3,
        files: 2,
    };
    let tree = Tree::new("wrong", size);
    tree.compile();
    let before = tree.outputs();
    tree.edit(&tree::file_name(2, 1), "message", "massage");
    configure()
        .out_dir(&tree.out)
        .compile(&tree.files, &[&tree.protos])
        .unwrap_err();
    assert_eq!(tree.outputs(), before);
}

/// Runs this program again as if it were a build script, to hear what Cargo is told.
#[test]
fn cargo_is_told_the_files_that_were_read_and_no_others() {
    let folder = fresh("told");
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let head = "syntax = \"proto3\";";
    write(
        "one/a.proto",
        &format!("{head} import \"b.proto\"; import \"google/protobuf/empty.proto\";"),
    );
    write("one/unused.proto", head);
    // In the second include path, and what it imports in turn in the first.
    write("two/b.proto", &format!("{head} import \"deep/c.proto\";"));
    write("two/unused.proto", head);
    write("one/deep/c.proto", head);
    write("one/deep/unused.proto", head);

    let output = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "as_a_build_script",
            "--nocapture",
            "--include-ignored",
        ])
        .env("OUT_DIR", folder.join("out"))
        .env("TRUNKLINE_TEST_PROTOS", &folder)
        .output()
        .unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    let told = |key: &str| -> Vec<String> {
        let lines = said.lines().filter_map(|line| line.split_once("cargo:"));
        lines
            .filter_map(|(_, line)| line.strip_prefix(key))
            .map(|value| value.trim_start_matches('=').to_owned())
            .collect()
    };
    let path = |name: &str| folder.join(name).display().to_string();
    assert_eq!(
        told("rerun-if-changed"),
        [
            path("one/a.proto"),
            path("one/deep/c.proto"),
            path("two/b.proto")
        ]
    );
    assert_eq!(
        told("warning"),
        ["type_attribute(\".no.such.Thing\") matches nothing in the files read"]
    );
    let exported = told("trunkline_protos");
    assert_eq!(exported, [path("out/trunkline-protos.txt")]);
    assert!(!said.contains("rerun-if-env-changed"), "{said}");
}

#[test]
#[ignore = "another test runs it, as a build script"]
fn as_a_build_script() {
    let Some(folder) = env::var_os("TRUNKLINE_TEST_PROTOS").map(PathBuf::from) else {
        return;
    };
    println!();
    configure()
        .type_attribute(".no.such.Thing", "#[derive(Eq)]")
        .export_protos("::some::pb")
        .compile(&["a.proto"], &[folder.join("one"), folder.join("two")])
        .unwrap();
}

/// A crate of two hundred files, built by Cargo three times.
#[test]
#[ignore = "takes minutes; `cargo xtask soak` runs it"]
fn cargo_builds_a_large_tree_and_again_only_what_changed() {
    let tree = Tree::new("cargo", LARGE);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let krate = tree.out.with_file_name("crate");
    let write = |name: &str, text: &str| {
        let path = krate.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let root_path = root.display().to_string();
    write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"large\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [dependencies]\ntrunkline = {{ path = {root_path:?} }}\n\n\
             [build-dependencies]\ntrunkline-codegen = {{ path = \"{root_path}/codegen\" }}\n"
        ),
    );
    fs::copy(root.join("Cargo.lock"), krate.join("Cargo.lock")).unwrap();
    write(
        "src/lib.rs",
        "#![deny(warnings)]\ntrunkline::include_protos!();\n",
    );
    write(
        "build.rs",
        &format!(
            "fn main() -> Result<(), trunkline_codegen::Error> {{\n    let files = {:?}.map(std::path::PathBuf::from);\n    \
             trunkline_codegen::configure().compile(&files, &[{:?}])\n}}\n",
            tree.files, tree.protos
        ),
    );
    let check = || {
        let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["check", "--offline", "--message-format=short"])
            .current_dir(&krate)
            .env(
                "CARGO_TARGET_DIR",
                Path::new(env!("CARGO_TARGET_TMPDIR")).join("large"),
            )
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        let compiled = |line: &&str| line.contains("Compiling") || line.contains("Checking");
        let lines: Vec<String> = said
            .lines()
            .filter(compiled)
            .map(|line| line.trim().to_owned())
            .collect();
        lines
    };
    assert!(check().iter().any(|line| line.contains(" large v")));
    assert!(check().is_empty(), "nothing has changed");

    fs::write(tree.protos.join("unused.proto"), "syntax = \"proto3\";").unwrap();
    assert!(check().is_empty(), "a file that nobody reads is new");

    tree.edit(
        &tree::file_name(7, 2),
        "string name = 2;",
        "string name = 2; bool extra = 99;",
    );
    let built = check();
    assert_eq!(built.len(), 1, "{built:?}");
    assert!(built.concat().contains(" large v"), "{built:?}");
}

fn fresh(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("incremental")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}
