//! Fields as literals without references to any table: any task may encode them.

use http::{HeaderName, HeaderValue, header};

use super::{huffman, int, static_table, table};

/// Texts up to this length are never in Huffman code: there is little to gain.
const PLAIN_OCTETS: usize = 16;

/// The fields of trailers, or what a head says beside its form. Empty ones, and `grpc-status: 0`
/// alone, allocate nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Fields {
    /// Begins with `grpc-status: 0`, which is not in the block: the encoder has it in its table.
    ok: bool,
    block: Vec<u8>,
    /// As SETTINGS_MAX_HEADER_LIST_SIZE counts.
    list_size: usize,
}

impl Fields {
    pub(in super::super) fn is_empty(&self) -> bool {
        !self.ok && self.block.is_empty()
    }

    /// What they are counted for against a SETTINGS_MAX_HEADER_LIST_SIZE: names, values and 32
    /// octets per field (RFC 9113 §10.5.1).
    pub(in super::super) fn list_size(&self) -> usize {
        self.list_size
    }

    /// Whether they begin with `grpc-status: 0`.
    pub(super) fn is_ok(&self) -> bool {
        self.ok
    }

    /// All fields but that one.
    pub(super) fn block(&self) -> &[u8] {
        &self.block
    }
}

/// Encodes fields. Secrets are marked as never to be indexed: `authorization`, `cookie`,
/// `proxy-authorization`, and what its value says is sensitive (RFC 7541 §7.1.3).
#[derive(Debug, Default)]
pub(in super::super) struct FieldsWriter(Fields);

impl FieldsWriter {
    pub(in super::super) fn new() -> Self {
        Self::default()
    }

    pub(in super::super) fn push(&mut self, name: &HeaderName, value: &HeaderValue) {
        let Self(fields) = self;
        let (name, text) = (name.as_str().as_bytes(), value.as_bytes());
        fields.list_size += field_size(name, text);
        if name == b"grpc-status" && text == b"0" && fields.is_empty() {
            fields.ok = true;
            return;
        }
        let secret = value.is_sensitive() || is_secret(name);
        let flags = if secret { NEVER_INDEX } else { PLAIN };
        literal(name, text, flags, &mut fields.block);
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
    [
        header::AUTHORIZATION.as_str(),
        header::COOKIE.as_str(),
        header::PROXY_AUTHORIZATION.as_str(),
    ]
    .iter()
    .any(|secret| secret.as_bytes() == name)
}

/// Literal without indexing (RFC 7541 §6.2.2).
pub(super) const PLAIN: u8 = 0x00;
/// Literal never indexed (RFC 7541 §6.2.3).
pub(super) const NEVER_INDEX: u8 = 0x10;

/// Writes a literal that stays out of the table.
pub(super) fn literal(name: &[u8], value: &[u8], flags: u8, out: &mut Vec<u8>) {
    write(name, value, 0x0f, flags, out);
}

/// Writes a literal that the peer inserts into its table (RFC 7541 §6.2.1).
pub(super) fn inserted(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    write(name, value, 0x3f, 0x40, out);
}

fn write(name: &[u8], value: &[u8], mask: u8, flags: u8, out: &mut Vec<u8>) {
    match static_table::name_index(name) {
        Some(index) => int::encode(usize::from(index), mask, flags, out),
        None => {
            out.push(flags);
            string(name, out);
        }
    }
    string(value, out);
}

/// Writes a string, in Huffman code if that is shorter (RFC 7541 §5.2).
pub(super) fn string(text: &[u8], out: &mut Vec<u8>) {
    if text.len() > PLAIN_OCTETS {
        let length = huffman::encoded_len(text);
        if length < text.len() {
            int::encode(length, 0x7f, 0x80, out);
            return huffman::encode(text, out);
        }
    }
    int::encode(text.len(), 0x7f, 0, out);
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests;
