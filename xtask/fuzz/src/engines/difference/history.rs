//! What was said and shown up to a difference.

use std::collections::BTreeSet;

use super::{Difference, reset};
use crate::engines::blocks::{Block, blocks};
use crate::engines::said::Said;
use crate::engines::seen::Event;
use crate::wire::{CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM};

/// What both engines let a stream have before anything of it is taken.
const FIRST_WINDOW: i64 = 65_535;

impl Difference<'_> {
    /// The header blocks that were completed in this step.
    pub(in crate::engines) fn blocks(&self) -> Vec<Block> {
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
    pub(in crate::engines) fn block_of(&self, frame: &Said) -> Option<Block> {
        let is_block = matches!(frame.kind, HEADERS | CONTINUATION);
        let last = blocks(self.frames()).pop().filter(|_| is_block);
        last.filter(|block| block.stream == frame.stream)
    }

    /// What there is of it is malformed.
    pub(in crate::engines) fn is_malformed(&self, frame: &Said) -> bool {
        let block = self.block_of(frame);
        block.is_some_and(|block| block.is_malformed(self.is_server))
    }

    /// The frame before the last one, where it leaves a header block open.
    pub(in crate::engines) fn open_block(&self) -> Option<&Said> {
        let is_open = |said: &&Said| {
            matches!(said.kind, HEADERS | CONTINUATION) && said.flags & END_HEADERS == 0
        };
        let mut before = self.before.iter().flat_map(|step| &step.frames);
        before.next_back().filter(is_open)
    }

    /// How many bytes of DATA each has sent on this stream.
    pub(in crate::engines) fn payloads_of(&self, stream: u32) -> (usize, usize) {
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
    pub(in crate::engines) fn octets(&self) -> impl Iterator<Item = u8> {
        let steps = self.before.iter().chain(self.step);
        let pieces = steps.flat_map(|step| &step.pieces);
        pieces.flat_map(|piece| piece.bytes.iter().copied())
    }

    /// An engine has ended its half of this stream.
    pub(in crate::engines) fn has_said_all(of: &[Vec<Event>], stream: u32) -> bool {
        let mut events = of.iter().flatten();
        events.any(|event| *event == Event::EndStream(stream))
    }

    pub(in crate::engines) fn native_before(&self) -> impl Iterator<Item = &Event> {
        let before = self.native_all.split_last();
        before
            .into_iter()
            .flat_map(|(_now, before)| before)
            .flatten()
    }

    /// Server: the streams that the peer has sent a head for.
    pub(in crate::engines) fn heads(&self) -> impl Iterator<Item = u32> {
        let heads = self.frames().filter(|said| said.kind == HEADERS);
        heads.map(|said| said.stream)
    }

    /// Server: neither the peer nor this engine has reset this stream, and not both have said all.
    pub(in crate::engines) fn is_open(&self, of: &[Vec<Event>], stream: u32) -> bool {
        let mut said = self.frames().filter(|said| said.stream == stream);
        let has_ended = said.any(|said| said.ends_stream());
        let mut said = self.frames().filter(|said| said.stream == stream);
        let is_reset = said.any(|said| said.resets_stream());
        let was_reset = reset(of.iter().flatten(), stream).is_some();
        !(is_reset || was_reset || has_ended && Self::has_said_all(of, stream))
    }

    /// How many bytes of DATA each has sent.
    pub(in crate::engines) fn payloads(&self) -> (usize, usize) {
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
    pub(in crate::engines) fn sending(&self) -> usize {
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
    pub(in crate::engines) fn beyond_windows(&self, stream: u32) -> [i64; 2] {
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

    /// Client: the server's GOAWAY has left this stream out.
    pub(in crate::engines) fn was_left_out(&self, stream: u32) -> bool {
        let mut goodbyes = self.earlier().filter(|said| said.kind == GOAWAY);
        goodbyes.any(|said| {
            let last = said.payload.first_chunk().copied().map(u32::from_be_bytes);
            last.is_some_and(|last| last & 0x7fff_ffff < stream)
        })
    }

    /// The peer had ended this stream or reset it, or skipped it.
    pub(in crate::engines) fn was_ended(&self, stream: u32) -> bool {
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
    pub(in crate::engines) fn was_opened(&self, stream: u32) -> bool {
        let mut earlier = self.earlier();
        earlier.any(|said| said.kind == HEADERS && said.stream == stream)
    }

    /// Nobody can have opened this stream: a client its even ones, a server any that we have not.
    pub(in crate::engines) fn is_idle(&self, stream: u32) -> bool {
        let mut events = self.native_all.iter().flatten();
        let was_opened = |event: &Event| matches!(event, Event::Head(of, _) if *of == stream);
        stream.is_multiple_of(2) || (!self.is_server && !events.any(was_opened))
    }

    /// Our engine had reset this stream, or given its whole answer.
    pub(in crate::engines) fn was_reset(&self, stream: u32) -> bool {
        self.native_before().any(|event| match event {
            Event::Reset(of, _) | Event::EndStream(of) => *of == stream,
            _ => false,
        })
    }

    /// All that was ever said.
    pub(in crate::engines) fn frames(&self) -> impl Iterator<Item = &Said> {
        let before = self.before.iter().flat_map(|step| &step.frames);
        before.chain(self.said())
    }

    /// What was said before the last frame.
    fn earlier(&self) -> impl Iterator<Item = &Said> {
        self.before.iter().flat_map(|step| &step.frames)
    }
}
