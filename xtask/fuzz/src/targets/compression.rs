//! There and back again.
//!
//! Input: a byte for the encoding, a byte for how often the rest is repeated, then the rest.

use bytes::{Bytes, BytesMut};
use trunkline_core::{CompressorRegistry, Deflate, FrameDecoder, Gzip, Zstd};

use crate::Source;

pub(super) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let level = source.byte();
    let known = CompressorRegistry::empty()
        .with(Gzip::with_level(u32::from(level % 11)))
        .and_then(|known| known.with(Deflate::with_level(u32::from(level % 11))))
        .and_then(|known| known.with(Zstd::default()))
        .expect("their names are good");
    let name = source.pick(&["gzip", "deflate", "zstd"]);
    let encoding = known.find(name).expect("it was put there");
    let times = source.below(50) + 1;
    let message = source.remainder().repeat(times);
    let mut frame = BytesMut::zeroed(5);
    let length = u32::try_from(message.len()).expect("a short message");
    frame.extend_from_slice(&message);
    if let Some(place) = frame.get_mut(1..5) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    let frame: Bytes = frame.freeze();
    let sent = encoding.compress_frame(frame.clone());
    let sent = sent.expect("anything can be compressed");
    assert!(sent.len() <= frame.len(), "it never grows");
    let mut decoder = FrameDecoder::new(usize::MAX);
    decoder.push(sent);
    let got = decoder.pop().expect("a good frame").expect("a whole one");
    decoder.finish().expect("and nothing behind it");
    let payload = if got.compressed {
        let inflated = encoding.decompress(got.payload, message.len());
        inflated.expect("what we compressed inflates")
    } else {
        got.payload
    };
    assert_eq!(payload.into_bytes(), message);
}
