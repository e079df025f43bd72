//! Frames cut anywhere, refused, shared; encoders that keep their promise and some that do not.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{FrameDecoder, FrameEncoder, FrameError, Payload};
use crate::code::Code;
use crate::codec::{CodecError, Encoder, RawCodec};
use crate::random::Random;

const LIMIT: usize = 1 << 20;

fn frame(message: &[u8]) -> Vec<u8> {
    let mut wire = vec![0];
    wire.put_u32(u32::try_from(message.len()).unwrap());
    wire.extend_from_slice(message);
    wire
}

fn stream(messages: &[Vec<u8>]) -> Vec<u8> {
    messages.iter().flat_map(|message| frame(message)).collect()
}

/// Pushes the chunks, popping as told, and gives all messages.
fn decode<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]>,
    mut pop_now: impl FnMut() -> bool,
) -> Vec<Vec<u8>> {
    let mut decoder = FrameDecoder::new(LIMIT);
    let mut messages = Vec::new();
    let mut drain = |decoder: &mut FrameDecoder| {
        while let Some(frame) = decoder.pop().unwrap() {
            messages.push(frame.payload.into_bytes().to_vec());
        }
    };
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk));
        if pop_now() {
            drain(&mut decoder);
        }
    }
    drain(&mut decoder);
    decoder.finish().unwrap();
    assert!(decoder.is_empty());
    assert_eq!(decoder.buffered(), 0);
    messages
}

#[test]
fn cut_at_every_position() {
    let messages = [vec![1; 300], vec![], vec![2; 3], vec![3; 256], vec![]];
    let wire = stream(&messages);
    for cut in 0..=wire.len() {
        let (head, tail) = wire.split_at(cut);
        assert_eq!(decode([head, tail], || true), messages, "cut at {cut}");
        assert_eq!(decode([head, tail], || false), messages, "cut at {cut}");
    }
}

#[test]
fn any_chunking_equals_the_whole() {
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let sizes = [1, 20, 300, 5_000];
        let messages: Vec<Vec<u8>> = (0..random.below(12))
            .map(|_| {
                let max = sizes[random.below(sizes.len())];
                random.bytes(max)
            })
            .collect();
        let wire = stream(&messages);
        let mut chunks = Vec::new();
        let mut rest = &wire[..];
        while !rest.is_empty() {
            let max = sizes[random.below(sizes.len())].min(rest.len());
            let (chunk, behind) = rest.split_at(random.below(max + 1));
            chunks.push(chunk);
            rest = behind;
        }
        let decoded = decode(chunks, || random.below(3) > 0);
        assert_eq!(decoded, messages, "seed {seed}");
    }
}

#[test]
fn single_bytes() {
    let messages = [vec![7; 1_000], vec![8]];
    let wire = stream(&messages);
    assert_eq!(decode(wire.chunks(1), || true), messages);
}

#[test]
fn every_proper_prefix_is_truncated() {
    let wire = stream(&[vec![1; 10]]);
    for cut in 1..wire.len() {
        let mut decoder = FrameDecoder::new(LIMIT);
        decoder.push(Bytes::copy_from_slice(&wire[..cut]));
        assert!(decoder.pop().unwrap().is_none());
        let expected = if cut < 5 { 5 - cut } else { wire.len() - cut };
        match decoder.finish() {
            Err(FrameError::Truncated { missing }) => assert_eq!(missing, expected),
            other => panic!("{other:?} after {cut} bytes"),
        }
        assert!(!decoder.is_empty());
    }
    FrameDecoder::new(LIMIT).finish().unwrap();
}

#[test]
fn messages_inside_one_chunk_share_it() {
    for size in [3, 10_000] {
        let chunk = Bytes::from(stream(&[vec![1; size], vec![2; size]]));
        let mut decoder = FrameDecoder::new(LIMIT);
        decoder.push(chunk.clone());
        for place in [5, 10 + size] {
            let message = decoder.pop().unwrap().unwrap().payload.into_bytes();
            assert_eq!(message.as_ptr(), chunk[place..].as_ptr());
        }
    }
}

#[test]
fn a_message_over_several_chunks_is_not_joined() {
    let wire = Bytes::from(frame(&[9; 3_000]));
    let mut decoder = FrameDecoder::new(LIMIT);
    for start in (0..wire.len()).step_by(1_000) {
        decoder.push(wire.slice(start..wire.len().min(start + 1_000)));
    }
    let mut payload = decoder.pop().unwrap().unwrap().payload;
    assert_eq!(payload.len(), 3_000);
    assert_eq!(payload.chunk().as_ptr(), wire[5..].as_ptr());
    let mut slices = [std::io::IoSlice::new(&[]); 8];
    assert_eq!(payload.chunks_vectored(&mut slices), 4);
    assert_eq!(slices.iter().map(|slice| slice.len()).sum::<usize>(), 3_000);
    // Inside a piece: shared. Across the border: copied.
    assert_eq!(payload.copy_to_bytes(995).as_ptr(), wire[5..].as_ptr());
    assert_eq!(payload.copy_to_bytes(500).as_ptr(), wire[1_000..].as_ptr());
    assert_eq!(payload.copy_to_bytes(1_000).len(), 1_000);
    assert_eq!(payload.into_bytes(), [9; 505][..]);
}

#[test]
fn waiting_does_not_pin_the_read_buffer() {
    let mut large = frame(&[1; 8_000]);
    large.extend_from_slice(&[0, 0, 0]);
    let chunk = Bytes::from(large);
    let mut decoder = FrameDecoder::new(LIMIT);
    decoder.push(chunk.clone());
    drop(decoder.pop().unwrap().unwrap());
    assert!(decoder.pop().unwrap().is_none());
    assert_eq!(decoder.buffered(), 3);
    assert!(chunk.is_unique(), "three waiting bytes keep 8 KiB alive");
}

#[test]
fn a_claimed_4_gib_is_refused_at_its_prefix_for_good() {
    let mut decoder = FrameDecoder::new(LIMIT);
    decoder.push(Bytes::from_static(&[0, 0xff, 0xff, 0xff]));
    assert!(decoder.pop().unwrap().is_none());
    decoder.push(Bytes::from_static(&[0xff]));
    for _ in 0..3 {
        let error = decoder.pop().unwrap_err();
        assert_eq!(error.code(), Code::ResourceExhausted);
        assert_eq!(
            error.to_string(),
            "message of 4294967295 bytes is over the limit of 1048576 bytes"
        );
        decoder.push(Bytes::from(frame(b"fine")));
        assert_eq!(decoder.buffered(), 0);
    }
    assert!(decoder.finish().is_err());
}

#[test]
fn limit_is_inclusive() {
    let mut decoder = FrameDecoder::new(4);
    decoder.push(Bytes::from(stream(&[vec![0; 4], vec![0; 5]])));
    assert_eq!(decoder.pop().unwrap().unwrap().payload.len(), 4);
    let error = decoder.pop().unwrap_err();
    assert!(matches!(error, FrameError::TooLarge { size: 5, limit: 4 }));
}

#[test]
fn flags() {
    for flag in 0..=255_u8 {
        let mut decoder = FrameDecoder::new(LIMIT);
        decoder.push(Bytes::from(vec![flag, 0, 0, 0, 1, 42]));
        match decoder.pop() {
            Ok(Some(frame)) => assert_eq!(frame.compressed, flag == 1),
            Err(FrameError::BadFlag(bad)) => assert_eq!(bad, flag),
            other => panic!("{other:?}"),
        }
        assert_eq!(decoder.finish().is_ok(), flag < 2);
    }
}

#[test]
fn garbage_never_panics() {
    for seed in 0..500 {
        let mut random = Random::new(seed);
        let mut decoder = FrameDecoder::new(64);
        for _ in 0..random.below(30) {
            let mut bytes = random.bytes(20);
            bytes.iter_mut().for_each(|byte| *byte %= 3);
            decoder.push(Bytes::from(bytes));
            while let Ok(Some(frame)) = decoder.pop() {
                assert!(frame.payload.len() <= 64);
            }
        }
        let _ = decoder.finish();
    }
}

#[test]
fn encoding_fills_one_exact_buffer() {
    let mut out = BytesMut::new();
    let message = Bytes::from(vec![5; 1_000]);
    FrameEncoder::new(LIMIT)
        .encode(&message, &RawCodec, &mut out)
        .unwrap();
    assert_eq!(out, frame(&message)[..]);
    assert_eq!(out.capacity(), 1_005);
}

#[test]
fn encoding_over_the_limit_leaves_the_buffer_alone() {
    let mut out = BytesMut::from("before");
    let message = Bytes::from(vec![5; 11]);
    let error = FrameEncoder::new(10)
        .encode(&message, &RawCodec, &mut out)
        .unwrap_err();
    assert!(matches!(
        error,
        FrameError::TooLarge {
            size: 11,
            limit: 10
        }
    ));
    assert_eq!(out, "before");
}

/// Promises `.0` bytes and writes `.1`, or fails after writing them.
struct Liar(usize, usize, bool);

impl Encoder<()> for Liar {
    fn encoded_len(&self, (): &()) -> usize {
        self.0
    }

    fn encode(&self, (): &(), out: &mut BytesMut) -> Result<(), CodecError> {
        out.put_bytes(7, self.1);
        if self.2 {
            Err(CodecError::new("no"))
        } else {
            Ok(())
        }
    }
}

#[test]
fn a_wrong_promise_is_corrected() {
    for (promised, written) in [(0, 9), (9, 0), (3, 4), (1_000, 4)] {
        let erased: Box<dyn Encoder<()>> = Box::new(Liar(promised, written, false));
        let mut out = BytesMut::from("x");
        FrameEncoder::new(LIMIT)
            .encode(&(), &*erased, &mut out)
            .unwrap();
        assert_eq!(out[1..], frame(&vec![7; written])[..]);
    }
    let mut out = BytesMut::from("x");
    let error = FrameEncoder::new(10)
        .encode(&(), &Liar(1, 11, false), &mut out)
        .unwrap_err();
    assert!(matches!(error, FrameError::TooLarge { size: 11, .. }));
    assert_eq!(out, "x");
}

#[test]
fn a_refusing_codec_leaves_the_buffer_alone() {
    let mut out = BytesMut::from("x");
    let error = FrameEncoder::new(10)
        .encode(&(), &Liar(5, 5, true), &mut out)
        .unwrap_err();
    assert_eq!(error.code(), Code::Internal);
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(out, "x");
}

#[test]
fn payload_advances_over_pieces() {
    let mut payload = Payload::default();
    for piece in ["ab", "", "c", "def"] {
        payload.push(Bytes::from_static(piece.as_bytes()));
    }
    assert_eq!(payload.remaining(), 6);
    payload.advance(0);
    payload.advance(3);
    assert_eq!(payload.chunk(), b"def");
    payload.advance(3);
    assert!(payload.is_empty());
    assert_eq!(payload.chunk(), b"");
    assert!(payload.into_bytes().is_empty());
}
