//! How a client reaches an address.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use crate::{Address, BoxIo};

/// Opens a byte stream to an address.
///
/// Implement it to reach servers over something that trunkline does not know. The connect timeout
/// of the channel bounds every call: dropping the future must abandon the attempt.
pub trait Connector: Send + Sync + 'static {
    /// Opens one byte stream.
    fn connect(&self, to: &Address) -> impl Future<Output = io::Result<BoxIo>> + Send;
}

type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<BoxIo>> + Send + 'a>>;

trait ErasedConnector: Send + Sync {
    fn connect<'a>(&'a self, to: &'a Address) -> Connecting<'a>;
}

impl<C: Connector> ErasedConnector for C {
    fn connect<'a>(&'a self, to: &'a Address) -> Connecting<'a> {
        Box::pin(Connector::connect(self, to))
    }
}

/// Any [`Connector`], with its type erased: one box per connection attempt.
#[derive(Clone)]
pub struct BoxConnector(Arc<dyn ErasedConnector>);

impl BoxConnector {
    /// Erases a connector.
    pub fn new(connector: impl Connector) -> Self {
        Self(Arc::new(connector))
    }

    /// Opens one byte stream. Dropping the future abandons the attempt.
    ///
    /// # Errors
    /// Whatever the connector says.
    pub async fn connect(&self, to: &Address) -> io::Result<BoxIo> {
        self.0.connect(to).await
    }
}

impl fmt::Debug for BoxConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxConnector")
    }
}
