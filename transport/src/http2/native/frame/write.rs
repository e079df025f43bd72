//! Frames onto the wire. Whoever calls decides: nothing is checked here.

use bytes::{BufMut, BytesMut};

use super::head;
use super::{Reason, StreamId};

/// SETTINGS with these identifiers and values, in this order.
pub(in super::super) fn settings(pairs: &[(u16, u32)], out: &mut BytesMut) {
    frame_head(pairs.len() * 6, head::SETTINGS, 0, StreamId::ZERO, out);
    for &(identifier, value) in pairs {
        out.put_u16(identifier);
        out.put_u32(value);
    }
}

pub(in super::super) fn settings_ack(out: &mut BytesMut) {
    frame_head(0, head::SETTINGS, head::ACK, StreamId::ZERO, out);
}

pub(in super::super) fn ping(ack: bool, data: [u8; 8], out: &mut BytesMut) {
    let flags = if ack { head::ACK } else { 0 };
    frame_head(data.len(), head::PING, flags, StreamId::ZERO, out);
    out.put_slice(&data);
}

pub(in super::super) fn go_away(last: StreamId, reason: Reason, text: &[u8], out: &mut BytesMut) {
    frame_head(8 + text.len(), head::GOAWAY, 0, StreamId::ZERO, out);
    out.put_u32(last.0);
    out.put_u32(reason.0);
    out.put_slice(text);
}

pub(in super::super) fn reset(stream: StreamId, reason: Reason, out: &mut BytesMut) {
    frame_head(4, head::RST_STREAM, 0, stream, out);
    out.put_u32(reason.0);
}

/// `by` is more than 0 and less than 2^31.
pub(in super::super) fn window_update(stream: StreamId, by: u32, out: &mut BytesMut) {
    frame_head(4, head::WINDOW_UPDATE, 0, stream, out);
    out.put_u32(by);
}

/// The head of a DATA frame whose payload of `length` octets follows.
pub(in super::super) fn data_head(stream: StreamId, length: usize, end: bool, out: &mut BytesMut) {
    frame_head(length, head::DATA, end_flag(end), stream, out);
}

/// HEADERS, and CONTINUATION for what does not fit into frames of `max_frame` octets.
pub(in super::super) fn headers(
    stream: StreamId,
    block: &[u8],
    end: bool,
    max_frame: u32,
    out: &mut BytesMut,
) {
    // The least that a peer may ask for is 16 KiB.
    let max_frame = usize::try_from(max_frame).unwrap_or(usize::MAX).max(1);
    let mut kind = head::HEADERS;
    let mut flags = end_flag(end);
    let mut rest = block;
    loop {
        let (piece, after) = rest.split_at_checked(max_frame).unwrap_or((rest, &[]));
        rest = after;
        if rest.is_empty() {
            flags |= head::END_HEADERS;
        }
        frame_head(piece.len(), kind, flags, stream, out);
        out.put_slice(piece);
        if rest.is_empty() {
            return;
        }
        (kind, flags) = (head::CONTINUATION, 0);
    }
}

fn end_flag(end: bool) -> u8 {
    if end { head::END_STREAM } else { 0 }
}

/// Lengths are below 2^24: no peer can ask for longer frames.
fn frame_head(length: usize, kind: u8, flags: u8, stream: StreamId, out: &mut BytesMut) {
    debug_assert!(length < 1 << 24, "a frame has at most 2^24 - 1 octets");
    let [.., a, b, c] = length.to_be_bytes();
    let [s, t, u, v] = stream.0.to_be_bytes();
    out.put_slice(&[a, b, c, kind, flags, s, t, u, v]);
}

#[cfg(test)]
mod tests {
    use super::super::{Frame, Reader};
    use super::*;

    /// What was written is read again as the same frame.
    fn reads(out: &BytesMut, frames: &[Frame<'_>]) {
        let mut reader = Reader::new(16_384, 65_536);
        reader.buffer().extend_from_slice(out);
        for frame in frames {
            assert_eq!(reader.next().as_ref(), Ok(&Some(frame.clone())));
        }
        assert_eq!(reader.next(), Ok(None));
        assert!(!reader.mid_frame());
    }

    #[test]
    fn every_frame_is_read_as_it_was_written() {
        let out = &mut BytesMut::new();
        let (one, max) = (StreamId(1), StreamId::MAX);
        settings(&[(4, 65_535), (3, 100)], out);
        settings(&[], out);
        settings_ack(out);
        ping(false, *b"12345678", out);
        ping(true, *b"12345678", out);
        go_away(max, Reason::ENHANCE_YOUR_CALM, b"too_many_pings", out);
        reset(one, Reason::CANCEL, out);
        window_update(StreamId::ZERO, max.0, out);
        data_head(one, 3, false, out);
        out.extend_from_slice(b"abc");
        data_head(one, 0, true, out);
        headers(one, b"block", true, 16_384, out);
        reads(
            out,
            &[
                Frame::Settings(&[0, 4, 0, 0, 255, 255, 0, 3, 0, 0, 0, 100]),
                Frame::Settings(&[]),
                Frame::SettingsAck,
                Frame::Ping {
                    ack: false,
                    data: *b"12345678",
                },
                Frame::Ping {
                    ack: true,
                    data: *b"12345678",
                },
                Frame::GoAway {
                    last: max,
                    reason: Reason::ENHANCE_YOUR_CALM,
                    text: b"too_many_pings",
                },
                Frame::Reset {
                    stream: one,
                    reason: Reason::CANCEL,
                },
                Frame::WindowUpdate {
                    stream: StreamId::ZERO,
                    by: max.0,
                },
                Frame::Data {
                    stream: one,
                    payload: "abc".into(),
                    flow: 3,
                    end: false,
                },
                Frame::Data {
                    stream: one,
                    payload: "".into(),
                    flow: 0,
                    end: true,
                },
                Frame::Headers {
                    stream: one,
                    block: b"block",
                    end: true,
                    depends_on: None,
                },
            ],
        );
    }

    #[test]
    fn a_long_block_is_cut_into_as_few_frames_as_fit() {
        for (length, frames) in [(0, 1), (1, 1), (16_384, 1), (16_385, 2), (40_000, 3)] {
            let out = &mut BytesMut::new();
            let block = vec![7; length];
            headers(StreamId(3), &block, true, 16_384, out);
            assert_eq!(out.len(), length + frames * head::LENGTH, "{length}");
            reads(
                out,
                &[Frame::Headers {
                    stream: StreamId(3),
                    block: &block,
                    end: true,
                    depends_on: None,
                }],
            );
        }
    }
}
