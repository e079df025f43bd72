#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(hidden)]
pub mod codegen;

#[cfg(feature = "testing")]
pub mod testing;

pub use trunkline_core::{
    Attempt, Code, Codec, CodecError, Deadline, Decoder, Encoder, FileDescriptor, Idempotency,
    Inherited, Lent, Metadata, MetadataError, MetadataValue, Method, MethodDescriptor, OrStatus,
    Origin, Payload, RawCodec, Response, ServiceDescriptor, Shape, Stage, Status, Timeout,
    TimeoutError, Trailers, include_protos,
};

pub use trunkline_core::{
    Compressor, CompressorRegistry, DecompressError, Encoding, EncodingNameError,
};

#[cfg(feature = "deflate")]
pub use trunkline_core::Deflate;

#[cfg(feature = "gzip")]
pub use trunkline_core::Gzip;

#[cfg(feature = "zstd")]
pub use trunkline_core::Zstd;

#[cfg(feature = "prost")]
pub use trunkline_core::{ProstCodec, details};

pub use trunkline_core::stats;

pub use trunkline_transport::stream::MessageHook;

/// Sockets, HTTP/2 connections and streams, for those who bring their own transport.
///
/// All of [`trunkline_transport`], whose page tells more.
pub mod transport {
    pub use trunkline_transport::*;
}

/// TLS for channels and servers, by rustls on ring.
#[cfg(feature = "tls")]
pub use trunkline_transport::credentials::tls;

/// Channels, calls and what surrounds them.
///
/// All of [`trunkline_client`], whose page tells more.
#[cfg(feature = "client")]
pub mod client {
    pub use trunkline_client::*;
}

#[cfg(feature = "client")]
pub use trunkline_client::Channel;

/// Servers, what handlers are given, and what surrounds them.
///
/// All of [`trunkline_server`], whose page tells more.
#[cfg(feature = "server")]
pub mod server {
    pub use trunkline_server::*;
}

#[cfg(feature = "server")]
pub use trunkline_server::{RequestContext, Server};
