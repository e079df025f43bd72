//! The dynamic table (RFC 7541 §2.3.2, §4): entries in one ring of text.

use std::collections::VecDeque;

/// What an entry counts beside its text (RFC 7541 §4.1).
pub(super) const ENTRY_OCTETS: usize = 32;

/// The least text that is allocated for.
const FIRST_TEXT: usize = 512;

/// Each entry's text lies in one piece in `text`. The ring is twice as long as what is in it needs,
/// so insertions stop allocating once it has grown to that.
#[derive(Debug)]
pub(super) struct Table {
    /// Newest first.
    entries: VecDeque<Entry>,
    text: Vec<u8>,
    /// Where the next text goes, if it fits there.
    next: usize,
    /// The octets of the text of all entries.
    used: usize,
    max: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: usize,
    name: usize,
    value: usize,
}

/// Where the name of a new entry comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name<'a> {
    Text(&'a [u8]),
    /// That of another entry, which may be evicted to make room.
    Entry(usize),
}

impl Table {
    pub(super) fn new(max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            text: Vec::new(),
            next: 0,
            used: 0,
            max,
        }
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// As RFC 7541 §4.1 counts.
    pub(super) fn size(&self) -> usize {
        self.used + self.entries.len() * ENTRY_OCTETS
    }

    /// Octets of memory.
    #[allow(
        dead_code,
        reason = "for fuzz targets, which include this file without cfg(test)"
    )]
    pub(super) fn memory(&self) -> usize {
        self.text.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// An entry's name and value; 0 is the newest.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let entry = self.entries.get(index)?;
        let text = self
            .text
            .get(entry.at..entry.at + entry.name + entry.value)?;
        text.split_at_checked(entry.name)
    }

    /// The name of a new entry.
    #[inline]
    pub(super) fn name<'a>(&'a self, name: Name<'a>) -> Option<&'a [u8]> {
        match name {
            Name::Text(text) => Some(text),
            Name::Entry(index) => self.get(index).map(|(name, _)| name),
        }
    }

    /// A smaller maximum evicts at once.
    pub(super) fn resize(&mut self, max: usize) {
        self.max = max;
        self.evict_to(max);
        if self.entries.is_empty() {
            self.text = Vec::new();
            self.entries = VecDeque::new();
        }
    }

    /// Evicts what has to go and inserts. What is larger than the table empties it.
    pub(super) fn insert(&mut self, name: Name<'_>, value: &[u8]) {
        let name_length = match name {
            Name::Text(text) => text.len(),
            Name::Entry(index) => self.entries.get(index).map_or(0, |entry| entry.name),
        };
        // Where the name's text is; it stays there when its entry is evicted.
        let source = match name {
            Name::Text(_) => 0,
            Name::Entry(index) => self.entries.get(index).map_or(0, |entry| entry.at),
        };
        let length = name_length + value.len();
        let Some(room) = self.max.checked_sub(length + ENTRY_OCTETS) else {
            return self.evict_to(0);
        };
        self.evict_to(room);
        let at = match (self.place(length), name) {
            (Some(at), Name::Text(text)) => {
                copy(&mut self.text, at, text);
                at
            }
            (Some(at), Name::Entry(_)) => {
                let inside = |start: usize| start + name_length <= self.text.len();
                if inside(source) && inside(at) {
                    self.text.copy_within(source..source + name_length, at);
                }
                at
            }
            (None, name) => {
                let old = self.rebuild(length);
                let text = match name {
                    Name::Text(text) => text,
                    Name::Entry(_) => old.get(source..source + name_length).unwrap_or_default(),
                };
                copy(&mut self.text, self.next, text);
                self.next
            }
        };
        copy(&mut self.text, at + name_length, value);
        self.next = at + length;
        self.used += length;
        self.entries.push_front(Entry {
            at,
            name: name_length,
            value: value.len(),
        });
    }

    fn evict_to(&mut self, size: usize) {
        while self.size() > size {
            let Some(entry) = self.entries.pop_back() else {
                return;
            };
            self.used -= entry.name + entry.value;
        }
    }

    /// Where so much text fits in one piece.
    fn place(&self, length: usize) -> Option<usize> {
        let Some(oldest) = self.entries.back() else {
            return (length <= self.text.len()).then_some(0);
        };
        if self.next <= oldest.at {
            return (self.next + length <= oldest.at).then_some(self.next);
        }
        if self.next + length <= self.text.len() {
            return Some(self.next);
        }
        (length <= oldest.at).then_some(0)
    }
    /// Moves all text together, in a ring with room for `length` more at `next`, and gives back the
    /// old one.
    ///
    /// Afterwards the ring is at least twice as long as what it holds. Then there is always room: of
    /// what is not in use, only the end is lost, where the next text was too long to be placed.
    fn rebuild(&mut self, length: usize) -> Vec<u8> {
        let need = (self.used + length) * 2;
        let size = need.next_power_of_two().max(FIRST_TEXT);
        let old = std::mem::replace(&mut self.text, vec![0; size]);
        let mut next = 0;
        for entry in self.entries.iter_mut().rev() {
            let length = entry.name + entry.value;
            let text = old.get(entry.at..entry.at + length).unwrap_or_default();
            copy(&mut self.text, next, text);
            entry.at = next;
            next += length;
        }
        self.next = next;
        old
    }
}

fn copy(ring: &mut [u8], at: usize, text: &[u8]) {
    let slot = ring.get_mut(at..at + text.len());
    debug_assert!(slot.is_some(), "what was placed lies inside the ring");
    if let Some(slot) = slot {
        slot.copy_from_slice(text);
    }
}

#[cfg(test)]
mod tests;
