//! Length-prefixed messages: one flag byte, four length bytes, the message.

mod decode;
mod encode;
mod lent;
mod payload;
mod pieces;
mod reuse;
mod spare;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::code::Code;
use crate::codec::CodecError;

pub use self::decode::FrameDecoder;
pub use self::encode::FrameEncoder;
pub use self::lent::Lent;
pub use self::payload::Payload;
pub use self::reuse::{buffer_for, reuse_buffer};
pub use self::spare::{has_spare_buffers, release_spare_buffers, sweep_spare_buffers};

/// Flag and length in front of every message.
pub(crate) const PREFIX_BYTES: usize = 5;

/// One message as it came: its bytes and whether they are compressed.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The flag in front of the message; the stream's `grpc-encoding` says how.
    pub compressed: bool,
    /// The message.
    pub payload: Payload,
}

/// Why a message could not be framed or a stream not be taken apart.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FrameError {
    /// The message is, or claims to be, larger than allowed.
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The flag byte is neither 0 nor 1: the peer does not speak gRPC, or lost its place.
    BadFlag(u8),
    /// The stream ended inside a message.
    Truncated {
        /// How many bytes are missing, as far as is known: of the prefix if that is cut too.
        missing: usize,
    },
    /// The message could not be encoded.
    Codec(CodecError),
    /// The message is flagged as compressed, but the head of its stream named no encoding.
    NoEncoding,
    /// The message could not be compressed.
    Compress {
        /// The name of the encoding.
        encoding: &'static str,
        /// What its compressor said.
        error: Arc<io::Error>,
    },
    /// The compressed message is damaged, cut short, or has something behind its end.
    Decompress {
        /// Its size in bytes as it came.
        wire: usize,
        /// The name of the encoding.
        encoding: &'static str,
        /// What its compressor said.
        error: Arc<io::Error>,
    },
    /// The message is larger than allowed once it is decompressed; how large was not found out.
    Inflated {
        /// Its size in bytes as it came.
        wire: usize,
        /// The limit in bytes.
        limit: usize,
        /// The name of the encoding.
        encoding: &'static str,
    },
}

impl FrameError {
    /// The status code that this error means.
    pub const fn code(&self) -> Code {
        match self {
            Self::TooLarge { .. } | Self::Inflated { .. } => Code::ResourceExhausted,
            Self::BadFlag(_)
            | Self::Truncated { .. }
            | Self::Codec(_)
            | Self::NoEncoding
            | Self::Compress { .. }
            | Self::Decompress { .. } => Code::Internal,
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { size, limit } => {
                write!(
                    f,
                    "message of {size} bytes is over the limit of {limit} bytes"
                )
            }
            Self::BadFlag(flag) => {
                write!(f, "message begins with flag byte {flag:#04x}, not 0 or 1")
            }
            Self::Truncated { missing } => {
                write!(f, "stream ended inside a message, {missing} bytes short")
            }
            Self::Codec(error) => write!(f, "message cannot be encoded: {error}"),
            Self::NoEncoding => {
                f.write_str("has its compressed flag set, but the stream has no grpc-encoding")
            }
            Self::Compress { encoding, error } => {
                write!(f, "message cannot be compressed with {encoding}: {error}")
            }
            Self::Decompress {
                wire,
                encoding,
                error,
            } => write!(
                f,
                "message of {wire} bytes cannot be decompressed with {encoding}: {error}"
            ),
            Self::Inflated {
                wire,
                limit,
                encoding,
            } => write!(
                f,
                "message of {wire} bytes in {encoding} has more than {limit} bytes once \
                 decompressed, which is the limit"
            ),
        }
    }
}

impl Error for FrameError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Codec(error) => Some(error),
            Self::Compress { error, .. } | Self::Decompress { error, .. } => Some(&**error),
            Self::TooLarge { .. }
            | Self::BadFlag(_)
            | Self::Truncated { .. }
            | Self::NoEncoding
            | Self::Inflated { .. } => None,
        }
    }
}
