//! The header blocks that a peer has said, read by the book.

use std::collections::BTreeMap;

use super::said::Said;
use crate::http2::native::blocks::ByTheBook;
use crate::wire::{CONTINUATION, END_HEADERS, HEADERS};

/// One block, whole.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) stream: u32,
    /// Name and value; `None`: it is no HPACK.
    pub(super) fields: Option<Vec<(Vec<u8>, Vec<u8>)>>,
    /// It would be, were it free when the table's size is updated.
    pub(super) is_lax: bool,
    /// Some of it is still to come: these are the fields that it begins with, also where it is lax.
    pub(super) is_open: bool,
    /// Its stream had a head before: these are trailers, or an interim head came before.
    pub(super) is_further: bool,
    /// It is the last of its stream's.
    pub(super) is_last: bool,
}

impl Block {
    /// It has a pseudo-header field, or a length that is no number.
    pub(super) fn is_no_trailers(&self) -> bool {
        let mut fields = self.fields.iter().flatten();
        fields.any(|(name, value)| {
            let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            name.starts_with(b":") || (name == b"content-length" && !is_number)
        })
    }

    pub(super) fn value(&self, of: &str) -> Option<&[u8]> {
        let mut fields = self.fields.iter().flatten();
        let found = fields.find(|(name, _)| name == of.as_bytes());
        found.map(|(_, value)| value.as_slice())
    }
}

/// All blocks, up to the first that is no HPACK; the last one may be open.
pub(super) fn blocks<'a>(frames: impl Iterator<Item = &'a Said>) -> Vec<Block> {
    let (mut strict, mut lax) = (ByTheBook::new(false), ByTheBook::new(true));
    let mut blocks = Vec::new();
    let mut heads = BTreeMap::new();
    let mut open: Option<(&Said, Vec<u8>)> = None;
    for said in frames {
        match said.kind {
            HEADERS if open.is_none() => open = Some((said, Vec::new())),
            CONTINUATION
                if open
                    .as_ref()
                    .is_some_and(|(first, _)| first.stream == said.stream) => {}
            _ if open.is_none() => continue,
            _ => break,
        }
        let (Some(part), Some((_, octets))) = (said.fragment(), &mut open) else {
            break;
        };
        octets.extend_from_slice(part);
        if said.flags & END_HEADERS == 0 {
            continue;
        }
        let Some((first, octets)) = open.take() else {
            break;
        };
        let (fields, lax) = (strict.read(&octets), lax.read(&octets));
        let is_over = fields.is_none();
        let further = heads.entry(first.stream).or_insert(0);
        blocks.push(Block {
            stream: first.stream,
            fields,
            is_lax: lax.is_some(),
            is_open: false,
            is_further: *further > 0,
            is_last: first.ends_stream(),
        });
        *further += 1;
        if is_over {
            return blocks;
        }
    }
    if let Some((first, octets)) = open {
        let begun = strict.begun(&octets);
        let is_lax = begun.is_none();
        blocks.push(Block {
            stream: first.stream,
            fields: begun.or_else(|| lax.begun(&octets)),
            is_lax,
            is_open: true,
            is_further: heads.contains_key(&first.stream),
            is_last: first.ends_stream(),
        });
    }
    blocks
}
