//! The calls in flight on one connection, by stream.

use crate::wire::Body;
use std::collections::VecDeque;
use std::time::Instant;

/// One call.
pub(super) struct Call {
    /// When it began, or was due; of a ping-pong the current message.
    pub(super) began: Instant,
    pub(super) received: u64,
    pub(super) uncredited: u32,
    pub(super) body: Body,
}

/// Client's streams have odd ids in rising order: the oldest one's place in the queue is the front.
pub(super) struct Calls {
    slots: Vec<Option<Call>>,
    free: Vec<usize>,
    places: VecDeque<Option<usize>>,
    oldest: u32,
    in_flight: usize,
}

impl Calls {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            places: VecDeque::new(),
            oldest: 1,
            in_flight: 0,
        }
    }

    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn next_stream(&self) -> u32 {
        self.oldest + 2 * self.places.len() as u32
    }

    /// Of the next stream.
    pub(super) fn insert(&mut self, call: Call) -> &mut Call {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.places.push_back(Some(slot));
        self.in_flight += 1;
        self.slots[slot].insert(call)
    }

    pub(super) fn find(&mut self, stream: u32) -> Option<&mut Call> {
        let place = *self.places.get(place(self.oldest, stream)?)?;
        self.slots[place?].as_mut()
    }

    pub(super) fn remove(&mut self, stream: u32) {
        let Some(place) = place(self.oldest, stream) else {
            return;
        };
        let Some(slot) = self.places.get_mut(place).and_then(Option::take) else {
            return;
        };
        self.slots[slot] = None;
        self.free.push(slot);
        self.in_flight -= 1;
        while self.places.front().is_some_and(Option::is_none) {
            self.places.pop_front();
            self.oldest += 2;
        }
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Call> {
        self.slots.iter_mut().flatten()
    }
}

fn place(oldest: u32, stream: u32) -> Option<usize> {
    Some(stream.checked_sub(oldest)? as usize / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::End;

    #[test]
    fn calls_are_found_until_they_are_removed() {
        let mut calls = Calls::new();
        for stream in [1, 3, 5] {
            assert_eq!(calls.next_stream(), stream);
            let body = Body::new(stream, 1, vec![0].into(), 1, End::Stream);
            calls.insert(Call {
                began: Instant::now(),
                received: 0,
                uncredited: 0,
                body,
            });
        }
        calls.remove(3);
        calls.remove(1);
        let found = [1, 3, 5, 7].map(|stream| calls.find(stream).is_some());
        assert_eq!(found, [false, false, true, false]);
        assert_eq!((calls.in_flight(), calls.next_stream()), (1, 7));
    }
}
