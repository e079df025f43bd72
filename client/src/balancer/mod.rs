//! Load balancing policies: plain structs that take events and return actions. No tokio, no clock.

mod cause;
mod happy_eyeballs;
mod pick_first;

pub(crate) use cause::Cause;
pub(crate) use happy_eyeballs::AttemptDelay;
pub(crate) use pick_first::{Action, Change, PickFirst, Verdict};
