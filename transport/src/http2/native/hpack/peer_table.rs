//! What the peer's dynamic table holds, all of which we put there.

use std::collections::VecDeque;

use bytes::Bytes;

use super::fields::field_size;
use super::int;
use super::static_table::ENTRIES;

/// The largest table we fill, whatever the peer allows; also what it has if nobody says otherwise.
pub(super) const MAX_OCTETS: usize = 4_096;

/// An entry is not worth its place above this part of the table: what was there is evicted for it.
const LARGEST_PART: usize = 8;

#[derive(Debug)]
pub(super) struct PeerTable {
    /// Newest first.
    entries: VecDeque<Entry>,
    size: usize,
    max: usize,
    /// What `max` has to become at the start of the next block.
    next_max: usize,
    /// The smallest that it was to become meanwhile, if the peer has to be told anything.
    smallest: Option<usize>,
    version: u64,
}

#[derive(Debug)]
struct Entry {
    name: Bytes,
    value: Bytes,
}

impl Default for PeerTable {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            size: 0,
            max: MAX_OCTETS,
            next_max: MAX_OCTETS,
            smallest: None,
            version: 0,
        }
    }
}

impl PeerTable {
    /// How often it has changed: for as long as this does not move, indexes mean the same.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The peer's SETTINGS_HEADER_TABLE_SIZE.
    pub(super) fn set_limit(&mut self, octets: usize) {
        self.next_max = octets.min(MAX_OCTETS);
        let smallest = self.smallest.unwrap_or(self.max).min(self.next_max);
        let unchanged = smallest == self.max && self.next_max == self.max;
        self.smallest = (!unchanged).then_some(smallest);
    }

    /// Whether the next block has to begin with size updates.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.smallest.is_some()
    }

    /// Writes the size updates that are due, the smallest first (RFC 7541 §4.2).
    pub(super) fn update(&mut self, out: &mut Vec<u8>) {
        if let Some(smallest) = self.smallest.take() {
            if smallest < self.max {
                self.resize(smallest, out);
            }
            if self.next_max != self.max {
                self.resize(self.next_max, out);
            }
        }
    }

    fn resize(&mut self, max: usize, out: &mut Vec<u8>) {
        int::encode(max, 0x1f, 0x20, out);
        self.max = max;
        self.evict_to(max);
        self.version += 1;
    }

    /// The index of a field that it holds.
    pub(super) fn find(&self, name: &[u8], value: &[u8]) -> Option<usize> {
        let same = |entry: &Entry| entry.value == value && entry.name == name;
        let place = self.entries.iter().position(same)?;
        Some(ENTRIES.len() + 1 + place)
    }

    /// Whether a field may have a place in it.
    pub(super) fn takes(&self, name: &[u8], value: &[u8]) -> bool {
        field_size(name, value) <= self.max / LARGEST_PART
    }

    /// The peer inserts this field, which has to be one that it takes.
    pub(super) fn insert(&mut self, name: &[u8], value: &[u8]) {
        let size = field_size(name, value);
        self.evict_to(self.max.saturating_sub(size));
        self.size += size;
        self.entries.push_front(Entry {
            name: Bytes::copy_from_slice(name),
            value: Bytes::copy_from_slice(value),
        });
        self.version += 1;
    }

    fn evict_to(&mut self, size: usize) {
        while self.size > size {
            let Some(entry) = self.entries.pop_back() else {
                return;
            };
            self.size -= field_size(&entry.name, &entry.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn updates(limits: &[usize]) -> Vec<u8> {
        let mut table = PeerTable::default();
        for limit in limits {
            table.set_limit(*limit);
        }
        let mut out = Vec::new();
        table.update(&mut out);
        assert!(!table.is_due(), "the peer is told once");
        assert_eq!(table.max, table.next_max);
        out
    }

    #[test]
    fn the_smallest_limit_is_told_first_and_the_last_one_last() {
        let (to_0, to_30, to_2048, to_4096) = (
            &[0x20][..],
            &[0x3e][..],
            &[0x3f, 0xe1, 0x0f][..],
            &[0x3f, 0xe1, 0x1f][..],
        );
        assert_eq!(updates(&[]), []);
        assert_eq!(updates(&[4_096]), []);
        assert_eq!(updates(&[65_536]), [], "more than we use");
        assert_eq!(updates(&[30]), to_30);
        assert_eq!(updates(&[65_536, 30]), to_30);
        assert_eq!(updates(&[30, 4_096]), [to_30, to_4096].concat());
        assert_eq!(updates(&[30, 0, 30, 2_048]), [to_0, to_2048].concat());
        assert_eq!(updates(&[2_048, 30]), to_30, "the last is the smallest");
    }

    #[test]
    fn a_table_that_grows_again_is_told_in_one_update() {
        let mut table = PeerTable::default();
        table.set_limit(0);
        table.update(&mut Vec::new());
        let mut out = Vec::new();
        table.set_limit(30);
        table.update(&mut out);
        assert_eq!(out, [0x3e]);
    }

    #[test]
    fn entries_are_evicted_oldest_first() {
        let mut table = PeerTable::default();
        table.set_limit(32 * 8);
        table.update(&mut Vec::new());
        assert!(!table.takes(b"a", b""));
        table.set_limit(34 * 8);
        table.update(&mut Vec::new());
        for number in b'1'..=b'9' {
            assert!(table.takes(b"a", &[number]));
            table.insert(b"a", &[number]);
        }
        assert_eq!(table.find(b"a", b"1"), None);
        assert_eq!(table.find(b"a", b"2"), Some(62 + 7));
        assert_eq!(table.find(b"a", b"9"), Some(62));
        table.set_limit(34);
        table.update(&mut Vec::new());
        assert_eq!(table.find(b"a", b"8"), None);
        assert_eq!(table.find(b"a", b"9"), Some(62));
    }
}
