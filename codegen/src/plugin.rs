//! The plugin for protoc and buf: a `CodeGeneratorRequest` in, a `CodeGeneratorResponse` out.
//!
//! Source: google/protobuf/compiler/plugin.proto.

use prost::Message;
use prost_types::FileDescriptorProto;

use crate::builder::{Builder, configure};
use crate::described::{Descriptors, without_comments};
use crate::editions::{self, FileFeatures};
use crate::error::Error;
use crate::generate::{self, Input};
use crate::output;
use crate::parameters;
use crate::survey::Places;

/// Answers a request of protoc or buf.
///
/// Shape: the encoded `CodeGeneratorRequest` of standard input; the encoded `CodeGeneratorResponse` for
/// standard output. Whatever is wrong with the .proto files or the parameters is in the response, where
/// protoc and buf look for it.
///
/// Errors: [`Error::Request`] if the request cannot be decoded; then there is nobody to answer.
pub fn plugin_response(request: &[u8]) -> Result<PluginResponse, Error> {
    let request = Request::decode(request).map_err(|error| refuse(&error))?;
    let mut response = Response {
        supported_features: PROTO3_OPTIONAL | SUPPORTS_EDITIONS,
        minimum_edition: editions::MINIMUM,
        maximum_edition: editions::MAXIMUM,
        ..Response::default()
    };
    let mut warnings = Vec::new();
    match answer(request, &mut warnings) {
        Ok(files) => response.files = files,
        Err(error) => response.error = Some(error.to_string()),
    }
    Ok(PluginResponse {
        bytes: response.encode_to_vec(),
        warnings,
    })
}

/// What the plugin says.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PluginResponse {
    /// The encoded response, for standard output.
    pub bytes: Vec<u8>,
    /// Options that had nothing to work on, for standard error.
    pub warnings: Vec<String>,
}

fn answer(request: Request, warnings: &mut Vec<String>) -> Result<Vec<File>, Error> {
    let parameter = request.parameter.unwrap_or_default();
    let Builder { options } = parameters::apply(configure(), &parameter)?;
    let options = options.checked()?;
    let mut files = Vec::with_capacity(request.proto_file.len());
    let mut descriptors = Descriptors::new();
    for bytes in &request.proto_file {
        let file = file(bytes)?;
        let bytes = without_comments(bytes).map_err(|error| refuse(&error))?;
        descriptors.insert(file.name().to_owned(), bytes);
        files.push(file);
    }
    let generated = generate::generate(
        &options,
        Input {
            files,
            // protoc names files as imports do.
            places: Places::new(),
            descriptors,
            chosen: Some(request.file_to_generate.into_iter().collect()),
            imported: Default::default(),
        },
    )?;
    warnings.extend(generated.warnings);
    let files = output::files(&options, generated.packages, None)?;
    Ok(files
        .into_iter()
        .map(|(name, content)| File {
            name: name.display().to_string(),
            content: String::from_utf8_lossy(&content).into_owned(),
        })
        .collect())
}

/// Decodes a file, and lowers it if it is one of an edition.
fn file(bytes: &[u8]) -> Result<FileDescriptorProto, Error> {
    let mut file = FileDescriptorProto::decode(bytes).map_err(|error| refuse(&error))?;
    match file.syntax() {
        "" | "proto2" | "proto3" => {}
        "editions" => {
            let features = FileFeatures::decode(bytes).map_err(|error| refuse(&error))?;
            let edition = features.edition.unwrap_or_default();
            if !(editions::MINIMUM..=editions::MAXIMUM).contains(&edition) {
                let name = file.name();
                let reason = format!("{name}: edition number {edition} is not known");
                return Err(Error::Request { reason });
            }
            editions::lower(&mut file, &features);
        }
        other => {
            let name = file.name();
            let reason = format!("{name}: syntax {other:?} is not known");
            return Err(Error::Request { reason });
        }
    }
    Ok(file)
}

fn refuse(error: &prost::DecodeError) -> Error {
    let reason = error.to_string();
    Error::Request { reason }
}

// prost-types has these messages without editions, and without the bytes of a file.

const PROTO3_OPTIONAL: u64 = 1;
const SUPPORTS_EDITIONS: u64 = 2;

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(string, repeated, tag = "1")]
    file_to_generate: Vec<String>,
    #[prost(string, optional, tag = "2")]
    parameter: Option<String>,
    #[prost(bytes = "vec", repeated, tag = "15")]
    proto_file: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(string, optional, tag = "1")]
    error: Option<String>,
    #[prost(uint64, tag = "2")]
    supported_features: u64,
    #[prost(int32, tag = "3")]
    minimum_edition: i32,
    #[prost(int32, tag = "4")]
    maximum_edition: i32,
    #[prost(message, repeated, tag = "15")]
    files: Vec<File>,
}

#[derive(Clone, PartialEq, Message)]
struct File {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "15")]
    content: String,
}
