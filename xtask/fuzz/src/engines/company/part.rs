//! What was shown, by streams.

use std::collections::{BTreeMap, BTreeSet};

use crate::engines::rules::{
    FLOW_CONTROL_ERROR, INITIAL_WINDOW_SIZE, INTERNAL_ERROR, MAX_HEADER_LIST_SIZE, PROTOCOL_ERROR,
    REFUSED_STREAM, STREAM_CLOSED,
};
use crate::engines::said::Said;
use crate::engines::seen::Event;
use crate::wire::{DATA, HEADERS, SETTINGS, WINDOW_UPDATE};

/// What a window has first (RFC 9113 §6.9.2).
const FIRST_WINDOW: u32 = 65_535;

/// RFC 9113 §6.9.1.
const LARGEST_WINDOW: u64 = (1 << 31) - 1;

/// Under `None` what is of no stream.
pub(super) struct Parts(BTreeMap<Option<u32>, Vec<Event>>);

impl Parts {
    pub(super) fn of(events: Vec<Event>) -> Self {
        let mut parts = BTreeMap::<_, Vec<_>>::new();
        for event in events {
            parts.entry(event.stream()).or_default().push(event);
        }
        Self(parts)
    }

    pub(super) fn part(&self, stream: Option<u32>) -> &[Event] {
        self.0.get(&stream).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn streams(&self) -> impl Iterator<Item = Option<u32>> {
        self.0.keys().copied()
    }

    fn all(&self) -> impl Iterator<Item = &Event> {
        self.0.values().flatten()
    }

    /// The codes of what went wrong, of the connection or of a stream.
    pub(super) fn faults(&self) -> BTreeSet<u32> {
        self.all().filter_map(fault).collect()
    }

    /// The connection has ended.
    pub(super) fn is_over(&self) -> bool {
        self.part(None).contains(&Event::Closed)
    }

    /// How much was sent on all streams.
    pub(super) fn payload(&self) -> usize {
        let lengths = self.all().map(|event| match event {
            Event::Payload(_, bytes) => bytes.len(),
            _ => 0,
        });
        lengths.sum()
    }
}

/// Without answers, of which the window lets some through; heads do not wait for it, trailers do.
pub(super) fn but_answers(part: &[Event]) -> Vec<&Event> {
    let is_answer = |event: &Event| match event {
        Event::Head(_, fields) => !fields.iter().any(|(name, _)| name == ":status"),
        event => matches!(event, Event::Payload(..) | Event::EndStream(_)),
    };
    part.iter().filter(|event| !is_answer(event)).collect()
}

/// The code by which something ends that has gone wrong.
pub(super) const fn fault(event: &Event) -> Option<u32> {
    match event {
        Event::Reset(_, code @ 1..) | Event::GoAway(code @ 1..) => Some(*code),
        _ => None,
    }
}

/// What else may go wrong with a stream when frames come together: one by one, an answer may be through
/// before.
///
/// `all` is what was said before, too.
pub(super) fn possible(
    said: &[&Said],
    all: &[&Said],
    malformed: &BTreeSet<u32>,
    stream: Option<u32>,
) -> Vec<u32> {
    let mut codes = Vec::new();
    // All of them may end the connection.
    let is_own = |said: &&&Said| stream.is_none_or(|stream| said.stream == stream);
    let of = || said.iter().filter(is_own);
    // What follows an end (RFC 9113 §5.1).
    let is_late = |(at, said): (usize, &&Said)| {
        let mut before = of().take(at).filter(|other| other.stream == said.stream);
        let is_end = |said: &&Said| said.ends_stream() || said.resets_stream();
        matches!(said.kind, DATA | HEADERS) && before.any(is_end)
    };
    if of().enumerate().any(is_late) {
        codes.push(STREAM_CLOSED);
    }
    // A head or trailers that are malformed (RFC 9113 §8.1.1).
    let is_none = |stream: u32| malformed.contains(&stream);
    if stream.is_some_and(is_none) {
        codes.push(PROTOCOL_ERROR);
    }
    // A head that the peer takes no more (RFC 9113 §6.5.2).
    let values = || {
        let settings = said.iter().filter(|said| said.kind == SETTINGS);
        settings.flat_map(|said| said.settings())
    };
    if values().any(|(id, _)| id == MAX_HEADER_LIST_SIZE) {
        codes.push(INTERNAL_ERROR);
    }
    // A window that this takes above 2^31-1, of a stream that is still open or waits (RFC 9113 §6.9.1, §6.9.2).
    let is_change = |said: &&Said| matches!(said.kind, WINDOW_UPDATE | SETTINGS);
    if said.iter().any(is_change) && may_be_too_large(all, stream) {
        codes.push(FLOW_CONTROL_ERROR);
    }
    // Of those opened together each counts (RFC 9113 §5.1.2).
    if of().any(|said| said.kind == HEADERS) {
        codes.push(REFUSED_STREAM);
    }
    codes
}

/// All that was ever given to a window, this stream's or any, is more than one may have.
fn may_be_too_large(all: &[&Said], stream: Option<u32>) -> bool {
    let first = largest_first(all);
    let mut given = BTreeMap::<_, u64>::new();
    for said in all.iter().filter(|said| said.kind == WINDOW_UPDATE) {
        let sum = given.entry(said.stream).or_insert_with(|| first.into());
        *sum += u64::from(said.number().unwrap_or_default());
    }
    let is_own = |of: u32| stream.is_none_or(|stream| stream == of);
    let mut given = given.into_iter();
    given.any(|(of, sum)| is_own(of) && sum > LARGEST_WINDOW)
}

/// A window is to begin with less than it did at some time.
pub(super) fn are_lowered(said: &[&Said], all: &[&Said]) -> bool {
    let before = largest_first(all);
    first_windows(said).any(|value| value < before)
}

fn largest_first(all: &[&Said]) -> u32 {
    let values = first_windows(all).max();
    values.unwrap_or_default().max(FIRST_WINDOW)
}

fn first_windows(said: &[&Said]) -> impl Iterator<Item = u32> {
    let settings = said.iter().filter(|said| said.kind == SETTINGS);
    let values = settings.flat_map(|said| said.settings());
    values.filter_map(|(id, value)| (id == INITIAL_WINDOW_SIZE).then_some(value))
}
