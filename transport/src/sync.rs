//! What tasks meet at: the one lock of this crate, std's mutex without poisoning, and what it has
//! from elsewhere.
//!
//! Cells that several tasks share take all of it from here, so that `xtask/loom` can put its own in
//! this module's place and try every order in which their tasks may run.

use std::sync::{MutexGuard, PoisonError};

pub(crate) use std::sync::{OnceLock, atomic};
pub(crate) use tokio::sync::Notify;

/// A mutex whose data stays usable after a panic in another task: every critical section of this
/// crate leaves its data consistent at each step, and one panicking handler must not take its
/// neighbours on the connection down.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
