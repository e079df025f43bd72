//! What a build prints when a .proto file is wrong: the place first, then the reason.

use std::fs;
use std::path::{Path, PathBuf};

use trunkline_codegen::{Builder, Error, configure};

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

#[test]
fn an_error_in_a_file_of_an_edition_names_its_place() {
    let text = "edition = \"2023\";\nmessage A {\n    int32 n = 1;\n    Missing m = 2;\n}\n";
    let (error, folder) = fail("edition", &[("bad.proto", text)]);
    let file = folder.join("bad.proto");
    let expected = format!("{}:4:5: name 'Missing' is not defined", file.display());
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn an_edition_that_is_not_known_names_its_place() {
    let (error, folder) = fail(
        "unknown-edition",
        &[("bad.proto", "\nedition = \"2031\";\n")],
    );
    let file = folder.join("bad.proto");
    let expected = format!("{}:2:12: edition \"2031\" is not known", file.display());
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn two_names_that_become_one_in_rust_are_both_named() {
    let text = "syntax = \"proto3\";
package p;
enum E { E_UNSPECIFIED = 0; FOO_BAR = 1; foo_bar = 2; }
message M { message In_A {} message InA {} }
message Sub { message Inside {} }
message Nm { } message nm { }
";
    let other = "syntax = \"proto3\"; package p.sub; message S {}";
    let files = [("bad.proto", text), ("other.proto", other)];
    let text = format!("{text}import \"other.proto\";");
    let files = files.map(|(name, old)| {
        (
            name,
            if name == "bad.proto" {
                text.as_str()
            } else {
                old
            },
        )
    });
    let (error, folder) = fail("twins", &files);
    let file = folder.join("bad.proto").display().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 4, "{error}");
    for (line, (place, part)) in lines.iter().zip([
        ("4:37", "`In_A` and `InA` would both be the Rust type `InA`"),
        (
            "5:9",
            "the Rust module `sub`, which is also the package `p.sub`",
        ),
        ("6:24", "`Nm` and `nm` would both be the Rust type `Nm`"),
        (
            "3:42",
            "`FOO_BAR` and `foo_bar` would both be the Rust variant `FooBar`",
        ),
    ]) {
        assert!(line.starts_with(&format!("{file}:{place}: ")), "{line}");
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn packages_that_become_one_module_may_not_have_one_type_twice() {
    let other = "syntax = \"proto3\"; package shop.inStock; message M {} message Other {}";
    let text = "syntax = \"proto3\";
package shop.in_stock;
import \"other.proto\";
message M { shop.inStock.M other = 1; }
";
    let (error, folder) = fail("one_module", &[("other.proto", other), ("bad.proto", text)]);
    let expected = format!(
        "{}:4:9: the package `shop.in_stock` and another one would be one Rust module, and both have a `M`",
        folder.join("bad.proto").display()
    );
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn methods_that_prost_derives_twice_name_both_fields() {
    let text = "syntax = \"proto3\";
enum K { K_NONE = 0; }
message Setters { K kind = 1; K set_kind = 2; }
message Maps { map<string, K> kind = 1; K get_kind = 2; }
message Lists { repeated K kind = 1; optional int32 push_kind = 2; }
message Keyword { map<string, K> type = 1; }
message Fine { K kind = 1; int32 set_kind = 2; oneof one { K set_it = 3; K it = 4; } map<int32, Fine> type = 5; }
";
    let (error, folder) = fail("accessors", &[("bad.proto", text)]);
    let file = folder.join("bad.proto").display().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 4, "{error}");
    for (line, (place, part)) in lines.iter().zip([
        (
            "3:33",
            "`kind` and `set_kind` would both have the Rust method `set_kind`",
        ),
        (
            "4:43",
            "`kind` and `get_kind` would both have the Rust method `get_kind`",
        ),
        (
            "5:53",
            "`kind` and `push_kind` would both have the Rust method `push_kind`",
        ),
        ("6:34", "the map `type` has enums for values"),
    ]) {
        assert!(line.starts_with(&format!("{file}:{place}: ")), "{line}");
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn oneofs_whose_types_become_one_are_both_named() {
    let text = "syntax = \"proto3\";
message A { oneof way1 { int32 a = 1; } oneof way_1 { int32 b = 2; } }
message B { message Way {} message WayOneOf {} oneof way { int32 a = 1; Way b = 2; } }
message Fine { message Way {} oneof way { Way a = 1; } oneof way_one { int32 b = 2; } }
";
    let (error, folder) = fail("oneofs", &[("bad.proto", text)]);
    let file = folder.join("bad.proto").display().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 2, "{error}");
    for (line, (place, part)) in lines.iter().zip([
        (
            "2:47",
            "`way1` and `way_1` would both be the Rust type `Way1`",
        ),
        (
            "3:54",
            "`WayOneOf` and `way` would both be the Rust type `WayOneOf`",
        ),
    ]) {
        assert!(line.starts_with(&format!("{file}:{place}: ")), "{line}");
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn modules_without_a_name_of_their_own_are_refused() {
    let text = "syntax = \"proto3\";
package shop._;
message _2 { message Inside {} }
message _3 {}
";
    let (error, folder) = fail("nameless", &[("bad.proto", text)]);
    let file = folder.join("bad.proto").display().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 2, "{error}");
    for (line, (place, part)) in lines.iter().zip([
        ("2:1", "a part of the package `shop._` has no letter"),
        (
            "3:9",
            "the Rust type of `_2` and the module of what is inside it would both be `_2`",
        ),
    ]) {
        assert!(line.starts_with(&format!("{file}:{place}: ")), "{line}");
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn a_package_that_is_elsewhere_takes_no_module() {
    let folder = fresh("elsewhere");
    let other = "syntax = \"proto3\"; package shop.types; message T {}";
    fs::write(folder.join("types.proto"), other).unwrap();
    let text = "syntax = \"proto3\"; package shop; import \"types.proto\";
        message Types { message Inside {} shop.types.T t = 1; }";
    fs::write(folder.join("shop.proto"), text).unwrap();
    let compile = |builder: Builder| {
        let builder = builder.out_dir(folder.join("out"));
        builder.compile(&["shop.proto"], &[&folder])
    };
    let error = compile(configure()).unwrap_err();
    assert!(
        error.to_string().contains("the package `shop.types`"),
        "{error}"
    );
    compile(configure().extern_path(".shop.types", "::types")).unwrap();
}

#[test]
fn enum_values_that_only_the_prefix_tells_apart_keep_it_on_request() {
    let folder = fresh("prefix");
    let text = "syntax = \"proto3\"; enum E { A = 0; E_A = 1; }";
    fs::write(folder.join("a.proto"), text).unwrap();
    let compile = |builder: Builder| {
        builder
            .out_dir(folder.join("out"))
            .compile(&["a.proto"], &[&folder])
    };
    let error = compile(configure()).unwrap_err();
    assert!(error.to_string().contains("retain_enum_prefix"), "{error}");
    compile(configure().retain_enum_prefix()).unwrap();
}

#[test]
fn an_option_that_cannot_work_is_named_with_its_value() {
    let path = |builder: Builder| {
        let error = builder.compile(&["a.proto"], &["."]).unwrap_err();
        assert!(matches!(error, Error::Option { .. }), "{error}");
        error.to_string()
    };
    for (builder, begin) in [
        (
            configure().extern_path("common", "::common"),
            "extern_path(\"common\"): ",
        ),
        (
            configure().extern_path(".common", "super::common"),
            "extern_path(\"super::common\"): ",
        ),
        (
            configure().runtime_path("no path"),
            "runtime_path(\"no path\"): ",
        ),
        (configure().skip_package("a"), "skip_package(\"a\"): "),
        (
            configure().type_attribute(".", "derive(Eq)"),
            "type_attribute(\"derive(Eq)\"): ",
        ),
        (configure().bytes([""]), "bytes(\"\"): "),
        (
            configure().include_file("a/mod.rs"),
            "include_file(\"a/mod.rs\"): ",
        ),
    ] {
        let error = path(builder);
        assert!(error.starts_with(begin), "{error}");
    }
}

#[test]
fn a_type_of_a_package_that_is_left_out_is_missed_where_it_is_used() {
    let folder = fresh("skipped");
    let other = "syntax = \"proto3\"; package far; message Away {}";
    fs::write(folder.join("far.proto"), other).unwrap();
    let text = "syntax = \"proto3\";\nimport \"far.proto\";\nmessage A {\n  far.Away a = 1;\n}\n";
    fs::write(folder.join("a.proto"), text).unwrap();
    let skipping = || configure().skip_package(".far").out_dir(folder.join("out"));
    let error = skipping().compile(&["a.proto"], &[&folder]).unwrap_err();
    let place = format!("{}:4:12: uses `far.Away`", folder.join("a.proto").display());
    assert!(error.to_string().starts_with(&place), "{error}");
    skipping()
        .extern_path(".far.Away", "::far::Away")
        .compile(&["a.proto"], &[&folder])
        .unwrap();
    assert!(!folder.join("out/far.rs").exists());
}

#[test]
fn a_crate_that_exports_nothing_is_named_with_what_it_lacks() {
    let error = configure()
        .import_protos("some-protos")
        .out_dir(fresh("exports"))
        .compile(&["a.proto"], &["."])
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("import_protos(\"some-protos\"): "),
        "{text}"
    );
    assert!(text.contains("DEP_SOME_PROTOS_TRUNKLINE_PROTOS"), "{text}");
    assert!(text.contains("`links = \"some-protos\"`"), "{text}");
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
