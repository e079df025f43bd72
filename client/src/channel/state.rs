//! What a channel as a whole is doing, as calls see it.

use std::fmt;

use trunkline_core::Status;
use trunkline_transport::Address;
use trunkline_transport::http2::{ClientConnection, Usage};

use crate::subchannel::Progress;

/// Whether a channel can carry calls now.
///
/// Source: gRPC document "Connectivity Semantics and API".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectivityState {
    /// Nothing is connected, and nothing is tried until a call or
    /// [`Channel::connect`](crate::Channel::connect) asks: before the first call, after a
    /// connection was lost, and after the idle timeout.
    Idle,
    /// The name is being looked up, or a connection is being made.
    Connecting,
    /// There is a connection.
    Ready,
    /// Nothing could be reached, and it is tried again after a backoff.
    /// [`Channel::last_failure`](crate::Channel::last_failure) says why. Calls fail at once unless
    /// they wait for ready.
    TransientFailure,
    /// The channel was closed; it stays so.
    Shutdown,
}

impl fmt::Display for ConnectivityState {
    /// As the gRPC documents write it, for example `TRANSIENT_FAILURE`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "IDLE",
            Self::Connecting => "CONNECTING",
            Self::Ready => "READY",
            Self::TransientFailure => "TRANSIENT_FAILURE",
            Self::Shutdown => "SHUTDOWN",
        })
    }
}

/// What a channel has in use at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelStats {
    /// Connections that take new calls.
    pub connections: usize,
    /// Streams open on them: one per running call.
    pub streams_in_use: usize,
    /// Streams that may be open on them: what their servers allow.
    pub stream_limit: usize,
    /// Calls that wait for a stream because all are in use, in order of arrival.
    pub queued_calls: usize,
    /// Calls that wait for a connection.
    pub waiting_calls: usize,
    /// Attempts to resolve or connect that failed since a connection last proved itself.
    pub failed_attempts: u32,
}

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
    /// Streams in use on all connections, and how many there may be.
    pub(crate) fn usage(&self) -> Usage {
        let none = Usage {
            in_use: 0,
            limit: 0,
        };
        let each = self.connections.iter().map(ClientConnection::usage);
        each.fold(none, |all, one| Usage {
            in_use: all.in_use.saturating_add(one.in_use),
            limit: all.limit.saturating_add(one.limit),
        })
    }

    /// What a call that waits for a free stream waits for.
    pub(crate) fn describe_queue(&self) -> String {
        let Usage { in_use, limit } = self.usage();
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
    /// These addresses are being tried, and have come so far.
    Connecting(String, Progress),
    Ready(Ready),
    /// Nothing can be reached: fail-fast calls end with this.
    Failed(Status),
    /// The channel was closed: all calls end with this.
    Closed(Status),
}

impl Picker {
    /// What a channel is told to be in with this picker.
    pub(crate) const fn state(&self) -> ConnectivityState {
        match self {
            Self::Idle => ConnectivityState::Idle,
            Self::Resolving | Self::Connecting(..) => ConnectivityState::Connecting,
            Self::Ready(_) => ConnectivityState::Ready,
            Self::Failed(_) => ConnectivityState::TransientFailure,
            Self::Closed(_) => ConnectivityState::Shutdown,
        }
    }
}

impl fmt::Display for Picker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.write_str("not connected yet"),
            Self::Resolving => f.write_str("still resolving the name"),
            Self::Connecting(addresses, progress) => {
                write!(f, "still connecting to {addresses}{progress}")
            }
            Self::Ready(ready) => f.write_str(&ready.describe_queue()),
            Self::Failed(_) => f.write_str("waiting for a connection"),
            Self::Closed(_) => f.write_str("closed"),
        }
    }
}
