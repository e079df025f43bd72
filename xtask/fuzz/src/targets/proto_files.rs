//! .proto files as somebody might write them: two that import each other's package, with every kind
//! of declaration, names that are taken in Rust, and comments of all sorts.
//!
//! Input: what the files are made of. What is not valid protobuf has only to be an error.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use prost_types::compiler::CodeGeneratorRequest;

use super::generated::{Folder, assert_explained, assert_rust, plugin};
use super::proto_words::{COMMENTS, NAMES, PACKAGES, SCALARS};
use crate::Source;

pub(super) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let folder = Folder::new();
    let mut used = Used::default();
    let (first, names) = file(&mut source, &mut used, None);
    let second_source = source.flag();
    folder.write("first.proto", first.as_bytes());
    let mut files = vec!["first.proto"];
    let mut second = String::new();
    if second_source {
        (second, _) = file(&mut source, &mut used, Some(&names));
        folder.write("second.proto", second.as_bytes());
        files.push("second.proto");
    }
    let judged = folder.protox(&files);
    let shown = || format!("{first}\n---- second\n{second}");
    let edition = first.starts_with("edition") || second.starts_with("edition");
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        match folder.compile(&files) {
            Ok(written) => {
                assert!(judged.is_ok() || edition, "protox says {judged:?}");
                assert_rust(&written);
                if let Ok(set) = &judged {
                    same_from_plugin(&files, set, &written);
                }
            }
            Err(error) => assert_explained(&error, judged.is_ok()),
        }
    }));
    if let Err(panic) = outcome {
        if std::env::var_os("TRUNKLINE_FUZZ_SHOW").is_some() {
            #[expect(clippy::print_stderr, reason = "asked for, to look at a finding")]
            {
                eprintln!("{}", shown());
            }
        }
        std::panic::resume_unwind(panic);
    }
}

/// protoc's way and a build script's lead to the same Rust.
fn same_from_plugin(
    names: &[&str],
    set: &prost_types::FileDescriptorSet,
    written: &[(String, String)],
) {
    let edition = set.file.iter().any(|file| file.syntax() == "editions");
    if edition {
        return;
    }
    let response = plugin(&CodeGeneratorRequest {
        file_to_generate: names.iter().map(|&name| name.to_owned()).collect(),
        proto_file: set.file.clone(),
        ..CodeGeneratorRequest::default()
    });
    assert_eq!(response.error, None, "a build script has no complaint");
    for file in &response.file {
        // The tree names the descriptor set that only the build script was asked for.
        if file.name() != "mod.rs" {
            let same = written.iter().find(|(name, _)| name == file.name());
            assert_eq!(
                same.map(|(_, text)| text.as_str()),
                Some(file.content()),
                "{}",
                file.name()
            );
        }
    }
}

/// The text of a file, and the full names of its messages; `imports` are those of the file before.
fn file(
    source: &mut Source<'_>,
    used: &mut Used,
    imports: Option<&[String]>,
) -> (String, Vec<String>) {
    let mut text = String::new();
    let syntax = source.pick(&[
        "syntax = \"proto3\";",
        "syntax = \"proto3\";",
        "syntax = \"proto2\";",
        "edition = \"2023\";",
        "",
    ]);
    let _ = writeln!(text, "{syntax}");
    comment(source, &mut text);
    let package = match source.byte() % 8 {
        0 => source.pick(NAMES),
        _ => source.pick(PACKAGES),
    };
    if !package.is_empty() {
        let _ = writeln!(text, "package {package};");
    }
    if imports.is_some() {
        text.push_str("import \"first.proto\";\n");
    }
    let missing = source.byte();
    for (number, each) in (0..).zip(["any", "timestamp", "empty", "wrappers"]) {
        if missing != number {
            let _ = writeln!(text, "import \"google/protobuf/{each}.proto\";");
        }
    }
    let mut scope = Scope {
        names: imports.map(<[String]>::to_vec).unwrap_or_default(),
        own: Vec::new(),
        needs_label: syntax.contains("proto2") || syntax.is_empty(),
        editions: syntax.starts_with("edition"),
    };
    for _ in 0..=source.below(5) {
        message(source, &mut text, &mut scope, used, package, 0);
    }
    for _ in 0..source.below(2) {
        enumeration(source, &mut text, used);
    }
    for _ in 0..source.below(3) {
        service(source, &mut text, &scope, used);
    }
    (text, scope.own)
}

/// What can be named.
struct Scope {
    names: Vec<String>,
    own: Vec<String>,
    needs_label: bool,
    editions: bool,
}

impl Scope {
    fn message(&self, source: &mut Source<'_>) -> String {
        let well_known = [
            ".google.protobuf.Any",
            ".google.protobuf.Timestamp",
            ".google.protobuf.Empty",
        ];
        let all = self.names.len() + self.own.len();
        if all == 0 || source.byte().is_multiple_of(8) {
            return source.pick(&well_known).to_owned();
        }
        let index = usize::from(source.byte()) % all;
        let name = self.names.iter().chain(&self.own).nth(index);
        name.map_or_else(|| "Unknown".to_owned(), |name| format!(".{name}"))
    }
}

fn comment(source: &mut Source<'_>, text: &mut String) {
    let said = match source.byte() % 8 {
        0 => source.text(),
        1 | 2 => source.pick(COMMENTS).to_owned(),
        _ => return,
    };
    if source.flag() {
        for line in said.lines() {
            let _ = writeln!(text, "// {line}");
        }
    } else {
        let _ = writeln!(text, "/* {} */", said.replace("*/", "").replace("/*", ""));
    }
}

/// Names of one scope, as protobuf tells them apart: without case and underscores.
#[derive(Default)]
struct Used(BTreeSet<String>);

impl Used {
    /// A name that is mostly another one than those before.
    fn name(&mut self, source: &mut Source<'_>) -> String {
        let name = source.pick(NAMES);
        let mut unique = name.to_owned();
        if source.byte() != 255 {
            let mut number = 0;
            while !self.0.insert(unique.to_ascii_lowercase().replace('_', "")) {
                number += 1;
                unique = format!("{name}{number}");
            }
        }
        unique
    }
}

fn message(
    source: &mut Source<'_>,
    text: &mut String,
    scope: &mut Scope,
    used: &mut Used,
    within: &str,
    depth: usize,
) {
    comment(source, text);
    let own = used.name(source);
    let mut inner = Used::default();
    let full = if within.is_empty() {
        own.clone()
    } else {
        format!("{within}.{own}")
    };
    let _ = writeln!(text, "message {own} {{");
    scope.own.push(full.clone());
    if source.byte() % 16 == 1 {
        text.push_str("option deprecated = true;\n");
    }
    if depth < 2 {
        for _ in 0..source.below(2) {
            message(source, text, scope, &mut inner, &full, depth + 1);
        }
    }
    if source.byte() % 8 == 1 {
        enumeration(source, text, &mut inner);
    }
    let mut number = 0;
    for _ in 0..source.below(6) {
        number += 1;
        comment(source, text);
        let label = match source.byte() % 4 {
            0 => "repeated ",
            1 if !scope.editions => "optional ",
            2 if scope.needs_label => "required ",
            _ if scope.needs_label => "optional ",
            _ => "",
        };
        field(source, text, scope, &mut inner, label, number);
    }
    if source.flag() {
        let _ = writeln!(text, "oneof {} {{", inner.name(source));
        for _ in 0..=source.below(3) {
            number += 1;
            field(source, text, scope, &mut inner, "", number);
        }
        text.push_str("}\n");
    }
    if source.byte() % 4 == 1 {
        number += 1;
        let key = source.pick(&["string", "int32", "bool", "uint64"]);
        let value = match source.flag() {
            true => scope.message(source),
            false => source.pick(SCALARS).to_owned(),
        };
        let _ = writeln!(
            text,
            "map<{key}, {value}> {} = {number};",
            inner.name(source)
        );
    }
    text.push_str("}\n");
}

fn field(
    source: &mut Source<'_>,
    text: &mut String,
    scope: &Scope,
    used: &mut Used,
    label: &str,
    number: u32,
) {
    let kind = match source.byte() % 3 {
        0 => scope.message(source),
        _ => source.pick(SCALARS).to_owned(),
    };
    let number = match source.byte() {
        255 => 536_870_911,
        _ => number,
    };
    let options = match source.byte() % 16 {
        1 => " [deprecated = true]",
        2 if scope.needs_label && kind == "string" && label != "repeated " => {
            " [default = \"a\\\"b\\n\\377\"]"
        }
        3 if scope.needs_label && kind == "double" && label != "repeated " => " [default = -inf]",
        4 if scope.needs_label && kind == "bytes" && label != "repeated " => {
            " [default = \"\\000\\xff\"]"
        }
        5 => " [json_name = \"x y\"]",
        _ => "",
    };
    let _ = writeln!(
        text,
        "{label}{kind} {} = {number}{options};",
        used.name(source)
    );
}

fn enumeration(source: &mut Source<'_>, text: &mut String, used: &mut Used) {
    comment(source, text);
    let _ = writeln!(text, "enum {} {{", used.name(source));
    let alias = source.byte() % 4 == 1;
    if alias {
        text.push_str("option allow_alias = true;\n");
    }
    for index in 0..=source.below(4) {
        let number = if alias { 0 } else { index };
        let _ = writeln!(
            text,
            "{}_{} = {number};",
            used.name(source),
            source.pick(&["X", "x", "1", "_", "SELF"])
        );
    }
    text.push_str("}\n");
}

fn service(source: &mut Source<'_>, text: &mut String, scope: &Scope, used: &mut Used) {
    comment(source, text);
    let _ = writeln!(text, "service {} {{", used.name(source));
    let mut inner = Used::default();
    for _ in 0..source.below(5) {
        comment(source, text);
        let [input, output] = [0, 1].map(|_| {
            let stream = if source.flag() { "stream " } else { "" };
            format!("{stream}{}", scope.message(source))
        });
        let options = source.pick(&[
            ";",
            ";",
            " { option deprecated = true; }",
            " { option idempotency_level = NO_SIDE_EFFECTS; }",
        ]);
        let _ = writeln!(
            text,
            "rpc {}({input}) returns ({output}){options}",
            inner.name(source)
        );
    }
    text.push_str("}\n");
}

#[cfg(test)]
mod tests {
    use super::{Folder, Source, Used, file};

    /// A generator whose files no compiler takes would look at nothing but that compiler.
    #[test]
    fn most_files_are_valid_protobuf() {
        let mut random = fastrand::Rng::with_seed(1);
        let (mut valid, mut services) = (0, 0);
        for _ in 0..40 {
            let input: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(400).collect();
            let (text, _) = file(&mut Source::new(&input), &mut Used::default(), None);
            let folder = Folder::new();
            folder.write("first.proto", text.as_bytes());
            match folder.protox(&["first.proto"]) {
                Ok(_) => {
                    valid += 1;
                    services += usize::from(text.contains("\nservice "));
                }
                Err(error) => println!("{error}\n{text}"),
            }
        }
        assert!(
            valid > 20 && services > 6,
            "{valid} of 40, {services} with services"
        );
    }
}
