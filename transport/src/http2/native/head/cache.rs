//! Blocks that began like those before, which calls of one client do.

use std::sync::Arc;

use super::super::hpack::{self, Decoder, HpackError};
use super::Kind;
use super::build::HeadBuilder;
use super::fields::Shared;

/// How many beginnings are remembered: of as many methods' requests, or of an answer's head and its
/// trailers.
const BEGINNINGS: usize = 4;

/// Longer blocks are not remembered.
const MOST_OCTETS: usize = 2_048;

/// Where the builder stands after the first fields of a block.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) size: usize,
    pub(super) status: Option<u16>,
    pub(super) shared: Arc<Shared>,
}

/// The first fields of a block. They mean the same for as long as the decoder's table stays as it
/// is.
#[derive(Debug)]
struct Beginning {
    kind: Kind,
    version: u64,
    octets: Vec<u8>,
    mark: Mark,
}

/// A block that began like none that is known.
#[derive(Debug)]
struct Last {
    kind: Kind,
    /// How the table stood before it and behind it.
    version: u64,
    octets: Vec<u8>,
}

/// What blocks began with.
#[derive(Debug, Default)]
pub(super) struct Beginnings {
    known: Vec<Beginning>,
    last: Vec<Last>,
    /// Which of them the next one replaces.
    oldest: usize,
}

impl Beginnings {
    /// Gives memory back.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What is known of this block's beginning, and how long that is.
    #[inline]
    fn find(&mut self, block: &[u8], kind: Kind, version: u64) -> Option<(&Mark, usize)> {
        let begins = |known: &Beginning| {
            known.version == version && known.kind == kind && block.starts_with(&known.octets)
        };
        let place = self.known.iter().position(begins)?;
        if place > 0 {
            self.known.swap(place, place - 1);
        }
        let known = self.known.get(place.saturating_sub(1))?;
        Some((&known.mark, known.octets.len()))
    }

    /// How many octets, in whole fields, the block has in common with one of the last ones. What an
    /// update of the table's size begins is left out.
    fn common(&self, block: &[u8], kind: Kind, version: u64) -> usize {
        if matches!(block, [0x20..=0x3f, ..]) {
            return 0;
        }
        let alike = |last: &&Last| last.version == version && last.kind == kind;
        let same = |last: &Last| {
            let octets = block.iter().zip(&last.octets);
            octets.take_while(|(a, b)| a == b).count()
        };
        let last = self.last.iter().filter(alike);
        let same = last.map(same).max().unwrap_or_default();
        let mut common = 0;
        while let Some(length) = block.get(common..).and_then(hpack::field_len)
            && common + length <= same
        {
            common += length;
        }
        common
    }

    fn add(&mut self, beginning: Beginning) {
        self.known
            .retain(|known| known.version == beginning.version);
        self.known.truncate(BEGINNINGS - 1);
        self.known.insert(0, beginning);
    }

    fn keep(&mut self, block: &[u8], kind: Kind, version: u64) {
        if block.len() > MOST_OCTETS {
            return;
        }
        if self.last.len() < BEGINNINGS {
            let octets = Vec::new();
            self.last.push(Last {
                kind,
                version,
                octets,
            });
        }
        if let Some(last) = self.last.get_mut(self.oldest) {
            (last.kind, last.version) = (kind, version);
            last.octets.clear();
            last.octets.extend_from_slice(block);
        }
        self.oldest = (self.oldest + 1) % BEGINNINGS;
    }
}

impl HeadBuilder {
    /// Reads a block; [`finish`](Self::finish) says what it was.
    ///
    /// What it has in common with blocks before, while the table stays as it was, is not decoded
    /// and judged again.
    pub(in super::super) fn read(
        &mut self,
        decoder: &mut Decoder,
        block: &[u8],
        kind: Kind,
    ) -> Result<(), HpackError> {
        let version = decoder.version();
        if decoder.owes_update() {
            // Blocks without one are an error now.
            self.begin(kind);
            return decoder.decode(block, self);
        }
        if let Some((mark, length)) = self.beginnings.find(block, kind, version) {
            let (size, status, shared) = (mark.size, mark.status, Arc::clone(&mark.shared));
            self.resume(kind, size, status, shared);
            return decoder.decode_on(block.get(length..).unwrap_or_default(), self);
        }
        self.begin(kind);
        let common = self.beginnings.common(block, kind, version);
        let (first, rest) = block.split_at_checked(common).unwrap_or((&[], block));
        if first.is_empty() {
            decoder.decode(block, self)?;
        } else {
            // These change nothing in the table, or it would not stand as it did behind the last.
            decoder.decode_on(first, self)?;
            match self.mark() {
                Ok(Some(mark)) => self.beginnings.add(Beginning {
                    kind,
                    version,
                    octets: first.to_vec(),
                    mark,
                }),
                Ok(None) => {}
                Err(_) => {
                    self.begin(kind);
                    return decoder.decode_on(block, self);
                }
            }
            decoder.decode_on(rest, self)?;
        }
        if decoder.version() == version {
            self.beginnings.keep(block, kind, version);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
