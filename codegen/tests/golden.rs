//! The generated text, compared with what is checked in below `tests/golden`.
//!
//! `TRUNKLINE_BLESS=1 cargo test -p trunkline-codegen --test golden` writes the expected files anew; read the diff.
//! `tests/generated` compiles them.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use trunkline_codegen::{Builder, configure};

#[test]
fn kinds() {
    check("kinds", &["guide.proto"], configure());
}

#[test]
fn client_only() {
    let options = configure()
        .build_server(false)
        .bytes(["."])
        .type_attribute(".guide.Point", "#[derive(PartialOrd)]")
        .field_attribute(".guide.Point.latitude", "#[doc(alias = \"north\")]");
    check_into("kinds", "client_only", &["guide.proto"], options);
}

#[test]
fn server_only() {
    let options = configure().build_client(false);
    check_into("kinds", "server_only", &["guide.proto"], options);
}

#[test]
fn names() {
    check("names", &["names.proto"], configure());
}

#[test]
fn clashes() {
    check("clashes", &["clashes.proto"], configure());
}

#[test]
fn packages() {
    let options = configure().include_file("all.rs");
    check("packages", &["shop/orders/orders.proto"], options);
}

#[test]
fn modern() {
    check("modern", &["modern/implicit.proto"], configure());
}

#[test]
fn bare() {
    check("bare", &["bare.proto"], configure());
}

fn check(case: &str, protos: &[&str], options: Builder) {
    check_into(case, "expected", protos, options);
}

fn check_into(case: &str, expected: &str, protos: &[&str], options: Builder) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(case);
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(case)
        .join(expected);
    let _ = fs::remove_dir_all(&fresh);
    options
        .out_dir(&fresh)
        .compile(protos, &[&folder])
        .expect("the golden protos compile");

    let expected = folder.join(expected);
    let fresh = files(&fresh);
    if env::var_os("TRUNKLINE_BLESS").is_some() {
        let _ = fs::remove_dir_all(&expected);
        fs::create_dir_all(&expected).expect("a folder below tests/golden");
        for (name, text) in &fresh {
            fs::write(expected.join(name), text).expect("a file below tests/golden");
        }
    }
    let expected = files(&expected);
    let names = |files: &BTreeMap<PathBuf, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&fresh), names(&expected), "files of {case}");
    for ((name, text), old) in fresh.iter().zip(expected.values()) {
        for (at, (new, old)) in text.lines().zip(old.lines()).enumerate() {
            assert_eq!(new, old, "{case}/{}:{}", name.display(), at + 1);
        }
        assert_eq!(text.len(), old.len(), "{case}/{}", name.display());
    }
}

fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    fs::read_dir(folder)
        .expect("a folder of generated files; TRUNKLINE_BLESS=1 makes it")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            let name = PathBuf::from(path.file_name().expect("a name"));
            (name, fs::read_to_string(path).expect("text"))
        })
        .collect()
}
