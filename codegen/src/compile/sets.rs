//! Sets of descriptors as bytes: what prost-types would lose stays in them.

use prost::Message;
use protox::Compiler;

use crate::error::Error;

/// A `FileDescriptorSet` whose files are left as they are.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FileSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(super) files: Vec<Vec<u8>>,
}

impl FileSet {
    pub(super) fn of(compiler: &Compiler) -> Result<Self, Error> {
        let bytes = compiler.encode_file_descriptor_set();
        Self::decode(bytes.as_slice()).map_err(|error| undecodable(&error))
    }
}

/// Two fields of `FileDescriptorProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SaysEdition {
    #[prost(string, tag = "12")]
    pub(super) syntax: String,
    #[prost(int32, tag = "14")]
    pub(super) edition: i32,
}

pub(super) fn undecodable(error: &prost::DecodeError) -> Error {
    let reason = error.to_string();
    Error::Generator { reason }
}
