//! HPACK as RFC 7541 tells it, as slow as it likes.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Field;

#[derive(Clone, Debug)]
pub(super) struct Model {
    static_table: Vec<(Vec<u8>, Vec<u8>)>,
    /// Newest first.
    pub(super) table: Vec<(Vec<u8>, Vec<u8>)>,
    max: usize,
    limit: usize,
    /// The lowest limit since the last block, if it is below what the table may have.
    due: Option<usize>,
    /// Updates of the table's size are taken however many they are, and wherever.
    pub(super) is_lax: bool,
}

impl Model {
    /// The static table is read from the decoder that this one is a model of; its unit tests compare
    /// that with the RFC.
    pub(super) fn new(limit: usize, static_table: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        Self {
            static_table,
            table: Vec::new(),
            max: limit,
            limit,
            due: None,
            is_lax: false,
        }
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        if limit < self.due.unwrap_or(self.max) {
            self.due = Some(limit);
        }
    }

    /// `None` is a connection error.
    pub(super) fn decode(&mut self, block: &[u8]) -> Option<Vec<Field>> {
        let mut fields = Vec::new();
        self.decode_into(&mut Rest::of(block), &mut fields)?;
        Some(fields)
    }

    /// Where it is `None`, what lies before the fault was read.
    pub(super) fn decode_into(
        &mut self,
        rest: &mut Rest<'_>,
        fields: &mut Vec<Field>,
    ) -> Option<()> {
        let mut updates = 0;
        while let Some(first) = rest.octets.first().copied() {
            let is_update = first >> 5 == 0b001;
            if is_update {
                updates += 1;
                let max = integer(rest, 5)?;
                let is_late = !self.is_lax && (!fields.is_empty() || updates > 2);
                if is_late || max > self.limit || self.due.is_some_and(|due| max > due) {
                    return None;
                }
                self.due = None;
                self.max = max;
                self.evict(0);
                continue;
            }
            if self.due.is_some() {
                return None;
            }
            if first >> 7 == 1 {
                let index = integer(rest, 7)?;
                let (name, value) = self.entry(index)?;
                fields.push((name, value, false));
                continue;
            }
            let (is_inserted, is_never, prefix) = match first >> 4 {
                0b0100..=0b0111 => (true, false, 6),
                0b0001 => (false, true, 4),
                _ => (false, false, 4),
            };
            let name = match integer(rest, prefix)? {
                0 => string(rest)?,
                index => self.entry(index)?.0,
            };
            let value = string(rest)?;
            fields.push((name.clone(), value.clone(), is_never));
            if is_inserted {
                self.evict(name.len() + value.len() + 32);
                if name.len() + value.len() + 32 <= self.max {
                    self.table.insert(0, (name, value));
                }
            }
        }
        self.due.is_none().then_some(())
    }

    pub(super) fn size(&self) -> usize {
        let sizes = self
            .table
            .iter()
            .map(|(name, value)| name.len() + value.len() + 32);
        sizes.sum()
    }

    fn evict(&mut self, room: usize) {
        while self.size() + room > self.max && self.table.pop().is_some() {}
    }

    fn entry(&self, index: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        let place = index.checked_sub(1)?;
        let mut all = self.static_table.iter().chain(&self.table);
        all.nth(place).cloned()
    }
}

/// What of a block is still to be read.
pub(super) struct Rest<'a> {
    octets: &'a [u8],
    /// It ended within a field.
    pub(super) is_short: bool,
}

impl<'a> Rest<'a> {
    pub(super) const fn of(octets: &'a [u8]) -> Self {
        Self {
            octets,
            is_short: false,
        }
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let split = self.octets.split_at_checked(length);
        self.is_short |= split.is_none();
        let (taken, after) = split?;
        self.octets = after;
        Some(taken)
    }
}

fn octet(rest: &mut Rest<'_>) -> Option<u8> {
    rest.take(1)?.first().copied()
}

/// In at most five octets.
fn integer(rest: &mut Rest<'_>, prefix: u32) -> Option<usize> {
    let most = (1_usize << prefix) - 1;
    let mut value = usize::from(octet(rest)?) & most;
    if value < most {
        return Some(value);
    }
    for place in 0..4 {
        let next = usize::from(octet(rest)?);
        value += (next % 128) << (7 * place);
        if next < 128 {
            return Some(value);
        }
    }
    None
}

fn string(rest: &mut Rest<'_>) -> Option<Vec<u8>> {
    let is_huffman = rest.octets.first().is_some_and(|first| first >> 7 == 1);
    let length = integer(rest, 7)?;
    let text = rest.take(length)?;
    if is_huffman {
        huffman(text)
    } else {
        Some(text.to_vec())
    }
}

/// Bit by bit.
fn huffman(text: &[u8]) -> Option<Vec<u8>> {
    let (mut length, mut code) = (0_u8, 0_u32);
    let mut out = Vec::new();
    for octet in text {
        for bit in (0..8).rev() {
            code = (code << 1) | u32::from((octet >> bit) & 1);
            length += 1;
            if let Some(symbol) = SYMBOLS.get(&(length, code)) {
                out.push(u8::try_from(*symbol).ok()?);
                (length, code) = (0, 0);
            }
            if length > 30 {
                return None;
            }
        }
    }
    let is_padding = length < 8 && code == (1 << length) - 1;
    is_padding.then_some(out)
}

static SYMBOLS: LazyLock<HashMap<(u8, u32), usize>> = LazyLock::new(|| {
    let all = APPENDIX_B.iter().enumerate();
    all.map(|(symbol, code)| (*code, symbol)).collect()
});

/// The length in bits and the code of each symbol; the last one is EOS.
#[rustfmt::skip]
const APPENDIX_B: [(u8, u32); 257] = [
    (13, 0x1ff8), (23, 0x7fffd8), (28, 0xfffffe2), (28, 0xfffffe3), (28, 0xfffffe4), (28,
    0xfffffe5), (28, 0xfffffe6), (28, 0xfffffe7), (28, 0xfffffe8), (24, 0xffffea), (30, 0x3ffffffc),
    (28, 0xfffffe9), (28, 0xfffffea), (30, 0x3ffffffd), (28, 0xfffffeb), (28, 0xfffffec), (28,
    0xfffffed), (28, 0xfffffee), (28, 0xfffffef), (28, 0xffffff0), (28, 0xffffff1), (28, 0xffffff2),
    (30, 0x3ffffffe), (28, 0xffffff3), (28, 0xffffff4), (28, 0xffffff5), (28, 0xffffff6), (28,
    0xffffff7), (28, 0xffffff8), (28, 0xffffff9), (28, 0xffffffa), (28, 0xffffffb), (6, 0x14), (10,
    0x3f8), (10, 0x3f9), (12, 0xffa), (13, 0x1ff9), (6, 0x15), (8, 0xf8), (11, 0x7fa), (10, 0x3fa),
    (10, 0x3fb), (8, 0xf9), (11, 0x7fb), (8, 0xfa), (6, 0x16), (6, 0x17), (6, 0x18), (5, 0x0), (5,
    0x1), (5, 0x2), (6, 0x19), (6, 0x1a), (6, 0x1b), (6, 0x1c), (6, 0x1d), (6, 0x1e), (6, 0x1f), (7,
    0x5c), (8, 0xfb), (15, 0x7ffc), (6, 0x20), (12, 0xffb), (10, 0x3fc), (13, 0x1ffa), (6, 0x21),
    (7, 0x5d), (7, 0x5e), (7, 0x5f), (7, 0x60), (7, 0x61), (7, 0x62), (7, 0x63), (7, 0x64), (7,
    0x65), (7, 0x66), (7, 0x67), (7, 0x68), (7, 0x69), (7, 0x6a), (7, 0x6b), (7, 0x6c), (7, 0x6d),
    (7, 0x6e), (7, 0x6f), (7, 0x70), (7, 0x71), (7, 0x72), (8, 0xfc), (7, 0x73), (8, 0xfd), (13,
    0x1ffb), (19, 0x7fff0), (13, 0x1ffc), (14, 0x3ffc), (6, 0x22), (15, 0x7ffd), (5, 0x3), (6,
    0x23), (5, 0x4), (6, 0x24), (5, 0x5), (6, 0x25), (6, 0x26), (6, 0x27), (5, 0x6), (7, 0x74), (7,
    0x75), (6, 0x28), (6, 0x29), (6, 0x2a), (5, 0x7), (6, 0x2b), (7, 0x76), (6, 0x2c), (5, 0x8), (5,
    0x9), (6, 0x2d), (7, 0x77), (7, 0x78), (7, 0x79), (7, 0x7a), (7, 0x7b), (15, 0x7ffe), (11,
    0x7fc), (14, 0x3ffd), (13, 0x1ffd), (28, 0xffffffc), (20, 0xfffe6), (22, 0x3fffd2), (20,
    0xfffe7), (20, 0xfffe8), (22, 0x3fffd3), (22, 0x3fffd4), (22, 0x3fffd5), (23, 0x7fffd9), (22,
    0x3fffd6), (23, 0x7fffda), (23, 0x7fffdb), (23, 0x7fffdc), (23, 0x7fffdd), (23, 0x7fffde), (24,
    0xffffeb), (23, 0x7fffdf), (24, 0xffffec), (24, 0xffffed), (22, 0x3fffd7), (23, 0x7fffe0), (24,
    0xffffee), (23, 0x7fffe1), (23, 0x7fffe2), (23, 0x7fffe3), (23, 0x7fffe4), (21, 0x1fffdc), (22,
    0x3fffd8), (23, 0x7fffe5), (22, 0x3fffd9), (23, 0x7fffe6), (23, 0x7fffe7), (24, 0xffffef), (22,
    0x3fffda), (21, 0x1fffdd), (20, 0xfffe9), (22, 0x3fffdb), (22, 0x3fffdc), (23, 0x7fffe8), (23,
    0x7fffe9), (21, 0x1fffde), (23, 0x7fffea), (22, 0x3fffdd), (22, 0x3fffde), (24, 0xfffff0), (21,
    0x1fffdf), (22, 0x3fffdf), (23, 0x7fffeb), (23, 0x7fffec), (21, 0x1fffe0), (21, 0x1fffe1), (22,
    0x3fffe0), (21, 0x1fffe2), (23, 0x7fffed), (22, 0x3fffe1), (23, 0x7fffee), (23, 0x7fffef), (20,
    0xfffea), (22, 0x3fffe2), (22, 0x3fffe3), (22, 0x3fffe4), (23, 0x7ffff0), (22, 0x3fffe5), (22,
    0x3fffe6), (23, 0x7ffff1), (26, 0x3ffffe0), (26, 0x3ffffe1), (20, 0xfffeb), (19, 0x7fff1), (22,
    0x3fffe7), (23, 0x7ffff2), (22, 0x3fffe8), (25, 0x1ffffec), (26, 0x3ffffe2), (26, 0x3ffffe3),
    (26, 0x3ffffe4), (27, 0x7ffffde), (27, 0x7ffffdf), (26, 0x3ffffe5), (24, 0xfffff1), (25,
    0x1ffffed), (19, 0x7fff2), (21, 0x1fffe3), (26, 0x3ffffe6), (27, 0x7ffffe0), (27, 0x7ffffe1),
    (26, 0x3ffffe7), (27, 0x7ffffe2), (24, 0xfffff2), (21, 0x1fffe4), (21, 0x1fffe5), (26,
    0x3ffffe8), (26, 0x3ffffe9), (28, 0xffffffd), (27, 0x7ffffe3), (27, 0x7ffffe4), (27, 0x7ffffe5),
    (20, 0xfffec), (24, 0xfffff3), (20, 0xfffed), (21, 0x1fffe6), (22, 0x3fffe9), (21, 0x1fffe7),
    (21, 0x1fffe8), (23, 0x7ffff3), (22, 0x3fffea), (22, 0x3fffeb), (25, 0x1ffffee), (25,
    0x1ffffef), (24, 0xfffff4), (24, 0xfffff5), (26, 0x3ffffea), (23, 0x7ffff4), (26, 0x3ffffeb),
    (27, 0x7ffffe6), (26, 0x3ffffec), (26, 0x3ffffed), (27, 0x7ffffe7), (27, 0x7ffffe8), (27,
    0x7ffffe9), (27, 0x7ffffea), (27, 0x7ffffeb), (28, 0xffffffe), (27, 0x7ffffec), (27, 0x7ffffed),
    (27, 0x7ffffee), (27, 0x7ffffef), (27, 0x7fffff0), (26, 0x3ffffee), (30, 0x3fffffff),
];
