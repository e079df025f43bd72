//! The programs that connectconformance judges: its service on a trunkline server, and its calls by a trunkline client.

mod client;
mod errors;
mod headers;
mod messages;
mod server;
mod stdio;

pub use client::run as run_client;
pub use server::run as run_server;
