//! `zstd` (RFC 8878).

use std::io;

use bytes::{Buf, BytesMut};

use super::inflate::read_all;
use super::{Compressor, DecompressError};
use crate::frame::Payload;

/// Decompressors need not understand larger windows (RFC 8878 §3.1.1.1.2), and a window is memory
/// that a message claims before it has brought a byte.
const LARGEST_WINDOW_LOG: u32 = 23;

/// The encoding `zstd`: smaller than gzip in less time. Needs a C compiler to build.
///
/// Messages whose window is larger than 8 MiB are refused.
#[derive(Clone, Debug)]
pub struct Zstd {
    level: i32,
}

impl Zstd {
    /// Level 1 (fastest) to 22; outside of that the nearest.
    #[must_use]
    pub fn with_level(level: u32) -> Self {
        let level = i32::try_from(level.clamp(1, 22)).unwrap_or(22);
        Self { level }
    }
}

/// Level 3, zstd's own default.
impl Default for Zstd {
    fn default() -> Self {
        Self::with_level(3)
    }
}

impl Compressor for Zstd {
    fn name(&self) -> &'static str {
        "zstd"
    }

    fn compress(&self, message: &[u8], out: &mut BytesMut) -> io::Result<()> {
        let start = out.len();
        let bound = zstd::zstd_safe::compress_bound(message.len());
        out.resize(start.saturating_add(bound), 0);
        let space = out.get_mut(start..).unwrap_or_default();
        let written = zstd::bulk::compress_to_buffer(message, space, self.level)?;
        out.truncate(start.saturating_add(written));
        Ok(())
    }

    fn decompress(
        &self,
        message: Payload,
        out: &mut BytesMut,
        limit: usize,
    ) -> Result<(), DecompressError> {
        if message.is_empty() {
            return Err(DecompressError::broken(
                "it is empty, which no zstd frame is",
            ));
        }
        let mut decoder = zstd::stream::read::Decoder::with_buffer(message.reader())?;
        decoder.window_log_max(LARGEST_WINDOW_LOG)?;
        read_all(&mut decoder, out, limit)
    }
}
