//! The server through its public API, over the in-memory transport.

#![expect(
    clippy::unwrap_used,
    reason = "a panic is a failed test, also in the functions that tests share"
)]

mod accepting;
mod calls;
mod ending;
mod routing;
mod service;
mod stopping;
mod support;
