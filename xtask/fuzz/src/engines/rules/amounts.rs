//! How much, when, and in which order: what is nobody's promise.

use super::{
    CANCEL, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, INTERNAL_ERROR,
    MAX_HEADER_LIST_SIZE, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, Rule,
};
use crate::engines::difference::{Difference, Then, go_away, reset};
use crate::engines::said::Said;
use crate::engines::seen::Event;
use crate::wire::{DATA, END_STREAM, SETTINGS, WINDOW_UPDATE};

/// The one difference that changes nothing in the sum.
pub(in super::super) const SHARES: &str = "shares of the connection's window";

/// Three quarters of them.
const MOST_NUMBERS: u32 = 0x6000_0000;

pub(super) const RULES: &[Rule] = &[
    Rule {
        // RFC 9113 §6.5.2: what SETTINGS_MAX_HEADER_LIST_SIZE says is advice. h2 does not take it;
        // our call fails here, with the reason, before it fails there without one; its stream was
        // never on the wire.
        name: "heads that the peer does not take",
        applies: |difference, _| {
            let frames = difference.frames().filter(|said| said.kind == SETTINGS);
            let advised = frames.flat_map(Said::settings).filter_map(|(id, value)| {
                (id == MAX_HEADER_LIST_SIZE).then_some(usize::try_from(value).unwrap_or(usize::MAX))
            });
            let advised = advised.last()?;
            let failed = |event: &Event| match event {
                Event::Reset(stream, INTERNAL_ERROR) => Some(*stream),
                Event::Ended(stream, how) if how == "INTERNAL" => Some(*stream),
                _ => None,
            };
            let streams: Vec<_> = difference.only_native().filter_map(failed).collect();
            // Where h2 has not come to it, all heads of a client's are as large.
            let is_large = |stream: &u32| {
                let heads = || difference.h2_all.iter().flatten().filter_map(head_size);
                let own = heads()
                    .filter(|(of, _)| of == stream)
                    .map(|(_, size)| size)
                    .max();
                let other = heads().map(|(_, size)| size).max();
                own.or_else(|| other.filter(|_| !difference.is_server))
                    .is_some_and(|size| size > advised)
            };
            // Of one whose caller has let go of it ours shows nothing at all.
            let is_let_go = |of: u32| {
                let mut native = difference.native_all.iter().flatten();
                !difference.is_server
                    && is_large(&of)
                    && native.all(|event| event.stream() != Some(of))
            };
            // What those have of the window others have here, and the end may come with them.
            let is_theirs = |event: &Event| match event {
                Event::Payload(..) | Event::GoAway(NO_ERROR) | Event::Closed => true,
                event => event
                    .stream()
                    .is_some_and(|of| streams.contains(&of) || is_let_go(of)),
            };
            // The peer may go on with streams that were never on the wire.
            (!streams.is_empty()
                && streams.iter().all(is_large)
                && difference.apart().all(is_theirs))
            .then_some(Then::Stop)
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
            let is_share = |event: &Event| {
                matches!(
                    event,
                    Event::Payload(..) | Event::EndStream(_) | Event::Head(..)
                )
            };
            let (h2, native) = difference.payloads();
            (difference.sending() > 1
                && (h2 == native || difference.is_partial)
                && difference.apart().all(is_share))
            .then_some(Then::Forget(stream))
        },
    },
    Rule {
        // Who answers message by message takes the next one once its answer has room to wait in:
        // how much may wait for a window that is shut differs by less than one message.
        name: "what may wait for a window",
        applies: |difference, frame| {
            let frame = frame?;
            let stream = difference.apart().find_map(Event::stream)?;
            let is_taken = |event: &Event| matches!(event, Event::Received(of, _) if *of == stream);
            // What is taken came with this frame, or a little of what waits has gone.
            let is_cause = match frame.kind {
                DATA => frame.stream == stream,
                kind => kind == WINDOW_UPDATE && [0, stream].contains(&frame.stream),
            };
            (is_cause && difference.waits_for_window(stream) && difference.apart().all(is_taken))
                .then_some(Then::Forget(stream))
        },
    },
    Rule {
        // The same at the end: one handler still waits with its answer, the other for the next
        // message. So one hears how the request has ended, and the other nothing yet; where the client
        // is gone both do, each where it waits.
        name: "where a handler waits for a window",
        applies: |difference, frame| {
            let stream = difference.apart().find_map(Event::stream)?;
            // One may have taken the last message with it.
            let own = |event: &&Event| {
                event.stream() == Some(stream) && !matches!(event, Event::Received(..))
            };
            let h2: Vec<_> = difference.only_h2().filter(own).collect();
            let native: Vec<_> = difference.only_native().filter(own).collect();
            let is_known = match (h2.as_slice(), native.as_slice()) {
                ([Event::Ended(_, how)], []) | ([], [Event::Ended(_, how)]) => {
                    let has_ended = difference
                        .frames()
                        .any(|said| said.stream == stream && said.ends_stream());
                    frame.is_some() && how != "CANCELLED" && (has_ended || how != "in order")
                }
                ([Event::Ended(_, ended)], [Event::Gone(_, gone)])
                | ([Event::Gone(_, gone)], [Event::Ended(_, ended)]) => {
                    ended == "CANCELLED" && (gone == ended || gone == "INTERNAL")
                }
                _ => false,
            };
            (is_known && difference.waits_for_window(stream)).then_some(Then::Forget(stream))
        },
    },
    Rule {
        // When what was taken is given back to a window is each engine's own affair (RFC 9113 §6.9), and
        // so is by how much a peer may go beyond the first window. Who goes beyond what one of them has
        // given back breaks a rule with that one, and not with the other, which has given back more.
        name: "when a window is given back",
        applies: |difference, frame| {
            let frame = frame?;
            let resets = [difference.h2, difference.native].map(|of| reset(of, frame.stream));
            let beyond = difference.beyond_windows(frame.stream);
            let is_right = resets
                .iter()
                .zip(beyond)
                .all(|(reset, beyond)| match reset {
                    None => beyond <= 0,
                    Some(code) => *code == FLOW_CONTROL_ERROR && beyond > 0,
                });
            (frame.kind == DATA && is_right && difference.is_about(frame.stream))
                .then_some(Then::Forget(frame.stream))
        },
    },
    Rule {
        // Behind a whole answer the rest of a request is not wanted, and is not sent: ours says so at
        // once, h2 when the handler has let go of the request, or the caller of its sender.
        name: "reset behind an early answer",
        applies: |difference, _| {
            difference.apart().find_map(|event| match event {
                Event::Reset(stream, NO_ERROR | CANCEL) => {
                    let mut own = difference
                        .apart()
                        .filter(|event| event.stream() == Some(*stream));
                    let is_alone = own.all(|own| own == event);
                    (is_alone && difference.is_answered(*stream)).then_some(Then::Forget(*stream))
                }
                _ => None,
            })
        },
    },
    Rule {
        // So, and where a stream was reset by one of them only, one has a place again for a further stream
        // (RFC 9113 §5.1.2) when the other still counts that one. What is open is not the same from then on.
        name: "a place behind a stream that is over with one",
        applies: |difference, frame| {
            let stream = frame?.stream;
            let sides = [
                (difference.h2_all, difference.native_all),
                (difference.native_all, difference.h2_all),
            ];
            let is_refused =
                |all: &[Vec<Event>]| reset(all.iter().flatten(), stream) == Some(REFUSED_STREAM);
            let is_place = sides.into_iter().any(|(full, other)| {
                let mut before = difference.heads().filter(|of| *of != stream);
                is_refused(full)
                    && !is_refused(other)
                    && before
                        .any(|of| difference.is_open(full, of) && !difference.is_open(other, of))
            });
            (difference.is_server && is_place && difference.is_about(stream)).then_some(Then::Stop)
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
        // Numbers do not last for ever: who has used most of them is asked to open a new connection
        // in time, by ours.
        name: "numbers that are nearly used up",
        applies: |difference, frame| {
            let is_late = frame?.stream >= MOST_NUMBERS;
            let mut apart = difference.apart();
            (difference.is_server
                && is_late
                && difference.only_h2().next().is_none()
                && apart.all(|event| *event == Event::GoAway(NO_ERROR)))
            .then_some(Then::Stop)
        },
    },
    Rule {
        // A header block that is not finished for long ends the connection here; h2 waits.
        name: "a block that takes too long",
        applies: |difference, _| {
            // What interrupts it in the end is an error there, of its kind or of its length.
            let h2 = go_away(difference.h2);
            let ends = go_away(difference.native) == Some(ENHANCE_YOUR_CALM)
                && matches!(h2, None | Some(PROTOCOL_ERROR | FRAME_SIZE_ERROR));
            (ends && difference.open_block().is_some()).then_some(Then::Stop)
        },
    },
    Rule {
        // How much of what is useless is too much, each engine decides for itself: ours has no bound
        // here, h2 keeps some.
        name: "budgets",
        applies: |difference, frame| {
            let stream = frame.map(|frame| frame.stream);
            let ends = difference.h2_ends(ENHANCE_YOUR_CALM, stream);
            ends.then_some(Then::Stop)
        },
    },
];

impl Difference<'_> {
    /// Server: both have sent as much of what they have taken of a stream, and could not send all.
    fn waits_for_window(&self, stream: u32) -> bool {
        let (h2, native) = self.payloads_of(stream);
        let mut taken = [self.h2_all, self.native_all]
            .into_iter()
            .map(|all| received(all, stream));
        self.is_server && h2 == native && h2 > 0 && taken.all(|taken| taken >= h2)
    }

    /// All of the answer was said: by our own side, or by the peer.
    fn is_answered(&self, stream: u32) -> bool {
        let mut said = self.frames().filter(|said| said.stream == stream);
        if self.is_server {
            Self::has_said_all(self.native_all, stream)
        } else {
            said.any(|said| said.flags & END_STREAM != 0)
        }
    }
}

/// How much of a stream's request was taken.
fn received(all: &[Vec<Event>], of: u32) -> usize {
    let lengths = all.iter().flatten().map(|event| match event {
        Event::Received(stream, bytes) if *stream == of => bytes.len(),
        _ => 0,
    });
    lengths.sum()
}

/// The stream of a header block, and how large that is (RFC 9113 §6.5.2).
fn head_size(event: &Event) -> Option<(u32, usize)> {
    match event {
        Event::Head(stream, fields) => {
            let sizes = fields
                .iter()
                .map(|(name, value)| name.len() + value.len() + 32);
            Some((*stream, sizes.sum()))
        }
        _ => None,
    }
}
