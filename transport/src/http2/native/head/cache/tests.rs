use super::super::super::hpack::{Encoder, FieldsWriter};
use super::super::{FieldList, Head, Outcome, Request, RequestForm};
use super::*;

use bytes::BytesMut;
use http::uri::Authority;
use http::{HeaderName, HeaderValue};
use trunkline_core::CompressorRegistry;
use trunkline_core::protocol::read_request;

const LIMIT: u32 = 700;

/// One block after the other, read with what was remembered and without.
struct Twins {
    decoder: Decoder,
    builder: HeadBuilder,
    other: Decoder,
}

impl Twins {
    fn new() -> Self {
        Self {
            decoder: Decoder::new(4096),
            builder: HeadBuilder::new(LIMIT),
            other: Decoder::new(4096),
        }
    }

    /// What a block is, which is the same for both.
    fn read(&mut self, block: &[u8], kind: Kind) -> Option<Outcome> {
        let mut fresh = HeadBuilder::new(LIMIT);
        fresh.begin(kind);
        let expected = self.other.decode(block, &mut fresh);
        let read = self.builder.read(&mut self.decoder, block, kind);
        assert_eq!(read, expected, "{block:?}");
        read.ok()?;
        assert_eq!(self.decoder.version(), self.other.version());
        let outcome = self.builder.finish();
        assert_eq!(outcome, fresh.finish(), "{block:?}");
        Some(outcome)
    }

    fn request(&mut self, block: &[u8]) -> Request {
        match self.read(block, Kind::Request) {
            Some(Outcome::Head(Head::Request(request))) => request,
            other => panic!("{other:?}"),
        }
    }
}

fn form(path: &'static str) -> RequestForm {
    RequestForm {
        https: false,
        authority: Authority::from_static("localhost:1"),
        path,
        subtype: "proto",
        encoding: None,
        accept_encoding: None,
        user_agent: HeaderValue::from_static("test/1"),
    }
}

fn call(encoder: &mut Encoder, path: &'static str, timeout: u32) -> BytesMut {
    let mut extra = FieldsWriter::new();
    let timeout = HeaderValue::try_from(format!("{timeout}u")).unwrap();
    extra.push(&HeaderName::from_static("grpc-timeout"), &timeout);
    let mut block = BytesMut::new();
    encoder.request(&form(path), &extra.finish(), &mut block);
    block
}

#[test]
fn calls_of_one_method_share_all_but_their_timeouts() {
    let (mut encoder, mut twins) = (Encoder::new(), Twins::new());
    let paths = ["/a.B/C", "/a.B/D", "/a.B/E"];
    let mut shared: Vec<Vec<Arc<Shared>>> = vec![Vec::new(); paths.len()];
    for round in 0..20 {
        for (path, shared) in paths.iter().zip(&mut shared) {
            let block = call(&mut encoder, path, 1_000 + round);
            let request = twins.request(&block);
            assert_eq!(request.path(), *path);
            let known = CompressorRegistry::empty();
            for known in [&known, &CompressorRegistry::empty(), &known] {
                let lent = request.fields.clone().into_iter();
                let expected = read_request(request.method(), lent, known).unwrap();
                let read = request.clone().read(known).unwrap();
                assert_eq!(format!("{read:?}"), format!("{expected:?}"));
            }
            let timeout = request.fields.iter().last().unwrap().1.clone();
            assert_eq!(timeout, format!("{}u", 1_000 + round));
            if let Some(first) = first(&request.fields) {
                assert_eq!(request.fields.len(), first.fields.len() + 1);
                shared.push(first);
            }
        }
    }
    for shared in shared {
        assert!(shared.len() >= 15, "only {} of 20", shared.len());
        let first = shared.first().unwrap();
        assert!(shared.iter().all(|other| Arc::ptr_eq(first, other)));
    }
}

fn first(fields: &FieldList) -> Option<Arc<Shared>> {
    fields.shared_part().cloned()
}

#[test]
fn nothing_is_shared_across_a_change_of_the_table() {
    let mut twins = Twins::new();
    // te: trailers, and a name that it refers to in the dynamic table.
    let insert = |value: u8| [0x40, 1, b'a', 1, value];
    for value in *b"xyz" {
        assert!(twins.read(&insert(value), Kind::Trailers).is_some());
        for _ in 0..4 {
            let Some(Outcome::Trailers(fields)) = twins.read(&[0xbe], Kind::Trailers) else {
                panic!("no trailers");
            };
            assert_eq!(fields.iter().next().unwrap().1.as_bytes(), [value]);
        }
    }
}

#[test]
fn an_update_that_is_owed_is_missed_in_known_blocks_too() {
    let mut twins = Twins::new();
    let block = [0x88, 0x5f, 1, b'x'];
    for _ in 0..4 {
        assert!(twins.read(&block, Kind::Response).is_some());
    }
    for decoder in [&mut twins.decoder, &mut twins.other] {
        decoder.set_limit(100);
    }
    assert!(twins.read(&block, Kind::Response).is_none());
}

#[test]
fn an_update_amid_a_block_is_an_error_behind_a_known_beginning_too() {
    let mut twins = Twins::new();
    let block = [0x88, 0x5f, 1, b'x'];
    for _ in 0..4 {
        assert!(twins.read(&block, Kind::Response).is_some());
    }
    let late = [&block[..], &[0x20]].concat();
    assert!(twins.read(&late, Kind::Response).is_none());
}

/// A field of some form, which may be no good.
fn field(random: &mut fastrand::Rng, has_entries: bool, block: &mut Vec<u8>) {
    let names: &[&str] = &[
        "te",
        "x",
        "content-length",
        "host",
        "grpc-timeout",
        ":path",
        "X",
    ];
    let values: &[&str] = &[
        "trailers",
        "1",
        "a:1",
        " b",
        "",
        "0123456789abcdef",
        "/a.B/C",
    ];
    let name = names[random.usize(..names.len())].as_bytes();
    let value = values[random.usize(..values.len())].as_bytes();
    match random.u8(..10) {
        0 if random.u8(..) < 20 => block.push(random.u8(..)),
        1 if has_entries => block.push(0x80 | 62),
        2 => block.push(0x80 | [8, 19, 31, 33][random.usize(..4)]),
        form => {
            block.push(if random.u8(..) < 20 {
                0x40
            } else {
                0x10 * (form % 2)
            });
            block.push(u8::try_from(name.len()).unwrap());
            block.extend(name);
            block.push(u8::try_from(value.len()).unwrap());
            block.extend(value);
        }
    }
}

/// `:method`, `:scheme`, `:path` and `:authority` out of tables or as literals.
fn target(random: &mut fastrand::Rng, block: &mut Vec<u8>) {
    block.extend([0x83, 0x86 | random.u8(..2)]);
    block.extend([
        if random.u8(..) > 20 { 0x04 } else { 0x44 },
        2,
        b'/',
        random.u8(b'a'..b'd'),
    ]);
    if random.bool() {
        block.extend([0x01, 3, b'a', b':', random.u8(b'1'..b'3')]);
    }
    block.extend([0x0f, 0x10, 16]);
    block.extend(b"application/grpc");
}

#[test]
fn shared_heads_are_equal_to_fresh_ones() {
    let mut random = fastrand::Rng::with_seed(12);
    let (mut read, mut shared) = (0, 0);
    for _ in 0..150 {
        let mut twins = Twins::new();
        let mut blocks: Vec<(Vec<u8>, Kind)> = Vec::new();
        for _ in 0..60 {
            let (mut block, kind) = match blocks.len() < 3 || random.u8(..) < 10 {
                true => {
                    let kind = [Kind::Request, Kind::Response, Kind::Trailers];
                    let kind = kind[random.usize(..3)];
                    let mut block = Vec::new();
                    match kind {
                        Kind::Request => target(&mut random, &mut block),
                        Kind::Response => block.push(0x88),
                        Kind::Trailers => {}
                    }
                    if twins.decoder.version() > 0 && random.bool() {
                        block.push(0x80 | 62);
                    }
                    (block, kind)
                }
                false => blocks[random.usize(..blocks.len())].clone(),
            };
            let has_entries = twins.decoder.version() > 0;
            match random.u8(..20) {
                0..=9 => {}
                10..=17 => field(&mut random, has_entries, &mut block),
                18 if random.u8(..) < 80 => block.truncate(random.usize(..=block.len())),
                18 => block.insert(0, 0x20 | random.u8(..31)),
                _ => (0..20).for_each(|_| field(&mut random, has_entries, &mut block)),
            }
            let Some(outcome) = twins.read(&block, kind) else {
                break;
            };
            read += 1;
            let fields = match &outcome {
                Outcome::Head(Head::Request(request)) => Some(&request.fields),
                Outcome::Head(Head::Response(response)) => Some(&response.fields),
                Outcome::Trailers(fields) | Outcome::CutTrailers(fields) => Some(fields),
                _ => None,
            };
            shared += usize::from(fields.and_then(first).is_some());
            if blocks.len() < 3 || random.u8(..) < 20 {
                blocks.push((block, kind));
            }
            if random.u8(..) < 3 {
                twins.builder.shrink();
            }
        }
    }
    assert!(read > 3_000 && shared > 250, "{shared} of {read}");
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut twins = Twins::new();
    let mut random = fastrand::Rng::with_seed(13);
    for round in 0..500_u32 {
        let mut block = vec![0x88, 0x00, 1, b'a', 4];
        block.extend(random.u32(100..200).to_string().bytes());
        block.push(b'0');
        block.extend(b"\x00\x01b\x7f\xd1\x0e".iter().chain(&[b'x'; 2_000]));
        if round % 3 == 0 {
            block.truncate(9);
        }
        assert!(twins.read(&block, Kind::Response).is_some());
        let known = &twins.builder.beginnings;
        assert!(known.known.len() <= BEGINNINGS);
        let octets = |known: &Beginning| known.octets.len();
        assert!(
            known
                .known
                .iter()
                .map(octets)
                .all(|octets| octets <= MOST_OCTETS)
        );
        assert!(known.last.len() <= BEGINNINGS);
        let octets = |last: &Last| last.octets.capacity();
        assert!(
            known
                .last
                .iter()
                .map(octets)
                .all(|octets| octets <= 2 * MOST_OCTETS)
        );
    }
    twins.builder.shrink();
    let known = &twins.builder.beginnings;
    assert!(known.known.capacity() == 0 && known.last.capacity() == 0);
}
