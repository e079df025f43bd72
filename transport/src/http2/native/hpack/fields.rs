//! Fields as literals without references to any table: any task may encode them.

use std::fmt;

use bytes::BytesMut;
use http::{HeaderName, HeaderValue};
use trunkline_core::Timeout;

use super::{huffman, int, static_table, table};

/// Texts up to this length are never in Huffman code: there is little to gain.
const PLAIN_OCTETS: usize = 16;

/// What the first allocation has room for.
const FIRST_OCTETS: usize = 64;

/// The fields of trailers, or what a head says beside its form. None, a timeout alone and
/// `grpc-status: 0` alone allocate nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Fields {
    lead: Lead,
    block: Vec<u8>,
    /// As SETTINGS_MAX_HEADER_LIST_SIZE counts, up to what it can say.
    list_size: u32,
}

/// The first field, if it is one that is not in the block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Lead {
    #[default]
    None,
    /// `grpc-status: 0`, which the encoder has in its table.
    Ok,
    /// `grpc-timeout`.
    Timeout(Text),
}

const TIMEOUT: &[u8] = b"grpc-timeout";
/// `grpc-timeout` as a literal with a name of its own.
const TIMEOUT_NAME: &[u8; 14] = b"\x00\x0cgrpc-timeout";
/// The name, a length, and the text.
const TIMEOUT_OCTETS: usize = TIMEOUT_NAME.len() + 1 + TEXT_OCTETS;
/// A number of at most eight digits with its unit.
const TEXT_OCTETS: usize = 9;

/// What a timeout says, and how much of that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Text {
    octets: [u8; TEXT_OCTETS],
    length: u8,
}

impl Lead {
    fn new(name: &[u8], value: &[u8]) -> Self {
        match name {
            b"grpc-status" if value == b"0" => Self::Ok,
            b"grpc-timeout" => Self::timeout(value).unwrap_or_default(),
            _ => Self::None,
        }
    }

    fn timeout(value: &[u8]) -> Option<Self> {
        let mut octets = [0; TEXT_OCTETS];
        let length = u8::try_from(value.len()).ok()?;
        octets.get_mut(..value.len())?.copy_from_slice(value);
        Some(Self::Timeout(Text { octets, length }))
    }
}

impl Text {
    /// Appends the field as a literal.
    #[inline]
    pub(super) fn write(self, out: &mut BytesMut) {
        let mut field = [0; TIMEOUT_OCTETS];
        let (name, rest) = field.split_at_mut(TIMEOUT_NAME.len());
        name.copy_from_slice(TIMEOUT_NAME);
        if let Some((length, text)) = rest.split_first_mut() {
            *length = self.length;
            text.copy_from_slice(&self.octets);
        }
        let length = TIMEOUT_NAME.len() + 1 + usize::from(self.length);
        out.extend_from_slice(field.get(..length).unwrap_or_default());
    }
}

impl Fields {
    #[cfg(test)]
    pub(in super::super) fn is_empty(&self) -> bool {
        self.lead == Lead::None && self.block.is_empty()
    }

    /// What they are counted for against a SETTINGS_MAX_HEADER_LIST_SIZE: names, values and 32
    /// octets per field (RFC 9113 §10.5.1).
    pub(in super::super) fn list_size(&self) -> usize {
        usize::try_from(self.list_size).unwrap_or(usize::MAX)
    }

    fn add(&mut self, name: &[u8], value: &[u8]) {
        let size = u32::try_from(field_size(name, value)).unwrap_or(u32::MAX);
        self.list_size = self.list_size.saturating_add(size);
    }

    pub(super) fn lead(&self) -> &Lead {
        &self.lead
    }

    /// All fields but the lead.
    pub(super) fn block(&self) -> &[u8] {
        &self.block
    }
}

/// Without the values: secrets are among them.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields")
            .field("octets", &self.block.len())
            .field("list_size", &self.list_size)
            .finish_non_exhaustive()
    }
}

/// Encodes fields. Secrets are marked as never to be indexed: `authorization`, `cookie`,
/// `proxy-authorization`, and what its value says is sensitive (RFC 7541 §7.1.3).
///
/// Values are sent as they are: in Huffman code they would take a quarter less room, for some twenty
/// instructions per octet here and half as many at the peer, with every call.
#[derive(Debug, Default)]
pub(in super::super) struct FieldsWriter(Fields);

impl FieldsWriter {
    pub(in super::super) fn new() -> Self {
        Self::default()
    }

    /// What a call has before its metadata, without an allocation.
    pub(in super::super) fn timeout(&mut self, timeout: Timeout) {
        let Self(fields) = self;
        let text = timeout.to_text();
        match Lead::timeout(text.as_bytes()) {
            Some(lead) if fields.list_size == 0 => fields.lead = lead,
            _ => {
                let block = &mut fields.block;
                literal(TIMEOUT, text.as_bytes(), PLAIN, Coding::Plain, block);
            }
        }
        fields.add(TIMEOUT, text.as_bytes());
    }

    pub(in super::super) fn push(&mut self, name: &HeaderName, value: &HeaderValue) {
        let Self(fields) = self;
        let (name, text) = (name.as_str().as_bytes(), value.as_bytes());
        if fields.list_size == 0 && !value.is_sensitive() {
            fields.lead = Lead::new(name, text);
        }
        let is_lead = fields.list_size == 0 && fields.lead != Lead::None;
        fields.add(name, text);
        if is_lead {
            return;
        }
        let secret = value.is_sensitive() || is_secret(name);
        let flags = if secret { NEVER_INDEX } else { PLAIN };
        let block = &mut fields.block;
        if block.capacity() == 0 {
            block.reserve(FIRST_OCTETS.max(field_size(name, text)));
        }
        literal(name, text, flags, Coding::Plain, block);
    }

    /// For what writes fields into a function.
    pub(in super::super) fn sink(&mut self) -> impl FnMut(HeaderName, HeaderValue) {
        |name, value| self.push(&name, &value)
    }

    pub(in super::super) fn finish(self) -> Fields {
        self.0
    }
}

/// What a field counts in a list (RFC 9113 §10.5.1), and in a table.
pub(super) fn field_size(name: &[u8], value: &[u8]) -> usize {
    name.len() + value.len() + table::ENTRY_OCTETS
}

pub(super) fn is_secret(name: &[u8]) -> bool {
    matches!(name, b"authorization" | b"cookie" | b"proxy-authorization")
}

/// Literal without indexing (RFC 7541 §6.2.2).
pub(super) const PLAIN: u8 = 0x00;
/// Literal never indexed (RFC 7541 §6.2.3).
pub(super) const NEVER_INDEX: u8 = 0x10;

/// How a value's octets are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Plain,
    /// In Huffman code, if that is shorter.
    Shortest,
}

/// Writes a literal that stays out of the table.
pub(super) fn literal(name: &[u8], value: &[u8], flags: u8, coding: Coding, out: &mut Vec<u8>) {
    match static_table::name_index(name) {
        Some(index) => int::encode(usize::from(index), 0x0f, flags, out),
        None => {
            out.push(flags);
            plain(name, out);
        }
    }
    string(value, coding, out);
}

/// Writes a literal that the peer inserts into its table (RFC 7541 §6.2.1).
pub(super) fn inserted(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    match static_table::name_index(name) {
        Some(index) => int::encode(usize::from(index), 0x3f, 0x40, out),
        None => {
            out.push(0x40);
            string(name, Coding::Shortest, out);
        }
    }
    string(value, Coding::Shortest, out);
}

/// Writes a string (RFC 7541 §5.2).
fn string(text: &[u8], coding: Coding, out: &mut Vec<u8>) {
    if coding == Coding::Shortest && text.len() > PLAIN_OCTETS {
        let length = huffman::encoded_len(text);
        if length < text.len() {
            int::encode(length, 0x7f, 0x80, out);
            return huffman::encode(text, out);
        }
    }
    plain(text, out);
}

fn plain(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 5);
    int::encode(text.len(), 0x7f, 0, out);
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests;
