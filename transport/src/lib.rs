#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod connector;
mod error;
mod io;
mod linger;
mod listener;
mod net;
mod proxy;
mod sync;
mod timer;

pub mod credentials;
pub mod http2;
pub mod stream;

pub use address::{Address, Peer, UnixAddressError, UnixCredentials};
pub use connector::{BoxConnector, Connector};
pub use error::connect_error;
pub use io::{BoxIo, DetachedIo};
pub use listener::{BoxListener, Listener};
pub use net::memory;
pub use net::sockets::SocketConnector;
pub use net::tcp::{TcpConnector, TcpListener};
pub use net::tcp_config::{TcpConfig, TcpKeepalive};
#[cfg(unix)]
pub use net::unix::{UnixConnector, UnixListener};
pub use proxy::{Proxy, ProxyConnector, ProxyError};
pub use timer::{Timer, now};
