//! What the engine boundary shows: connections and their untyped streams.

mod client;
mod forms;
mod request;
mod response;
mod server;

pub(crate) use self::client::ClientConnection;
pub(crate) use self::request::{RequestBody, Responder, SharedStream};
pub(crate) use self::response::{RequestStream, ResponseStream};
pub(crate) use self::server::{ServerConnection, ServerStream};
