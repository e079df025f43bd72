//! One takes for an error of the connection what the other takes for one of a stream, or for none.

use super::{CANCEL, FRAME_SIZE_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, Rule, STREAM_CLOSED};
use crate::engines::difference::{Difference, Then, go_away, reset};
use crate::engines::said::{PRIORITY_FRAME, Said};
use crate::engines::seen::Event;
use crate::wire::{CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, WINDOW_UPDATE};

pub(super) const RULES: &[Rule] = &[
    Rule {
        // RFC 9113 §8.1.1: a malformed head is an error of its stream, and so is one whose stream depends
        // on itself (RFC 7540 §5.3.1). h2 ends the connection
        // or the stream where it finds the fault while it decodes, ours behind the block.
        name: "scope of a malformed head",
        applies: |difference, frame| {
            let frame = frame?;
            let is_malformed = difference.is_malformed(frame) || frame.depends_on_itself();
            let is_quiet = difference.only_native().next().is_none();
            let is_open = frame.flags & END_HEADERS == 0 && is_quiet;
            let is_reset = reset(difference.native, frame.stream) == Some(PROTOCOL_ERROR);
            let by_h2 = difference.h2_ends(PROTOCOL_ERROR, Some(frame.stream));
            let of_h2 = reset(difference.h2, frame.stream) == Some(PROTOCOL_ERROR)
                && difference.is_about(frame.stream);
            (is_malformed && (by_h2 || of_h2) && (is_open || is_reset))
                .then(|| difference.end_of(frame.stream))
        },
    },
    Rule {
        // A stream beyond the limit is refused whatever its head is (RFC 9113 §5.1.2): ours does not
        // judge it, h2 does so first.
        name: "a malformed head beyond the limit",
        applies: |difference, frame| {
            let frame = frame?;
            let stream = frame.stream;
            (difference.is_server
                && difference.is_malformed(frame)
                && reset(difference.native, stream) == Some(REFUSED_STREAM)
                && (difference.h2_ends(PROTOCOL_ERROR, Some(stream))
                    || reset(difference.h2, stream) == Some(PROTOCOL_ERROR)
                        && difference.is_about(stream)))
            .then(|| difference.end_of(stream))
        },
    },
    Rule {
        // RFC 9113 §5.1 lets what comes behind the end of a stream be an error of the stream, of
        // the connection, or nothing, and h2 takes some of it for PROTOCOL_ERROR. Ours resets the
        // stream or ends the connection with STREAM_CLOSED, for what has a body or a head; a number
        // that was skipped is PROTOCOL_ERROR. But what crosses a reset of ours is no fault: nothing
        // may follow from it.
        name: "scope of what follows an end",
        applies: |difference, frame| {
            let frame = frame?;
            let stream = frame.stream;
            let by_us = difference.was_reset(stream) || difference.was_left_out(stream);
            let native =
                go_away(difference.native).or_else(|| reset(difference.only_native(), stream));
            let h2 = go_away(difference.h2).or_else(|| reset(difference.only_h2(), stream));
            let is_of_ours = match native {
                None => by_us || difference.was_ended(stream),
                Some(STREAM_CLOSED) => difference.was_ended(stream) && has_content(frame),
                Some(PROTOCOL_ERROR) => difference.was_skipped(stream) && has_content(frame),
                Some(_) => false,
            };
            let is_lawful = matches!(h2, None | Some(PROTOCOL_ERROR | STREAM_CLOSED));
            let rest = |event: &Event| {
                event.stream() == Some(stream) || matches!(event, Event::GoAway(_) | Event::Closed)
            };
            let is_alone = match (go_away(difference.h2), go_away(difference.native)) {
                (Some(_), Some(_)) => true,
                (Some(_), None) => difference.only_native().all(rest),
                (None, Some(_)) => difference.only_h2().all(rest),
                (None, None) => difference.apart().all(rest),
            };
            (is_of_ours && is_lawful && is_alone).then(|| difference.end_of(stream))
        },
    },
    Rule {
        // RFC 9113 §6.9: an increment of 0 is an error of the stream; h2 ends the connection.
        name: "scope of a window update by nothing",
        applies: |difference, frame| {
            let frame = frame?;
            (frame.kind == WINDOW_UPDATE
                && frame.number() == Some(0)
                && difference.h2_ends(PROTOCOL_ERROR, Some(frame.stream))
                && reset(difference.native, frame.stream) == Some(PROTOCOL_ERROR))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §6.2: padding that is longer than what is there ends the connection. h2 looks first whether a
        // stream depends on itself, which is an error of the stream, or of none where it has reset that before.
        name: "padding behind a dependency on itself",
        applies: |difference, frame| {
            let frame = frame?;
            (frame.depends_on_itself()
                && frame.has_long_padding()
                && reset(difference.h2_all.iter().flatten(), frame.stream).is_some()
                && difference.native_ends(PROTOCOL_ERROR, Some(frame.stream)))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §5.1.1: a number that nobody can have opened ends the connection; h2 looks at
        // the head first, and resets the stream where that is malformed.
        name: "scope of a wrong number",
        applies: |difference, frame| {
            let frame = frame?;
            (difference.is_idle(frame.stream)
                && difference.is_malformed(frame)
                && reset(difference.h2, frame.stream) == Some(PROTOCOL_ERROR)
                && difference.native_ends(PROTOCOL_ERROR, Some(frame.stream)))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §6.8 forbids that the last stream of a second GOAWAY rises. Nothing can come of
        // it: ours keeps the lower one, h2 ends the connection.
        name: "a goodbye that is taken back",
        applies: |difference, frame| {
            let frame = frame?;
            let mut before = difference.frames().filter(|said| said.kind == GOAWAY);
            let rises = before.any(|said| said.number() < frame.number());
            (frame.kind == GOAWAY && rises && difference.h2_ends(PROTOCOL_ERROR, None))
                .then_some(Then::Stop)
        },
    },
    Rule {
        // DATA without a head before it is a malformed answer (RFC 9113 §8.1): an error of its
        // stream; h2 ends the connection.
        name: "scope of a body without a head",
        applies: |difference, frame| {
            let frame = frame?;
            (frame.kind == DATA
                && !difference.is_server
                && !difference.was_answered(frame.stream)
                && difference.h2_ends(PROTOCOL_ERROR, Some(frame.stream))
                && reset(difference.native, frame.stream) == Some(PROTOCOL_ERROR))
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
                && frame.has_wrong_length()
                && difference.h2_ends(PROTOCOL_ERROR, Some(frame.stream))
                && reset(difference.native, frame.stream) == Some(FRAME_SIZE_ERROR))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // RFC 9113 §8.1.1: an answer that is malformed is reset, even where both sides had said all;
        // h2 lets the stream end by itself, or resets it for what the caller has still to say.
        name: "reset of a malformed end",
        applies: |difference, frame| {
            let frame = frame?;
            let ends = matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0;
            let is_reset = |event: &Event| *event == Event::Reset(frame.stream, PROTOCOL_ERROR);
            (ends
                && !difference.is_server
                && difference.only_native().any(is_reset)
                && difference.is_about(frame.stream)
                && matches!(reset(difference.h2, frame.stream), None | Some(CANCEL)))
            .then_some(Then::Forget(frame.stream))
        },
    },
];

/// Frames that say something of a stream's, which nobody says behind its end by a mere crossing.
fn has_content(frame: &Said) -> bool {
    matches!(frame.kind, DATA | HEADERS | CONTINUATION)
}

impl Difference<'_> {
    /// Client: a head that is no interim one has come.
    fn was_answered(&self, stream: u32) -> bool {
        let mut events = self.h2_all.iter().flatten();
        events.any(|event| matches!(event, Event::Answered(of, _) if *of == stream))
    }

    /// The peer has opened a later one, and this one not before it.
    fn was_skipped(&self, stream: u32) -> bool {
        let mut before = self.before.iter().flat_map(|step| &step.frames);
        let own = |said: &Said| said.kind == HEADERS && said.stream == stream;
        let later = |said: &Said| said.kind == HEADERS && said.stream > stream;
        self.is_server && self.frames().any(later) && !before.any(own)
    }
}
