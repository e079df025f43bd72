//! What a build prints when a .proto file is wrong: the place first, then the reason.

use std::fs;
use std::path::{Path, PathBuf};

use trunkline_codegen::{Error, configure};

#[test]
fn a_syntax_error_names_file_line_and_column() {
    let text = "syntax = \"proto3\";\n\nmessage Point {\n  int32 x = 1\n  int32 y = 2;\n}\n";
    let (error, folder) = fail("syntax", &[("bad.proto", text)]);
    let place = folder.join("bad.proto");
    assert!(
        error.starts_with(&format!("{}:5:3: expected ", place.display())),
        "{error}"
    );
}

#[test]
fn columns_count_characters() {
    let text = "syntax = \"proto3\";\nmessage A { /* é */ ? }\n";
    let (error, folder) = fail("columns", &[("bad.proto", text)]);
    let place = folder.join("bad.proto");
    assert!(
        error.starts_with(&format!("{}:2:21: ", place.display())),
        "{error}"
    );
}

#[test]
fn an_unknown_type_names_its_place() {
    let text = "syntax = \"proto3\";\nmessage A {\n    Missing m = 1;\n}\n";
    let (error, folder) = fail("unknown", &[("bad.proto", text)]);
    let expected = format!(
        "{}:3:5: name 'Missing' is not defined",
        folder.join("bad.proto").display()
    );
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn a_second_definition_is_the_one_that_is_blamed() {
    let text = "syntax = \"proto3\";\nmessage A {}\nmessage A {}\n";
    let (error, folder) = fail("twice", &[("bad.proto", text)]);
    let place = format!("{}:3:9: ", folder.join("bad.proto").display());
    assert!(error.starts_with(&place), "{error}");
}

#[test]
fn the_end_of_a_file_is_a_place() {
    let (error, folder) = fail(
        "end",
        &[("bad.proto", "syntax = \"proto3\";\nmessage A {\n\n")],
    );
    let place = format!("{}:2:12: ", folder.join("bad.proto").display());
    assert!(error.starts_with(&place), "{error}");
}

#[test]
fn an_error_in_an_imported_file_names_that_file() {
    let (error, folder) = fail(
        "imported",
        &[
            ("bad.proto", "syntax = \"proto3\";\nimport \"a/b.proto\";\n"),
            ("a/b.proto", "syntax = \"proto3\";\n!\n"),
        ],
    );
    let place = format!("{}:2:1: ", folder.join("a/b.proto").display());
    assert!(error.starts_with(&place), "{error}");
}

#[test]
fn a_missing_import_names_the_importer_and_the_folders() {
    let text = "syntax = \"proto3\";\n  import \"gone.proto\";\n";
    let (error, folder) = fail("import", &[("bad.proto", text)]);
    let expected = format!(
        "{}:2:3: import \"gone.proto\" not found; searched: {}",
        folder.join("bad.proto").display(),
        folder.display()
    );
    assert_eq!(error, expected);
}

#[test]
fn a_circle_of_imports_is_shown() {
    let (error, _) = fail(
        "circle",
        &[
            ("bad.proto", "import \"b.proto\";"),
            ("b.proto", "import \"bad.proto\";"),
        ],
    );
    assert!(
        error.contains("bad.proto -> b.proto -> bad.proto"),
        "{error}"
    );
}

#[test]
fn a_file_outside_the_include_paths_is_named() {
    let folder = fresh("outside");
    let error = configure()
        .out_dir(&folder)
        .compile(&["nowhere.proto"], &[&folder])
        .unwrap_err();
    assert!(matches!(error, Error::NotIncluded { .. }));
    assert_eq!(
        error.to_string(),
        format!(
            "nowhere.proto: not in any include path; searched: {}",
            folder.display()
        )
    );
}

#[test]
fn an_unreadable_file_is_named() {
    let folder = fresh("unreadable");
    fs::write(folder.join("bad.proto"), b"// \xff").unwrap();
    let error = configure()
        .out_dir(&folder)
        .compile(&["bad.proto"], &[&folder])
        .unwrap_err();
    assert!(matches!(error, Error::Read { .. }));
    let place = format!("{}: cannot read: ", folder.join("bad.proto").display());
    assert!(error.to_string().starts_with(&place), "{error}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = fresh("unwritable");
    let file = folder.join("good.proto");
    fs::write(&file, "syntax = \"proto3\";").unwrap();
    let error = configure()
        .out_dir(&file)
        .compile(&[&file], &[&folder])
        .unwrap_err();
    assert!(matches!(error, Error::Write { .. }));
    assert!(
        error.to_string().starts_with(&file.display().to_string()),
        "{error}"
    );
}

#[test]
fn an_include_file_does_not_replace_a_package() {
    let folder = fresh("clash");
    fs::write(
        folder.join("a.proto"),
        "syntax = \"proto3\"; package a; message M {}",
    )
    .unwrap();
    let error = configure()
        .out_dir(folder.join("out"))
        .include_file("a.rs")
        .compile(&["a.proto"], &[&folder])
        .unwrap_err();
    assert!(matches!(error, Error::IncludeFileName { .. }), "{error}");
}

/// Compiles `bad.proto` among the files given; the error's text, the same in both of its forms.
fn fail(name: &str, files: &[(&str, &str)]) -> (String, PathBuf) {
    let folder = fresh(name);
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder to write to");
        fs::write(path, text).expect("a folder to write to");
    }
    let error = configure()
        .out_dir(folder.join("out"))
        .compile(&[folder.join("bad.proto")], &[&folder])
        .expect_err("a bad file");
    assert_eq!(format!("{error:?}"), error.to_string());
    (error.to_string(), folder)
}

fn fresh(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("errors")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder to write to");
    folder
}
