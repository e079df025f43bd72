//! `deflate`: the zlib format (RFC 1950), as HTTP and gRPC understand the name.

use std::io;
use std::io::Write;

use bytes::{Buf, BufMut, BytesMut};
use flate2::Compression;
use flate2::bufread::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::inflate::read_all;
use super::{Compressor, DecompressError};
use crate::frame::Payload;

/// The encoding `deflate`: deflated data in the zlib format, not raw.
#[derive(Clone, Debug)]
pub struct Deflate {
    level: Compression,
}

impl Deflate {
    /// Level 0 (only wraps) to 9 (smallest and slowest); more counts as 9.
    #[must_use]
    pub fn with_level(level: u32) -> Self {
        Self {
            level: Compression::new(level.min(9)),
        }
    }
}

/// Level 1, as for `gzip`.
impl Default for Deflate {
    fn default() -> Self {
        Self::with_level(1)
    }
}

impl Compressor for Deflate {
    fn name(&self) -> &'static str {
        "deflate"
    }

    fn compress(&self, message: &[u8], out: &mut BytesMut) -> io::Result<()> {
        let mut encoder = ZlibEncoder::new(out.writer(), self.level);
        encoder.write_all(message)?;
        encoder.finish().map(drop)
    }

    fn decompress(
        &self,
        message: Payload,
        out: &mut BytesMut,
        limit: usize,
    ) -> Result<(), DecompressError> {
        let mut decoder = ZlibDecoder::new(message.reader());
        read_all(&mut decoder, out, limit)?;
        match decoder.into_inner().into_inner().remaining() {
            0 => Ok(()),
            more => {
                let text = format!("{more} bytes stand behind the end of the deflate stream");
                Err(DecompressError::broken(text))
            }
        }
    }
}
