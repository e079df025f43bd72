//! What tasks meet at, from std and tokio.
//!
//! Cells that several tasks share take it from here, so that `xtask/loom` can put its own in this
//! module's place and try every order in which their tasks may run.

pub(crate) use std::sync::atomic;
pub(crate) use tokio::sync::Notify;
pub(crate) use tokio::sync::futures::Notified;
