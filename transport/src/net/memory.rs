//! Connections inside one process: for tests, examples and embedded servers.

use std::io;
use std::sync::Arc;

use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;

use crate::{Address, BoxIo, Connector, Listener};

/// Bytes that may wait in each direction of an in-memory connection.
const PIPE_BYTES: usize = 64 * 1024;

/// Connections that may wait for `accept`.
const BACKLOG: usize = 1024;

/// Makes a connector and the listener that it reaches.
///
/// The full HTTP/2 path runs over it, without sockets, and under tokio's paused time too.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use trunkline_transport::{Connector, Listener, memory};
///
/// let (connector, mut listener) = memory::pair("greeter");
/// let address = listener.address();
/// let (client, server) = tokio::join!(connector.connect(&address), listener.accept());
/// assert_eq!(server?.1.to_string(), "memory:greeter");
/// client?;
/// # Ok(()) }
/// ```
#[must_use]
pub fn pair(name: &str) -> (MemoryConnector, MemoryListener) {
    let (sender, receiver) = mpsc::channel(BACKLOG);
    let name: Arc<str> = name.into();
    let connector = MemoryConnector { sender };
    let listener = MemoryListener { receiver, name };
    (connector, listener)
}

/// The two ends of one in-memory byte stream.
#[must_use]
pub fn pipe() -> (BoxIo, BoxIo) {
    let (one, other) = duplex(PIPE_BYTES);
    (BoxIo::new(one), BoxIo::new(other))
}

/// Connects to the [`MemoryListener`] that it was made with, whatever the address says.
#[derive(Clone, Debug)]
pub struct MemoryConnector {
    sender: mpsc::Sender<DuplexStream>,
}

impl Connector for MemoryConnector {
    async fn connect(&self, to: &Address) -> io::Result<BoxIo> {
        let (ours, theirs) = duplex(PIPE_BYTES);
        self.sender.send(theirs).await.map_err(|_gone| {
            io::Error::new(
                io::ErrorKind::ConnectionRefused,
                format!("nothing listens on {to}"),
            )
        })?;
        Ok(BoxIo::new(ours))
    }
}

/// Accepts the connections of its [`MemoryConnector`] and that one's clones.
#[derive(Debug)]
pub struct MemoryListener {
    receiver: mpsc::Receiver<DuplexStream>,
    name: Arc<str>,
}

impl Listener for MemoryListener {
    /// Waits for ever once every connector is gone: a server then has nothing to do but stop.
    async fn accept(&mut self) -> io::Result<(BoxIo, Address)> {
        match self.receiver.recv().await {
            Some(stream) => Ok((BoxIo::new(stream), self.address())),
            None => std::future::pending().await,
        }
    }

    fn address(&self) -> Address {
        Address::Memory(Arc::clone(&self.name))
    }
}
