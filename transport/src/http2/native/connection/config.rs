//! What a connection is made with.

use std::time::Duration;

use super::super::guard::Limits;
use super::super::strikes::Strikes;
use crate::http2::bdp::Bdp;
use crate::http2::keepalive::Policy;
use crate::http2::quota::Lease;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Role {
    Client,
    Server,
}

/// What we grant our peer, and when it is asked.
#[derive(Debug)]
pub(in super::super) struct Config {
    pub(in super::super) role: Role,
    pub(in super::super) initial_stream_window: u32,
    /// Credited on receipt, so streams that nobody reads take nothing of it.
    pub(in super::super) connection_window: u32,
    pub(in super::super) max_frame: u32,
    pub(in super::super) max_header_list: u32,
    /// Server: streams that may be open at once.
    pub(in super::super) max_streams: u32,
    /// The window of streams grows by this.
    pub(in super::super) bdp: Option<Bdp>,
    /// Server: the share in what all connections may grow by.
    pub(in super::super) lease: Option<Lease>,
    pub(in super::super) keepalive: Option<Policy>,
    /// Server: how often it may be pinged.
    pub(in super::super) strikes: Option<Strikes>,
    pub(in super::super) limits: Limits,
    /// How long a stream may wait for window.
    pub(in super::super) stream_stall: Option<Duration>,
}
