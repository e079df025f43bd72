//! Requests of protoc: well-formed ones with descriptors that no compiler would make, and any bytes.
//!
//! Input: a byte for the kind; then the bytes, or what descriptors are made of.

use prost_types::compiler::CodeGeneratorRequest;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::source_code_info::Location;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, MessageOptions, MethodDescriptorProto, OneofDescriptorProto,
    ServiceDescriptorProto, SourceCodeInfo,
};

use super::generated::plugin;
use crate::Source;

const NAMES: &[&str] = &[
    "a",
    "B",
    "type",
    "self",
    "Self",
    "crate",
    "a.b",
    ".a.B",
    "",
    "_",
    "A_b",
    "option",
    "Option",
    "Vec",
    "Client",
    "r#fn",
    "é",
    "a b",
    "1",
    "google.protobuf",
    ".google.protobuf.Any",
    "super",
];

const PARAMETERS: &[&str] = &[
    "",
    "include_file=x.rs",
    "bytes=.",
    "extern_path=.a=::a",
    "type_attribute=.=#[x]",
    "boxed=B,btree_map=.",
    "retain_enum_prefix",
    "compile_well_known_types,type_names=false",
    "skip_package=.a",
    "derive=.=A\\,B",
    "build_client=false,build_server=maybe",
    "runtime_path=crate::x",
    "=",
    ",,",
    "field_attribute=a",
    "{[(",
];

pub(super) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    if source.byte().is_multiple_of(4) {
        let _malformed = trunkline_codegen::plugin_response(source.remainder());
        return;
    }
    let parameter = match source.byte() % 4 {
        0 => source.text(),
        _ => source.pick(PARAMETERS).to_owned(),
    };
    let mut files = Vec::new();
    for number in 0..=source.below(3) {
        files.push(file(&mut source, number));
    }
    let asked = files.iter().map(|file| file.name().to_owned());
    let response = plugin(&CodeGeneratorRequest {
        file_to_generate: asked.collect(),
        parameter: Some(parameter),
        proto_file: files,
        compiler_version: None,
    });
    match response.error {
        Some(error) => assert!(!error.is_empty() && response.file.is_empty()),
        // Names that protoc would have refused are not promised to be Rust.
        None => assert!(response.file.iter().all(|file| file.name.is_some())),
    }
}

fn name(source: &mut Source<'_>) -> Option<String> {
    match source.byte() % 16 {
        0 => None,
        1 => Some(source.text()),
        _ => Some(source.pick(NAMES).to_owned()),
    }
}

fn file(source: &mut Source<'_>, number: usize) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(format!("{number}.proto")),
        package: name(source),
        dependency: (0..number).map(|other| format!("{other}.proto")).collect(),
        message_type: (0..source.below(4)).map(|_| message(source, 0)).collect(),
        enum_type: (0..source.below(2)).map(|_| enumeration(source)).collect(),
        service: (0..source.below(3)).map(|_| service(source)).collect(),
        syntax: Some(
            source
                .pick(&["proto3", "proto2", "", "editions", "proto4"])
                .to_owned(),
        ),
        source_code_info: Some(SourceCodeInfo {
            location: (0..source.below(4)).map(|_| location(source)).collect(),
        }),
        ..FileDescriptorProto::default()
    }
}

fn location(source: &mut Source<'_>) -> Location {
    Location {
        path: (0..source.below(6)).map(|_| number(source)).collect(),
        span: (0..source.below(5)).map(|_| number(source)).collect(),
        leading_comments: Some(source.text()),
        trailing_comments: Some(source.text()),
        leading_detached_comments: vec![source.text()],
    }
}

fn number(source: &mut Source<'_>) -> i32 {
    match source.byte() {
        255 => i32::MIN,
        254 => i32::MAX,
        small => i32::from(small) - 8,
    }
}

fn message(source: &mut Source<'_>, depth: usize) -> DescriptorProto {
    let nested = if depth < 3 { source.below(3) } else { 0 };
    DescriptorProto {
        name: name(source),
        field: (0..source.below(5)).map(|_| field(source)).collect(),
        nested_type: (0..nested).map(|_| message(source, depth + 1)).collect(),
        enum_type: (0..source.below(2)).map(|_| enumeration(source)).collect(),
        oneof_decl: (0..source.below(3))
            .map(|_| OneofDescriptorProto {
                name: name(source),
                options: None,
            })
            .collect(),
        options: source.flag().then(|| MessageOptions {
            map_entry: Some(source.flag()),
            deprecated: Some(source.flag()),
            ..MessageOptions::default()
        }),
        ..DescriptorProto::default()
    }
}

fn field(source: &mut Source<'_>) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: name(source),
        number: Some(number(source)),
        label: Label::try_from(number(source)).ok().map(Into::into),
        r#type: Type::try_from(i32::from(source.byte() % 20))
            .ok()
            .map(Into::into),
        type_name: if source.flag() { name(source) } else { None },
        default_value: source.flag().then(|| source.text()),
        oneof_index: source.flag().then(|| number(source)),
        json_name: source.flag().then(|| source.text()),
        proto3_optional: Some(source.flag()),
        ..FieldDescriptorProto::default()
    }
}

fn enumeration(source: &mut Source<'_>) -> EnumDescriptorProto {
    let value = |source: &mut Source<'_>| EnumValueDescriptorProto {
        name: name(source),
        number: Some(number(source)),
        options: None,
    };
    EnumDescriptorProto {
        name: name(source),
        value: (0..source.below(4)).map(|_| value(source)).collect(),
        ..EnumDescriptorProto::default()
    }
}

fn service(source: &mut Source<'_>) -> ServiceDescriptorProto {
    let method = |source: &mut Source<'_>| MethodDescriptorProto {
        name: name(source),
        input_type: name(source),
        output_type: name(source),
        client_streaming: Some(source.flag()),
        server_streaming: Some(source.flag()),
        options: None,
    };
    ServiceDescriptorProto {
        name: name(source),
        method: (0..source.below(4)).map(|_| method(source)).collect(),
        options: None,
    }
}

/// What is generated for well-formed descriptors is Rust.
#[cfg(test)]
mod tests {
    use super::super::generated::assert_rust;
    use super::*;

    #[test]
    fn a_message_of_every_field_type_is_rust() {
        let fields = (1..=18).filter(|number| ![10, 11, 14].contains(number));
        let field = |number: i32| FieldDescriptorProto {
            name: Some(format!("f{number}")),
            number: Some(number),
            label: Some(Label::Optional.into()),
            r#type: Some(number),
            ..FieldDescriptorProto::default()
        };
        let file = FileDescriptorProto {
            name: Some("a.proto".to_owned()),
            message_type: vec![DescriptorProto {
                name: Some("A".to_owned()),
                field: fields.map(field).collect(),
                ..DescriptorProto::default()
            }],
            ..FileDescriptorProto::default()
        };
        let response = plugin(&CodeGeneratorRequest {
            file_to_generate: vec!["a.proto".to_owned()],
            proto_file: vec![file],
            ..CodeGeneratorRequest::default()
        });
        assert_eq!(response.error, None);
        let files = response.file.into_iter();
        let files: Vec<_> = files
            .map(|file| (file.name().to_owned(), file.content().to_owned()))
            .collect();
        assert_rust(&files);
        assert!(files.iter().any(|(_, text)| text.contains("pub struct A")));
    }
}
