//! Frames that came together, and what may be different then.
//!
//! How far an engine gets with one frame before it looks at the next is nobody's promise, and neither
//! is how far whoever uses it gets meanwhile: what differs then has no end, and a rule for each would
//! allow what it does not argue. So rules look at frames that come singly only. Where frames came
//! together and the engines differ, the same conversation is had again with those frames one by
//! one, and this is asked:
//!
//! - that the frames, one by one, make no difference, or one that a rule explains; and
//! - that ours makes no third thing out of company: what it has shown of each stream, and of the
//!   connection, is what h2 has shown of it, or what it shows itself when each frame comes by itself,
//!   or that cut short by a fault that is one there too, or by the peer's reset.

mod part;

use std::collections::BTreeSet;
use std::ops::Range;

use self::part::Parts;
use super::blocks::blocks;
use super::difference::kind;
use super::program::Step;
use super::said::Said;
use super::seen::{Event, in_order};
use super::{Shown, Unexplained, rules};
use crate::wire::DATA;

/// What this is called among the rules.
pub(super) const NAME: &str = "company";

/// A conversation, some of whose frames come one by one now.
pub(super) struct Split {
    pub(super) steps: Vec<Step>,
    /// What is looked at: steps of the conversation as it was, and the same as they are now.
    together: Range<usize>,
    alone: Range<usize>,
}

impl Split {
    /// The step at which a difference shows, or, where that is of one frame, all before it, since what
    /// is in company may show later; `None` if no frames are together.
    pub(super) fn of(steps: &[Step], at: usize) -> Option<Self> {
        let is_company = |step: &Step| step.frames.len() > 1;
        let own = steps.get(at).is_some_and(is_company);
        let first = if own {
            at
        } else {
            steps.iter().take(at).position(is_company)?
        };
        let mut split = Vec::new();
        let mut end = 0;
        for (place, step) in steps.iter().enumerate() {
            if (first..=at).contains(&place) {
                split.extend(step.apart());
            } else {
                split.push(step.clone());
            }
            if place <= at {
                end = split.len();
            }
        }
        // The end has no step.
        let end = if at < steps.len() {
            end
        } else {
            split.len() + 1
        };
        Some(Self {
            steps: split,
            together: first..at + 1,
            alone: first..end,
        })
    }
}

/// # Errors
/// What of the difference company does not explain.
pub(super) fn explain(
    split: &Split,
    steps: &[Step],
    shown: &Shown,
    alone: &Shown,
    found: &Unexplained,
    is_server: bool,
) -> Result<(), String> {
    let parts = |all: &[Vec<Event>], range: &Range<usize>| {
        let events = all.get(range.clone()).unwrap_or_default();
        let events = in_order(events.iter().flatten().cloned());
        Parts::of(rules::compared(&events, steps, &found.forgotten))
    };
    let own = parts(&shown.native, &split.together);
    let h2 = parts(&shown.h2, &split.together);
    let alone = parts(&alone.native, &split.alone);
    let together = steps.get(split.together.clone()).unwrap_or_default();
    let said: Vec<_> = together.iter().flat_map(|step| &step.frames).collect();
    let until = steps.iter().take(split.together.end);
    let until: Vec<_> = until.flat_map(|step| &step.frames).collect();
    let malformed = blocks(until.iter().copied());
    let malformed = malformed
        .iter()
        .filter(|block| block.is_malformed(is_server));
    let company = Company {
        own: &own,
        h2: &h2,
        alone: &alone,
        said: &said,
        until: &until,
        malformed: malformed.map(|block| block.stream).collect(),
    };
    match company.unlike() {
        None => Ok(()),
        Some(stream) => {
            let [own, h2, alone] = [&own, &h2, &alone].map(|parts| parts.part(stream));
            let (more, less) = (only(own, alone), only(alone, own));
            Err(format!(
                "[company {stream:?} {more} | {less}]\n  h2 {h2:?}\n  native {own:?}\n  one by one {alone:?}\n  {}",
                found.why
            ))
        }
    }
}

fn only(own: &[Event], other: &[Event]) -> String {
    let own = own.iter().filter(|event| !other.contains(event));
    own.map(kind).collect::<Vec<_>>().join(" ")
}

/// What was shown of the same frames.
struct Company<'a> {
    /// By ours, when they came together.
    own: &'a Parts,
    /// By h2, when they did.
    h2: &'a Parts,
    /// By ours, when each came by itself.
    alone: &'a Parts,
    said: &'a [&'a Said],
    /// And what was said before.
    until: &'a [&'a Said],
    /// Streams with a head or trailers that are malformed.
    malformed: BTreeSet<u32>,
}

impl Company<'_> {
    /// What ours does with nothing else does: a stream, or `None` in it for the connection.
    fn unlike(&self) -> Option<Option<u32>> {
        if self.is_over_alone() {
            return None;
        }
        let all = [self.own, self.h2, self.alone];
        let streams: BTreeSet<_> = all.iter().flat_map(|parts| parts.streams()).collect();
        streams.into_iter().find(|&stream| !self.is_known(stream))
    }

    /// One by one, the last frames came behind the end of the connection: what follows from them, nobody
    /// says. It ends in order where the peer has said goodbye, or for a fault, which ours must find too,
    /// of the connection or, while that is not forgotten, of a stream (RFC 9113 §5.1).
    fn is_over_alone(&self) -> bool {
        let faults = self.alone.faults();
        let found = self.own.faults();
        self.alone.is_over()
            && (faults.is_empty() || faults.iter().any(|code| found.contains(code)))
    }

    /// Who gets how much of the connection's window is nobody's promise; how much there is, is.
    fn is_share(&self, stream: Option<u32>) -> bool {
        let is_like = |other: &Parts| {
            let [own, other_rest] =
                [self.own, other].map(|parts| part::but_answers(parts.part(stream)));
            other.payload() == self.own.payload() && own == other_rest
        };
        self.own.payload() > 0 && (is_like(self.h2) || is_like(self.alone))
    }

    fn is_known(&self, stream: Option<u32>) -> bool {
        let [own, h2, alone] = [self.own, self.h2, self.alone].map(|parts| parts.part(stream));
        own == h2
            || own == alone
            || self.is_share(stream)
            || self.is_unwanted(own, stream)
            || self.is_held(own, stream)
            || self.is_cut(stream)
    }

    /// The DATA that the peer has sent.
    fn sent(&self, stream: Option<u32>) -> Vec<u8> {
        let own = self.said.iter().filter(|said| Some(said.stream) == stream);
        let data = own.filter(|said| said.kind == DATA);
        data.flat_map(|said| said.payload.iter().copied()).collect()
    }

    /// The same but for the word that the rest of a request is not wanted: nobody has to be told once its
    /// end has come, and behind a whole answer each engine says so in its own time. What comes together
    /// with what the answer waits for may be taken before that.
    fn is_unwanted(&self, own: &[Event], stream: Option<u32>) -> bool {
        let rest = |events: &[Event]| -> Vec<Event> {
            let is_word = |event: &&Event| matches!(event, Event::Reset(_, 0));
            let rest = events.iter().filter(|event| !is_word(event));
            rest.cloned().collect()
        };
        let is_answered = own.iter().any(|event| matches!(event, Event::EndStream(_)));
        let (own, alone) = (rest(own), rest(self.alone.part(stream)));
        own == alone
            || is_answered && own == rest(self.h2.part(stream))
            || is_answered && self.takes_more(&own, &alone, stream)
    }

    /// The same but for what was taken of what the peer has sent: at least as much.
    fn takes_more(&self, own: &[Event], alone: &[Event], stream: Option<u32>) -> bool {
        let sent = self.sent(stream);
        let mut said = self.said.iter().filter(|said| Some(said.stream) == stream);
        let has_ended = said.any(|said| said.ends_stream());
        let is_taken = |event: &&Event| match event {
            Event::Received(_, bytes) => sent.starts_with(bytes),
            Event::Ended(_, how) => has_ended && how == "in order",
            _ => false,
        };
        let is_less = |event: &Event| match event {
            Event::Received(_, less) => own
                .iter()
                .any(|event| matches!(event, Event::Received(_, more) if more.starts_with(less))),
            event => own.contains(event),
        };
        let but_taken = |events: &[Event]| -> Vec<Event> {
            let rest = events.iter().filter(|event| !is_taken(event));
            rest.cloned().collect()
        };
        alone.iter().all(is_less) && but_taken(own) == but_taken(alone)
    }

    /// The same but for the rest of an answer, and the word behind it: SETTINGS in company lower windows
    /// (RFC 9113 §6.9.2), before all was sent that another frame would have let through.
    fn is_held(&self, own: &[Event], stream: Option<u32>) -> bool {
        let alone = self.alone.part(stream);
        let is_part = |event: &Event| match event {
            Event::Payload(_, own) => alone
                .iter()
                .any(|whole| matches!(whole, Event::Payload(_, all) if all.starts_with(own))),
            event => alone.contains(event),
        };
        let but_held = |events| {
            let mut rest = part::but_answers(events);
            rest.retain(|event| !matches!(event, Event::Reset(_, 0)));
            rest
        };
        part::are_lowered(self.said, self.until)
            && own.iter().all(is_part)
            && but_held(own) == but_held(alone)
    }

    /// What was shown is what is shown of each by itself, up to some point, and that it was cut off there.
    fn is_cut(&self, stream: Option<u32>) -> bool {
        let known: Vec<_> = [self.alone, self.h2]
            .into_iter()
            .flat_map(Parts::faults)
            .collect();
        let codes = |of| {
            let possible = part::possible(self.said, self.until, &self.malformed, of);
            [known.as_slice(), &possible].concat()
        };
        let (own, all) = (codes(stream), codes(None));
        let is_fault = |event: &Event| match event {
            Event::GoAway(code) => all.contains(code),
            event => part::fault(event).is_some_and(|code| own.contains(&code)),
        };
        let mut said = self.said.iter().filter(|said| Some(said.stream) == stream);
        let own = self.own.part(stream);
        let alone = self.alone.part(stream);
        let is_over = said.any(|said| said.resets_stream())
            || own.iter().chain(self.own.part(None)).any(is_fault);
        let is_part = |event: &Event| {
            alone.iter().any(|whole| match (event, whole) {
                (Event::Received(_, own), Event::Received(_, all))
                | (Event::Payload(_, own), Event::Payload(_, all)) => all.starts_with(own),
                (event, whole) => event == whole,
            })
        };
        // Also what was not taken one by one, since ours had reset the stream before.
        let sent = self.sent(stream);
        let mut own_said = self.said.iter().filter(|said| Some(said.stream) == stream);
        let has_ended = own_said.any(|said| said.ends_stream());
        let is_taken = |event: &Event| match event {
            Event::Received(_, own) => sent.starts_with(own),
            Event::Ended(_, how) => how == "in order" && has_ended,
            _ => false,
        };
        let is_last_word = |event: &Event| match event {
            Event::Ended(_, how) => how != "in order",
            event => matches!(event, Event::Gone(..) | Event::Closed),
        };
        let mut own = own.iter();
        is_over
            && own.all(|event| {
                is_part(event) || is_taken(event) || is_last_word(event) || is_fault(event)
            })
    }
}
