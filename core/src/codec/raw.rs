//! Messages that are bytes already.

use bytes::{Bytes, BytesMut};

use super::{Codec, CodecError, Decoder, Encoder};
use crate::frame::Payload;

/// Passes bytes through as they are: for proxies, and for messages encoded elsewhere.
///
/// It takes every subtype and names none, so its content type is plain `application/grpc`.
#[derive(Clone, Copy, Debug, Default)]
pub struct RawCodec;

impl Codec for RawCodec {
    fn for_subtype(_: &str) -> Option<Self> {
        Some(Self)
    }

    fn subtype(&self) -> &'static str {
        ""
    }
}

impl Encoder<Bytes> for RawCodec {
    fn encoded_len(&self, message: &Bytes) -> usize {
        message.len()
    }

    fn encode(&self, message: &Bytes, out: &mut BytesMut) -> Result<(), CodecError> {
        out.extend_from_slice(message);
        Ok(())
    }
}

impl Decoder<Bytes> for RawCodec {
    fn decode(&self, message: Payload) -> Result<Bytes, CodecError> {
        Ok(message.into_bytes())
    }
}
