//! Parts of heads that are the same for many calls, as blocks that are ready to be copied.

use bytes::BytesMut;

use super::fields::{self, Coding, NEVER_INDEX, PLAIN};
use super::peer_table::PeerTable;
use super::{int, static_table};

/// The block of some fields, for as long as the peer's table stays as it is.
#[derive(Debug, Default)]
pub(super) struct Template {
    block: Vec<u8>,
    /// The table's version that the block is for; `None`: there is no block.
    version: Option<u64>,
}

/// What gives a template's fields, when its block has to be made anew.
pub(super) trait Source {
    /// Names, values, and whether they are secret.
    fn fields(&self, out: &mut impl FnMut(&[u8], &[u8], bool));
}

impl Template {
    #[inline]
    pub(super) fn write(
        &mut self,
        source: &impl Source,
        table: &mut PeerTable,
        out: &mut BytesMut,
    ) {
        if self.version != Some(table.version()) {
            self.renew(source, table);
        }
        out.extend_from_slice(&self.block);
    }

    /// Makes the block. If fields had to be inserted for it, the next one will be another.
    fn renew(&mut self, source: &impl Source, table: &mut PeerTable) {
        let version = table.version();
        let block = &mut self.block;
        block.clear();
        source.fields(&mut |name, value, secret| write(name, value, secret, table, block));
        self.version = (table.version() == version).then_some(version);
    }
}

/// What a template is kept for.
pub(super) trait Form: Source + Clone {
    /// How many are kept.
    const KEPT: usize;

    /// Whether the fields are the same.
    fn is_same(&self, other: &Self) -> bool;
}

/// Templates by their forms. There are few: they are looked through, first the last that was used.
#[derive(Debug)]
pub(super) struct Forms<F> {
    all: Vec<(F, Template)>,
    last: usize,
    /// The next that is given up, if there are too many.
    oldest: usize,
}

impl<F> Default for Forms<F> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            last: 0,
            oldest: 0,
        }
    }
}

impl<F: Form> Forms<F> {
    #[inline]
    pub(super) fn write(&mut self, form: &F, table: &mut PeerTable, out: &mut BytesMut) {
        let is_last = |(last, _): &(F, Template)| last.is_same(form);
        if !self.all.get(self.last).is_some_and(is_last) {
            self.last = self.place(form);
        }
        if let Some((form, template)) = self.all.get_mut(self.last) {
            template.write(form, table, out);
        }
    }

    fn place(&mut self, form: &F) -> usize {
        if let Some(place) = self.all.iter().position(|(other, _)| other.is_same(form)) {
            return place;
        }
        let new = (form.clone(), Template::default());
        if self.all.len() < F::KEPT {
            self.all.push(new);
            return self.all.len() - 1;
        }
        let place = self.oldest;
        self.oldest = (place + 1) % F::KEPT;
        if let Some(old) = self.all.get_mut(place) {
            *old = new;
        }
        place
    }
}

fn write(name: &[u8], value: &[u8], secret: bool, table: &mut PeerTable, out: &mut Vec<u8>) {
    if secret {
        return fields::literal(name, value, NEVER_INDEX, Coding::Shortest, out);
    }
    if let Some(index) = static_table::field_index(name, value) {
        return int::encode(usize::from(index), 0x7f, INDEXED, out);
    }
    if let Some(index) = table.find(name, value) {
        return int::encode(index, 0x7f, INDEXED, out);
    }
    if !table.takes(name, value) {
        return fields::literal(name, value, PLAIN, Coding::Shortest, out);
    }
    fields::inserted(name, value, out);
    table.insert(name, value);
}

/// Indexed field (RFC 7541 §6.1).
const INDEXED: u8 = 0x80;
