//! What tasks meet at: std's mutex without poisoning, and what is std's or tokio's own.
//!
//! Cells that several tasks share take all of it from here, so that `xtask/loom` can put its own in
//! this module's place and try every order in which their tasks may run.

use std::sync::{MutexGuard, PoisonError};

pub(crate) use arc_swap::ArcSwap;
pub(crate) use std::sync::atomic;
pub(crate) use tokio::runtime::Handle;
pub(crate) use tokio::sync::Notify;

/// A mutex whose data stays usable after a panic in another task: what it guards here is consistent
/// at each step.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
