//! HTTP/2 connections and their untyped streams: the boundary behind which an engine works.
//!
//! Client and server name the types of this module only, and core's values; whatever an engine
//! is made of stays behind them. There are two: `h2`, on the h2 crate, and `native`, written for
//! gRPC. The handles are of the one or the other and dispatch by a branch; see [`Engine`].

mod bdp;
mod client;
mod config;
mod defence;
mod drain;
mod engine;
mod failure;
mod h2;
mod heard;
mod held;
mod keepalive;
mod native;
mod pace;
mod ping;
mod quota;
mod request;
mod response;
mod room;
mod server;
mod slots;
mod spare;

use std::time::Duration;

use http::HeaderValue;
use http::uri::Authority;
use trunkline_core::{Encoding, Metadata};

pub use client::ClientConnection;
pub use config::{ClientConfig, ServerConfig};
pub use defence::Defence;
pub use engine::Engine;
pub use keepalive::{Keepalive, ServerKeepalive};
pub use request::{RequestBody, Responder, SharedStream};
pub use response::{RequestStream, ResponseStream};
pub use server::{ServerConnection, ServerStream};
pub use slots::Permit;

pub(crate) use h2::Interim;
pub(crate) use response::Head;

/// What the head of a request is made of, besides what is the same for every call.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// `/package.Service/Method`.
    pub path: &'static str,
    /// The `:authority`.
    pub authority: &'a Authority,
    /// The codec's content subtype.
    pub subtype: &'static str,
    /// What messages with the compressed flag are compressed with.
    pub encoding: Option<&'a Encoding>,
    /// What the answer may be compressed with.
    pub accept_encoding: Option<&'a HeaderValue>,
    /// What is left of the deadline, for `grpc-timeout`.
    pub timeout: Option<Duration>,
    /// The `user-agent`.
    pub user_agent: &'a HeaderValue,
    /// The caller's metadata.
    pub metadata: &'a Metadata,
}

/// What the head of a response is made of, besides its metadata.
#[derive(Clone, Debug, Default)]
pub struct ResponseForm {
    /// The codec's content subtype.
    pub subtype: &'static str,
    /// What messages with the compressed flag are compressed with.
    pub encoding: Option<Encoding>,
}

/// How many streams a client's connection has open, and how many its peer allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Streams open now.
    pub in_use: usize,
    /// How many there may be: the peer's limit, or fewer if their windows would not fit into the
    /// connection's.
    pub limit: usize,
}

/// How an RPC ended that nobody could wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// The client gets a status.
    Trailers,
    /// The stream had no window: the client gets a reset, or sees the end of the connection.
    Reset,
}
