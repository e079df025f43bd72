//! What we write it reads, what it writes we read, and of blocks that were damaged at random both make
//! the same, but for the differences in [`Difference`], each of which has to be met.

use std::collections::BTreeMap;

use loona_hpack::decoder::DecoderError;

use super::blocks::{self, Field};
use super::h2_server;
use super::hpack::{Decoder, Encoder};

const CONNECTIONS: u64 = 600;
const BLOCKS: usize = 40;
/// Connections with damage for each without: they soon end.
const DAMAGED: usize = 25;
const LIMIT: u32 = 4_096;

/// Where the two may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// A size update behind a field: RFC 7541 §4.2 allows them at a block's start only. It takes them.
    LateUpdate,
    /// More than two size updates: RFC 7541 §4.2 asks for two at most. It takes any number.
    ManyUpdates,
    /// Size updates and nothing else: lawful for a block without fields. It refuses them.
    UpdatesAlone,
}

pub(crate) fn run() {
    let mut met = BTreeMap::new();
    let mut counts = Counts::default();
    for seed in 0..CONNECTIONS {
        let mut random = fastrand::Rng::with_seed(seed);
        ours_to_theirs(&mut random, &mut counts);
        counts.requests += h2_server::reads(&mut random, BLOCKS);
        theirs_to_ours(&mut random, &mut counts);
        for _ in 0..DAMAGED {
            damaged(&mut random, &mut counts, &mut met);
        }
    }
    println!(
        "executions {}",
        counts.ours + counts.theirs + counts.requests + counts.damaged
    );
    println!(
        "{} blocks of ours, {} of theirs, {} damaged ({} refused); differences {met:?}; h2 read {}",
        counts.ours, counts.theirs, counts.damaged, counts.refused, counts.requests
    );
    let all = [
        Difference::LateUpdate,
        Difference::ManyUpdates,
        Difference::UpdatesAlone,
    ];
    for difference in all {
        assert!(
            met.contains_key(&difference),
            "{difference:?} was never met"
        );
    }
    assert!(counts.refused * 4 > counts.damaged, "some damage does harm");
    assert!(counts.refused < counts.damaged, "and some does not");
}

#[derive(Default)]
struct Counts {
    ours: u64,
    theirs: u64,
    requests: u64,
    damaged: u64,
    refused: u64,
}

/// The decoder of a connection of theirs, with the limit that the peer knows of.
fn theirs() -> loona_hpack::Decoder<'static> {
    let mut decoder = loona_hpack::Decoder::new();
    decoder.set_max_allowed_table_size(usize::try_from(LIMIT).expect("a small number"));
    decoder
}

fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<Field>, &'static str> {
    let mut fields = Vec::new();
    let mut sink = |name: &[u8], value: &[u8], _: bool| fields.push((name.into(), value.into()));
    decoder.decode(block, &mut sink).map_err(|error| error.0)?;
    Ok(fields)
}

fn ours_to_theirs(random: &mut fastrand::Rng, counts: &mut Counts) {
    let mut encoder = Encoder::new();
    let mut decoder = theirs();
    for _ in 0..BLOCKS {
        if random.u8(..10) == 0 {
            encoder.set_peer_limit(random.u32(..=LIMIT));
        }
        let (block, expected) = blocks::any(random, &mut encoder);
        let found = match decoder.decode(&block) {
            // It says so when it has done what they ask for.
            Err(DecoderError::SizeUpdateAtEnd) if expected.is_empty() => Vec::new(),
            found => found.expect("a block of ours"),
        };
        assert_eq!(found, expected);
        counts.ours += 1;
    }
}

fn theirs_to_ours(random: &mut fastrand::Rng, counts: &mut Counts) {
    let mut encoder = loona_hpack::Encoder::new();
    let mut decoder = Decoder::new(LIMIT);
    for _ in 0..BLOCKS {
        let fields: Vec<Field> = (0..random.usize(1..8))
            .map(|_| blocks::field(random))
            .collect();
        let block = encoder.encode(fields.iter().map(|(name, value)| (&name[..], &value[..])));
        assert_eq!(decode(&mut decoder, &block), Ok(fields));
        counts.theirs += 1;
    }
}

/// A series of blocks from either encoder, each perhaps damaged, until both refuse one.
fn damaged(random: &mut fastrand::Rng, counts: &mut Counts, met: &mut BTreeMap<Difference, u64>) {
    let mut encoder = Encoder::new();
    let mut their_encoder = loona_hpack::Encoder::new();
    let (mut decoder, mut other) = (Decoder::new(LIMIT), theirs());
    for _ in 0..BLOCKS {
        let mut block = if random.bool() {
            blocks::any(random, &mut encoder).0.to_vec()
        } else {
            let fields: Vec<Field> = (0..random.usize(1..8))
                .map(|_| blocks::field(random))
                .collect();
            their_encoder.encode(fields.iter().map(|(name, value)| (&name[..], &value[..])))
        };
        for _ in 0..random.usize(..4) {
            damage(random, &mut block);
        }
        counts.damaged += 1;
        let ours = decode(&mut decoder, &block);
        let theirs = other.decode(&block);
        let difference = match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => {
                assert_eq!(ours, theirs, "{block:02x?}");
                continue;
            }
            (Err(_), Err(_)) => None,
            (Err("HPACK: table size update behind a field"), Ok(_)) => Some(Difference::LateUpdate),
            (Err("HPACK: more than two table size updates"), Ok(_)) => {
                Some(Difference::ManyUpdates)
            }
            (Ok(fields), Err(DecoderError::SizeUpdateAtEnd)) if fields.is_empty() => {
                Some(Difference::UpdatesAlone)
            }
            _ => panic!("{block:02x?}: ours {ours:?}, theirs {theirs:?}"),
        };
        if let Some(difference) = difference {
            *met.entry(difference).or_default() += 1;
        }
        counts.refused += 1;
        return;
    }
}

fn damage(random: &mut fastrand::Rng, block: &mut Vec<u8>) {
    let place = random.usize(..=block.len());
    match random.u8(..6) {
        0 => block.truncate(place),
        1 => block.insert(place, random.u8(..)),
        // An update, mostly one that is not too large.
        2 => block.insert(place, 0x20 | random.u8(..0x20)),
        3 => block
            .splice(..0, (0..random.usize(..4)).map(|_| 0x20))
            .for_each(drop),
        4 if place < block.len() => drop(block.remove(place)),
        _ => {
            if let Some(octet) = block.get_mut(place) {
                *octet ^= 1 << random.u8(..8);
            }
        }
    }
}
