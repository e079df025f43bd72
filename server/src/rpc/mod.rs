//! One RPC: its task, what its handler sees, and what ends it.

mod answer;
mod cancel;
mod children;
mod context;
mod incoming;
mod intercepted;
mod measured;
mod run;
mod settle;
#[cfg(test)]
mod sizes;

pub(crate) use self::cancel::OnCancel;
pub use self::context::{Extensions, RequestContext};
pub use self::incoming::{Finish, Incoming, Only, Outcome, Reply, Respond, Rest};
pub(crate) use self::intercepted::run_intercepted;
pub(crate) use self::run::{Rpc, run};
pub(crate) use self::settle::own;

/// All that a client learns about a panic: the rest is for the server's log.
const PANICKED: &str = "handler panicked";
