//! One of them lets through, or does not look at, what the other refuses.

use super::{
    ACK, COMPRESSION_ERROR, FLOW_CONTROL_ERROR, INITIAL_WINDOW_SIZE, PROTOCOL_ERROR, Rule,
};
use crate::engines::blocks::Block;
use crate::engines::difference::{Difference, Then, go_away, reset};
use crate::engines::said::Said;
use crate::engines::seen::Event;
use crate::wire::{CONTINUATION, END_HEADERS, HEADERS, PUSH_PROMISE, SETTINGS, WINDOW_UPDATE};

/// RFC 9113 §6.9.1.
const LARGEST_WINDOW: u32 = (1 << 31) - 1;

const ENABLE_PUSH: u16 = 2;
const ENABLE_CONNECT_PROTOCOL: u16 = 8;

pub(super) const RULES: &[Rule] = &[
    Rule {
        // An acknowledgement that nobody has asked for harms nobody (RFC 9113 §6.5.3 forbids
        // nothing): ours counts it among what is useless, h2 ends the connection.
        name: "unasked acknowledgement",
        applies: |difference, frame| {
            let is_ack = |said: &Said| said.kind == SETTINGS && said.flags & ACK != 0;
            // Each has said SETTINGS once.
            let is_unasked = difference.frames().filter(|said| is_ack(said)).count() > 1;
            (is_ack(frame?) && is_unasked && difference.h2_ends(PROTOCOL_ERROR, None))
                .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §3.4: SETTINGS are the first frame; h2 does not look.
        name: "first frame",
        applies: |difference, frame| {
            let is_settings = |said: &Said| said.kind == SETTINGS && said.flags & ACK == 0;
            let is_first = difference.before.iter().all(|step| step.frames.is_empty());
            let refused = go_away(difference.native) == Some(PROTOCOL_ERROR);
            let first = difference.frames().next();
            (frame.is_some() && is_first && !first.is_some_and(is_settings) && refused)
                .then_some(Then::Stop)
        },
    },
    Rule {
        // A client's SETTINGS_ENABLE_CONNECT_PROTOCOL means nothing (RFC 8441 §3), and what means
        // nothing is ignored (RFC 9113 §6.5.2); h2 wants it to be 0 or 1.
        name: "extended CONNECT",
        applies: |difference, frame| {
            let frame = frame?;
            let is_odd = |(id, value)| id == ENABLE_CONNECT_PROTOCOL && value > 1;
            let ends = go_away(difference.h2) == Some(PROTOCOL_ERROR);
            (frame.kind == SETTINGS
                && frame.settings().any(is_odd)
                && ends
                && go_away(difference.native).is_none())
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §8.3.1: a request without :path, or with an empty one, is malformed; h2 takes it for
        // one of "/".
        name: "a head that h2 lets through",
        applies: |difference, frame| {
            let stream = frame?.stream;
            let root = (":path".to_owned(), "/".to_owned());
            let opened = |event: &Event| match event {
                Event::Opened(of, head) => *of == stream && head.contains(&root),
                _ => false,
            };
            let blocks = difference.blocks();
            let mut own = blocks.iter().filter(|block| block.stream == stream);
            let is_none = own.any(|block| block.value(":path").is_none_or(<[u8]>::is_empty));
            (is_none
                && reset(difference.native, stream) == Some(PROTOCOL_ERROR)
                && difference.is_about(stream)
                && difference.only_h2().any(opened))
            .then_some(Then::Forget(stream))
        },
    },
    Rule {
        // RFC 9113 §8.1: trailers have no pseudo-header fields, and a length that is none is malformed
        // (§8.1.1); h2 lets those of a request have them.
        name: "trailers that h2 lets through",
        applies: |difference, frame| {
            let stream = frame?.stream;
            let heads = difference.frames().filter(|said| said.kind == HEADERS);
            let is_further = heads.filter(|said| said.stream == stream).count() > 1;
            let mut blocks = difference.blocks().into_iter();
            let is_odd = |block: Block| block.stream == stream && block.is_no_trailers();
            (difference.is_server
                && is_further
                && blocks.any(is_odd)
                && reset(difference.native, stream) == Some(PROTOCOL_ERROR)
                && reset(difference.h2, stream) != Some(PROTOCOL_ERROR)
                && difference.is_about(stream))
            .then_some(Then::Forget(stream))
        },
    },
    Rule {
        // RFC 9113 §8.4: a client that gets PUSH_PROMISE after it has said that it wants none, or a
        // server, ends the connection. The kind alone says so; h2 waits for the whole block, and
        // resets the stream where that is malformed, or has done so before and looks at no more of it.
        name: "a push at once",
        applies: |difference, frame| {
            let frame = frame?;
            let is_late = !frame.whole || frame.flags & END_HEADERS == 0;
            let h2 = difference.h2_all.iter().flatten();
            let is_reset = reset(h2, frame.stream).is_some();
            (frame.kind == PUSH_PROMISE
                && (is_late || is_reset)
                && difference.native_ends(PROTOCOL_ERROR, Some(frame.stream)))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §6.5.3: values are applied in their order, so one that takes a window above 2^31-1
        // ends the connection though a later one would lower it again; h2 looks at the last.
        name: "a window too large for a moment",
        applies: |difference, frame| {
            let frame = frame?;
            let mut windows = frame
                .settings()
                .filter(|(id, _)| *id == INITIAL_WINDOW_SIZE);
            let (first, last) = (windows.next()?, windows.last()?);
            // Only what was added to a stream's window can take it beyond the first value, which may itself be too large.
            let had_more = |said: &Said| said.kind == WINDOW_UPDATE && said.stream > 0;
            let is_too_large = first.1 > LARGEST_WINDOW || difference.frames().any(had_more);
            let ends = go_away(difference.native) == Some(FLOW_CONTROL_ERROR);
            (frame.kind == SETTINGS
                && last.1 < first.1
                && is_too_large
                && ends
                && go_away(difference.h2).is_none())
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §6.5.2: a server must not allow pushes, and a client must not let it; h2 does.
        name: "pushes that a server allows",
        applies: |difference, frame| {
            let frame = frame?;
            let allows = frame.settings().any(|pair| pair == (ENABLE_PUSH, 1));
            let code = go_away(difference.native);
            (frame.kind == SETTINGS
                && allows
                && !difference.is_server
                && code == Some(PROTOCOL_ERROR)
                && go_away(difference.h2).is_none())
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §6.9.1: a window above 2^31-1 ends the stream. h2 does not count any more once it
        // has sent all.
        name: "windows of a side that has ended",
        applies: |difference, frame| {
            let frame = frame?;
            (frame.kind == WINDOW_UPDATE
                && reset(difference.native, frame.stream) == Some(FLOW_CONTROL_ERROR)
                && reset(difference.h2, frame.stream).is_none()
                && Difference::has_said_all(difference.h2_all, frame.stream)
                && difference.is_about(frame.stream))
            .then_some(Then::Forget(frame.stream))
        },
    },
    Rule {
        // RFC 7541 §4.2: a block begins with the smallest and the last of the table's sizes, so with
        // two updates at most; h2 takes any number, and some behind a field.
        name: "updates of the table's size",
        applies: |difference, _| {
            let is_lax = |block: &Block| block.fields.is_none() && block.is_lax;
            (difference.blocks().iter().any(is_lax)
                && go_away(difference.native) == Some(COMPRESSION_ERROR)
                && go_away(difference.h2) != Some(COMPRESSION_ERROR))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §4.3: nothing comes between the frames of a block. h2 does not look any more once
        // it has reset the stream for the first of them, and takes what comes as if none were open.
        name: "a block that h2 has given up",
        applies: |difference, frame| {
            let (last, frame) = (difference.open_block()?, frame?);
            let goes_on = frame.kind == CONTINUATION && frame.stream == last.stream;
            let mut h2 = difference.h2_all.iter().flatten();
            let has_given_up =
                h2.any(|event| matches!(event, Event::Reset(of, _) if *of == last.stream));
            (!goes_on && has_given_up && go_away(difference.native) == Some(PROTOCOL_ERROR))
                .then_some(Then::Stop)
        },
    },
];
