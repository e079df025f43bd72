//! What the engine boundary shows: connections and their untyped streams.

mod client;
mod request;
mod response;
mod server;

pub use self::client::ClientConnection;
pub use self::request::{RequestBody, Responder, SharedStream};
pub use self::response::{RequestStream, ResponseStream};
pub use self::server::{ServerConnection, ServerStream};
