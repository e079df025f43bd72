//! How far the window of a connection's streams may grow.
//!
//! The rule that growth must not break: all streams that may be open, unread, leave room for one
//! more. So a larger stream window means a larger connection window, which HTTP/2 ends at 2 GiB,
//! and a server's quota before that.

use super::config::{MAX_WINDOW, connection_window, max_streams};
use super::quota::Lease;

/// A window that grows by less than a quarter is not worth SETTINGS.
const WORTH: u64 = 4;

/// The windows of one connection as they are now.
#[derive(Debug)]
pub(super) struct Room {
    /// The connection's window at the least.
    least: u32,
    /// The connection's window, which never shrinks: what was granted cannot be taken back.
    connection: u32,
    stream: u32,
    /// Server: the share in what all connections may have grown by.
    lease: Option<Lease>,
}

impl Room {
    pub(super) fn new(least: u32, stream: u32, lease: Option<Lease>) -> Self {
        Self {
            least,
            connection: 0,
            stream,
            lease,
        }
    }

    /// So many streams may be open: the connection's window, where it has to become larger.
    pub(super) fn widen(&mut self, streams: usize) -> Option<u32> {
        let window = connection_window(self.least, streams, self.stream);
        (window > self.connection).then(|| {
            self.connection = window;
            window
        })
    }

    /// Grows a stream's window as far as `streams` of them fit. `set` tells the engine, which may
    /// refuse; nothing has changed then. The connection's window is to be widened next.
    pub(super) fn grow(
        &mut self,
        wish: u32,
        streams: usize,
        set: impl FnOnce(u32) -> bool,
    ) -> Option<u32> {
        let streams = streams.max(1);
        let fits = u32::try_from(streams).map_or(0, |streams| MAX_WINDOW / streams);
        let mut window = wish.min(fits);
        let mut leased = 0;
        if let Some(lease) = &mut self.lease {
            let now = self.connection;
            let then = connection_window(self.least, streams, window);
            leased = lease.take(u64::from(then.saturating_sub(now)));
            window = window.min(affordable(u64::from(now) + leased, streams));
        }
        let worth = u64::from(self.stream) + u64::from(self.stream) / WORTH;
        if u64::from(window) >= worth && set(window) {
            self.stream = window;
            return Some(window);
        }
        if let Some(lease) = &mut self.lease {
            lease.give_back(leased);
        }
        None
    }

    /// How many streams may be open with windows as they are now.
    pub(super) fn max_streams(&self) -> usize {
        usize::try_from(max_streams(self.stream)).unwrap_or(usize::MAX)
    }
}

/// The stream window that this many bytes hold for all `streams`.
fn affordable(bytes: u64, streams: usize) -> u32 {
    let streams = u64::try_from(streams).unwrap_or(u64::MAX);
    u32::try_from(bytes / streams.max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http2::quota::Quota;

    const KIB: u32 = 1024;
    const MIB: u32 = 1024 * KIB;

    /// A server's connection with 256 streams of 256 KiB.
    fn server(quota: &Quota, limit: u64) -> Room {
        let mut room = Room::new(64 * MIB, 256 * KIB, Some(quota.lease(limit)));
        assert_eq!(room.widen(256), Some(64 * MIB), "the default is exact");
        room
    }

    #[test]
    fn growth_ends_where_all_streams_fit_into_the_largest_connection_window() {
        let mut room = server(&Quota::default(), u64::MAX);
        let grown = room.grow(16 * MIB, 256, |_| true).unwrap();
        assert_eq!(grown, MAX_WINDOW / 256);
        let window = room.widen(256).unwrap();
        assert!(window <= MAX_WINDOW && window / 256 == grown);
        assert_eq!(room.grow(16 * MIB, 256, |_| true), None, "no more room");
    }

    #[test]
    fn a_connection_with_few_streams_grows_within_what_it_has() {
        let quota = Quota::default();
        let mut room = Room::new(64 * MIB, 256 * KIB, Some(quota.lease(0)));
        room.widen(16);
        assert_eq!(room.grow(16 * MIB, 16, |_| true), Some(4 * MIB));
        assert_eq!(room.widen(16), None, "64 MiB hold 16 of them");
    }

    #[test]
    fn the_quota_bounds_all_connections_together_and_comes_back() {
        let quota = Quota::default();
        let limit = u64::from(256 * MIB);
        let mut one = server(&quota, limit);
        assert_eq!(one.grow(16 * MIB, 256, |_| true), Some(1280 * KIB));
        assert_eq!(one.widen(256), Some(320 * MIB), "64 MiB and the quota");
        let mut other = server(&quota, limit);
        assert_eq!(other.grow(16 * MIB, 256, |_| true), None);
        drop(one);
        assert_eq!(other.grow(512 * KIB, 256, |_| true), Some(512 * KIB));
    }

    #[test]
    fn what_is_refused_or_not_worth_it_leases_nothing() {
        let quota = Quota::default();
        let mut room = server(&quota, u64::from(256 * MIB));
        assert_eq!(room.grow(16 * MIB, 256, |_| false), None);
        assert_eq!(room.grow(300 * KIB, 256, |_| panic!("not worth it")), None);
        assert_eq!(room.stream, 256 * KIB);
        assert_eq!(quota.lease(100).take(100), 100, "nothing else is leased");
        let mut room = server(&quota, u64::from(256 * MIB));
        assert_eq!(room.grow(16 * MIB, 256, |_| true), Some(1280 * KIB));
    }

    /// Whatever is wished for, by however many connections: streams fit, the protocol's limit and
    /// the quota hold, and nothing shrinks.
    #[test]
    fn windows_stay_within_their_bounds() {
        for seed in 0..2_000 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let quota = Quota::default();
            let (least, first) = (rng.u32(..), rng.u32(1..=MIB));
            let fit = usize::try_from(max_streams(first)).unwrap();
            let streams = rng.usize(1..5_000).min(fit);
            let limit = rng.u64(..u64::from(u32::MAX));
            let room = |_| Room::new(least, first, Some(quota.lease(limit)));
            let mut rooms = [0; 3].map(room);
            let granted = |rooms: &[Room]| -> u64 {
                rooms.iter().map(|room| u64::from(room.connection)).sum()
            };
            for room in &mut rooms {
                room.widen(streams);
            }
            let base = granted(&rooms);
            for _ in 0..20 {
                let room = &mut rooms[rng.usize(..3)];
                let (stream, connection) = (room.stream, room.connection);
                let wish = rng.u32(..);
                let accepts = rng.bool();
                let grown = room.grow(wish, streams, |_| accepts);
                room.widen(streams);
                assert_eq!(grown.is_some(), room.stream > stream, "seed {seed}");
                assert!(room.connection >= connection, "seed {seed}");
                assert!(room.stream <= stream.max(wish), "seed {seed}");
                let unread = u64::from(room.stream) * u64::try_from(streams).unwrap();
                let window = u64::from(room.connection);
                assert!(
                    window >= unread && room.connection <= MAX_WINDOW,
                    "seed {seed}"
                );
                assert!(granted(&rooms) - base <= limit, "seed {seed}");
            }
        }
    }
}
