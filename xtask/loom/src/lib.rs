//! Checks of the cells that tasks of trunkline meet at, in every order in which those may run.
//!
//! A cell is the product's own source file, included here by its path. It takes its atomics, locks
//! and `Notify` from `crate::sync`,
//! which in this crate are loom's. Each function below is a model: a few threads that use a cell as
//! the product does, and what must be true of every order. `tests/` runs them.
//!
//! What a cell refers to beside that is a double here which does what the real thing does to the
//! cell. Not modelled: h2's own lock, tokio's scheduler and its `Notify`, of which the contract is
//! taken for granted. Those are what `tests/it/races` and `tests/it/traps` are for.

// The cells bring their own tests, which are for real threads.
#![cfg(not(test))]

// The client's cells find the transport under its name.
extern crate self as trunkline_transport;

#[path = "../../../server/src/signal.rs"]
#[allow(
    dead_code,
    reason = "a cell of the server, of which the models use a part"
)]
mod signal;

mod channel;
mod http2;
mod notify;
mod stream;
mod sync;
mod timer;
mod world;

mod models;

use channel::balancer;
use http2::Peer;
use timer::{Timer, now};

pub use models::*;
