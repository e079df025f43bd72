//! Load balancing policies: plain structs that take events and return actions. No tokio, no clock.

mod pick_first;

pub(crate) use pick_first::{Action, Cause, Change, PickFirst, Verdict};
