//! What a server takes on: sizes, times and numbers.

use std::time::Duration;

use super::lifetime::LifetimeLimits;

/// The largest request message: gRPC's customary 4 MiB.
const MAX_RECEIVE_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Connections at once. More than most machines have file descriptors for, and still finite: an
/// idle connection costs some 40 KiB.
const MAX_CONNECTIONS: usize = 10_000;

/// The limits of a server, with the defaults that it has when nothing is said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_receive_message_bytes: usize,
    /// What we send is our own business: unlimited.
    pub(crate) max_send_message_bytes: usize,
    /// The longest that an RPC may take, whatever its client allows.
    pub(crate) max_timeout: Option<Duration>,
    pub(crate) max_connections: usize,
    pub(crate) lifetime: LifetimeLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_receive_message_bytes: MAX_RECEIVE_MESSAGE_BYTES,
            max_send_message_bytes: usize::MAX,
            max_timeout: None,
            max_connections: MAX_CONNECTIONS,
            lifetime: LifetimeLimits::default(),
        }
    }
}

/// The message limits of one method, where they differ from the server's; for
/// [`BoxService::method_limits`](crate::BoxService::method_limits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MethodLimits {
    receive_bytes: Option<usize>,
    send_bytes: Option<usize>,
}

impl MethodLimits {
    /// Those of the server.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            receive_bytes: None,
            send_bytes: None,
        }
    }

    /// The largest request message of the method, in bytes, after decompression.
    #[must_use]
    pub const fn max_receive_message_bytes(mut self, bytes: usize) -> Self {
        self.receive_bytes = Some(bytes);
        self
    }

    /// The largest response message of the method, in bytes, before compression.
    #[must_use]
    pub const fn max_send_message_bytes(mut self, bytes: usize) -> Self {
        self.send_bytes = Some(bytes);
        self
    }

    /// How large requests and responses may be on this server.
    pub(crate) fn within(self, server: &Limits) -> (usize, usize) {
        (
            self.receive_bytes
                .unwrap_or(server.max_receive_message_bytes),
            self.send_bytes.unwrap_or(server.max_send_message_bytes),
        )
    }
}
