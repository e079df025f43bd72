//! `zstd` (RFC 8878).

use std::io;

use bytes::{Buf, Bytes, BytesMut};

use super::inflate::read_all;
use super::{Compressor, DecompressError};
use crate::frame::Payload;

/// Decompressors need not understand larger windows (RFC 8878 §3.1.1.1.2), and a window is memory
/// that a message claims before it has brought a byte.
const LARGEST_WINDOW_LOG: u32 = 23;

/// How much is inflated through a window of its own. What is larger is begun again without one: its bytes
/// so far serve as the window, so that a bomb costs the limit once and not twice.
const STREAMED_BYTES: usize = 1024 * 1024;

/// Limits above are too much to reserve at once, although memory that is not written to costs nothing.
const LARGEST_RESERVED: usize = 64 * 1024 * 1024;

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
        let start = out.len();
        let streamed = start.saturating_add(STREAMED_BYTES);
        if limit <= streamed || limit > LARGEST_RESERVED {
            return stream(message, out, limit);
        }
        match stream(message.clone(), out, streamed) {
            Err(DecompressError::TooLarge) => {}
            ended => return ended,
        }
        let head = out.split_to(start);
        *out = BytesMut::new();
        let rest = whole(&message.into_bytes(), limit.saturating_sub(start))?;
        if head.is_empty() {
            *out = rest;
        } else {
            *out = head;
            out.extend_from_slice(&rest);
        }
        Ok(())
    }
}

fn stream(message: Payload, out: &mut BytesMut, limit: usize) -> Result<(), DecompressError> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(message.reader())?;
    decoder.window_log_max(LARGEST_WINDOW_LOG)?;
    read_all(&mut decoder, out, limit)
}

/// All of it, into room for one byte more than allowed.
fn whole(message: &[u8], limit: usize) -> Result<BytesMut, DecompressError> {
    let mut room = Vec::with_capacity(limit.saturating_add(1));
    let inflated = zstd::zstd_safe::decompress(&mut room, message);
    match inflated.map_err(zstd::zstd_safe::get_error_name) {
        Ok(length) if length > limit => Err(DecompressError::TooLarge),
        Ok(_) => {
            room.shrink_to_fit();
            Ok(BytesMut::from(Bytes::from(room)))
        }
        Err(TOO_SMALL) => Err(DecompressError::TooLarge),
        Err(why) => Err(DecompressError::broken(why)),
    }
}

/// How zstd says that there is no room for all of it.
const TOO_SMALL: &str = "Destination buffer is too small";

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 4 * 1024 * 1024;

    fn inflate(compressed: &[u8], before: &str) -> Result<BytesMut, DecompressError> {
        let mut out = BytesMut::from(before);
        let message = Payload::from(Bytes::copy_from_slice(compressed));
        Zstd::default().decompress(message, &mut out, LIMIT)?;
        Ok(out)
    }

    /// With and without its size in its head.
    fn frames(message: &[u8]) -> [Vec<u8>; 2] {
        let sized = zstd::bulk::compress(message, 3).unwrap();
        let unsized_ = zstd::stream::encode_all(message, 3).unwrap();
        [sized, unsized_]
    }

    #[test]
    fn messages_on_both_sides_of_every_bound_are_whole() {
        for length in [
            0,
            STREAMED_BYTES - 1,
            STREAMED_BYTES,
            STREAMED_BYTES + 1,
            LIMIT,
        ] {
            let message: Vec<u8> = (0..length).map(|at| (at / 7) as u8).collect();
            for frame in frames(&message) {
                let inflated = inflate(&frame, "").unwrap();
                assert!(inflated == message, "{length}");
                if length < LIMIT {
                    let inflated = inflate(&frame, "x").unwrap();
                    assert!(inflated[0] == b'x' && inflated[1..] == message, "{length}");
                }
            }
        }
    }

    #[test]
    fn a_byte_over_the_limit_is_too_large_however_it_is_framed() {
        for frame in frames(&vec![7; LIMIT + 1]) {
            let inflated = inflate(&frame, "");
            assert!(matches!(inflated, Err(DecompressError::TooLarge)));
        }
        for frame in frames(&vec![7; LIMIT]) {
            let inflated = inflate(&frame, "x");
            assert!(matches!(inflated, Err(DecompressError::TooLarge)));
        }
    }

    #[test]
    fn a_large_message_that_is_cut_is_broken() {
        let message: Vec<u8> = (0..3 * 1024 * 1024_u32).map(|at| (at / 7) as u8).collect();
        for frame in frames(&message) {
            let inflated = inflate(&frame[..frame.len() - 1], "");
            assert!(matches!(inflated, Err(DecompressError::Broken(_))));
        }
    }
}
