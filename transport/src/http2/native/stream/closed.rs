//! Which frames for streams that are gone have to be forgiven.
//!
//! Only a stream that we have reset before its peer had ended it may still get frames lawfully:
//! they were under way. Those numbers are remembered, as many as there is room for. Where one is
//! forgotten, all numbers up to it are forgiven from then on: nobody is punished for our memory.

use std::collections::{HashSet, VecDeque};

use super::super::frame::StreamId;
use super::ids::BuildIdHasher;

#[derive(Debug)]
pub(in super::super) struct Closed {
    capacity: usize,
    /// In the order in which they were reset. Nothing is allocated before the first one.
    ring: VecDeque<u32>,
    ids: HashSet<u32, BuildIdHasher>,
    /// This one and those below are not known any more.
    forgotten: u32,
}

impl Closed {
    /// What a server remembers: its clients have at most a few hundred streams under way.
    pub(in super::super) const SERVER: usize = 1_024;
    /// What a client remembers, whose server may allow it thousands.
    pub(in super::super) const CLIENT: usize = 8_192;

    pub(in super::super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            ring: VecDeque::new(),
            ids: HashSet::default(),
            forgotten: 0,
        }
    }

    /// We have reset a stream that its peer had not ended.
    pub(in super::super) fn reset_by_us(&mut self, id: StreamId) {
        if !self.ids.insert(id.0) {
            return;
        }
        self.ring.push_back(id.0);
        if self.ring.len() > self.capacity
            && let Some(oldest) = self.ring.pop_front()
        {
            self.ids.remove(&oldest);
            self.forgotten = self.forgotten.max(oldest);
        }
    }

    /// Whether DATA and HEADERS for this stream, which is gone, may be lawful.
    pub(in super::super) fn is_forgivable(&self, id: StreamId) -> bool {
        id.0 <= self.forgotten || self.ids.contains(&id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_reset_is_forgiven_and_what_the_peer_ended_is_not() {
        let mut closed = Closed::new(Closed::SERVER);
        assert!(!closed.is_forgivable(StreamId(1)));
        closed.reset_by_us(StreamId(3));
        closed.reset_by_us(StreamId(3));
        assert!(closed.is_forgivable(StreamId(3)));
        assert!(!closed.is_forgivable(StreamId(1)) && !closed.is_forgivable(StreamId(5)));
    }

    #[test]
    fn memory_is_bounded_and_what_it_lost_is_forgiven() {
        let mut closed = Closed::new(4);
        for id in [9, 3, 5, 7, 11, 13] {
            closed.reset_by_us(StreamId(id));
        }
        assert_eq!((closed.ring.len(), closed.ids.len()), (4, 4));
        for id in [1, 3, 5, 7, 9, 11, 13] {
            assert!(closed.is_forgivable(StreamId(id)), "{id}");
        }
        assert!(!closed.is_forgivable(StreamId(15)));
        for id in (17..100_000).step_by(2) {
            closed.reset_by_us(StreamId(id));
        }
        assert_eq!((closed.ring.len(), closed.ids.len()), (4, 4));
        assert!(closed.is_forgivable(StreamId(15)));
        assert!(closed.ring.capacity() < 16 && closed.ids.capacity() < 32);
    }
}
