//! What has happened, each stream once per kind and batch.

use super::super::stream::Marks;
use super::{Event, StreamKey};

#[derive(Debug)]
pub(super) struct Events {
    list: Vec<Event>,
    /// Counts up with each batch; streams remember in which one they were named.
    batch: u64,
    /// Those whose [`Event::Closed`] is in the list.
    closed: Vec<StreamKey>,
}

impl Events {
    pub(super) fn new() -> Self {
        Self {
            list: Vec::new(),
            // What a new stream remembers is none of the batches.
            batch: 1,
            closed: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, event: Event) {
        self.list.push(event);
    }

    /// A stream is handed over as a whole: whatever else comes for it in this batch goes along.
    pub(super) fn accept(&mut self, key: StreamKey, marks: &mut Marks) {
        marks.touched = self.batch;
        self.list.push(Event::Accept(key));
    }

    #[inline]
    pub(super) fn touch(&mut self, key: StreamKey, marks: &mut Marks) {
        if marks.touched != self.batch {
            marks.touched = self.batch;
            self.list.push(Event::Touched(key));
        }
    }

    #[inline]
    pub(super) fn sent(&mut self, key: StreamKey, marks: &mut Marks, bytes: u32) {
        if marks.sent == self.batch
            && let Some(Event::Sent(_, so_far)) = self.list.get_mut(marks.sent_at)
        {
            *so_far = so_far.saturating_add(bytes);
            return;
        }
        marks.sent = self.batch;
        marks.sent_at = self.list.len();
        self.list.push(Event::Sent(key, bytes));
    }

    pub(super) fn close(&mut self, key: StreamKey) {
        self.closed.push(key);
        self.list.push(Event::Closed(key));
    }

    /// Empties the list into this one, and names those that are closed by it.
    pub(super) fn hand_over(&mut self, into: &mut Vec<Event>, closed: &mut Vec<StreamKey>) {
        if self.list.is_empty() {
            // Nothing was named in this batch.
            return;
        }
        self.batch += 1;
        if into.is_empty() {
            std::mem::swap(into, &mut self.list);
        } else {
            into.append(&mut self.list);
        }
        closed.append(&mut self.closed);
    }

    pub(super) fn shrink(&mut self) {
        self.list.shrink_to(0);
        self.closed.shrink_to(0);
    }
}
