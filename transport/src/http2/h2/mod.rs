//! The engine on the h2 crate: the only place that names one of its types.

mod alive;
mod body;
mod cell;
mod client;
mod driver;
mod error;
mod fields;
mod gauge;
mod growth;
mod interim;
mod io;
mod link;
mod request;
mod response;
mod rest;
mod server;
#[cfg(test)]
mod tests;

pub use client::ClientConnection;
pub use request::{RequestBody, Responder, SharedStream};
pub use response::{RequestStream, ResponseStream};
pub use server::{ServerConnection, ServerStream};

pub(crate) use interim::Interim;
pub(crate) use response::Head;
