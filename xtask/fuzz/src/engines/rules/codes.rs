//! Both end the connection, by different codes, or say something different at its end.

use super::{
    ACK, COMPRESSION_ERROR, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, PROTOCOL_ERROR, Rule,
    SETTINGS_TIMEOUT,
};
use crate::engines::blocks::Block;
use crate::engines::difference::{Then, go_away, reset};
use crate::engines::said::Said;
use crate::engines::seen::Event;
use crate::wire::{PREFACE, SETTINGS};

const ENABLE_PUSH: u16 = 2;
/// SETTINGS_INITIAL_WINDOW_SIZE.
const WINDOW: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const ENABLE_CONNECT_PROTOCOL: u16 = 8;

pub(super) const RULES: &[Rule] = &[
    Rule {
        // A debug build of h2 asserts that it resets streams for its own reasons only; for what comes behind a
        // reset of its user's it has the user's. Ours has no such assertion, and goes on.
        name: "an assertion of h2's",
        applies: |difference, _| {
            let mut only_h2 = difference.only_h2();
            (difference.is_server && only_h2.any(|event| *event == Event::Asserted))
                .then_some(Then::Stop)
        },
    },
    Rule {
        // Another protocol. RFC 9113 §3.4 lets the GOAWAY be left out, as h2 does.
        name: "no preface",
        applies: |difference, _| {
            let is_other = difference
                .octets()
                .zip(PREFACE)
                .any(|(one, two)| one != *two);
            let silent = difference.of_h2 == [Event::Closed];
            let told = difference.of_native == [Event::GoAway(PROTOCOL_ERROR), Event::Closed];
            (difference.is_server && is_other && silent && told).then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §4.3: a block that cannot be decoded is COMPRESSION_ERROR; h2 says
        // PROTOCOL_ERROR.
        name: "code of what is no HPACK",
        applies: |difference, _| {
            let is_none = |block: &Block| block.fields.is_none() && !block.is_lax;
            (difference.blocks().iter().any(is_none)
                && difference.codes(PROTOCOL_ERROR, COMPRESSION_ERROR))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // The same before the block is whole: h2 reads what there is of it, ours waits for its end.
        name: "what is no HPACK, at once",
        applies: |difference, frame| {
            let block = difference.block_of(frame?)?;
            let is_none = block.fields.is_none() || block.is_lax;
            (block.is_open && is_none && difference.h2_ends(PROTOCOL_ERROR, None))
                .then_some(Then::Stop)
        },
    },
    Rule {
        // The same where h2 resets the stream of a malformed head before it has read all of its block,
        // or has done so, and takes what follows for nothing: so its table may go wrong.
        name: "scope of what is no HPACK",
        applies: |difference, frame| {
            let stream = frame?.stream;
            let mut blocks = difference.blocks().into_iter();
            let is_none = |block: Block| block.fields.is_none() && !block.is_lax;
            (blocks.any(is_none)
                && reset(difference.h2_all.iter().flatten(), stream).is_some()
                && difference.native_ends(COMPRESSION_ERROR, Some(stream)))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §4.2: a frame too short or too long for its kind is FRAME_SIZE_ERROR; h2 says
        // PROTOCOL_ERROR for some.
        name: "code of a wrong length",
        applies: |difference, frame| {
            let is_wrong = frame?.has_wrong_length();
            (is_wrong && difference.codes(PROTOCOL_ERROR, FRAME_SIZE_ERROR)).then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §6.5.2, §6.9.2: SETTINGS_INITIAL_WINDOW_SIZE above 2^31-1, or one that takes the
        // window of a stream there, is FLOW_CONTROL_ERROR; h2 says PROTOCOL_ERROR, and it looks at
        // all values before it applies one.
        name: "code of a window too large",
        applies: |difference, frame| {
            let frame = frame?;
            let is_too_large = |(id, value)| id == WINDOW && value > 0x7fff_ffff;
            let is_large = |(id, value)| id == WINDOW && value > 65_535;
            let is_odd = |(id, value)| match id {
                ENABLE_PUSH | ENABLE_CONNECT_PROTOCOL => value > 1,
                MAX_FRAME_SIZE => !(16_384..=16_777_215).contains(&value),
                _ => false,
            };
            let is_second = frame.settings().any(is_large) && frame.settings().any(is_odd);
            (frame.kind == SETTINGS
                && (frame.settings().any(is_too_large) || is_second)
                && difference.codes(PROTOCOL_ERROR, FLOW_CONTROL_ERROR))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // A client that has reset its stream, was reset for going beyond a window, or whose connection
        // has ended, is gone: that is all that a handler hears here, wherever it waits. To one that
        // sends over h2 it has the code that a call's own side would give it.
        name: "what a handler hears of its client's end",
        applies: |difference, frame| {
            let gone = |event: &Event| match event {
                Event::Gone(stream, how) => Some((*stream, how != "CANCELLED")),
                _ => None,
            };
            let (stream, is_other) = difference.only_h2().find_map(gone)?;
            let mut native = difference.only_native().filter_map(gone);
            let mut own = difference
                .apart()
                .filter(|event| event.stream() == Some(stream));
            let both = [difference.h2, difference.native];
            let is_reset = frame.is_some_and(|frame| {
                let resets = both.map(|of| reset(of, stream));
                let by_us = resets == [Some(FLOW_CONTROL_ERROR); 2];
                frame.stream == stream && (frame.resets_stream() || by_us)
            });
            let [h2, other] = both.map(go_away);
            // By which codes, is another rule's affair.
            let is_over = h2.is_some() == other.is_some() && (h2.is_some() || frame.is_none());
            (difference.is_server
                && is_other
                && native.any(|other| other == (stream, false))
                && own.all(|event| gone(event).is_some())
                && (is_reset || is_over))
                .then_some(Then::Forget(stream))
        },
    },
    Rule {
        // RFC 9113 §6.5.3: values are acknowledged once they are applied. h2 acknowledges first, also
        // those that end the connection; behind its GOAWAY it makes no difference.
        name: "acknowledgement of what ends the connection",
        applies: |difference, frame| {
            let frame = frame?;
            let is_end = frame.kind == SETTINGS && frame.flags & ACK == 0;
            let code = go_away(difference.native);
            let mut apart = difference.apart();
            (is_end
                && code.is_some()
                && code == go_away(difference.h2)
                && difference.is_only_of_h2()
                && apart.all(|event| *event == Event::SettingsAck))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §6.5.3: SETTINGS that are never acknowledged may end the connection; h2 waits
        // for ever.
        name: "settings nobody acknowledges",
        applies: |difference, _| {
            let acks = |said: &Said| said.kind == SETTINGS && said.flags & ACK != 0;
            // What comes in this step may come too late.
            let mut before = difference.before.iter().flat_map(|step| &step.frames);
            let is_late = go_away(difference.native) == Some(SETTINGS_TIMEOUT);
            (is_late && !before.any(acks)).then_some(Then::Stop)
        },
    },
    Rule {
        // The end of a connection may come as soon as the first octets of a frame show that it is
        // wrong, or once all of it is there. h2 looks at the length alone first, ours at the head.
        name: "a frame that is not whole",
        applies: |difference, frame| {
            let frame = frame?;
            let is_cut = !frame.whole && frame.length.is_some();
            let by_head = [PROTOCOL_ERROR, FRAME_SIZE_ERROR];
            let by_head = by_head.map(|code| difference.native_ends(code, None));
            let by_length = frame.has_wrong_length() && difference.h2_ends(FRAME_SIZE_ERROR, None);
            (is_cut && (by_head.contains(&true) || by_length)).then_some(Then::Stop)
        },
    },
];
