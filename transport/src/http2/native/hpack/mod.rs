//! HPACK (RFC 7541): header blocks to fields and back.

mod decode;
mod encode;
mod fields;
mod huffman;
mod huffman_table;
mod int;
mod static_table;
mod table;

pub(super) use self::decode::{Decoder, Sink};
pub(super) use self::encode::{Encoder, request_list_size, response_list_size};
pub(super) use self::fields::{Fields, FieldsWriter};

/// A block breaks RFC 7541: a connection error COMPRESSION_ERROR, with this text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HpackError(pub(super) &'static str);
