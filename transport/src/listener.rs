//! Where a server's connections come from.

use std::fmt;
use std::io;
use std::pin::Pin;

use crate::{Address, BoxIo};

/// A source of incoming connections.
///
/// Implement it to serve over something that trunkline does not know. An error of `accept` never
/// ends a server: it is logged, and `accept` is called again after a pause.
pub trait Listener: Send + 'static {
    /// Waits for the next connection and says where it came from.
    ///
    /// Must be cancel safe: a connection is either returned or still waiting.
    fn accept(&mut self) -> impl Future<Output = io::Result<(BoxIo, Address)>> + Send;

    /// The address that clients reach this listener at.
    fn address(&self) -> Address;
}

type Accepted<'a> = Pin<Box<dyn Future<Output = io::Result<(BoxIo, Address)>> + Send + 'a>>;

trait ErasedListener: Send {
    fn accept(&mut self) -> Accepted<'_>;
    fn address(&self) -> Address;
}

impl<L: Listener> ErasedListener for L {
    fn accept(&mut self) -> Accepted<'_> {
        Box::pin(Listener::accept(self))
    }

    fn address(&self) -> Address {
        Listener::address(self)
    }
}

/// Any [`Listener`], with its type erased: one box per accepted connection.
pub struct BoxListener(Box<dyn ErasedListener>);

impl BoxListener {
    /// Erases a listener.
    pub fn new(listener: impl Listener) -> Self {
        Self(Box::new(listener))
    }

    /// Waits for the next connection. Cancel safe.
    ///
    /// # Errors
    /// Whatever the listener says; calling again is always allowed.
    pub async fn accept(&mut self) -> io::Result<(BoxIo, Address)> {
        self.0.accept().await
    }

    /// The address that clients reach this listener at.
    #[must_use]
    pub fn address(&self) -> Address {
        self.0.address()
    }
}

impl fmt::Debug for BoxListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BoxListener").field(&self.address()).finish()
    }
}
