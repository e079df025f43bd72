//! Header blocks to fields (RFC 7541 §3.2, §6).

use super::static_table::ENTRIES;
use super::table::{Name, Table};
use super::{HpackError, huffman, int};

/// How many entries the static table has.
const STATIC_ENTRIES: u64 = ENTRIES.len() as u64;

const CUT: HpackError = HpackError("HPACK: block ends inside a field");
const INDEX: HpackError = HpackError("HPACK: index beyond the tables");
const LATE_UPDATE: HpackError = HpackError("HPACK: table size update behind a field");
const MANY_UPDATES: HpackError = HpackError("HPACK: more than two table size updates");
const LARGE_UPDATE: HpackError = HpackError("HPACK: table size update above our limit");
const MISSING_UPDATE: HpackError = HpackError("HPACK: no table size update after our limit fell");

/// Takes the fields of a block, in order.
///
/// It cannot fail: a block that is no good as a head still has to reach the table whole.
pub(in super::super) trait Sink {
    fn field(&mut self, name: &[u8], value: &[u8], never_index: bool);

    /// The same for a field that lies in a table. On this connection `number` never means another
    /// one, so what is known of it may be kept.
    fn indexed(&mut self, number: u64, name: &[u8], value: &[u8]) {
        let _ = number;
        self.field(name, value, false);
    }
}

impl<F: FnMut(&[u8], &[u8], bool)> Sink for F {
    fn field(&mut self, name: &[u8], value: &[u8], never_index: bool) {
        self(name, value, never_index);
    }
}

/// The reading half of a connection: all its header blocks go through it, in order.
#[derive(Debug)]
pub(in super::super) struct Decoder {
    table: Table,
    /// What the peer may set the table's size to.
    limit: usize,
    /// We lowered the limit under the table's size; the next block has to begin with an update that
    /// is not above this.
    required: Option<usize>,
    version: u64,
    /// How many entries were given to the dynamic table. Its newest has this number.
    inserted: u64,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Decoder {
    /// `limit` is the SETTINGS_HEADER_TABLE_SIZE that the peer knows of: 4,096 if we say nothing.
    pub(in super::super) fn new(limit: u32) -> Self {
        let limit = size(limit);
        Self {
            table: Table::new(limit),
            limit,
            required: None,
            version: 0,
            // Lower numbers are those of the static table.
            inserted: STATIC_ENTRIES,
            name: Vec::new(),
            value: Vec::new(),
        }
    }

    /// How often the table has changed. A block means the same for as long as this does not move.
    pub(in super::super) fn version(&self) -> u64 {
        self.version
    }

    /// The peer has acknowledged another SETTINGS_HEADER_TABLE_SIZE.
    #[allow(
        dead_code,
        reason = "for fuzz targets, which include this file without cfg(test)"
    )]
    pub(in super::super) fn set_limit(&mut self, bytes: u32) {
        self.limit = size(bytes);
        if self.limit < self.required.unwrap_or_else(|| self.table.max()) {
            self.required = Some(self.limit);
        }
    }

    /// Octets of memory that it holds.
    #[allow(
        dead_code,
        reason = "for fuzz targets, which include this file without cfg(test)"
    )]
    pub(in super::super) fn memory(&self) -> usize {
        self.table.memory() + self.name.capacity() + self.value.capacity()
    }

    /// Gives back what only decoding needs.
    pub(in super::super) fn shrink(&mut self) {
        self.name = Vec::new();
        self.value = Vec::new();
    }

    /// Gives a block's fields to `sink`. After an error the connection has to end: the tables of the
    /// two sides differ.
    pub(in super::super) fn decode(
        &mut self,
        block: &[u8],
        sink: &mut impl Sink,
    ) -> Result<(), HpackError> {
        let mut rest = block;
        if self.required.is_some() || matches!(rest, [0x20..=0x3f, ..]) {
            self.size_updates(&mut rest)?;
        }
        self.decode_on(rest, sink)
    }

    /// Whether the next block has to begin with an update of the table's size.
    pub(in super::super) const fn owes_update(&self) -> bool {
        self.required.is_some()
    }

    /// Goes on behind the first fields of a block. Nothing but fields follows.
    pub(in super::super) fn decode_on(
        &mut self,
        fields: &[u8],
        sink: &mut impl Sink,
    ) -> Result<(), HpackError> {
        let mut rest = fields;
        while let [first, after @ ..] = rest {
            rest = after;
            match *first {
                0x80.. => {
                    let index = int::decode(*first, 0x7f, &mut rest)?;
                    let (number, (name, value)) = match place(index) {
                        Place::Static(entry) => (u64::from(index), *entry),
                        Place::Dynamic(entry) => {
                            let field = self.table.get(entry).ok_or(INDEX)?;
                            let age = u64::try_from(entry).unwrap_or(u64::MAX);
                            (self.inserted.saturating_sub(age), field)
                        }
                    };
                    sink.indexed(number, name, value);
                }
                0x40..=0x7f => {
                    let index = int::decode(*first, 0x3f, &mut rest)?;
                    self.literal(index, &mut rest, Literal::Insert, sink)?;
                }
                0x20..=0x3f => return Err(LATE_UPDATE),
                0x10..=0x1f => {
                    let index = int::decode(*first, 0x0f, &mut rest)?;
                    self.literal(index, &mut rest, Literal::NeverIndex, sink)?;
                }
                0x00..=0x0f => {
                    let index = int::decode(*first, 0x0f, &mut rest)?;
                    self.literal(index, &mut rest, Literal::Plain, sink)?;
                }
            }
        }
        Ok(())
    }

    fn size_updates(&mut self, rest: &mut &[u8]) -> Result<(), HpackError> {
        let mut updates = 0;
        while let [first @ 0x20..=0x3f, after @ ..] = *rest {
            *rest = after;
            updates += 1;
            if updates > 2 {
                return Err(MANY_UPDATES);
            }
            let max = size(int::decode(*first, 0x1f, rest)?);
            if max > self.limit {
                return Err(LARGE_UPDATE);
            }
            if self.required.take().is_some_and(|least| max > least) {
                return Err(MISSING_UPDATE);
            }
            if max != self.table.max() {
                self.table.resize(max);
                self.version += 1;
            }
        }
        match self.required {
            Some(_) => Err(MISSING_UPDATE),
            None => Ok(()),
        }
    }

    fn literal(
        &mut self,
        index: u32,
        rest: &mut &[u8],
        literal: Literal,
        sink: &mut impl Sink,
    ) -> Result<(), HpackError> {
        let Self {
            table,
            version,
            inserted,
            name: name_buffer,
            value: value_buffer,
            ..
        } = self;
        let name = match index {
            0 => Name::Text(string(rest, name_buffer)?),
            index => match place(index) {
                Place::Static(entry) => Name::Text(entry.0),
                Place::Dynamic(entry) => Name::Entry(entry),
            },
        };
        let value = string(rest, value_buffer)?;
        let text = table.name(name).ok_or(INDEX)?;
        sink.field(text, value, literal == Literal::NeverIndex);
        if literal == Literal::Insert {
            table.insert(name, value);
            *version += 1;
            *inserted += 1;
        }
        Ok(())
    }
}

/// How many octets the first field takes; `None` where there is no whole one.
pub(in super::super) fn field_len(block: &[u8]) -> Option<usize> {
    let [first, rest @ ..] = block else {
        return None;
    };
    let mut rest = rest;
    let prefix = match *first {
        0x80.. => 0x7f,
        0x40..=0x7f => 0x3f,
        0x20..=0x3f => return None,
        0x00..=0x1f => 0x0f,
    };
    let index = int::decode(*first, prefix, &mut rest).ok()?;
    let strings = match (first, index) {
        (0x80.., _) => 0,
        (_, 0) => 2,
        (_, _) => 1,
    };
    for _ in 0..strings {
        let [first, after @ ..] = rest else {
            return None;
        };
        rest = after;
        let length = size(int::decode(*first, 0x7f, &mut rest).ok()?);
        rest = rest.get(length..)?;
    }
    block.len().checked_sub(rest.len())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Literal {
    Insert,
    Plain,
    NeverIndex,
}

enum Place {
    Static(&'static (&'static [u8], &'static [u8])),
    Dynamic(usize),
}

/// Where an index points to (RFC 7541 §2.3.3). Index 0 is beyond any table.
#[inline]
fn place(index: u32) -> Place {
    let index = size(index).wrapping_sub(1);
    match ENTRIES.get(index) {
        Some(entry) => Place::Static(entry),
        None => Place::Dynamic(index.wrapping_sub(ENTRIES.len())),
    }
}

/// Reads a string (RFC 7541 §5.2); one in Huffman code goes into `buffer`.
#[inline]
fn string<'b: 't, 't>(
    rest: &mut &'b [u8],
    buffer: &'t mut Vec<u8>,
) -> Result<&'t [u8], HpackError> {
    let [first, after @ ..] = *rest else {
        return Err(CUT);
    };
    *rest = after;
    let length = size(int::decode(*first, 0x7f, rest)?);
    let (text, after) = rest.split_at_checked(length).ok_or(CUT)?;
    *rest = after;
    if first & 0x80 == 0 {
        return Ok(text);
    }
    huffman::decode(text, buffer)?;
    Ok(buffer)
}

fn size(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
