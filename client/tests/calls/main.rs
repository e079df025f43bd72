//! Calls over the in-memory transport against a peer that is scripted on the h2 crate: what the
//! client does, seen from both ends of the wire.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of it is test code: a panic is a failed test"
)]

mod connect;
mod credentials;
mod deadline;
mod flapping;
mod hooks;
mod interceptors;
#[cfg(feature = "tower")]
mod layers;
mod queue;
mod retry;
mod shapes;
mod slow;
mod stats;
mod streaming;
mod support;
mod unary;
