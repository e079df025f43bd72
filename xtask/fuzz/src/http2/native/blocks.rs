//! Any header blocks through the HPACK decoder, and what came out of it through the encoder.
//!
//! Input: a byte for the table's limit; then, again and again, a byte that says whether a block follows
//! or what the limit becomes.

mod model;

use bytes::BytesMut;
use http::{HeaderName, HeaderValue};

use self::model::{Model, Rest};
use super::hpack::{Decoder, Encoder, Fields, FieldsWriter, HpackError};
use crate::Source;

/// Name, value, and whether it is never to be indexed.
type Field = (Vec<u8>, Vec<u8>, bool);

const LIMITS: &[u16] = &[4_096, 256, 100, 0, 65_535];

pub(crate) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let limit = source.pick(LIMITS);
    let mut decoder = Decoder::new(u32::from(limit));
    let mut model = Model::new(usize::from(limit), static_table());
    let mut echo = Echo::default();
    while !source.is_empty() {
        let what = source.byte();
        if what >= 192 {
            let limit = u16::from(what - 192) * 70;
            decoder.set_limit(u32::from(limit));
            model.set_limit(usize::from(limit));
            continue;
        }
        let block = source.short();
        let version = decoder.version();
        let (table, found) = (model.table.clone(), decode(&mut decoder, block));
        let expected = model.decode(block);
        assert_eq!(found.as_ref().ok(), expected.as_ref(), "{block:x?}");
        // What may be made of 255 octets, twice.
        assert!(
            decoder.memory() <= 2 * 65_536 * 2 + 4_096 + 2 * 512,
            "memory is bounded"
        );
        let Ok(found) = found else { return };
        assert!(
            version != decoder.version() || table == model.table,
            "the table has changed"
        );
        echo.check(&found);
        decoder.shrink();
    }
    probe(&mut decoder, &model);
}

fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<Field>, HpackError> {
    let mut fields = Vec::new();
    let mut sink = |name: &[u8], value: &[u8], never_index: bool| {
        fields.push((name.to_vec(), value.to_vec(), never_index));
    };
    decoder.decode(block, &mut sink)?;
    Ok(fields)
}

/// What blocks mean by the book, whatever an engine makes of them.
pub(crate) struct ByTheBook(Model);

impl ByTheBook {
    /// With the table that a connection begins with. `is_lax`: the rules about when the table's size is updated are
    /// left out.
    pub(crate) fn new(is_lax: bool) -> Self {
        let mut model = Model::new(4_096, static_table());
        model.is_lax = is_lax;
        Self(model)
    }

    /// The fields that a block begins with which is not whole; `None` if it cannot end well.
    pub(crate) fn begun(&self, block: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let (mut fields, mut rest) = (Vec::new(), Rest::of(block));
        let decoded = self.0.clone().decode_into(&mut rest, &mut fields);
        let pairs = fields.into_iter().map(|(name, value, _)| (name, value));
        (decoded.is_some() || rest.is_short).then(|| pairs.collect())
    }

    /// The fields; `None` is a connection error.
    pub(crate) fn read(&mut self, block: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let fields = self.0.decode(block)?;
        let pairs = fields.into_iter().map(|(name, value, _)| (name, value));
        Some(pairs.collect())
    }
}

fn static_table() -> Vec<(Vec<u8>, Vec<u8>)> {
    let block: Vec<u8> = (1..=61).map(|index| 0x80 | index).collect();
    let fields = decode(&mut Decoder::new(0), &block).expect("the static table");
    let pairs = fields.into_iter().map(|(name, value, _)| (name, value));
    pairs.collect()
}

/// Every entry of the table is where the model has it, and no other.
fn probe(decoder: &mut Decoder, model: &Model) {
    // A limit that fell would want to be answered first.
    let Ok(fields) = decode(decoder, &[]) else {
        return;
    };
    assert_eq!(fields, []);
    let indexed = |place: usize| match u8::try_from(62 + place) {
        Ok(index) if index < 127 => vec![0x80 | index],
        _ => {
            let rest = 62 + place - 127;
            let low = u8::try_from(rest % 128).unwrap_or_default();
            vec![
                0xff,
                low | 0x80,
                u8::try_from(rest / 128).unwrap_or_default(),
            ]
        }
    };
    for (place, (name, value)) in model.table.iter().enumerate() {
        let found = decode(decoder, &indexed(place));
        assert_eq!(found, Ok(vec![(name.clone(), value.clone(), false)]));
    }
    assert!(decode(decoder, &indexed(model.table.len())).is_err());
}

/// An encoder and the decoder at its other end.
struct Echo {
    encoder: Encoder,
    decoder: Decoder,
}

impl Default for Echo {
    fn default() -> Self {
        Self {
            encoder: Encoder::new(),
            decoder: Decoder::new(4_096),
        }
    }
}

impl Echo {
    /// Fields that HTTP can have come back as they were.
    fn check(&mut self, fields: &[Field]) {
        let (written, sent) = write(fields);
        let size: usize = sent
            .iter()
            .map(|(name, value, _)| name.len() + value.len() + 32)
            .sum();
        assert_eq!(written.list_size(), size);
        let mut block = BytesMut::new();
        self.encoder.trailers(&written, &mut block);
        let found = decode(&mut self.decoder, &block).expect("our own block");
        for (found, sent) in found.iter().zip(&sent) {
            let is_secret = [&b"authorization"[..], b"cookie", b"proxy-authorization"];
            let never_index = sent.2 || is_secret.contains(&&*sent.0);
            assert_eq!(found, &(sent.0.clone(), sent.1.clone(), never_index));
        }
        assert_eq!(found.len(), sent.len());
    }
}

fn write(fields: &[Field]) -> (Fields, Vec<Field>) {
    let mut writer = FieldsWriter::new();
    let mut sent = Vec::new();
    for (name, value, never_index) in fields {
        let name = HeaderName::from_lowercase(name);
        let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_bytes(value)) else {
            continue;
        };
        value.set_sensitive(*never_index);
        writer.push(&name, &value);
        sent.push((
            name.as_str().into(),
            value.as_bytes().to_vec(),
            *never_index,
        ));
    }
    (writer.finish(), sent)
}
