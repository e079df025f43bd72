//! Protocol buffers by way of prost.

use bytes::BytesMut;
use prost::Message;

use super::{Codec, CodecError, Decoder, Encoder};
use crate::frame::{Lent, Payload};

/// Protocol buffers, for every message type that prost made.
///
/// Fields of type `bytes::Bytes` share the received buffer if they lie in one chunk of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProstCodec;

impl Codec for ProstCodec {
    fn for_subtype(subtype: &str) -> Option<Self> {
        (subtype == "proto").then_some(Self)
    }

    fn subtype(&self) -> &'static str {
        "proto"
    }
}

impl<M: Message> Encoder<M> for ProstCodec {
    fn encoded_len(&self, message: &M) -> usize {
        message.encoded_len()
    }

    fn encode(&self, message: &M, out: &mut BytesMut) -> Result<(), CodecError> {
        // `encode` would walk the message once more to ask whether a growing buffer has room.
        message.encode_raw(out);
        Ok(())
    }
}

impl<M: Message + Default> Decoder<M> for ProstCodec {
    fn decode(&self, mut message: Payload) -> Result<M, CodecError> {
        self.decode_lent(Lent::from(&mut message))
    }

    #[inline]
    fn decode_lent(&self, message: Lent<'_>) -> Result<M, CodecError> {
        M::decode(message).map_err(unreadable)
    }
}

#[cold]
fn unreadable(error: prost::DecodeError) -> CodecError {
    CodecError::new(error.to_string()).with_source(error)
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    use super::ProstCodec;
    use crate::codec::{Codec, Decoder, Encoder};
    use crate::frame::Payload;

    #[test]
    fn round_trip_has_the_promised_length() {
        let text = "x".repeat(300);
        let mut out = BytesMut::new();
        ProstCodec.encode(&text, &mut out).unwrap();
        assert_eq!(
            out.len(),
            Encoder::<String>::encoded_len(&ProstCodec, &text)
        );
        let back: String = ProstCodec.decode(Payload::from(out.freeze())).unwrap();
        assert_eq!(back, text);
    }

    #[test]
    fn bytes_fields_share_the_chunk() {
        // google.protobuf.BytesValue: field 1, three bytes.
        let wire = Bytes::from(vec![0x0a, 3, 7, 8, 9]);
        let field: Bytes = ProstCodec.decode(Payload::from(wire.clone())).unwrap();
        assert_eq!(field.as_ptr(), wire[2..].as_ptr());
    }

    #[test]
    fn garbage_is_an_error() {
        let wire = Bytes::from_static(&[0x0a, 0xff]);
        let result: Result<String, _> = ProstCodec.decode(Payload::from(wire));
        let error = result.unwrap_err();
        assert!(std::error::Error::source(&error).is_some());
    }

    #[test]
    fn subtypes() {
        assert!(ProstCodec::for_subtype("proto").is_some());
        assert!(ProstCodec::for_subtype("json").is_none());
    }
}
