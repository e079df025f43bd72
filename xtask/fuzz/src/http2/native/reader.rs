//! Any bytes, in any pieces, through the reader of HTTP/2 frames.
//!
//! Input: a byte that says whose bytes they are, one for how they are cut, then the bytes.

use bytes::BytesMut;

use super::frame::{Fatal, Frame, Reader, write};
use crate::Source;

const MAX_FRAME: u32 = 16_384;
const MAX_BLOCK: usize = 65_536;

/// What a reader may hold of its own: a large buffer twice, while what is left of a frame moves, and a
/// header block.
const MAX_HELD: usize = 2 * 64 * 1024 + 2 * MAX_BLOCK;

pub(crate) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let of_client = source.flag();
    let cuts = source.byte();
    let bytes = source.remainder();
    let (mut frames, mut end) = (Vec::new(), None);
    let mut whole = reader(of_client);
    whole.buffer().extend_from_slice(bytes);
    take(&mut whole, &mut frames, &mut end);

    let (mut again, mut end_again) = (Vec::new(), None);
    let mut cut = reader(of_client);
    let mut rest = bytes;
    let mut step = usize::from(cuts);
    while !rest.is_empty() && end_again.is_none() {
        cut.reserve();
        let room = cut.buffer().capacity() - cut.buffer().len();
        assert!(room > 0, "there is always room to read into");
        // Pieces of changing sizes, the same for the same input.
        step = (step * 31 + 17) % 257;
        let length = (step + 1).min(rest.len()).min(room);
        let (piece, after) = rest.split_at(length);
        rest = after;
        cut.buffer().extend_from_slice(piece);
        take(&mut cut, &mut again, &mut end_again);
        assert!(cut.buffer().capacity() <= MAX_HELD, "memory is bounded");
        if step % 5 == 0 {
            cut.shrink();
            assert!(cut.buffer().capacity() <= cut.buffer().len().max(1) * 2);
        }
    }
    assert_eq!(frames, again, "cuts change nothing");
    assert_eq!(end, end_again, "nor the end");
    if end.is_none() {
        assert_eq!(whole.mid_frame(), cut.mid_frame());
        assert_eq!(whole.mid_block(), cut.mid_block());
    }
}

fn reader(of_client: bool) -> Reader {
    let mut reader = Reader::new(MAX_FRAME, MAX_BLOCK);
    if of_client {
        reader.expect_preface();
    }
    reader
}

/// All frames that are there, written down, and the error behind them.
fn take(reader: &mut Reader, frames: &mut Vec<String>, end: &mut Option<Fatal>) {
    loop {
        match reader.next() {
            Ok(Some(frame)) => {
                comes_back(&frame);
                frames.push(format!("{frame:?}"));
            }
            Ok(None) => return,
            Err(fatal) => {
                assert_eq!(reader.next(), Err(fatal), "an error is the last word");
                *end = Some(fatal);
                return;
            }
        }
    }
}

/// What was read, written and read again, is the same.
fn comes_back(frame: &Frame<'_>) {
    let mut out = BytesMut::new();
    match frame {
        Frame::Data {
            stream,
            payload,
            flow,
            end,
        } => {
            let padded = usize::try_from(*flow).unwrap_or_default();
            assert!(padded == payload.len() || padded > payload.len(), "flow");
            if padded > payload.len() {
                return;
            }
            write::data_head(*stream, payload.len(), *end, &mut out);
            out.extend_from_slice(payload);
        }
        Frame::Headers {
            stream,
            block,
            end,
            depends_on: None,
        } => write::headers(*stream, block, *end, MAX_FRAME, &mut out),
        Frame::Reset { stream, reason } => write::reset(*stream, *reason, &mut out),
        Frame::Ping { ack, data } => write::ping(*ack, *data, &mut out),
        Frame::GoAway { last, reason, text } => write::go_away(*last, *reason, text, &mut out),
        Frame::WindowUpdate { stream, by } => write::window_update(*stream, *by, &mut out),
        Frame::SettingsAck => write::settings_ack(&mut out),
        Frame::Settings(payload) => {
            assert!(payload.len().is_multiple_of(6));
            return;
        }
        // Never written.
        Frame::Headers { .. }
        | Frame::Priority { .. }
        | Frame::BadPriority { .. }
        | Frame::Unknown => return,
    }
    let mut reader = Reader::new(MAX_FRAME, MAX_BLOCK);
    reader.buffer().extend_from_slice(&out);
    assert_eq!(reader.next().as_ref(), Ok(&Some(frame.clone())));
    assert!(!reader.mid_frame() || matches!(frame, Frame::Data { .. }));
}
