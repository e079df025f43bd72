//! What we write it reads, what it writes we read, and of blocks that were damaged at random both make
//! the same, but for the differences in [`Difference`], each of which has to be met.

use std::collections::BTreeMap;

use bytes::BytesMut;
use http::uri::Authority;
use http::{HeaderName, HeaderValue};
use loona_hpack::decoder::DecoderError;

use super::head::{RequestForm, ResponseHead};
use super::hpack::{Decoder, Encoder, Fields, FieldsWriter};

type Field = (Vec<u8>, Vec<u8>);

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
        theirs_to_ours(&mut random, &mut counts);
        for _ in 0..DAMAGED {
            damaged(&mut random, &mut counts, &mut met);
        }
    }
    println!(
        "executions {}",
        counts.ours + counts.theirs + counts.damaged
    );
    println!(
        "{} blocks of ours, {} of theirs, {} damaged ({} refused); differences {met:?}",
        counts.ours, counts.theirs, counts.damaged, counts.refused
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
        let (block, expected) = block(random, &mut encoder);
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
        let fields: Vec<Field> = (0..random.usize(1..8)).map(|_| field(random)).collect();
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
            block(random, &mut encoder).0.to_vec()
        } else {
            let fields: Vec<Field> = (0..random.usize(1..8)).map(|_| field(random)).collect();
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

/// A head or trailers as we send them, and their fields.
fn block(random: &mut fastrand::Rng, encoder: &mut Encoder) -> (BytesMut, Vec<Field>) {
    let mut block = BytesMut::new();
    let (extra, extras) = extra(random);
    let mut fields = Vec::new();
    let mut field = |name: &str, value: &str| fields.push((name.into(), value.into()));
    match random.u8(..3) {
        0 => {
            let path = *random.choice(PATHS).expect("some");
            let form = RequestForm {
                https: random.bool(),
                authority: Authority::from_static("localhost:50051"),
                path,
                subtype: "proto",
                encoding: None,
                accept_encoding: random
                    .bool()
                    .then(|| HeaderValue::from_static("identity,gzip")),
                user_agent: HeaderValue::from_static("grpc-rust-trunkline/0.1.0"),
            };
            field(":method", "POST");
            field(":scheme", if form.https { "https" } else { "http" });
            field(":path", path);
            field(":authority", "localhost:50051");
            field("te", "trailers");
            field("content-type", "application/grpc");
            if form.accept_encoding.is_some() {
                field("grpc-accept-encoding", "identity,gzip");
            }
            field("user-agent", "grpc-rust-trunkline/0.1.0");
            encoder.request(&form, &extra, &mut block);
        }
        1 if random.bool() => {
            field(":status", "200");
            field("content-type", "application/grpc+json");
            let head = ResponseHead::Grpc {
                subtype: "json",
                encoding: None,
            };
            encoder.response(&head, &extra, &mut block);
        }
        1 => {
            let status = random.u16(100..600);
            field(":status", &status.to_string());
            encoder.response(&ResponseHead::Plain(status), &extra, &mut block);
        }
        _ => encoder.trailers(&extra, &mut block),
    }
    fields.extend(extras);
    (block, fields)
}

const PATHS: &[&str] = &[
    "/tests.echo.Echo/Unary",
    "/tests.echo.Echo/ServerStreaming",
    "/grpc.health.v1.Health/Check",
    "/a.B/C",
    "/a.package.with.a.name.that.is.long/AndAServiceWhoseNameIsLongAsWell/AndAMethod",
];

/// Fields of a call.
fn extra(random: &mut fastrand::Rng) -> (Fields, Vec<Field>) {
    let mut writer = FieldsWriter::new();
    let mut fields = Vec::new();
    if random.bool() {
        let name = if random.bool() {
            "grpc-status"
        } else {
            "grpc-timeout"
        };
        fields.push((name.into(), random.u16(..3).to_string().into()));
    }
    fields.extend((0..random.usize(..4)).map(|_| field(random)));
    fields.retain(|(name, value)| {
        let name = HeaderName::from_lowercase(name);
        let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) else {
            return false;
        };
        writer.push(&name, &value);
        true
    });
    (writer.finish(), fields)
}

/// Any field, often one that there was before.
fn field(random: &mut fastrand::Rng) -> Field {
    let names = [
        "x-request-id",
        "content-type",
        "grpc-encoding",
        ":path",
        "authorization",
        "a",
        "x-a-long-name-of-metadata-bin",
    ];
    let name = (*random.choice(&names).expect("some")).into();
    let value = match random.u8(..3) {
        0 => "application/grpc".into(),
        1 => random.u8(..4).to_string().into(),
        _ => {
            let most = *random.choice(&[4_usize, 40, 300]).expect("some");
            let last = *random.choice(&[0x7e_u8, 0xff]).expect("some");
            (0..random.usize(..most))
                .map(|_| random.u8(b' '..=last))
                .collect()
        }
    };
    (name, value)
}
