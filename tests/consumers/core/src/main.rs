//! Two messages out of bytes that arrive as they like, without a runtime.

use bytes::{Bytes, BytesMut};
use trunkline_core::{Decoder, FrameDecoder, FrameEncoder, RawCodec};

const LIMIT: usize = 4 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut wire = BytesMut::new();
    for word in ["hello", "world"] {
        FrameEncoder::new(LIMIT).encode(&Bytes::from(word), &RawCodec, &mut wire)?;
    }
    let mut decoder = FrameDecoder::new(LIMIT);
    let mut words: Vec<Bytes> = Vec::new();
    for chunk in wire.chunks(3) {
        decoder.push(Bytes::copy_from_slice(chunk));
        while let Some(frame) = decoder.pop()? {
            words.push(RawCodec.decode(frame.payload)?);
        }
    }
    decoder.finish()?;
    assert_eq!(words, ["hello", "world"]);
    println!("core: {} messages", words.len());
    Ok(())
}
