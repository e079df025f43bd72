//! Test doubles: a server in memory, services made of closures, handlers called without a server.
//!
//! The facade's `testing` adds the client to it.

mod by_hand;
mod context;
mod serving;
mod stub;

pub use by_hand::{HandCall, HandCalls, HandEnd};
pub use context::{ContextBuilder, context};
pub use serving::{Serving, serve};
pub use stub::{Stub, StubCalls};
