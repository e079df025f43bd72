//! Header blocks one after the other, read with what is remembered of earlier ones and without.
//!
//! Input: per block a byte that picks what to do, one for the kind, and octets: a block of its own,
//! or what takes the place of an earlier block's end.

use super::head::{HeadBuilder, Kind};
use super::hpack::Decoder;
use crate::Source;

const LIMIT: u32 = 1_000;

/// Blocks that may be taken up again.
const KEPT: usize = 8;

pub(crate) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let (mut decoder, mut fresh) = (Decoder::new(4_096), Decoder::new(4_096));
    let mut builder = HeadBuilder::new(LIMIT);
    let mut blocks: Vec<(Vec<u8>, Kind)> = Vec::new();
    while !source.is_empty() {
        let action = source.below(8);
        let kind = source.pick(&[Kind::Request, Kind::Response, Kind::Trailers]);
        let octets = source.short();
        let (block, kind) = match (action, blocks.is_empty()) {
            (0, _) => {
                builder.shrink();
                continue;
            }
            (1, _) => {
                let limit = u32::try_from(octets.len()).unwrap_or_default() * 32;
                decoder.set_limit(limit);
                fresh.set_limit(limit);
                continue;
            }
            (2..=3, _) | (_, true) => (octets.to_vec(), kind),
            (_, false) => {
                let place = source.below(255) % blocks.len();
                let Some((earlier, kind)) = blocks.get(place).cloned() else {
                    continue;
                };
                let kept = earlier.len() - source.below(16).min(earlier.len());
                let mut block = earlier;
                block.truncate(kept);
                block.extend_from_slice(octets);
                (block, kind)
            }
        };
        let mut other = HeadBuilder::new(LIMIT);
        other.begin(kind);
        let expected = fresh.decode(&block, &mut other);
        assert_eq!(builder.read(&mut decoder, &block, kind), expected);
        if expected.is_err() {
            return;
        }
        assert_eq!(decoder.version(), fresh.version());
        assert_eq!(
            builder.finish(),
            other.finish(),
            "what is shared is what is fresh"
        );
        if blocks.len() == KEPT {
            blocks.remove(0);
        }
        blocks.push((block, kind));
    }
}
