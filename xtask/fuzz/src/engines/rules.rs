//! In what the engines may differ, and why that is lawful.
//!
//! A rule looks at one step in which they differ: what the peer said, what had gone before, and
//! what each has shown. The engine on the h2 crate is the one that differs from what the standard
//! says at most of these places; where both are lawful, the rule says so.

use super::difference::{Difference, Then, go_away, reset};
use super::program::{Said, Step};
use super::seen::Event;
use crate::wire::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PUSH_PROMISE, SETTINGS,
    WINDOW_UPDATE,
};

/// The kind of a PRIORITY frame.
const PRIORITY_FRAME: u8 = 2;

/// The flag of an acknowledgement.
const ACK: u8 = 1;

const NO_ERROR: u32 = 0;
const PROTOCOL_ERROR: u32 = 1;
const INTERNAL_ERROR: u32 = 2;
const FLOW_CONTROL_ERROR: u32 = 3;
const SETTINGS_TIMEOUT: u32 = 4;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const COMPRESSION_ERROR: u32 = 9;
const ENHANCE_YOUR_CALM: u32 = 11;

/// The one difference that changes nothing in the sum.
pub(super) const SHARES: &str = "shares of the connection's window";

/// One difference that is known.
pub(super) struct Rule {
    pub(super) name: &'static str,
    /// For one of the frames that the peer has said.
    pub(super) applies: fn(&Difference<'_>, Option<&Said>) -> Option<Then>,
}

/// A peer that goes away before it has sent SETTINGS, or within a header block, has ended in order
/// for h2, which looks at frames only; for ours it was cut off.
pub(super) fn may_end_in_order(steps: &[Step]) -> bool {
    let mut frames = steps.iter().flat_map(|step| &step.frames);
    let begun = frames.clone().any(|said| said.kind == SETTINGS);
    let block = frames.rfind(|said| matches!(said.kind, HEADERS | CONTINUATION));
    !begun || block.is_some_and(|said| said.flags & END_HEADERS == 0)
}

/// A peer that takes no more streams and has none open is answered by the end of the connection.
/// The GOAWAY that h2 puts before it says nothing that matters then.
pub(super) fn is_goodbye(event: &Event, steps: &[Step]) -> bool {
    let mut frames = steps.iter().flat_map(|step| &step.frames);
    *event == Event::GoAway(NO_ERROR) && frames.any(|said| said.kind == GOAWAY)
}

/// All that is known.
pub(super) const RULES: &[Rule] = &[
    Rule {
        // Another protocol. RFC 9113 §3.4 lets the GOAWAY be left out, as h2 does.
        name: "no preface",
        applies: |difference, _| {
            let is_first = difference.before.iter().all(|step| step.frames.is_empty());
            let silent = difference.of_h2 == [Event::Closed];
            (is_first && silent && go_away(difference.native) == Some(PROTOCOL_ERROR))
                .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §4.3: a block that cannot be decoded is COMPRESSION_ERROR; h2 says
        // PROTOCOL_ERROR.
        name: "code of what is no HPACK",
        applies: |difference, frame| {
            let is_block = matches!(frame?.kind, HEADERS | CONTINUATION);
            (is_block
                && go_away(difference.h2) == Some(PROTOCOL_ERROR)
                && go_away(difference.native) == Some(COMPRESSION_ERROR))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §4.2: a frame too short or too long for its kind is FRAME_SIZE_ERROR; h2 says
        // PROTOCOL_ERROR for some.
        name: "code of a wrong length",
        applies: |difference, _| {
            (go_away(difference.h2) == Some(PROTOCOL_ERROR)
                && go_away(difference.native) == Some(FRAME_SIZE_ERROR))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §8.1.1: a malformed head is an error of its stream. h2 ends the connection
        // or the stream where it finds the fault while it decodes, ours behind the block.
        name: "scope of a malformed head",
        applies: |difference, frame| {
            let frame = frame?;
            let is_block = matches!(frame.kind, HEADERS | CONTINUATION);
            let is_open = frame.flags & END_HEADERS == 0 && difference.is_only_of_h2();
            let is_reset = reset(difference.native, frame.stream) == Some(PROTOCOL_ERROR)
                || difference.is_over(frame.stream);
            let of_h2 = go_away(difference.h2).or_else(|| reset(difference.h2, frame.stream));
            (is_block && of_h2 == Some(PROTOCOL_ERROR) && (is_open || is_reset))
                .then(|| difference.end_of(frame.stream))
        },
    },
    Rule {
        // RFC 9113 §5.1 lets what comes behind the end of a stream be an error of the stream, of
        // the connection, or nothing, and h2 takes some of it for PROTOCOL_ERROR. But what crosses
        // a reset of ours is no fault: nothing may follow from it.
        name: "scope of what follows an end",
        applies: |difference, frame| {
            let stream = frame?.stream;
            let by_peer = difference.was_ended(stream);
            let by_us = difference.was_reset(stream) || difference.was_left_out(stream);
            let lawful = |code: Option<u32>| {
                let codes = [PROTOCOL_ERROR, STREAM_CLOSED, REFUSED_STREAM, CANCEL];
                code.is_none_or(|code| codes.contains(&code))
            };
            let is_lawful = |events| lawful(go_away(events)) && lawful(reset(events, stream));
            let is_known = match (by_peer, by_us) {
                (true, _) => is_lawful(difference.native),
                (false, true) => difference.is_only_of_h2() || difference.several(),
                (false, false) => false,
            };
            (is_known && is_lawful(difference.h2)).then(|| difference.end_of(stream))
        },
    },
    Rule {
        // RFC 9113 §6.9: an increment of 0 is an error of the stream; h2 ends the connection.
        name: "scope of a window update by nothing",
        applies: |difference, frame| {
            let frame = frame?;
            let is_nothing = frame.kind == WINDOW_UPDATE && frame.stream > 0;
            (is_nothing
                && go_away(difference.h2) == Some(PROTOCOL_ERROR)
                && reset(difference.native, frame.stream) == Some(PROTOCOL_ERROR))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // The end of a connection may come as soon as the first octets of a frame show that it is
        // wrong, or once all of it is there. h2 looks at the length alone first, ours at the head.
        name: "a frame that is not whole",
        applies: |difference, frame| {
            let one = go_away(difference.h2).is_some() != go_away(difference.native).is_some();
            (!frame?.whole && one).then_some(Then::Stop)
        },
    },
    Rule {
        // An acknowledgement that nobody has asked for harms nobody (RFC 9113 §6.5.3 forbids
        // nothing): ours counts it among what is useless, h2 ends the connection.
        name: "unasked acknowledgement",
        applies: |difference, frame| {
            let frame = frame?;
            (frame.kind == SETTINGS
                && frame.flags & ACK != 0
                && go_away(difference.h2) == Some(PROTOCOL_ERROR)
                && go_away(difference.native).is_none())
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §3.4: SETTINGS are the first frame; h2 does not look.
        name: "first frame",
        applies: |difference, frame| {
            let first = difference.frames().next();
            let is_settings = |said: &Said| said.kind == SETTINGS && said.flags & ACK == 0;
            let is_first = !first.is_some_and(is_settings);
            let refused = go_away(difference.native) == Some(PROTOCOL_ERROR);
            (is_first && refused && frame.is_some()).then_some(Then::Stop)
        },
    },
    Rule {
        // A client's SETTINGS_ENABLE_CONNECT_PROTOCOL means nothing (RFC 8441 §3), and what means
        // nothing is ignored (RFC 9113 §6.5.2); h2 wants it to be 0 or 1.
        name: "extended CONNECT",
        applies: |difference, frame| {
            let frame = frame?;
            let mut pairs = frame.payload.chunks_exact(6);
            (frame.kind == SETTINGS
                && pairs.any(|pair| pair.starts_with(&[0, 8]))
                && go_away(difference.h2) == Some(PROTOCOL_ERROR))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // Frames that come together with one that ends the connection may be lost with it, and where
        // two of them would end it, it may be either.
        name: "company of the last frame",
        applies: |difference, _| {
            let (h2, native) = (go_away(difference.h2), go_away(difference.native));
            (difference.several() && h2.is_some() && native.is_some()).then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §8.3.1: a request without :path, or with an empty one, is malformed; h2 takes it for
        // one of "/".
        name: "a head that h2 lets through",
        applies: |difference, frame| {
            let frame = frame?;
            let root = (":path".to_owned(), "/".to_owned());
            let opened = |event: &Event| match event {
                Event::Opened(stream, head) => *stream == frame.stream && head.contains(&root),
                _ => false,
            };
            (reset(difference.native, frame.stream) == Some(PROTOCOL_ERROR)
                && difference.h2.iter().any(opened)
                && !difference.native.iter().any(opened))
            .then_some(Then::Forget(frame.stream))
        },
    },
    Rule {
        // RFC 9113 §8.4: a client that gets PUSH_PROMISE after it has said that it wants none, or a
        // server, ends the connection. The kind alone says so; h2 waits for the whole block.
        name: "a push at once",
        applies: |difference, frame| {
            let frame = frame?;
            (frame.kind == PUSH_PROMISE
                && go_away(difference.native) == Some(PROTOCOL_ERROR)
                && go_away(difference.h2).is_none())
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §6.5.2: SETTINGS_INITIAL_WINDOW_SIZE above 2^31-1 is FLOW_CONTROL_ERROR; h2 says
        // PROTOCOL_ERROR.
        name: "code of a window too large",
        applies: |difference, frame| {
            (frame?.kind == SETTINGS
                && go_away(difference.h2) == Some(PROTOCOL_ERROR)
                && go_away(difference.native) == Some(FLOW_CONTROL_ERROR))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §6.5.2: what SETTINGS_MAX_HEADER_LIST_SIZE says is advice. h2 does not take it;
        // our call fails here, with the reason, before it fails there without one; its stream was
        // never on the wire.
        name: "heads that the peer does not take",
        applies: |difference, _| {
            let mut frames = difference.frames().filter(|said| said.kind == SETTINGS);
            let advised =
                frames.any(|said| said.payload.chunks(6).any(|pair| pair.starts_with(&[0, 6])));
            let stream = difference.native.iter().find_map(|event| match event {
                Event::Reset(stream, INTERNAL_ERROR) => Some(*stream),
                Event::Ended(stream, how) if how == "INTERNAL" => Some(*stream),
                _ => None,
            });
            stream.filter(|_| advised).map(|_| Then::Stop)
        },
    },
    Rule {
        // Who gets how much of a connection's window is nobody's promise: h2 serves one stream
        // after the other, ours each in its turn.
        name: SHARES,
        applies: |difference, _| {
            let stream = difference.apart().find_map(|event| match event {
                Event::Payload(stream, _) => Some(*stream),
                _ => None,
            })?;
            let (h2, native) = difference.payloads();
            (difference.sending() > 1 && (h2 == native || difference.is_partial))
                .then_some(Then::Forget(stream))
        },
    },
    Rule {
        // Behind a whole answer the rest of a request is not wanted, and is not sent: ours says so at
        // once, h2 when the handler has let go of the request, or the caller of its sender.
        name: "reset behind an early answer",
        applies: |difference, _| {
            let early = |event: &Event| match event {
                Event::Reset(stream, NO_ERROR | CANCEL) => Some(*stream),
                _ => None,
            };
            difference.apart().find_map(early).map(Then::Forget)
        },
    },
    Rule {
        // RFC 9113 §5.1.1: a number that nobody can have opened ends the connection; h2 looks at
        // the head first, and resets the stream where that is malformed.
        name: "scope of a wrong number",
        applies: |difference, frame| {
            let frame = frame?;
            (difference.is_idle(frame.stream)
                && reset(difference.h2, frame.stream) == Some(PROTOCOL_ERROR)
                && go_away(difference.native) == Some(PROTOCOL_ERROR))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §6.8 forbids that the last stream of a second GOAWAY rises. Nothing can come of
        // it: ours keeps the lower one, h2 ends the connection.
        name: "a goodbye that is taken back",
        applies: |difference, frame| {
            let goodbyes = difference.frames().filter(|said| said.kind == GOAWAY);
            (frame?.kind == GOAWAY
                && goodbyes.count() > 1
                && go_away(difference.h2) == Some(PROTOCOL_ERROR))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §6.5.3: SETTINGS that are never acknowledged may end the connection; h2 waits
        // for ever.
        name: "settings nobody acknowledges",
        applies: |difference, _| {
            let acks = |said: &Said| said.kind == SETTINGS && said.flags & ACK != 0;
            (go_away(difference.native) == Some(SETTINGS_TIMEOUT) && !difference.frames().any(acks))
                .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §8.1.1: an answer that is malformed is reset, even where both sides had said all;
        // h2 lets the stream end by itself.
        name: "reset of a malformed end",
        applies: |difference, frame| {
            let frame = frame?;
            let ends = matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0;
            let code = reset(difference.native, frame.stream);
            (ends && code == Some(PROTOCOL_ERROR) && reset(difference.h2, frame.stream).is_none())
                .then(|| difference.end_of(frame.stream))
        },
    },
    Rule {
        // DATA without a head before it is a malformed answer (RFC 9113 §8.1): an error of its
        // stream; h2 ends the connection.
        name: "scope of a body without a head",
        applies: |difference, frame| {
            let frame = frame?;
            (frame.kind == DATA
                && go_away(difference.h2) == Some(PROTOCOL_ERROR)
                && reset(difference.native, frame.stream) == Some(PROTOCOL_ERROR))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §6.5.2: a server must not allow pushes, and a client must not let it; h2 does.
        name: "pushes that a server allows",
        applies: |difference, frame| {
            let frame = frame?;
            let mut pairs = frame.payload.chunks_exact(6);
            (frame.kind == SETTINGS
                && pairs.any(|pair| pair == [0, 2, 0, 0, 0, 1])
                && go_away(difference.native) == Some(PROTOCOL_ERROR))
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
                && reset(difference.h2, frame.stream).is_none())
            .then_some(Then::Forget(frame.stream))
        },
    },
    Rule {
        // A connection that takes no more streams ends with its last one: where that is left out,
        // because the engines had gone apart over it, so is the end.
        name: "end with a stream that is left out",
        applies: |difference, _| {
            let is_end = |event: &Event| matches!(event, Event::GoAway(NO_ERROR) | Event::Closed);
            (difference.is_partial && difference.apart().all(is_end)).then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 7541 §4.2: a block begins with the smallest and the last of the table's sizes, so with
        // two updates at most; h2 takes any number, and some behind a field.
        name: "updates of the table's size",
        applies: |difference, frame| {
            let updates = |octet: &&u8| matches!(octet, 0x20..=0x3f);
            let updates = frame?.payload.iter().filter(updates).count();
            (updates > 0
                && go_away(difference.native) == Some(COMPRESSION_ERROR)
                && go_away(difference.h2) != Some(COMPRESSION_ERROR))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §6.3: PRIORITY of a wrong length is an error of its stream; h2 ends the
        // connection.
        name: "scope of a wrong length",
        applies: |difference, frame| {
            let frame = frame?;
            (frame.kind == PRIORITY_FRAME
                && go_away(difference.h2) == Some(PROTOCOL_ERROR)
                && reset(difference.native, frame.stream) == Some(FRAME_SIZE_ERROR))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §4.3: nothing comes between the frames of a block. h2 does not look any more once
        // it has reset the stream for the first of them.
        name: "a block that h2 has given up",
        applies: |difference, _| {
            let mut before = difference.before.iter().flat_map(|step| &step.frames);
            let last = before.next_back()?;
            let is_open =
                matches!(last.kind, HEADERS | CONTINUATION) && last.flags & END_HEADERS == 0;
            (is_open && go_away(difference.native) == Some(PROTOCOL_ERROR)).then_some(Then::Stop)
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
        // How much of what is useless is too much, each engine decides for itself.
        name: "budgets",
        applies: |difference, _| {
            let calm = [go_away(difference.h2), go_away(difference.native)];
            calm.contains(&Some(ENHANCE_YOUR_CALM))
                .then_some(Then::Stop)
        },
    },
];
