//! The engine on the h2 crate: the only place that names one of its types. What its handles do is said
//! at those of the same names in the files beside this folder.

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

pub(crate) use client::ClientConnection;
pub(crate) use request::{RequestBody, Responder, SharedStream};
pub(crate) use response::{RequestStream, ResponseStream};
pub(crate) use server::{ServerConnection, ServerStream};

pub(crate) use interim::Interim;
