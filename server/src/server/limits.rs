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
