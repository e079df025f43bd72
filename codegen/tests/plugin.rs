//! The plugin, asked as protoc and buf ask it: by requests that protox makes the descriptors for.
//!
//! `cargo xtask plugin` asks it through protoc and buf themselves.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use prost::Message;
use prost_types::compiler::{CodeGeneratorRequest, CodeGeneratorResponse};
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use trunkline_codegen::{Error, PluginResponse, configure, plugin_response};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// A request for the golden packages, which import each other.
fn request(parameter: &str) -> CodeGeneratorRequest {
    let folder = Path::new(GOLDEN).join("packages");
    let mut compiler = protox::Compiler::new([&folder]).unwrap();
    compiler
        .include_imports(true)
        .include_source_info(true)
        .open_file(folder.join("shop/orders/orders.proto"))
        .unwrap();
    let set = compiler.file_descriptor_set();
    CodeGeneratorRequest {
        file_to_generate: set.file.iter().map(|file| file.name().to_owned()).collect(),
        parameter: Some(parameter.to_owned()),
        proto_file: set.file,
        compiler_version: None,
    }
}

fn ask(request: &CodeGeneratorRequest) -> CodeGeneratorResponse {
    let PluginResponse { bytes, .. } = plugin_response(&request.encode_to_vec()).unwrap();
    CodeGeneratorResponse::decode(bytes.as_slice()).unwrap()
}

fn error(request: &CodeGeneratorRequest) -> String {
    let response = ask(request);
    assert!(response.file.is_empty());
    response.error.expect("an error")
}

#[test]
fn it_writes_what_a_build_script_writes() {
    let response = ask(&request("include_file=all.rs"));
    assert_eq!(response.error, None);
    let folder = Path::new(GOLDEN).join("packages/expected");
    let mut expected: Vec<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(Result::unwrap)
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    expected.sort();
    let mut found: Vec<(String, String)> = response
        .file
        .into_iter()
        .map(|file| (file.name().to_owned(), file.content().to_owned()))
        .collect();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn only_files_that_were_asked_for_are_generated() {
    let mut request = request("");
    request.file_to_generate = vec!["shop/orders/orders.proto".to_owned()];
    let response = ask(&request);
    let names: Vec<_> = response.file.iter().map(|file| file.name()).collect();
    assert_eq!(names, ["mod.rs", "shop.orders.rs"]);
    // The others are elsewhere, where the paths lead.
    let orders = response.file.last().unwrap().content();
    assert!(orders.contains("super::Money"), "{orders}");
}

#[test]
fn it_offers_proto3_optional_and_editions() {
    #[derive(Clone, PartialEq, Message)]
    struct Offers {
        #[prost(uint64, tag = "2")]
        features: u64,
        #[prost(int32, tag = "3")]
        minimum: i32,
        #[prost(int32, tag = "4")]
        maximum: i32,
    }
    let response = plugin_response(&request("").encode_to_vec()).unwrap();
    let offers = Offers::decode(response.bytes.as_slice()).unwrap();
    let expected = Offers {
        features: 1 | 2,
        minimum: 998,
        maximum: 1001,
    };
    assert_eq!(offers, expected);
}

#[test]
fn parameters_are_the_options_of_the_builder() {
    let parameter = "build_server=false,runtime_path=trunkline_client,type_names=false,\
        type_attribute=.shop.Money=#[derive(PartialOrd, Ord)],compile_well_known_types";
    let response = ask(&request(parameter));
    assert_eq!(response.error, None);
    let texts: String = response.file.iter().map(|file| file.content()).collect();
    assert!(texts.contains("#[derive(PartialOrd, Ord)]"), "{texts}");
    assert!(texts.contains("::trunkline_client::codegen::"), "{texts}");
    for absent in ["::trunkline::", "server::", "prost::Name"] {
        assert!(!texts.contains(absent), "{absent} in {texts}");
    }
}

#[test]
fn what_is_wrong_with_a_parameter_is_in_the_response() {
    let text = error(&request("no_such_thing=1"));
    assert!(
        text.starts_with("parameter \"no_such_thing=1\": unknown"),
        "{text}"
    );
    let text = error(&request("extern_path=common=::common"));
    assert!(text.starts_with("extern_path(\"common\"): "), "{text}");
}

#[test]
fn what_has_no_rust_is_in_the_response_with_its_place() {
    let mut request = request("");
    let file = protox_parsed(
        "twins.proto",
        "syntax = \"proto3\";\nmessage Ab {}\nmessage ab {}\n",
    );
    request.file_to_generate.push(file.name().to_owned());
    request.proto_file.push(file);
    let text = error(&request);
    assert!(
        text.starts_with("twins.proto:3:9: `Ab` and `ab` would both be"),
        "{text}"
    );
}

#[test]
fn an_unknown_syntax_is_in_the_response() {
    let mut request = request("");
    let mut file = protox_parsed("new.proto", "syntax = \"proto3\";");
    file.syntax = Some("proto9".to_owned());
    request.proto_file.push(file);
    let text = error(&request);
    assert!(
        text.contains("new.proto: syntax \"proto9\" is not known"),
        "{text}"
    );
}

#[test]
fn descriptors_that_fit_nothing_are_an_error_and_no_panic() {
    let mut request = request("");
    for file in &mut request.proto_file {
        for message in &mut file.message_type {
            for field in &mut message.field {
                field.set_type(prost_types::field_descriptor_proto::Type::Message);
                field.type_name = Some(".no.Such".to_owned());
            }
        }
    }
    let text = error(&request);
    assert!(text.contains("gave up"), "{text}");
}

#[test]
fn a_file_of_an_edition_is_lowered_as_one_that_was_read() {
    // What protoc sends: `syntax` says editions, features are in the options.
    #[derive(Clone, PartialEq, Message)]
    struct Edition {
        #[prost(string, tag = "12")]
        syntax: String,
        #[prost(int32, tag = "14")]
        edition: i32,
    }
    let with_edition = |number: i32| {
        let file = protox_parsed(
            "modern.proto",
            "syntax = \"proto3\"; package m; message M { int32 n = 1; repeated int32 l = 2; }",
        );
        let mut bytes = file.encode_to_vec();
        let edition = Edition {
            syntax: "editions".to_owned(),
            edition: number,
        };
        bytes.extend(edition.encode_to_vec());
        let mut request = CodeGeneratorRequest {
            file_to_generate: vec!["modern.proto".to_owned()],
            ..CodeGeneratorRequest::default()
        }
        .encode_to_vec();
        // Field 15, by its length.
        request.push(15 << 3 | 2);
        prost::encoding::encode_varint(u64::try_from(bytes.len()).unwrap(), &mut request);
        request.extend(bytes);
        let response = plugin_response(&request).unwrap();
        CodeGeneratorResponse::decode(response.bytes.as_slice()).unwrap()
    };
    for number in [1000, 1001] {
        let response = with_edition(number);
        assert_eq!(response.error, None);
        let text = response.file.first().unwrap().content();
        assert!(
            text.contains("pub n: ::core::option::Option<i32>"),
            "{text}"
        );
        assert!(!text.contains("packed = \"false\""), "{text}");
    }
    let text = with_edition(4711).error.unwrap();
    assert!(text.contains("modern.proto: edition number 4711"), "{text}");
}

#[test]
fn a_request_that_is_none_is_refused() {
    let error = plugin_response(b"\xff\xff").unwrap_err();
    assert!(matches!(error, Error::Request { .. }), "{error}");
}

#[test]
fn the_program_answers_on_its_standard_output() {
    let run = |input: &[u8]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_protoc-gen-trunkline"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    };
    let asked = request("bytes=.nothing.here,skip_package=.shop.Money");
    let output = run(&asked.encode_to_vec());
    assert!(output.status.success());
    let response = CodeGeneratorResponse::decode(output.stdout.as_slice()).unwrap();
    assert_eq!(response, ask(&asked));
    let said = String::from_utf8(output.stderr).unwrap();
    for option in ["bytes(\".nothing.here\")", "skip_package(\".shop.Money\")"] {
        let warning = format!("warning: {option} matches nothing");
        assert!(said.contains(&warning), "{said}");
    }

    let output = run(b"\xff");
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("malformed")
    );
}

#[test]
fn warnings_and_files_are_the_same_in_any_order_of_requests() {
    let once = ask(&request(""));
    assert_eq!(once, ask(&request("")));
    let folder = fresh("order");
    configure()
        .out_dir(&folder)
        .compile(
            &["shop/orders/orders.proto"],
            &[Path::new(GOLDEN).join("packages")],
        )
        .unwrap();
    for file in once.file {
        let written = fs::read_to_string(folder.join(file.name())).unwrap();
        assert_eq!(written, file.content());
    }
}

fn protox_parsed(name: &str, text: &str) -> FileDescriptorProto {
    let folder = fresh(name);
    fs::write(folder.join(name), text).unwrap();
    let mut compiler = protox::Compiler::new([&folder]).unwrap();
    compiler
        .include_source_info(true)
        .open_file(folder.join(name))
        .unwrap();
    let FileDescriptorSet { mut file } = compiler.file_descriptor_set();
    file.pop().unwrap()
}

/// A folder of one test's own; tests that share a file name do not share it.
fn fresh(name: &str) -> PathBuf {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default().replace("::", "-");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("plugin")
        .join(test)
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}
