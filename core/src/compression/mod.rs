//! How messages are compressed: algorithms, what is known by which name, and bounded inflation.

#[cfg(feature = "deflate")]
mod deflate;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(any(feature = "gzip", feature = "deflate", feature = "zstd"))]
mod inflate;
mod negotiate;
mod registry;
#[cfg(feature = "zstd")]
mod zstd;

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderValue;

use crate::frame::{FrameError, PREFIX_BYTES, Payload};

#[cfg(feature = "deflate")]
pub use self::deflate::Deflate;
#[cfg(feature = "gzip")]
pub use self::gzip::Gzip;
pub use self::negotiate::accepts;
pub use self::registry::CompressorRegistry;
#[cfg(feature = "zstd")]
pub use self::zstd::Zstd;

/// One way to compress messages. Object safe; implement it to bring your own.
///
/// It has no state of its own between messages: each is compressed by itself. Put it into a
/// [`CompressorRegistry`] to use it.
///
/// ```
/// use bytes::{Buf, BufMut, BytesMut};
/// use trunkline_core::{Compressor, CompressorRegistry, DecompressError, Payload};
///
/// /// Runs of one byte as a count and the byte.
/// struct Runs;
///
/// impl Compressor for Runs {
///     fn name(&self) -> &'static str {
///         "x-runs"
///     }
///
///     fn compress(&self, message: &[u8], out: &mut BytesMut) -> std::io::Result<()> {
///         for run in message.chunk_by(|a, b| a == b) {
///             for part in run.chunks(255) {
///                 out.put_u8(u8::try_from(part.len()).unwrap_or(u8::MAX));
///                 out.put_u8(part[0]);
///             }
///         }
///         Ok(())
///     }
///
///     fn decompress(
///         &self,
///         mut message: Payload,
///         out: &mut BytesMut,
///         limit: usize,
///     ) -> Result<(), DecompressError> {
///         while message.remaining() >= 2 {
///             let (count, byte) = (message.get_u8(), message.get_u8());
///             out.put_bytes(byte, usize::from(count));
///             if out.len() > limit {
///                 return Err(DecompressError::TooLarge);
///             }
///         }
///         match message.remaining() {
///             0 => Ok(()),
///             _ => Err(DecompressError::broken("a run without its byte")),
///         }
///     }
/// }
///
/// let registry = CompressorRegistry::default().with(Runs)?;
/// assert!(registry.find("x-runs").is_some());
/// # Ok::<(), trunkline_core::EncodingNameError>(())
/// ```
pub trait Compressor: Send + Sync + 'static {
    /// What stands in `grpc-encoding`: a token such as `gzip`. Always the same.
    fn name(&self) -> &'static str;

    /// Appends the compressed message to `out`; must leave alone what is there.
    ///
    /// Errors: it cannot be compressed. What was written so far is dropped.
    fn compress(&self, message: &[u8], out: &mut BytesMut) -> io::Result<()>;

    /// Appends the decompressed message to `out`, which is empty.
    ///
    /// It must stop with [`DecompressError::TooLarge`] as soon as `out` is longer than `limit`
    /// bytes: a few bytes can claim to be gigabytes, so the limit has to hold while inflating. It
    /// must allocate nothing on the word of a length inside the message. A message that ends early
    /// or has something behind its end is [`Broken`](DecompressError::Broken).
    fn decompress(
        &self,
        message: Payload,
        out: &mut BytesMut,
        limit: usize,
    ) -> Result<(), DecompressError>;
}

/// Why a message could not be decompressed.
#[derive(Debug)]
#[non_exhaustive]
pub enum DecompressError {
    /// It would be larger than the limit.
    TooLarge,
    /// It is not what its encoding says: damaged, cut short, or with something behind its end.
    Broken(io::Error),
}

impl DecompressError {
    /// A broken message, and what is wrong with it.
    pub fn broken(what: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Broken(io::Error::new(io::ErrorKind::InvalidData, what))
    }
}

impl From<io::Error> for DecompressError {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl fmt::Display for DecompressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("message is over the limit once decompressed"),
            Self::Broken(error) => error.fmt(f),
        }
    }
}

impl Error for DecompressError {}

/// A [`Compressor`] whose name was found fit for a header. Cloning shares it.
#[derive(Clone)]
pub struct Encoding(Arc<Inner>);

struct Inner {
    name: &'static str,
    value: HeaderValue,
    compressor: Box<dyn Compressor>,
}

/// The name that means "not compressed".
pub(crate) const IDENTITY: &str = "identity";

impl Encoding {
    /// Checks the compressor's name.
    ///
    /// Errors: it is no token of lower-case letters, digits and `-_.`, or it is `identity`.
    pub fn new(compressor: impl Compressor) -> Result<Self, EncodingNameError> {
        let name = compressor.name();
        let legal = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
        };
        if name.is_empty() || name == IDENTITY || !name.bytes().all(legal) {
            return Err(EncodingNameError { name });
        }
        Ok(Self::checked(name, Box::new(compressor)))
    }

    /// The name is known to be fit for a header.
    fn checked(name: &'static str, compressor: Box<dyn Compressor>) -> Self {
        Self(Arc::new(Inner {
            name,
            value: HeaderValue::from_static(name),
            compressor,
        }))
    }

    /// What stands in `grpc-encoding`.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// The name as a header value; a clone of it allocates nothing.
    pub fn header_value(&self) -> &HeaderValue {
        &self.0.value
    }

    /// Compresses a message in its frame: five bytes of prefix and the message, as
    /// [`FrameEncoder`](crate::FrameEncoder) writes it. A message that would not get smaller stays
    /// as it is.
    ///
    /// Errors: [`FrameError::Compress`].
    pub fn compress_frame(&self, frame: Bytes) -> Result<Bytes, FrameError> {
        let message = frame.get(PREFIX_BYTES..).unwrap_or_default();
        if message.is_empty() {
            return Ok(frame);
        }
        let mut out = BytesMut::with_capacity(PREFIX_BYTES.saturating_add(message.len() / 4));
        out.put_bytes(0, PREFIX_BYTES);
        let compressed = self.0.compressor.compress(message, &mut out);
        compressed.map_err(|error| FrameError::Compress {
            encoding: self.name(),
            error: Arc::new(error),
        })?;
        if out.len() >= frame.len() {
            return Ok(frame);
        }
        // Smaller than a message whose length fitted.
        let length = out.len().saturating_sub(PREFIX_BYTES);
        let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        if let Some(prefix) = out.first_chunk_mut::<PREFIX_BYTES>() {
            *prefix = [1, a, b, c, d];
        }
        Ok(out.freeze())
    }

    /// Decompresses a message of at most `limit` bytes; more is noticed while inflating.
    ///
    /// Errors: [`FrameError::Inflated`] over the limit, [`FrameError::Decompress`].
    pub fn decompress(&self, message: Payload, limit: usize) -> Result<Payload, FrameError> {
        let wire = message.len();
        let too_large = || FrameError::Inflated {
            wire,
            limit,
            encoding: self.name(),
        };
        let mut out = BytesMut::new();
        match self.0.compressor.decompress(message, &mut out, limit) {
            Ok(()) if out.len() <= limit => Ok(Payload::from(out.freeze())),
            Ok(()) | Err(DecompressError::TooLarge) => Err(too_large()),
            Err(DecompressError::Broken(error)) => Err(FrameError::Decompress {
                wire,
                encoding: self.name(),
                error: Arc::new(error),
            }),
        }
    }
}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Encoding").field(&self.name()).finish()
    }
}

/// A compressor whose name cannot stand in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodingNameError {
    name: &'static str,
}

impl fmt::Display for EncodingNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        write!(
            f,
            "{name:?} cannot name a compressor: a name is of lower-case letters, digits and \
             \"-_.\", and is not \"identity\""
        )
    }
}

impl Error for EncodingNameError {}

#[cfg(test)]
mod tests;
