//! Decompression of what nobody compressed.
//!
//! Input: a byte for the encoding, two for the limit, eight for the cuts, then the message. An odd
//! first byte wraps the rest as it should be, with one byte of it changed.

use bytes::{BufMut, Bytes, BytesMut};
use trunkline_core::{CompressorRegistry, Encoding, FrameDecoder, FrameError, Payload};

use crate::Source;

pub(super) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let known = CompressorRegistry::default();
    let (name, damage) = (source.pick(&["gzip", "deflate", "zstd"]), source.flag());
    let encoding = known.find(name).expect("all features are on");
    let limit = usize::from(source.u16());
    let seed = source.u64();
    let message = if damage {
        damaged(encoding, &mut source)
    } else {
        Bytes::copy_from_slice(source.remainder())
    };
    let whole = inflate(encoding, Payload::from(message.clone()), limit);
    let cut = inflate(encoding, cut(&message, seed), limit);
    assert_eq!(whole, cut, "however it came");
    if let Ok(inflated) = whole {
        assert!(inflated.len() <= limit);
        let again = inflate(encoding, Payload::from(message.clone()), inflated.len());
        assert_eq!(again, Ok(inflated.clone()), "the limit itself is allowed");
        if let Some(less) = inflated.len().checked_sub(1) {
            let over = inflate(encoding, Payload::from(message), less);
            assert_eq!(over, Err("over the limit"));
        }
    }
}

/// The message, or why there is none.
fn inflate(encoding: &Encoding, message: Payload, limit: usize) -> Result<Bytes, &'static str> {
    match encoding.decompress(message, limit) {
        Ok(inflated) => Ok(inflated.into_bytes()),
        Err(FrameError::Inflated { .. }) => Err("over the limit"),
        Err(FrameError::Decompress { .. }) => Err("damaged"),
        Err(other) => panic!("no error of a decompressor: {other}"),
    }
}

/// The message in pieces.
fn cut(message: &[u8], seed: u64) -> Payload {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut decoder = FrameDecoder::new(usize::MAX);
    let mut prefix = BytesMut::new();
    prefix.put_u8(1);
    prefix.put_u32(u32::try_from(message.len()).expect("a short message"));
    decoder.push(prefix.freeze());
    let mut rest = message;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(random.usize(1..700).min(rest.len()));
        decoder.push(Bytes::copy_from_slice(piece));
        rest = after;
    }
    let frame = decoder.pop().expect("a good frame").expect("a whole one");
    frame.payload
}

/// What the encoding makes of the rest of the input, with one byte changed.
fn damaged(encoding: &Encoding, source: &mut Source<'_>) -> Bytes {
    let (place, change) = (usize::from(source.u16()), source.byte());
    let repeat = source.below(40);
    let text = source.remainder().repeat(repeat);
    let mut frame = BytesMut::zeroed(5);
    frame.extend_from_slice(&text);
    let compressed = encoding.compress_frame(frame.freeze());
    let compressed = compressed.expect("anything can be compressed");
    let mut message = compressed.get(5..).unwrap_or_default().to_vec();
    let length = message.len().max(1);
    if let Some(byte) = message.get_mut(place % length) {
        *byte ^= change;
    }
    message.into()
}
