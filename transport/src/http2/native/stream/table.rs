//! The open streams of a connection: a slab, and a map from numbers to its slots.

use std::collections::HashMap;

use super::super::connection::StreamKey;
use super::super::frame::StreamId;
use super::ids::BuildIdHasher;

/// Values by [`StreamKey`], found by [`StreamId`].
///
/// A key is valid until its stream is removed, and never means another one: its generation is the
/// number of the insertion, of which a connection has fewer than 2^31.
#[derive(Debug)]
pub(in super::super) struct Table<T> {
    slots: Vec<Slot<T>>,
    /// Slots to be used again.
    free: Vec<u32>,
    slot_of: HashMap<u32, u32, BuildIdHasher>,
    /// The last one found: a unary call's HEADERS and DATA need one look into the map.
    last: Option<(StreamId, u32)>,
    inserted: u32,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    id: StreamId,
    value: Option<T>,
}

impl<T> Table<T> {
    pub(in super::super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            slot_of: HashMap::default(),
            last: None,
            inserted: 0,
        }
    }

    /// Puts in a stream whose number is not there yet.
    #[inline]
    pub(in super::super) fn insert(&mut self, id: StreamId, value: T) -> StreamKey {
        debug_assert!(!self.slot_of.contains_key(&id.0), "{id:?} is there");
        let generation = self.inserted;
        self.inserted = self.inserted.wrapping_add(1);
        let reused = self.free.pop();
        let slot = match reused.and_then(|slot| Some((slot, self.slots.get_mut(index(slot))?))) {
            Some((slot, place)) => {
                place.generation = generation;
                place.id = id;
                place.value = Some(value);
                slot
            }
            None => {
                let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
                self.slots.push(Slot {
                    generation,
                    id,
                    value: Some(value),
                });
                slot
            }
        };
        self.slot_of.insert(id.0, slot);
        self.last = Some((id, slot));
        StreamKey { slot, generation }
    }

    #[inline]
    pub(in super::super) fn get(&self, key: StreamKey) -> Option<&T> {
        let slot = self.slots.get(index(key.slot))?;
        (slot.generation == key.generation).then_some(slot.value.as_ref())?
    }

    #[inline]
    pub(in super::super) fn get_mut(&mut self, key: StreamKey) -> Option<&mut T> {
        let slot = self.slots.get_mut(index(key.slot))?;
        (slot.generation == key.generation).then_some(slot.value.as_mut())?
    }

    /// The number of an open stream.
    #[cfg(test)]
    pub(in super::super) fn id(&self, key: StreamKey) -> Option<StreamId> {
        let slot = self.slots.get(index(key.slot))?;
        (slot.generation == key.generation && slot.value.is_some()).then_some(slot.id)
    }

    #[inline]
    pub(in super::super) fn find(&mut self, id: StreamId) -> Option<StreamKey> {
        let slot = match self.last {
            Some((last, slot)) if last == id => slot,
            _ => {
                let slot = *self.slot_of.get(&id.0)?;
                self.last = Some((id, slot));
                slot
            }
        };
        let generation = self.slots.get(index(slot))?.generation;
        Some(StreamKey { slot, generation })
    }

    /// Drops a stream where it lies; false if it is gone already.
    pub(in super::super) fn discard(&mut self, key: StreamKey) -> bool {
        let Some(slot) = self.slots.get_mut(index(key.slot)) else {
            return false;
        };
        if slot.generation != key.generation || slot.value.is_none() {
            return false;
        }
        slot.value = None;
        self.slot_of.remove(&slot.id.0);
        if self.last.is_some_and(|(last, _)| last == slot.id) {
            self.last = None;
        }
        self.free.push(key.slot);
        true
    }

    #[cfg(test)]
    pub(in super::super) fn len(&self) -> usize {
        self.slot_of.len()
    }

    #[cfg(test)]
    pub(in super::super) fn is_empty(&self) -> bool {
        self.slot_of.is_empty()
    }

    /// All keys, in no order that means anything.
    pub(in super::super) fn keys(&self) -> impl Iterator<Item = StreamKey> + '_ {
        self.entries().map(|(key, _)| key)
    }

    /// All streams, in no order that means anything.
    pub(in super::super) fn entries(&self) -> impl Iterator<Item = (StreamKey, &T)> + '_ {
        (0..).zip(&self.slots).filter_map(|(slot, place)| {
            let generation = place.generation;
            Some((StreamKey { slot, generation }, place.value.as_ref()?))
        })
    }

    /// All streams, in no order that means anything.
    pub(in super::super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> + '_ {
        self.slots.iter_mut().filter_map(|slot| slot.value.as_mut())
    }

    /// Gives back what a burst has left behind. Keys stay what they are.
    pub(in super::super) fn shrink(&mut self) {
        while self.slots.last().is_some_and(|slot| slot.value.is_none()) {
            self.slots.pop();
        }
        let slots = self.slots.len();
        self.free.retain(|slot| index(*slot) < slots);
        self.slots.shrink_to_fit();
        self.free.shrink_to_fit();
        self.slot_of.shrink_to_fit();
    }
}

const fn index(slot: u32) -> usize {
    slot as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Random insertions, removals, looks and shrinks against a plain map.
    #[test]
    fn it_does_what_a_map_does() {
        for seed in 0..50 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut table = Table::new();
            let mut model = BTreeMap::<StreamId, (StreamKey, u32)>::new();
            let mut gone: Vec<(StreamId, StreamKey)> = Vec::new();
            let mut next = StreamId(1);
            for value in 0..600 {
                match random.u8(..10) {
                    0..5 => {
                        let key = table.insert(next, value);
                        assert!(model.values().all(|(other, _)| *other != key));
                        assert!(gone.iter().all(|(_, other)| *other != key), "a new key");
                        model.insert(next, (key, value));
                        next.0 += 2 * random.u32(1..4);
                    }
                    5..9 => {
                        let Some(id) = random.choice(model.keys().copied()) else {
                            continue;
                        };
                        let (key, value) = model.remove(&id).unwrap();
                        assert_eq!(table.get(key), Some(&value));
                        assert!(table.discard(key));
                        assert!(!table.discard(key), "twice");
                        assert_eq!(table.get(key), None);
                        gone.push((id, key));
                    }
                    _ => table.shrink(),
                }
                assert_eq!(table.len(), model.len());
                for (id, (key, value)) in &model {
                    assert_eq!(table.find(*id), Some(*key));
                    assert_eq!(table.id(*key), Some(*id));
                    assert_eq!(table.get(*key), Some(value));
                    assert_eq!(table.get_mut(*key).copied(), Some(*value));
                }
                for (id, key) in gone.iter().rev().take(20) {
                    assert_eq!(table.find(*id), None);
                    assert_eq!((table.id(*key), table.get(*key)), (None, None));
                }
                let mut keys: Vec<_> = table.keys().map(|key| table.id(key).unwrap()).collect();
                keys.sort_unstable();
                assert_eq!(keys, model.keys().copied().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_burst_is_given_back() {
        let mut table = Table::new();
        let keys: Vec<_> = (0..1_000)
            .map(|n| table.insert(StreamId(2 * n + 1), n))
            .collect();
        for key in keys.iter().skip(1) {
            table.discard(*key);
        }
        table.shrink();
        assert_eq!(table.get(keys[0]), Some(&0), "the one that is open stays");
        assert!(table.slots.capacity() < 10 && table.free.capacity() < 10);
        table.discard(keys[0]);
        table.shrink();
        assert!(table.is_empty());
        assert_eq!((table.slots.capacity(), table.slot_of.capacity()), (0, 0));
    }
}
