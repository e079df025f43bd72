//! A step in which the engines differ, as the rules look at it.

use std::collections::BTreeSet;

use super::blocks::{Block, blocks};
use super::program::{Said, Step};
use super::rules::rules;
use super::seen::Event;
use crate::wire::{CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM};

/// What is to be done about a difference that a rule knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// One of them has ended the connection, or they have gone apart: nothing later is compared.
    Stop,
    /// This stream is not compared any more.
    Forget(u32),
}

/// What both engines let a stream have before anything of it is taken.
const FIRST_WINDOW: i64 = 65_535;

pub(super) struct Difference<'a> {
    /// What is compared are servers, not clients.
    pub(super) is_server: bool,
    pub(super) step: Option<&'a Step>,
    pub(super) before: &'a [Step],
    /// All that each has shown up to this step and in it.
    pub(super) h2_all: &'a [Vec<Event>],
    pub(super) native_all: &'a [Vec<Event>],
    /// Streams were left out because they had gone apart.
    pub(super) is_partial: bool,
    /// What each has shown in this step.
    pub(super) h2: &'a [Event],
    pub(super) native: &'a [Event],
    /// What of that is compared.
    pub(super) of_h2: &'a [Event],
    pub(super) of_native: &'a [Event],
}

impl Difference<'_> {
    /// The rule that allows it. Of frames that came together there is none: see `company`.
    pub(super) fn rule(&self) -> Option<(&'static str, Then)> {
        let frame = match self.said() {
            [] => None,
            [frame] => Some(frame),
            _ => return None,
        };
        rules().find_map(|rule| {
            let then = (rule.applies)(self, frame)?;
            self.explains(then).then_some((rule.name, then))
        })
    }

    /// What is forgotten is part of the difference.
    fn explains(&self, then: Then) -> bool {
        match then {
            Then::Stop => true,
            Then::Forget(stream) => self.apart().any(|event| event.stream() == Some(stream)),
        }
    }

    /// What kind of difference it is, in short.
    pub(super) fn kind(&self) -> String {
        let kinds = |events: &[Event], other: &[Event]| -> String {
            let own = events.iter().filter(|event| !other.contains(event));
            own.map(kind).collect::<Vec<_>>().join(" ")
        };
        let said: Vec<_> = self.said().iter().map(|said| said.kind).collect();
        let (h2, native) = (
            kinds(self.of_h2, self.of_native),
            kinds(self.of_native, self.of_h2),
        );
        format!("{said:?} {h2} | {native}").replace(['[', ']'], "")
    }

    /// What was said in this step.
    fn said(&self) -> &[Said] {
        self.step
            .map(|step| step.frames.as_slice())
            .unwrap_or_default()
    }

    /// What only h2 has shown.
    pub(super) fn only_h2(&self) -> impl Iterator<Item = &Event> {
        let native = self.of_native;
        self.of_h2.iter().filter(|event| !native.contains(event))
    }

    /// What only ours has shown.
    pub(super) fn only_native(&self) -> impl Iterator<Item = &Event> {
        let h2 = self.of_h2;
        self.of_native.iter().filter(|event| !h2.contains(event))
    }

    /// Both end the connection, with these codes, and show the same but for that.
    pub(super) fn codes(&self, h2: u32, native: u32) -> bool {
        let both = go_away(self.h2) == Some(h2) && go_away(self.native) == Some(native);
        let is_code = |event: &Event| matches!(event, Event::GoAway(_));
        both && self.apart().all(is_code)
    }

    /// h2 alone ends the connection, with this code; ours goes on, and has to show something that h2
    /// does not for this stream alone.
    pub(super) fn h2_ends(&self, code: u32, stream: Option<u32>) -> bool {
        let ends = go_away(self.h2) == Some(code) && go_away(self.native).is_none();
        ends && self.only_native().all(|event| is_of(event, stream))
    }

    /// The same the other way round.
    pub(super) fn native_ends(&self, code: u32, stream: Option<u32>) -> bool {
        let ends = go_away(self.native) == Some(code) && go_away(self.h2).is_none();
        ends && self.only_h2().all(|event| is_of(event, stream))
    }

    /// Neither ends the connection for an error, and they are at one but for this stream.
    pub(super) fn is_about(&self, stream: u32) -> bool {
        let goes_on = go_away(self.h2).is_none() && go_away(self.native).is_none();
        goes_on && self.apart().all(|event| is_of(event, Some(stream)))
    }

    /// The header blocks that were completed in this step.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let is_whole = |block: &Block| !block.is_open;
        let before = self.before.iter().flat_map(|step| &step.frames);
        let known = blocks(before)
            .iter()
            .filter(|block| is_whole(block))
            .count();
        let all = blocks(self.frames()).into_iter().filter(is_whole);
        all.skip(known).collect()
    }

    /// The header block that this frame is of, or as much of it as there is.
    pub(super) fn block_of(&self, frame: &Said) -> Option<Block> {
        let is_block = matches!(frame.kind, HEADERS | CONTINUATION);
        let last = blocks(self.frames()).pop().filter(|_| is_block);
        last.filter(|block| block.stream == frame.stream)
    }

    /// What there is of it is malformed.
    pub(super) fn is_malformed(&self, frame: &Said) -> bool {
        let block = self.block_of(frame);
        block.is_some_and(|block| block.is_malformed(self.is_server))
    }

    /// The frame before the last one, where it leaves a header block open.
    pub(super) fn open_block(&self) -> Option<&Said> {
        let is_open = |said: &&Said| {
            matches!(said.kind, HEADERS | CONTINUATION) && said.flags & END_HEADERS == 0
        };
        let mut before = self.before.iter().flat_map(|step| &step.frames);
        before.next_back().filter(is_open)
    }

    /// How many bytes of DATA each has sent on this stream.
    pub(super) fn payloads_of(&self, stream: u32) -> (usize, usize) {
        let of = |all: &[Vec<Event>]| -> usize {
            let lengths = all.iter().flatten().map(|event| match event {
                Event::Payload(of, bytes) if *of == stream => bytes.len(),
                _ => 0,
            });
            lengths.sum()
        };
        (of(self.h2_all), of(self.native_all))
    }

    /// Every octet that was said.
    pub(super) fn octets(&self) -> impl Iterator<Item = u8> {
        let steps = self.before.iter().chain(self.step);
        let pieces = steps.flat_map(|step| &step.pieces);
        pieces.flat_map(|piece| piece.bytes.iter().copied())
    }

    /// An engine has ended its half of this stream.
    pub(super) fn has_said_all(of: &[Vec<Event>], stream: u32) -> bool {
        let mut events = of.iter().flatten();
        events.any(|event| *event == Event::EndStream(stream))
    }

    /// What only one of them has shown.
    pub(super) fn apart(&self) -> impl Iterator<Item = &Event> {
        let (h2, native) = (self.of_h2, self.of_native);
        let of_h2 = h2.iter().filter(|event| !native.contains(event));
        of_h2.chain(native.iter().filter(|event| !h2.contains(event)))
    }

    pub(super) fn native_before(&self) -> impl Iterator<Item = &Event> {
        let before = self.native_all.split_last();
        before
            .into_iter()
            .flat_map(|(_now, before)| before)
            .flatten()
    }

    /// How many bytes of DATA each has sent.
    pub(super) fn payloads(&self) -> (usize, usize) {
        let payload = |all: &[Vec<Event>]| -> usize {
            let lengths = all.iter().flatten().map(|event| match event {
                Event::Payload(_, bytes) => bytes.len(),
                _ => 0,
            });
            lengths.sum()
        };
        (payload(self.h2_all), payload(self.native_all))
    }

    /// How many streams have begun an answer and not ended it before this step, or in it.
    pub(super) fn sending(&self) -> usize {
        let begun = self
            .native_all
            .iter()
            .flatten()
            .filter_map(|event| match event {
                Event::Head(stream, _) => Some(*stream),
                _ => None,
            });
        let mut open: BTreeSet<u32> = begun.collect();
        for event in self.native_before() {
            if let Event::EndStream(stream) | Event::Reset(stream, _) = event {
                open.remove(stream);
            }
        }
        open.len()
    }

    /// By how much what was said on this stream before and in this step goes beyond what each had given it;
    /// negative if it does not.
    pub(super) fn beyond_windows(&self, stream: u32) -> [i64; 2] {
        let own = self.frames().filter(|said| said.stream == stream);
        let data = own.filter(|said| said.kind == DATA);
        let said: i64 = data
            .map(|said| i64::try_from(said.payload.len()).unwrap_or(i64::MAX))
            .sum();
        let before = |all: &[Vec<Event>]| -> i64 {
            let before = all.iter().take(all.len().saturating_sub(1)).flatten();
            let given = before.map(|event| match event {
                Event::Widened(of, by) if *of == stream => i64::from(*by),
                _ => 0,
            });
            given.sum()
        };
        [self.h2_all, self.native_all].map(|all| said - FIRST_WINDOW - before(all))
    }

    /// Ours has shown nothing that h2 has not shown too.
    pub(super) fn is_only_of_h2(&self) -> bool {
        let mut native = self.of_native.iter();
        native.all(|event| self.of_h2.contains(event))
    }

    /// Client: the server's GOAWAY has left this stream out.
    pub(super) fn was_left_out(&self, stream: u32) -> bool {
        let mut goodbyes = self.earlier().filter(|said| said.kind == GOAWAY);
        goodbyes.any(|said| {
            let last = said.payload.first_chunk().copied().map(u32::from_be_bytes);
            last.is_some_and(|last| last & 0x7fff_ffff < stream)
        })
    }

    /// All that was ever said.
    pub(super) fn frames(&self) -> impl Iterator<Item = &Said> {
        let before = self.before.iter().flat_map(|step| &step.frames);
        before.chain(self.said())
    }

    /// What was said before the last frame.
    fn earlier(&self) -> impl Iterator<Item = &Said> {
        self.before.iter().flat_map(|step| &step.frames)
    }

    /// The peer had ended this stream or reset it, or skipped it.
    pub(super) fn was_ended(&self, stream: u32) -> bool {
        if stream == 0 {
            return false;
        }
        let mut of = self.earlier().filter(|said| said.stream == stream);
        let ended = of.any(|said| match said.kind {
            DATA | HEADERS => said.flags & END_STREAM != 0,
            kind => kind == RST_STREAM,
        });
        let later = |said: &Said| said.kind == HEADERS && said.stream > stream;
        ended || (self.earlier().any(later) && !self.was_opened(stream))
    }

    /// The peer had sent a head for this stream.
    pub(super) fn was_opened(&self, stream: u32) -> bool {
        let mut earlier = self.earlier();
        earlier.any(|said| said.kind == HEADERS && said.stream == stream)
    }

    /// Nobody can have opened this stream: a client its even ones, a server any that we have not.
    pub(super) fn is_idle(&self, stream: u32) -> bool {
        let mut events = self.native_all.iter().flatten();
        let was_opened = |event: &Event| matches!(event, Event::Head(of, _) if *of == stream);
        stream.is_multiple_of(2) || (!self.is_server && !events.any(was_opened))
    }

    /// Our engine had reset this stream, or given its whole answer.
    pub(super) fn was_reset(&self, stream: u32) -> bool {
        self.native_before().any(|event| match event {
            Event::Reset(of, _) | Event::EndStream(of) => *of == stream,
            _ => false,
        })
    }

    /// Nothing can be compared any more, of this stream or at all.
    pub(super) fn end_of(&self, stream: u32) -> Then {
        match go_away(self.h2).or_else(|| go_away(self.native)) {
            Some(_) => Then::Stop,
            None => Then::Forget(stream),
        }
    }
}

/// The code of the GOAWAY among these, if it is that of an error.
pub(super) fn go_away(events: &[Event]) -> Option<u32> {
    events.iter().find_map(|event| match event {
        Event::GoAway(code @ 1..) => Some(*code),
        _ => None,
    })
}

/// The code of this stream's RST_STREAM among these.
pub(super) fn reset<'a>(events: impl IntoIterator<Item = &'a Event>, of: u32) -> Option<u32> {
    events.into_iter().find_map(|event| match event {
        Event::Reset(stream, code) if *stream == of => Some(*code),
        _ => None,
    })
}

/// Of this stream's, or of the end in order that comes with the last stream.
fn is_of(event: &Event, stream: Option<u32>) -> bool {
    match event {
        Event::GoAway(0) | Event::Closed => true,
        event => stream.is_some() && event.stream() == stream,
    }
}

/// In short.
pub(super) fn kind(event: &Event) -> String {
    match event {
        Event::Opened(..) => "opened".to_owned(),
        Event::Answered(..) => "answered".to_owned(),
        Event::Received(..) => "received".to_owned(),
        Event::Ended(_, how) => format!("ended {how}"),
        Event::Gone(_, how) => format!("gone {how}"),
        Event::Head(..) => "head".to_owned(),
        Event::Payload(..) => "payload".to_owned(),
        Event::Reset(_, code) => format!("reset {code}"),
        Event::Widened(..) => "widened".to_owned(),
        Event::GoAway(code) => format!("goaway {code}"),
        Event::Closed => "closed".to_owned(),
        Event::Asserted => "asserted".to_owned(),
        Event::Lost(_) | Event::EndStream(_) | Event::Pong(_) | Event::SettingsAck => String::new(),
    }
}
