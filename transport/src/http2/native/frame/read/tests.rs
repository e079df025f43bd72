//! Each rule that a frame alone can break, and that the pieces in which bytes come change nothing.

use fastrand::Rng;

use super::*;

const MAX_FRAME: u32 = 16_384;
const MAX_BLOCK: usize = 65_536;

fn reader(bytes: &[u8]) -> Reader {
    let mut reader = Reader::new(MAX_FRAME, MAX_BLOCK);
    reader.buffer().extend_from_slice(bytes);
    reader
}

/// A frame with this head, whatever it means.
fn raw(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload");
    let mut bytes = raw_head(length, kind, flags, stream);
    bytes.extend_from_slice(payload);
    bytes
}

fn raw_head(length: u32, kind: u8, flags: u8, stream: u32) -> Vec<u8> {
    let mut bytes = length.to_be_bytes().get(1..).expect("three").to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes
}

/// A frame that shares nothing with its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owned(String);

fn owned(frame: &Frame<'_>) -> Owned {
    Owned(format!("{frame:?}"))
}

/// All frames up to the end or the error.
fn all(reader: &mut Reader, into: &mut Vec<Owned>) -> Option<Fatal> {
    loop {
        match reader.next() {
            Ok(Some(frame)) => into.push(owned(&frame)),
            Ok(None) => return None,
            Err(fatal) => return Some(fatal),
        }
    }
}

fn error(bytes: &[u8]) -> Option<Reason> {
    all(&mut reader(bytes), &mut Vec::new()).map(|fatal| fatal.reason)
}

const NONE: Option<Reason> = None;
const PROTOCOL: Option<Reason> = Some(Reason::PROTOCOL_ERROR);
const SIZE: Option<Reason> = Some(Reason::FRAME_SIZE_ERROR);
const CALM: Option<Reason> = Some(Reason::ENHANCE_YOUR_CALM);

#[test]
fn what_a_head_alone_breaks_is_seen_before_the_payload() {
    let (padded, ack) = (head::PADDED, head::ACK);
    for (length, kind, flags, stream, expected) in [
        // Longer than we take, of whatever kind.
        (MAX_FRAME + 1, head::DATA, 0, 1, SIZE),
        (MAX_FRAME + 1, head::HEADERS, 0, 1, SIZE),
        (MAX_FRAME + 1, 0xee, 0, 1, SIZE),
        ((1 << 24) - 1, head::SETTINGS, 0, 0, SIZE),
        (MAX_FRAME, head::DATA, 0, 1, NONE),
        // Stream 0, or another.
        (1, head::DATA, 0, 0, PROTOCOL),
        (1, head::DATA, padded, 0, PROTOCOL),
        (1, head::HEADERS, 0, 0, PROTOCOL),
        (5, head::PRIORITY, 0, 0, PROTOCOL),
        (4, head::RST_STREAM, 0, 0, PROTOCOL),
        (6, head::SETTINGS, 0, 1, PROTOCOL),
        (0, head::SETTINGS, ack, 1, PROTOCOL),
        (8, head::PING, 0, 1, PROTOCOL),
        (8, head::GOAWAY, 0, 1, PROTOCOL),
        (4, head::PUSH_PROMISE, head::END_HEADERS, 1, PROTOCOL),
        (4, head::PUSH_PROMISE, 0, 0, PROTOCOL),
        (1, head::CONTINUATION, head::END_HEADERS, 1, PROTOCOL),
        (1, head::CONTINUATION, 0, 0, PROTOCOL),
        // The reserved bit makes no stream of stream 0.
        (1, head::DATA, 0, 1 << 31, PROTOCOL),
        (6, head::SETTINGS, 0, 1 << 31, NONE),
        // Fixed lengths.
        (3, head::RST_STREAM, 0, 1, SIZE),
        (5, head::RST_STREAM, 0, 1, SIZE),
        (1, head::SETTINGS, ack, 0, SIZE),
        (6, head::SETTINGS, ack, 0, SIZE),
        (5, head::SETTINGS, 0, 0, SIZE),
        (7, head::PING, 0, 0, SIZE),
        (9, head::PING, ack, 0, SIZE),
        (7, head::GOAWAY, 0, 0, SIZE),
        (3, head::WINDOW_UPDATE, 0, 0, SIZE),
        (5, head::WINDOW_UPDATE, 0, 1, SIZE),
    ] {
        let bytes = raw_head(length, kind, flags, stream);
        let seen = error(&bytes);
        assert_eq!(seen, expected, "{kind} {flags} on {stream}, {length} long");
        let early = error(bytes.get(..head::LENGTH - 1).expect("nearly all"));
        assert_eq!(early, NONE, "a head that is not whole");
    }
}

#[test]
fn padding_is_taken_off_and_never_exceeds_the_payload() {
    let (data, headers, padded) = (head::DATA, head::HEADERS, head::PADDED);
    let both = head::PADDED | head::PRIORITISED;
    for (kind, flags, payload, expected) in [
        (data, padded, &[][..], SIZE),
        (data, padded, &[0], NONE),
        (data, padded, &[1], PROTOCOL),
        (data, padded, &[1, 0], NONE),
        (data, padded, &[2, 0], PROTOCOL),
        (data, padded, &[255, 0], PROTOCOL),
        (headers, padded, &[], SIZE),
        (headers, padded, &[0], NONE),
        (headers, padded, &[1], PROTOCOL),
        (headers, head::PRIORITISED, &[0; 4], SIZE),
        (headers, head::PRIORITISED, &[0; 5], NONE),
        (headers, both, &[0; 5], SIZE),
        (headers, both, &[0; 6], NONE),
        (headers, both, &[1, 0, 0, 0, 0], SIZE),
        // What it must hold is there (RFC 9113 §6.2).
        (headers, both, &[1, 0, 0, 0, 0, 0], PROTOCOL),
        (headers, both, &[1, 0, 0, 0, 0, 0, 0], NONE),
    ] {
        let bytes = raw(kind, flags, 1, payload);
        assert_eq!(error(&bytes), expected, "{kind} {flags} {payload:?}");
    }
    let mut reader = reader(&raw(data, padded | head::END_STREAM, 1, b"\x02abc\0\0"));
    let expected = Frame::Data {
        stream: StreamId(1),
        payload: "abc".into(),
        flow: 6,
        end: true,
    };
    assert_eq!(reader.next(), Ok(Some(expected)));
    let payload = b"\x01\x80\0\0\x07\xffblock\0";
    reader
        .buffer()
        .extend_from_slice(&raw(headers, both | head::END_HEADERS, 3, payload));
    let expected = Frame::Headers {
        stream: StreamId(3),
        block: b"block",
        end: false,
        depends_on: Some(StreamId(7)),
    };
    assert_eq!(reader.next(), Ok(Some(expected)));
}

#[test]
fn reserved_bits_unknown_flags_and_unknown_kinds_are_ignored() {
    let bytes = [
        raw(head::PING, 0xfe, 1 << 31, b"12345678"),
        raw(head::WINDOW_UPDATE, 0xff, 1 | 1 << 31, &[0xff; 4]),
        raw(head::RST_STREAM, 0xff, 1, &[0, 0, 0, 99]),
        raw(0x0a, 0xff, 0, b"anything"),
        raw(0xff, 0, 5, b""),
        raw(head::GOAWAY, 0xff, 0, &[0xff; 8]),
        raw(head::PRIORITY, 0, 1, &[0x80, 0, 0, 3, 255]),
        raw(head::PRIORITY, 0, 1, &[0; 4]),
        raw(head::PRIORITY, 0, 1, &[0; 6]),
        raw(head::SETTINGS, 0xfe, 0, &[9; 6]),
    ]
    .concat();
    let mut reader = reader(&bytes);
    let one = StreamId(1);
    for expected in [
        Frame::Ping {
            ack: false,
            data: *b"12345678",
        },
        Frame::WindowUpdate {
            stream: one,
            by: (1 << 31) - 1,
        },
        Frame::Reset {
            stream: one,
            reason: Reason(99),
        },
        Frame::Unknown,
        Frame::Unknown,
        Frame::GoAway {
            last: StreamId::MAX,
            reason: Reason(u32::MAX),
            text: b"",
        },
        Frame::Priority {
            stream: one,
            depends_on: StreamId(3),
        },
        Frame::BadPriority { stream: one },
        Frame::BadPriority { stream: one },
        Frame::Settings(&[9; 6]),
    ] {
        assert_eq!(reader.next(), Ok(Some(expected)));
    }
    assert_eq!(reader.next(), Ok(None));
    assert!(!reader.mid_frame());
}

#[test]
fn a_header_block_is_joined() {
    let bytes = [
        raw(head::HEADERS, head::END_STREAM, 1, b"ab"),
        raw(head::CONTINUATION, 0, 1, b""),
        raw(head::CONTINUATION, 0, 1, b"c"),
        // The reserved bit is not part of the stream's number, END_STREAM no flag of it.
        raw(head::CONTINUATION, 0xff, 1 | 1 << 31, b"d"),
        raw(head::HEADERS, head::END_HEADERS, 3, b"e"),
    ]
    .concat();
    let mut reader = reader(&bytes);
    for (stream, block, end) in [(1, &b"abcd"[..], true), (3, b"e", false)] {
        let expected = Frame::Headers {
            stream: StreamId(stream),
            block,
            end,
            depends_on: None,
        };
        assert_eq!(reader.next(), Ok(Some(expected)));
    }
}

#[test]
fn nothing_comes_between_the_frames_of_a_header_block() {
    let begun = raw(head::HEADERS, 0, 1, b"a");
    for (kind, stream, payload) in [
        (head::DATA, 1, &b"a"[..]),
        (head::HEADERS, 1, b"a"),
        (head::HEADERS, 3, b"a"),
        (head::PRIORITY, 1, &[0; 5]),
        (head::RST_STREAM, 1, &[0; 4]),
        (head::SETTINGS, 0, b""),
        (head::PING, 0, &[0; 8]),
        (head::GOAWAY, 0, &[0; 8]),
        (head::WINDOW_UPDATE, 0, &[0, 0, 0, 1]),
        (head::CONTINUATION, 3, b"a"),
        (head::CONTINUATION, 0, b"a"),
        (0xee, 1, b""),
    ] {
        let other = raw(kind, head::END_HEADERS, stream, payload);
        let seen = error(&[begun.clone(), other].concat());
        assert_eq!(seen, PROTOCOL, "{kind} on {stream}");
    }
    let mut reader = reader(&begun);
    assert_eq!(reader.next(), Ok(None));
    assert!(reader.mid_block() && reader.mid_frame());
}

#[test]
fn a_header_block_has_few_frames_and_a_bounded_size() {
    let begin = |payload: &[u8]| raw(head::HEADERS, 0, 1, payload);
    let more = |payload: &[u8]| raw(head::CONTINUATION, 0, 1, payload);
    let full = vec![0; MAX_FRAME as usize];
    for (frames, payload, expected) in [
        (15, &b"a"[..], NONE),
        (16, b"a", CALM),
        (3, b"", NONE),
        (4, b"", CALM),
        (3, &full, NONE),
        (4, &full, CALM),
    ] {
        let first = if payload.is_empty() { b"a" } else { payload };
        let bytes = [begin(first), more(payload).repeat(frames)].concat();
        assert_eq!(error(&bytes), expected, "{frames} of {}", payload.len());
    }
    let mut reader = Reader::new(MAX_FRAME, 3);
    let bytes = raw(head::HEADERS, head::END_HEADERS, 1, b"abcd");
    reader.buffer().extend_from_slice(&bytes);
    let fatal = reader.next().expect_err("a block too large");
    assert_eq!(fatal.text, "header_block_too_large");
}

#[test]
fn the_preface_is_refused_as_soon_as_it_differs() {
    for wrong in 0..PREFACE.len() {
        let mut reader = Reader::new(MAX_FRAME, MAX_BLOCK);
        reader.expect_preface();
        let (good, bad) = PREFACE.split_at(wrong);
        reader.buffer().extend_from_slice(good);
        assert_eq!(reader.next(), Ok(None), "{wrong}");
        assert_eq!(reader.mid_frame(), wrong > 0);
        let bad = bad.first().map_or(0, |octet| octet ^ 0x20);
        reader.buffer().extend_from_slice(&[bad]);
        let fatal = reader.next().expect_err("another protocol");
        assert_eq!(fatal.reason, Reason::PROTOCOL_ERROR);
    }
    let mut reader = Reader::new(MAX_FRAME, MAX_BLOCK);
    reader.expect_preface();
    reader.buffer().extend_from_slice(PREFACE);
    reader
        .buffer()
        .extend_from_slice(&raw(head::SETTINGS, 0, 0, b""));
    assert_eq!(reader.next(), Ok(Some(Frame::Settings(&[]))));
    assert_eq!(reader.next(), Ok(None));
    assert!(!reader.mid_frame());
}

#[test]
fn an_error_is_the_last_word() {
    let mut reader = reader(&raw(head::PING, 0, 1, &[0; 8]));
    let fatal = reader.next().expect_err("a PING on a stream");
    reader
        .buffer()
        .extend_from_slice(&raw(head::SETTINGS, 0, 0, b""));
    assert_eq!(reader.next(), Err(fatal));
}

/// Frames that mean something, some of them changed.
fn conversation(random: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.usize(1..20) {
        let kind = random.u8(0..11);
        let lengths = [0, 1, 4, 5, 6, 8, 12, 511, 512, 513, 3_000, 16_384, 16_385];
        let length = match kind {
            head::RST_STREAM | head::WINDOW_UPDATE => 4,
            head::PING | head::GOAWAY => 8,
            head::SETTINGS => 6 * random.usize(0..4),
            _ => random.choice(lengths).unwrap_or_default(),
        };
        let mut payload = vec![0; length];
        random.fill(&mut payload);
        let flags = match kind {
            head::PING | head::GOAWAY | head::SETTINGS => 0,
            // As most are, or any.
            _ => match random.u8(0..3) {
                0 => random.u8(..),
                _ => random.choice([0, 1, 4, 5]).unwrap_or_default(),
            },
        };
        let stream = match kind {
            head::SETTINGS | head::PING | head::GOAWAY => 0,
            _ => random.u32(0..4),
        };
        let continued = kind == head::HEADERS && flags & head::END_HEADERS == 0;
        if kind != head::CONTINUATION && kind != head::PUSH_PROMISE {
            bytes.extend(raw(kind, flags, stream, &payload));
        }
        if continued {
            let flags = if random.u8(..) > 9 { 0xff } else { 0 };
            bytes.extend(raw(head::CONTINUATION, flags, stream, b"more"));
        }
    }
    if random.bool() {
        let at = random.usize(0..bytes.len().max(1));
        if let Some(octet) = bytes.get_mut(at) {
            *octet ^= 1 << random.u8(0..8);
        }
    }
    bytes
}

#[test]
fn bytes_in_any_pieces_are_the_same_frames() {
    let mut random = Rng::with_seed(7);
    let (mut frames, mut errors) = (0, 0);
    for _ in 0..400 {
        let bytes = conversation(&mut random);
        let mut at_once = Vec::new();
        let mut whole = reader(&bytes);
        let end = all(&mut whole, &mut at_once);
        let mut by_pieces = Vec::new();
        let mut reader = Reader::new(MAX_FRAME, MAX_BLOCK);
        let mut rest = bytes.as_slice();
        let mut seen = None;
        while !rest.is_empty() && seen.is_none() {
            reader.reserve();
            let room = reader.buffer().capacity() - reader.buffer().len();
            let longest = *random.choice(&[2, 10, 600, 20_000]).unwrap_or(&1);
            let cut = random.usize(1..longest).min(rest.len()).min(room);
            let (piece, after) = rest.split_at(cut);
            rest = after;
            reader.buffer().extend_from_slice(piece);
            seen = all(&mut reader, &mut by_pieces);
            if random.u8(0..4) == 0 {
                reader.shrink();
            }
        }
        assert_eq!(at_once, by_pieces);
        assert_eq!(end, seen);
        if end.is_none() {
            assert_eq!(whole.mid_frame(), reader.mid_frame());
        }
        frames += at_once.len();
        errors += usize::from(end.is_some());
    }
    assert!(frames > 600 && errors > 50, "{frames} {errors}");
}

#[test]
fn frames_as_most_are_come_out_as_any_other() {
    let mut random = Rng::with_seed(9);
    let mut plain = 0;
    for _ in 0..2_000 {
        let bytes = conversation(&mut random);
        let (mut one, mut other) = (reader(&bytes), reader(&bytes));
        for reader in [&mut one, &mut other] {
            reader.max_block = 3_000;
        }
        loop {
            plain += usize::from(one.plain().is_some());
            let seen = one.next().map(|frame| frame.as_ref().map(owned));
            let checked = other.next_of_any().map(|frame| frame.as_ref().map(owned));
            assert_eq!(seen, checked);
            assert_eq!((one.at, &one.buffer), (other.at, &other.buffer));
            if !matches!(seen, Ok(Some(_))) {
                break;
            }
        }
    }
    assert!(plain > 100, "{plain}");
}

#[test]
fn any_bytes_are_frames_or_an_error_within_bounded_memory() {
    let mut random = Rng::with_seed(8);
    for _ in 0..200 {
        let mut reader = Reader::new(MAX_FRAME, MAX_BLOCK);
        for _ in 0..50 {
            reader.reserve();
            let room = reader.buffer().capacity() - reader.buffer().len();
            let mut bytes = vec![0; room];
            random.fill(&mut bytes);
            // Mostly short frames of kinds that are known.
            let mut from = 0;
            while let Some(head) = bytes.get_mut(from..from + 9) {
                head[..3].copy_from_slice(&[0, random.u8(..) & 0x3f, 8]);
                head[3] %= 11;
                head[5..].copy_from_slice(&[0, 0, 0, random.u8(0..2)]);
                from += 9 + usize::from(head[1]) * 256 + 8;
            }
            reader.buffer().extend_from_slice(&bytes);
            if all(&mut reader, &mut Vec::new()).is_some() {
                break;
            }
            let held = reader.buffer().capacity() + reader.block.capacity();
            assert!(held <= 4 * LARGE_BUFFER, "{held}");
        }
    }
}

#[test]
fn short_data_is_copied_and_long_data_is_a_slice_of_what_was_read() {
    for (length, shared) in [(COPY, false), (COPY + 1, true), (MAX_FRAME as usize, true)] {
        let mut reader = reader(&raw(head::DATA, 0, 1, &vec![7; length]));
        let whole = reader.buffer().as_ptr_range();
        let Ok(Some(Frame::Data { payload, .. })) = reader.next() else {
            panic!("no DATA")
        };
        assert_eq!(whole.contains(&payload.as_ptr()), shared, "{length}");
    }
}

#[test]
fn the_buffer_grows_once_a_read_filled_it_and_is_given_back() {
    let ping = raw(head::PING, 0, 0, &[0; 8]);
    let mut reader = Reader::new(MAX_FRAME, MAX_BLOCK);
    reader.reserve();
    assert_eq!(reader.buffer().capacity(), BUFFER);
    let address = reader.buffer().as_ptr();
    for _ in 0..10_000 {
        reader.buffer().extend_from_slice(&ping);
        assert_eq!(all(&mut reader, &mut Vec::new()), None);
        reader.reserve();
    }
    assert_eq!(reader.buffer().as_ptr(), address, "the same room again");
    let full = ping.repeat(BUFFER / ping.len() + 1);
    let room = reader.buffer().capacity();
    reader
        .buffer()
        .extend_from_slice(full.get(..room).expect("enough"));
    assert_eq!(all(&mut reader, &mut Vec::new()), None);
    reader.reserve();
    assert!(reader.buffer().capacity() >= LARGE_BUFFER);
    let unread = reader.buffer().len();
    assert!(unread < ping.len() && reader.can_shrink());
    reader.shrink();
    assert_eq!(reader.buffer().capacity(), unread);
    let missing = full.get(room..room + ping.len() - unread).expect("enough");
    reader.buffer().extend_from_slice(missing);
    assert_eq!(all(&mut reader, &mut Vec::new()), None);
    assert!(!reader.mid_frame());
    reader.shrink();
    assert_eq!(reader.buffer().capacity(), 0);
    assert!(!reader.can_shrink());
    reader.reserve();
    assert_eq!(reader.buffer().capacity(), BUFFER);
}

/// A reader whose payloads are kept does not take a new buffer for each read.
#[test]
fn payloads_that_are_kept_pin_no_more_than_a_few_buffers() {
    let mut reader = Reader::new(MAX_FRAME, MAX_BLOCK);
    let mut kept = Vec::new();
    let mut buffers = 1;
    reader.reserve();
    for _ in 0..100 {
        let frame = raw(head::DATA, 0, 1, &vec![7; COPY + 1]);
        let before = reader.buffer().capacity() - reader.buffer().len();
        reader.buffer().extend_from_slice(&frame);
        while let Ok(Some(Frame::Data { payload, .. })) = reader.next() {
            kept.push(payload);
        }
        reader.reserve();
        let spare = reader.buffer().capacity() - reader.buffer().len();
        buffers += usize::from(spare > before);
    }
    assert_eq!(kept.len(), 100);
    let needed = 100 * (COPY + 10) / (BUFFER * 3 / 4) + 2;
    assert!(buffers <= needed, "{buffers} > {needed}");
}

/// Long DATA that fills buffers is read into larger ones, whose slices are longer in return.
#[test]
fn bulk_data_is_read_into_larger_buffers() {
    let mut reader = Reader::new(MAX_FRAME, MAX_BLOCK);
    let wire = raw(head::DATA, 0, 1, &vec![7; MAX_FRAME as usize]).repeat(100);
    let (mut rest, mut reads, mut came) = (wire.as_slice(), 0, 0);
    while !rest.is_empty() {
        reader.reserve();
        let room = reader.buffer().capacity() - reader.buffer().len();
        let (read, behind) = rest.split_at(room.min(rest.len()));
        reader.buffer().extend_from_slice(read);
        (rest, reads) = (behind, reads + 1);
        while let Ok(Some(Frame::Data { payload, .. })) = reader.next() {
            came += payload.len();
        }
        let held = reader.buffer().capacity();
        assert!(held <= BULK_BUFFER, "{held}");
    }
    assert_eq!(came, 100 * MAX_FRAME as usize);
    assert!(reads <= 10, "{reads} reads");

    for (length, shared) in [(BULK_COPY, false), (BULK_COPY + 1, true)] {
        reader.reserve();
        let frame = raw(head::DATA, 0, 1, &vec![7; length]);
        reader.buffer().extend_from_slice(&frame);
        let read = reader.buffer().as_ptr_range();
        let Ok(Some(Frame::Data { payload, .. })) = reader.next() else {
            panic!("no DATA")
        };
        assert_eq!(read.contains(&payload.as_ptr()), shared, "{length}");
        drop(payload);
        assert!(matches!(reader.next(), Ok(None)));
        assert!(reader.give_away().is_none(), "others slice shorter frames");
    }
    reader.shrink();
    assert!(reader.give_away().is_some());
    reader.reserve();
    assert_eq!(reader.buffer().capacity(), BUFFER, "as at first");
}

#[test]
fn a_buffer_for_bulk_data_is_not_given_to_others() {
    let mut reader = Reader::new(16_384, 1_000);
    reader.reserve();
    assert!(
        reader
            .give_away()
            .is_some_and(|buffer| buffer.capacity() > 0)
    );
    assert!(
        reader
            .give_away()
            .is_some_and(|buffer| buffer.capacity() == 0)
    );
    reader.lend(BytesMut::with_capacity(BUFFER));
    assert_eq!(reader.buffer().capacity(), BUFFER);
    reader.lend(BytesMut::with_capacity(2 * BUFFER));
    assert_eq!(reader.buffer().capacity(), BUFFER, "it has one");
    (reader.large, reader.bulk) = (true, true);
    reader.reserve();
    assert_eq!(reader.give_away(), None);
    // Nor what is left of it.
    let _ = reader.buffer().split_off(BUFFER);
    assert_eq!(reader.give_away(), None);
    reader.shrink();
    assert!(reader.give_away().is_some());
}
