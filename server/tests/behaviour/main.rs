//! The server through its public API, over the in-memory transport.

mod accepting;
mod calls;
mod ending;
mod routing;
mod service;
mod stopping;
mod support;
