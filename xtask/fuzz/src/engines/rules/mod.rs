//! In what the engines may differ, and why that is lawful.
//!
//! A rule looks at one step in which they differ: what the peer said, what had gone before, and
//! what each has shown. The engine on the h2 crate is the one that differs from what the standard
//! says at most of these places; where both are lawful, the rule says so. A rule accepts the one
//! difference that it argues, and nothing beside it.

mod amounts;
mod codes;
mod lenient;
mod scopes;

use std::collections::BTreeSet;

use super::difference::{Difference, Then};
use super::program::Step;
use super::said::Said;
use super::seen::Event;
use crate::wire::{CONTINUATION, END_HEADERS, GOAWAY, HEADERS, SETTINGS};

pub(super) use self::amounts::SHARES;

/// SETTINGS_INITIAL_WINDOW_SIZE.
pub(super) const INITIAL_WINDOW_SIZE: u16 = 4;

/// SETTINGS_MAX_HEADER_LIST_SIZE.
pub(super) const MAX_HEADER_LIST_SIZE: u16 = 6;

/// The flag of an acknowledgement.
const ACK: u8 = 1;

const NO_ERROR: u32 = 0;
pub(super) const PROTOCOL_ERROR: u32 = 1;
pub(super) const INTERNAL_ERROR: u32 = 2;
pub(super) const FLOW_CONTROL_ERROR: u32 = 3;
const SETTINGS_TIMEOUT: u32 = 4;
pub(super) const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;
pub(super) const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const COMPRESSION_ERROR: u32 = 9;
const ENHANCE_YOUR_CALM: u32 = 11;

/// One difference that is known.
pub(super) struct Rule {
    pub(super) name: &'static str,
    /// For one of the frames that the peer has said.
    pub(super) applies: fn(&Difference<'_>, Option<&Said>) -> Option<Then>,
}

/// All that is known.
pub(super) fn rules() -> impl Iterator<Item = &'static Rule> {
    let all = [codes::RULES, scopes::RULES, lenient::RULES, amounts::RULES];
    all.into_iter().flatten()
}

/// A peer that goes away before it has sent SETTINGS, or within a header block, has ended in order
/// for h2, which looks at frames only; for ours it was cut off.
pub(super) fn may_end_in_order(steps: &[Step]) -> bool {
    let mut frames = steps.iter().flat_map(|step| &step.frames);
    let begun = frames.clone().any(|said| said.kind == SETTINGS);
    let block = frames.rfind(|said| matches!(said.kind, HEADERS | CONTINUATION));
    !begun || block.is_some_and(|said| said.flags & END_HEADERS == 0)
}

/// What is compared of these.
pub(super) fn compared(events: &[Event], steps: &[Step], forgotten: &BTreeSet<u32>) -> Vec<Event> {
    let is_compared = |event: &&Event| {
        let stream = event.stream();
        // When the last word is said is nobody's promise.
        !matches!(event, Event::Lost(_) | Event::Widened(..))
            && !is_goodbye(event, steps)
            && stream.is_none_or(|stream| !forgotten.contains(&stream))
    };
    events.iter().filter(is_compared).cloned().collect()
}

/// A peer that takes no more streams and has none open is answered by the end of the connection.
/// The GOAWAY that h2 puts before it says nothing that matters then.
fn is_goodbye(event: &Event, steps: &[Step]) -> bool {
    let mut frames = steps.iter().flat_map(|step| &step.frames);
    *event == Event::GoAway(NO_ERROR) && frames.any(|said| said.kind == GOAWAY)
}
