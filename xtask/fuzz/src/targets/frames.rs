//! The decoder of length-prefixed messages against one that has the whole stream before it.
//!
//! Input: a byte that chooses the limit, eight that choose the cuts, then the stream.

use bytes::{Buf, Bytes, BytesMut};
use trunkline_core::{FrameDecoder, FrameEncoder, FrameError, RawCodec};

use crate::Source;

const LIMITS: &[usize] = &[4 << 20, 0, 1, 5, 64, 300, 1_000, 16_384, usize::MAX];

/// How a stream ends.
#[derive(Debug, PartialEq)]
enum End {
    Clean,
    Truncated(usize),
    BadFlag(u8),
    TooLarge(usize),
}

type Messages = Vec<(bool, Vec<u8>)>;

pub(super) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let limit = source.pick(LIMITS);
    let seed = source.u64();
    let stream = source.remainder();
    let expected = model(stream, limit);
    let mut cuts = fastrand::Rng::with_seed(seed);
    let whole = decode(stream, limit, || usize::MAX, Popping::Eager);
    assert_eq!(whole, expected, "in one piece");
    let single = decode(stream, limit, || 1, Popping::Eager);
    assert_eq!(single, expected, "byte by byte");
    let cut = decode(stream, limit, || cuts.usize(0..600), Popping::Eager);
    assert_eq!(cut, expected, "cut");
    let late = decode(stream, limit, || cuts.usize(0..600), Popping::AtTheEnd);
    assert_eq!(late, expected, "cut, and popped at the end");
    encode(&expected.0);
}

/// What the stream holds, read the simple way.
fn model(mut stream: &[u8], limit: usize) -> (Messages, End) {
    let mut messages = Vec::new();
    loop {
        if stream.is_empty() {
            return (messages, End::Clean);
        }
        let Some(([flag, a, b, c, d], rest)) = stream.split_first_chunk() else {
            return (messages, End::Truncated(5 - stream.len()));
        };
        if *flag > 1 {
            return (messages, End::BadFlag(*flag));
        }
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        if length > limit {
            return (messages, End::TooLarge(length));
        }
        let Some((message, after)) = rest.split_at_checked(length) else {
            return (messages, End::Truncated(length - rest.len()));
        };
        messages.push((*flag == 1, message.to_vec()));
        stream = after;
    }
}

#[derive(Clone, Copy)]
enum Popping {
    Eager,
    AtTheEnd,
}

fn decode(
    stream: &[u8],
    limit: usize,
    mut cut: impl FnMut() -> usize,
    popping: Popping,
) -> (Messages, End) {
    let mut decoder = FrameDecoder::new(limit);
    let mut messages = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(cut().min(rest.len()));
        rest = after;
        decoder.push(Bytes::copy_from_slice(chunk));
        assert!(decoder.buffered() <= stream.len(), "more than was pushed");
        if matches!(popping, Popping::Eager)
            && let Err(end) = pop_all(&mut decoder, &mut messages)
        {
            return (messages, end);
        }
    }
    if let Err(end) = pop_all(&mut decoder, &mut messages) {
        return (messages, end);
    }
    let end = match decoder.finish() {
        Ok(()) => {
            assert!(decoder.is_empty() && decoder.buffered() == 0);
            End::Clean
        }
        Err(error) => end(&error),
    };
    (messages, end)
}

fn pop_all(decoder: &mut FrameDecoder, messages: &mut Messages) -> Result<(), End> {
    loop {
        match decoder.pop() {
            Ok(Some(frame)) => {
                let length = frame.payload.len();
                let message = read(frame.payload, messages.len());
                assert_eq!(message.len(), length);
                messages.push((frame.compressed, message));
            }
            Ok(None) => return Ok(()),
            Err(error) => {
                let again = decoder.pop().expect_err("errors are sticky");
                assert_eq!(again.to_string(), error.to_string());
                assert_eq!(decoder.buffered(), 0, "nothing is kept after an error");
                return Err(end(&error));
            }
        }
    }
}

/// The bytes of a payload, by one of the ways to get at them.
fn read(mut payload: trunkline_core::Payload, way: usize) -> Vec<u8> {
    match way % 3 {
        0 => payload.into_bytes().to_vec(),
        1 => {
            let mut all = Vec::new();
            while payload.has_remaining() {
                let chunk = payload.chunk();
                assert!(!chunk.is_empty(), "something is left, but not here");
                let taken = chunk.len().min(7);
                all.extend_from_slice(chunk.get(..taken).unwrap_or_default());
                payload.advance(taken);
            }
            all
        }
        _ => {
            let half = payload.remaining() / 2;
            let mut all = payload.copy_to_bytes(half).to_vec();
            all.extend_from_slice(&payload.copy_to_bytes(payload.remaining()));
            all
        }
    }
}

fn end(error: &FrameError) -> End {
    match error {
        FrameError::Truncated { missing } => End::Truncated(*missing),
        FrameError::BadFlag(flag) => End::BadFlag(*flag),
        FrameError::TooLarge { size, .. } => End::TooLarge(*size),
        other => panic!("no error of a decoder: {other}"),
    }
}

/// What the encoder writes is what the decoder was given.
fn encode(messages: &Messages) {
    let mut encoder = FrameEncoder::new(usize::MAX);
    let mut out = BytesMut::new();
    let mut expected = Vec::new();
    for (_, message) in messages {
        let sent = encoder.encode(&Bytes::copy_from_slice(message), &RawCodec, &mut out);
        sent.expect("it is within the limit");
        expected.push((false, message.clone()));
    }
    assert_eq!(model(&out, usize::MAX), (expected, End::Clean));
}
