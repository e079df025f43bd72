//! Tells those who measure of a channel's connections.

use trunkline_core::stats::{ConnectionStats, Side, StatsHandlers};
use trunkline_transport::{Address, now};

/// A connection that those who measure know of, until it is lost, closes, or its loop is gone.
pub(super) struct Measured(Option<ConnectionStats>);

impl Measured {
    pub(super) fn begin(stats: &StatsHandlers, address: &Address) -> Self {
        Self(stats.begin_connection(Side::Client, format_args!("{address}"), now))
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        if let Some(stats) = self.0.take() {
            stats.end(now());
        }
    }
}
