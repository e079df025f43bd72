//! How messages become bytes and bytes become messages.

#[cfg(feature = "prost")]
mod prost;
mod raw;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::BytesMut;

use crate::frame::{Lent, Payload};

#[cfg(feature = "prost")]
pub use self::prost::ProstCodec;
pub use self::raw::RawCodec;

/// An encoding of messages with a name: the `proto` of `application/grpc+proto`.
///
/// `Default` is what `application/grpc` without a subtype means. A codec says for which messages
/// it works by implementing [`Encoder`] and [`Decoder`] for them. Keep it zero-sized if you can:
/// boxing it then allocates nothing.
pub trait Codec: Default + Clone + Send + Sync + 'static {
    /// The codec for a content subtype that a peer named; `None` if it is not this one's.
    ///
    /// Shape: `subtype` is lower-case, without the `+`.
    fn for_subtype(subtype: &str) -> Option<Self>;

    /// The subtype to tell the peer.
    ///
    /// Shape: lower-case, without the `+`. Empty and `proto` both go out as plain
    /// `application/grpc`, which every peer understands.
    fn subtype(&self) -> &'static str;
}

/// Writes messages of one type. Object safe.
pub trait Encoder<M>: Send + Sync {
    /// How many bytes [`encode`](Self::encode) will write, so that it needs one buffer.
    ///
    /// A wrong answer costs time, not correctness.
    fn encoded_len(&self, message: &M) -> usize;

    /// Appends the message to `out`; must leave alone what is there.
    ///
    /// Errors: the message has no valid encoding. What was written so far is dropped.
    fn encode(&self, message: &M, out: &mut BytesMut) -> Result<(), CodecError>;
}

/// Reads messages of one type. Object safe.
pub trait Decoder<M>: Send + Sync {
    /// Makes a message of exactly these bytes.
    ///
    /// Errors: the bytes are no such message.
    fn decode(&self, message: Payload) -> Result<M, CodecError>;

    /// The same of a message that is only lent: what is kept of it has to be taken out or copied,
    /// and what is left unread is skipped. A codec that reads it where it lies spares each message
    /// of a stream a handle of its own to the buffer that holds many; one that does not implement
    /// this is given such a handle. [`Lent`] has an example.
    ///
    /// Errors: as [`decode`](Self::decode).
    fn decode_lent(&self, message: Lent<'_>) -> Result<M, CodecError> {
        self.decode(message.take_all())
    }
}

/// Why a message could not be written or read.
#[derive(Clone, Debug)]
pub struct CodecError {
    text: Cow<'static, str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl CodecError {
    /// An error that says what is wrong with the message.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            text: text.into(),
            source: None,
        }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for CodecError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
