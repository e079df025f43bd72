//! Round trips, bombs, damage, and what the registry says.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};

use super::{Compressor, CompressorRegistry, DecompressError, Encoding};
use crate::code::Code;
use crate::frame::{FrameDecoder, FrameError, Payload};
use crate::random::Random;

const MIB: usize = 1024 * 1024;

fn all() -> Vec<Encoding> {
    CompressorRegistry::default().iter().cloned().collect()
}

fn frame(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    frame.freeze()
}

/// The compressed message alone, whether or not it is smaller.
fn compressed(encoding: &Encoding, message: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    encoding.0.compressor.compress(message, &mut out).unwrap();
    out.freeze()
}

fn inflate(encoding: &Encoding, message: Bytes, limit: usize) -> Result<Bytes, FrameError> {
    let inflated = encoding.decompress(Payload::from(message), limit)?;
    Ok(inflated.into_bytes())
}

/// In pieces, as it comes in DATA frames.
fn in_pieces(message: &Bytes, size: usize) -> Payload {
    let mut decoder = FrameDecoder::new(usize::MAX);
    let whole = frame(message);
    for piece in whole.chunks(size) {
        decoder.push(Bytes::copy_from_slice(piece));
    }
    decoder.pop().unwrap().unwrap().payload
}

#[test]
fn every_size_comes_back_as_it_was() {
    let sizes = [
        0, 1, 5, 100, 1_023, 4_096, 4_097, 65_535, 65_536, 65_537, 300_000,
    ];
    for encoding in all() {
        for (seed, size) in sizes.into_iter().enumerate() {
            let mut random = Random::new(seed as u64);
            let noise: Vec<_> = (0..size).map(|_| random.byte()).collect();
            let text: Vec<_> = (0..size).map(|at| b'a' + (at / 7 % 26) as u8).collect();
            for message in [noise, text, vec![0; size]] {
                let small = compressed(&encoding, &message);
                assert_eq!(inflate(&encoding, small.clone(), size).unwrap(), message);
                let pieces = in_pieces(&small, 16_384);
                let whole = encoding.decompress(pieces, usize::MAX).unwrap();
                assert_eq!(whole.into_bytes(), message, "{encoding:?} {size}");
            }
        }
    }
}

#[test]
fn one_byte_over_the_limit_is_too_much() {
    for encoding in all() {
        for size in [1, 100, 4_096, 65_536, 100_000] {
            let small = compressed(&encoding, &vec![7; size]);
            let error = inflate(&encoding, small.clone(), size - 1).unwrap_err();
            assert_eq!(error.code(), Code::ResourceExhausted, "{encoding:?} {size}");
            let text = error.to_string();
            for part in [
                small.len().to_string(),
                (size - 1).to_string(),
                encoding.name().to_owned(),
            ] {
                assert!(text.contains(&part), "{part}: {text}");
            }
            assert!(inflate(&encoding, small, size).is_ok());
        }
    }
}

/// What a peer claims costs it more than it costs us: memory follows the limit, not the claim.
#[test]
fn a_bomb_takes_no_more_memory_than_the_limit() {
    for encoding in all() {
        let bomb = compressed(&encoding, &vec![0; 16 * MIB]);
        let mut out = BytesMut::new();
        let compressor = &encoding.0.compressor;
        let result = compressor.decompress(Payload::from(bomb), &mut out, MIB);
        assert!(matches!(result, Err(DecompressError::TooLarge)));
        assert!(out.len() <= MIB + 64 * 1024, "{}", out.len());
        assert!(out.capacity() <= 3 * MIB, "{}", out.capacity());
    }
}

#[test]
fn a_message_cut_anywhere_is_broken() {
    let message = b"a message, a message, and once more a message".repeat(3);
    for encoding in all() {
        let whole = compressed(&encoding, &message);
        for end in 0..whole.len() {
            let error = inflate(&encoding, whole.slice(..end), MIB).unwrap_err();
            assert_eq!(error.code(), Code::Internal, "{encoding:?} {end}: {error}");
            assert!(error.to_string().contains(encoding.name()), "{error}");
        }
    }
}

#[test]
fn something_behind_the_end_is_broken() {
    for encoding in all() {
        let whole = compressed(&encoding, b"a message");
        for tail in [
            &b"\0"[..],
            b"x",
            b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"\x1f\x8b",
            b"garbage!",
        ] {
            let longer = [&whole[..], tail].concat();
            let error = inflate(&encoding, longer.into(), MIB).unwrap_err();
            assert_eq!(error.code(), Code::Internal, "{encoding:?} {tail:?}");
        }
    }
}

/// Any damage gives an error or the wrong bytes, never a panic, and never more than the limit.
#[test]
fn damage_and_noise_are_survived() {
    for encoding in all() {
        let message = b"a message, a message, and once more a message".repeat(20);
        let whole = compressed(&encoding, &message);
        for seed in 0..500 {
            let mut random = Random::new(seed);
            let mut damaged = whole.to_vec();
            let at = random.below(damaged.len());
            damaged[at] ^= 1 << random.below(8);
            if let Ok(other) = inflate(&encoding, damaged.into(), 4_096) {
                assert!(other.len() <= 4_096);
            }
            let _ = inflate(&encoding, random.bytes(200).into(), 4_096);
        }
    }
}

#[cfg(feature = "gzip")]
#[test]
fn gzip_members_in_a_row_are_one_message() {
    let gzip = CompressorRegistry::default().find("gzip").unwrap().clone();
    let two = [compressed(&gzip, b"one, "), compressed(&gzip, b"two")].concat();
    assert_eq!(inflate(&gzip, two.clone().into(), 8).unwrap(), "one, two");
    let error = inflate(&gzip, two.into(), 7).unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
}

#[cfg(feature = "deflate")]
#[test]
fn deflate_is_the_zlib_format() {
    let deflate = CompressorRegistry::default();
    let deflate = deflate.find("deflate").unwrap();
    // RFC 1950: the low four bits of the first byte are 8, both bytes a multiple of 31.
    let out = compressed(deflate, b"a message");
    assert_eq!(out[0] & 0x0f, 8);
    assert_eq!((u16::from(out[0]) << 8 | u16::from(out[1])) % 31, 0);
    // Raw deflate, which some call by the same name, is not: an empty stored block.
    assert!(inflate(deflate, Bytes::from_static(&[1, 0, 0, 0xff, 0xff]), 10).is_err());
}

#[cfg(feature = "zstd")]
#[test]
fn a_few_kilobytes_of_zstd_that_are_a_gigabyte_cost_the_limit() {
    let registry = CompressorRegistry::default();
    let zstd = registry.find("zstd").unwrap();
    // A frame head with a window of 1 MiB, and 8,192 blocks that repeat one byte 128 KiB times.
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0, (20 - 10) << 3];
    for block in 1..=8_192 {
        let head = (128 * 1_024) << 3 | 1 << 1 | u32::from(block == 8_192);
        bomb.extend_from_slice(&head.to_le_bytes()[..3]);
        bomb.push(0);
    }
    let mut out = BytesMut::new();
    let result = zstd
        .0
        .compressor
        .decompress(Bytes::from(bomb).into(), &mut out, 4 * MIB);
    assert!(
        matches!(result, Err(DecompressError::TooLarge)),
        "{result:?}"
    );
    assert!(out.capacity() <= 9 * MIB, "{}", out.capacity());
}

#[cfg(feature = "zstd")]
#[test]
fn a_huge_zstd_window_is_refused() {
    let registry = CompressorRegistry::default();
    let zstd = registry.find("zstd").unwrap();
    // A frame head with a window of 128 MiB (window log 27), and an empty last block.
    let head = [0x28, 0xb5, 0x2f, 0xfd, 0, (27 - 10) << 3, 1, 0, 0];
    let error = inflate(zstd, Bytes::copy_from_slice(&head), MIB).unwrap_err();
    assert_eq!(error.code(), Code::Internal);
    let small = [0x28, 0xb5, 0x2f, 0xfd, 0, (20 - 10) << 3, 1, 0, 0];
    assert_eq!(
        inflate(zstd, Bytes::copy_from_slice(&small), MIB).unwrap(),
        ""
    );
}

#[test]
fn frames_are_compressed_only_where_it_helps() {
    for encoding in all() {
        let plain = frame(&[7; 5_000]);
        let small = encoding.compress_frame(plain.clone()).unwrap();
        assert!(small.len() < 200);
        assert_eq!(small[0], 1);
        let mut decoder = FrameDecoder::new(MIB);
        decoder.push(small);
        let read = decoder.pop().unwrap().unwrap();
        assert!(read.compressed);
        decoder.finish().unwrap();
        let message = encoding.decompress(read.payload, 5_000).unwrap();
        assert_eq!(message.into_bytes(), plain[5..]);

        let mut random = Random::new(1);
        let noise: Vec<_> = (0..1_000).map(|_| random.byte()).collect();
        for message in [&b""[..], b"x", &noise] {
            let plain = frame(message);
            assert_eq!(encoding.compress_frame(plain.clone()).unwrap(), plain);
        }
    }
}

/// What a compressor of somebody else's may do wrong.
struct Odd(&'static str);

impl Compressor for Odd {
    fn name(&self) -> &'static str {
        self.0
    }

    fn compress(&self, _message: &[u8], _out: &mut BytesMut) -> io::Result<()> {
        Err(io::Error::other("no room"))
    }

    fn decompress(
        &self,
        message: Payload,
        out: &mut BytesMut,
        _limit: usize,
    ) -> Result<(), DecompressError> {
        out.put_bytes(0, message.len() * 10);
        Ok(())
    }
}

#[test]
fn a_compressor_that_ignores_the_limit_is_caught() {
    let odd = Encoding::new(Odd("odd")).unwrap();
    assert_eq!(
        inflate(&odd, Bytes::from_static(b"12345"), 50)
            .unwrap()
            .len(),
        50
    );
    let error = inflate(&odd, Bytes::from_static(b"12345"), 49).unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    let error = odd.compress_frame(frame(b"1234567890")).unwrap_err();
    assert_eq!(error.code(), Code::Internal);
    assert_eq!(
        error.to_string(),
        "message cannot be compressed with odd: no room"
    );
}

#[test]
fn the_registry_keeps_order_and_names() {
    let registry = CompressorRegistry::empty();
    assert!(registry.accept_encoding().is_none());
    let registry = registry
        .with(Odd("x-one"))
        .unwrap()
        .with(Odd("two"))
        .unwrap();
    let registry = registry.with(Odd("x-one")).unwrap();
    assert_eq!(registry.names().collect::<Vec<_>>(), ["x-one", "two"]);
    assert_eq!(registry.accept_encoding().unwrap(), "x-one,two");
    assert_eq!(registry.find("X-One").unwrap().name(), "x-one");
    assert!(registry.find("identity").is_none());
    let registry = registry.without("x-one").without("three");
    assert_eq!(registry.accept_encoding().unwrap(), "two");
    for name in ["", "identity", "Gzip", "a b", "a,b", "a\n", "\u{e4}"] {
        let error = CompressorRegistry::empty().with(Odd(name)).unwrap_err();
        assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
    }
}

#[test]
fn the_features_make_the_default() {
    let names: Vec<_> = CompressorRegistry::default().names().collect();
    let expected: Vec<_> = [
        ("gzip", cfg!(feature = "gzip")),
        ("deflate", cfg!(feature = "deflate")),
        ("zstd", cfg!(feature = "zstd")),
    ]
    .into_iter()
    .filter_map(|(name, there)| there.then_some(name))
    .collect();
    assert_eq!(names, expected);
}
