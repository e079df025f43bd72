//! HPACK (RFC 7541): header blocks to fields and back.

mod decode;
mod encode;
mod fields;
mod forms;
mod huffman;
mod huffman_table;
mod int;
mod peer_table;
mod static_table;
mod table;
mod template;

pub(super) use self::decode::{Decoder, Sink, field_len};
pub(super) use self::encode::Encoder;
pub(super) use self::fields::{Fields, FieldsWriter};
pub(super) use self::forms::{request_fits, response_fits};

/// A block breaks RFC 7541: a connection error COMPRESSION_ERROR, with this text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HpackError(pub(super) &'static str);
