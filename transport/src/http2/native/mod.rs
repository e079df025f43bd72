//! The engine written for gRPC: one task per connection owns everything, streams talk to it
//! through one short lock.
//!
//! `frame`, `hpack`, `head`, `stream`, `flow` and `connection` know bytes, values and a given
//! `now`: no tokio, no IO, no waker, no lock. `link` and `cell` know locks and wakers, no frames.
//! Only `driver` knows both worlds; `handle` is what the engine boundary shows.

mod cell;
mod connection;
mod driver;
mod flow;
mod frame;
mod guard;
mod handle;
mod head;
mod hpack;
mod lent;
mod link;
mod out;
mod ping;
mod schedule;
mod stall;
mod stream;
mod strikes;

pub(crate) use self::handle::{
    ClientConnection, RequestBody, RequestStream, Responder, ResponseStream, ServerConnection,
    ServerStream, SharedStream,
};
