#![doc = include_str!("../README.md")]

mod address;
mod connector;
mod error;
mod io;
mod listener;
mod net;
mod sync;
mod timer;

/// HTTP/2 connections and their untyped streams: the boundary behind which an engine works.
pub mod http2;
/// The typed halves of a stream, over whichever engine carries it.
pub mod stream;

pub use address::{Address, Peer};
pub use connector::{BoxConnector, Connector};
pub use error::connect_error;
pub use io::BoxIo;
pub use listener::{BoxListener, Listener};
pub use net::memory;
pub use net::tcp::{TcpConnector, TcpListener};
pub use timer::{Timer, now};
