//! What a channel as a whole is doing, as calls see it.

use std::fmt;

use trunkline_core::Status;
use trunkline_transport::Address;
use trunkline_transport::http2::ClientConnection;

/// The connections that calls may use now.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Oldest first; never empty.
    pub(crate) connections: Vec<ClientConnection>,
    pub(crate) address: Address,
    /// Whether another connection may be opened when all are full.
    pub(crate) may_grow: bool,
}

impl Ready {
    /// What a call that waits for a free stream waits for.
    pub(crate) fn describe_queue(&self) -> String {
        let (mut in_use, mut limit) = (0_usize, 0_usize);
        for usage in self.connections.iter().map(ClientConnection::usage) {
            in_use = in_use.saturating_add(usage.in_use);
            limit = limit.saturating_add(usage.limit);
        }
        let count = self.connections.len();
        let grow = if self.may_grow {
            "another connection was asked for"
        } else {
            "max_connections allows no further one"
        };
        format!(
            "queued on the stream limit of {}: {in_use} of {limit} streams in use on {count} connection(s), {grow}",
            self.address
        )
    }
}

/// What a call does next.
#[derive(Debug)]
pub(crate) enum Picker {
    /// Nothing is connected and nothing is under way until a call asks.
    Idle,
    /// The name is being looked up.
    Resolving,
    /// These addresses are being tried.
    Connecting(String),
    Ready(Ready),
    /// Nothing can be reached: fail-fast calls end with this.
    Failed(Status),
}

impl fmt::Display for Picker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.write_str("not connected yet"),
            Self::Resolving => f.write_str("still resolving the name"),
            Self::Connecting(addresses) => write!(f, "still connecting to {addresses}"),
            Self::Ready(ready) => f.write_str(&ready.describe_queue()),
            Self::Failed(_) => f.write_str("waiting for a connection"),
        }
    }
}
