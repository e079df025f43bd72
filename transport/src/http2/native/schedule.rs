//! Whose turn it is to send DATA: every stream that is ready once per round.

use std::collections::VecDeque;

use super::connection::StreamKey;

/// Streams that have something to send and window for it.
///
/// One that is not ready any more is taken out where it stands, without a search: what is left of
/// it in the queue is skipped later.
#[derive(Debug, Default)]
pub(super) struct Ring {
    queue: VecDeque<StreamKey>,
    /// By slot.
    members: Vec<Member>,
    /// How many of the queue are to have their turn.
    ready: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Member {
    #[default]
    Absent,
    Queued(u32),
    /// In the queue, but to be skipped.
    Removed(u32),
}

/// Leftovers in the queue that are not worth a sweep.
const SLACK: usize = 64;

impl Ring {
    /// Behind all that are there; nothing if it is there itself.
    pub(super) fn push(&mut self, key: StreamKey) {
        let slot = key.slot as usize;
        if slot >= self.members.len() {
            self.members.resize(slot + 1, Member::Absent);
        }
        let Some(member) = self.members.get_mut(slot) else {
            return;
        };
        match *member {
            Member::Queued(generation) if generation == key.generation => return,
            // It still stands where it stood.
            Member::Removed(generation) if generation == key.generation => {
                *member = Member::Queued(generation);
                self.ready += 1;
                return;
            }
            // Its slot's last stream was never taken out, and is gone.
            Member::Queued(_) => self.ready = self.ready.saturating_sub(1),
            Member::Removed(_) | Member::Absent => {}
        }
        *member = Member::Queued(key.generation);
        self.ready += 1;
        self.queue.push_back(key);
        if self.queue.len() > 2 * self.ready + SLACK {
            self.sweep();
        }
    }

    /// The next one; it is to be pushed again if it is still ready afterwards.
    pub(super) fn pop(&mut self) -> Option<StreamKey> {
        loop {
            let key = self.queue.pop_front()?;
            let Some(member) = self.members.get_mut(key.slot as usize) else {
                continue;
            };
            if *member == Member::Queued(key.generation) {
                *member = Member::Absent;
                self.ready = self.ready.saturating_sub(1);
                return Some(key);
            }
            if *member == Member::Removed(key.generation) {
                *member = Member::Absent;
            }
        }
    }

    /// It is not ready any more, or gone.
    pub(super) fn remove(&mut self, key: StreamKey) {
        if let Some(member) = self.members.get_mut(key.slot as usize)
            && *member == Member::Queued(key.generation)
        {
            *member = Member::Removed(key.generation);
            self.ready = self.ready.saturating_sub(1);
        }
    }

    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.ready
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.ready == 0
    }

    /// Gives back what a burst has left behind.
    pub(super) fn shrink(&mut self) {
        self.sweep();
        if self.queue.is_empty() {
            self.members = Vec::new();
        }
        self.queue.shrink_to_fit();
    }

    fn sweep(&mut self) {
        let members = &mut self.members;
        self.queue.retain(|key| {
            let Some(member) = members.get_mut(key.slot as usize) else {
                return false;
            };
            if *member == Member::Removed(key.generation) {
                *member = Member::Absent;
            }
            *member == Member::Queued(key.generation)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(slot: u32, generation: u32) -> StreamKey {
        StreamKey { slot, generation }
    }

    /// No ready stream waits for more than one round, whatever the others do.
    #[test]
    fn every_ready_stream_has_its_turn_in_each_round() {
        for seed in 0..50 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut ring = Ring::default();
            let mut ready: Vec<(StreamKey, usize)> = Vec::new();
            let mut generation = 0;
            for _ in 0..2_000 {
                match random.u8(..8) {
                    0 | 1 => {
                        let slot = random.u32(..20);
                        if ready.iter().all(|(key, _)| key.slot != slot) {
                            generation += 1;
                            ready.push((key(slot, generation), 0));
                            ring.push(key(slot, generation));
                        }
                    }
                    2 => {
                        if !ready.is_empty() {
                            let (gone, _) = ready.swap_remove(random.usize(..ready.len()));
                            ring.remove(gone);
                        }
                    }
                    3 => {
                        // Taken out and put back: it may keep its place, and is there once.
                        if let Some((key, _)) = random.choice(&ready).copied() {
                            ring.remove(key);
                            ring.push(key);
                            ring.push(key);
                        }
                    }
                    _ => {
                        let Some(turn) = ring.pop() else {
                            assert!(ready.is_empty());
                            continue;
                        };
                        let most = ready.len();
                        let mut found = false;
                        for (key, waited) in &mut ready {
                            *waited = if *key == turn { 0 } else { *waited + 1 };
                            found |= *key == turn;
                            assert!(*waited < most.max(20), "{waited} turns without its own");
                        }
                        assert!(found, "{turn:?} is not ready");
                        ring.push(turn);
                    }
                }
                assert_eq!(ring.len(), ready.len());
                assert_eq!(ring.is_empty(), ready.is_empty());
            }
        }
    }

    #[test]
    fn streams_that_come_and_go_while_nobody_sends_leave_nothing_behind() {
        let mut ring = Ring::default();
        ring.push(key(7, 0));
        for generation in 1..100_000 {
            ring.push(key(generation % 5, generation));
            if generation % 2 == 0 {
                ring.remove(key(generation % 5, generation));
            }
        }
        assert!(ring.queue.len() <= 200, "{}", ring.queue.len());
        assert_eq!(ring.pop(), Some(key(7, 0)));
        while ring.pop().is_some() {}
        ring.shrink();
        assert_eq!((ring.queue.capacity(), ring.members.capacity()), (0, 0));
    }
}
