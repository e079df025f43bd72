//! `gzip` (RFC 1952).

use std::io;
use std::io::Write;

use bytes::{Buf, BufMut, BytesMut};
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::inflate::read_all;
use super::{Compressor, DecompressError};
use crate::frame::Payload;

/// The encoding `gzip`, which every gRPC library understands.
///
/// Several gzip members one behind the other are one message, as grpc-go reads them.
#[derive(Clone, Debug)]
pub struct Gzip {
    level: Compression,
}

impl Gzip {
    /// Level 0 (only wraps) to 9 (smallest and slowest); more counts as 9.
    #[must_use]
    pub fn with_level(level: u32) -> Self {
        Self {
            level: Compression::new(level.min(9)),
        }
    }
}

/// Level 1: a message is sent once, and the higher levels cost several times the CPU for a few per
/// cent of size.
impl Default for Gzip {
    fn default() -> Self {
        Self::with_level(1)
    }
}

impl Compressor for Gzip {
    fn name(&self) -> &'static str {
        "gzip"
    }

    fn compress(&self, message: &[u8], out: &mut BytesMut) -> io::Result<()> {
        let mut encoder = GzEncoder::new(out.writer(), self.level);
        encoder.write_all(message)?;
        encoder.finish().map(drop)
    }

    fn decompress(
        &self,
        message: Payload,
        out: &mut BytesMut,
        limit: usize,
    ) -> Result<(), DecompressError> {
        read_all(&mut MultiGzDecoder::new(message.reader()), out, limit)
    }
}
