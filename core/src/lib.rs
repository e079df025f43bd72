//! The values and rules of gRPC: no IO, no runtime, no clock.
//!
#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod code;
mod codec;
#[doc(hidden)]
pub mod codegen;
mod compression;
mod deadline;
mod file_descriptor;
mod frame;
mod include;
mod metadata;
mod method;
pub mod protocol;
#[cfg(test)]
mod random;
mod response;
pub mod stats;
mod status;

pub use code::Code;
#[cfg(feature = "prost")]
pub use codec::ProstCodec;
pub use codec::{Codec, CodecError, Decoder, Encoder, RawCodec};
#[cfg(feature = "deflate")]
pub use compression::Deflate;
#[cfg(feature = "gzip")]
pub use compression::Gzip;
#[cfg(feature = "zstd")]
pub use compression::Zstd;
pub use compression::{
    Compressor, CompressorRegistry, DecompressError, Encoding, EncodingNameError,
};
pub use deadline::{Deadline, Inherited, Timeout, TimeoutError, TimeoutText};
pub use file_descriptor::FileDescriptor;
pub use frame::{
    Frame, FrameDecoder, FrameEncoder, FrameError, Lent, Payload, buffer_for, has_spare_buffers,
    release_spare_buffers, reuse_buffer, sweep_spare_buffers,
};
pub use metadata::{Metadata, MetadataError, MetadataValue};
pub use method::{Idempotency, Method, MethodDescriptor, ServiceDescriptor, Shape};
pub use response::{Response, Trailers};
#[cfg(feature = "prost")]
pub use status::details;
pub use status::{Attempt, OrStatus, Origin, Stage, Status};
