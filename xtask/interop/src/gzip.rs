//! gzip that leaves a mark in what it has decompressed.
//!
//! The interop cases of compressed messages want to know whether a message came compressed, which is nothing that a
//! handler or a caller is told. In protobuf's encoding a field may be appended to a message: here that is
//! `arrived_compressed`, which nobody sends.

use bytes::{BufMut, BytesMut};
use std::io;
use trunkline::{Compressor, CompressorRegistry, DecompressError, Gzip, Payload};

pub(crate) const NAME: &str = "gzip";

/// Field 20000, a varint, true.
const MARK: [u8; 4] = [0x80, 0xe2, 0x09, 0x01];

/// The compressors of a channel or a server, with this gzip among them.
pub fn compressors() -> CompressorRegistry {
    let standard = CompressorRegistry::default();
    standard
        .clone()
        .with(Marking(Gzip::default()))
        .unwrap_or(standard)
}

struct Marking(Gzip);

impl Compressor for Marking {
    fn name(&self) -> &'static str {
        NAME
    }

    fn compress(&self, message: &[u8], out: &mut BytesMut) -> io::Result<()> {
        self.0.compress(message, out)
    }

    fn decompress(
        &self,
        message: Payload,
        out: &mut BytesMut,
        limit: usize,
    ) -> Result<(), DecompressError> {
        self.0.decompress(message, out, limit)?;
        out.put_slice(&MARK);
        Ok(())
    }
}
