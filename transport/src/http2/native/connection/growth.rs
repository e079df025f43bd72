//! Windows that grow by what their readers take: the policy is `bdp`, this counts for it.

use std::time::Duration;

use super::super::flow::MAX_WINDOW;
use super::super::frame::write;
use super::super::ping::Purpose;
use super::super::stream::{Stream, Taken};
use super::{Core, StreamKey};
use crate::http2::bdp::Bdp;
use crate::http2::held::Pressure;
use crate::http2::quota::Lease;

/// Growth of less than this part of the window is not worth SETTINGS.
const WORTH: u32 = 4;

#[derive(Debug)]
pub(super) struct Growth {
    bdp: Bdp,
    /// Server: what all connections together may grow by, counted as if all streams were open and
    /// unread.
    lease: Option<Lease>,
    streams: u64,
    /// Streams count anew in each; 0 is none.
    round: u32,
    /// What a stream has to take in this round until somebody looks.
    watch: u64,
    most: u64,
    /// The round is that of a PING.
    is_sampling: bool,
}

impl Growth {
    pub(super) fn new(bdp: Bdp, lease: Option<Lease>, streams: usize) -> Self {
        let mut this = Self {
            bdp,
            lease,
            streams: u64::try_from(streams).unwrap_or(u64::MAX).max(1),
            round: 0,
            watch: 0,
            most: 0,
            is_sampling: false,
        };
        this.watch();
        this
    }

    /// Nothing is asked until a stream has taken so much that it is worth it.
    fn watch(&mut self) {
        self.is_sampling = false;
        match self.bdp.watch_bytes() {
            Some(bytes) => self.begin(bytes),
            None => self.round = 0,
        }
    }

    fn begin(&mut self, watch: u64) {
        self.round = self.round.wrapping_add(1).max(1);
        self.watch = watch;
        self.most = 0;
    }

    /// A reader has taken so much more; true if it is time to look.
    fn took(&mut self, taken: &mut Taken, bytes: u32) -> bool {
        if self.round == 0 {
            return false;
        }
        if taken.round != self.round {
            *taken = Taken {
                round: self.round,
                bytes: 0,
            };
        }
        taken.bytes = taken.bytes.saturating_add(u64::from(bytes));
        self.most = self.most.max(taken.bytes);
        !self.is_sampling && taken.bytes >= self.watch
    }

    /// How far a window may grow towards this.
    fn affordable(&mut self, wish: u32, window: u32) -> Option<u32> {
        let mut to = wish.min(MAX_WINDOW);
        if let Some(lease) = &mut self.lease {
            let more = u64::from(to.saturating_sub(window));
            let granted = lease.take(more.saturating_mul(self.streams));
            let each = u32::try_from(granted / self.streams).unwrap_or(u32::MAX);
            to = window.saturating_add(each).min(to);
            let used = u64::from(to - window.min(to)).saturating_mul(self.streams);
            lease.give_back(granted.saturating_sub(used));
        }
        if to
            >= window
                .saturating_add(window / WORTH)
                .max(window.saturating_add(1))
        {
            return Some(to);
        }
        self.give_back(window, to);
        None
    }

    fn give_back(&mut self, window: u32, to: u32) {
        if let Some(lease) = &mut self.lease {
            let used = u64::from(to.saturating_sub(window));
            lease.give_back(used.saturating_mul(self.streams));
        }
    }
}

impl Core {
    /// A stream's reader has taken so many bytes more.
    pub(super) fn took(&mut self, key: StreamKey, bytes: u32) {
        let may_measure = self.may_measure();
        let Some(growth) = &mut self.growth else {
            return;
        };
        let Some(Stream { taken, .. }) = self.streams.get_mut(key) else {
            return;
        };
        if !growth.took(taken, bytes) {
            return;
        }
        // A server that leaves may be leaving for our PINGs.
        if !may_measure {
            return;
        }
        // Where another one is under way it went out earlier: it would measure another interval.
        match self.pings.ask(Purpose::Measure, self.now) {
            Some(data) => {
                write::ping(false, data, &mut self.control);
                growth.is_sampling = true;
                growth.begin(u64::MAX);
            }
            None => growth.watch(),
        }
    }

    /// The PING of a sample was answered.
    pub(super) fn sampled(&mut self, round_trip: Duration) {
        let window = self.local.window();
        let Some(growth) = self.growth.as_mut().filter(|growth| growth.is_sampling) else {
            return;
        };
        let wish = growth.bdp.measured(growth.most, round_trip);
        let may_grow = self.pressure == Pressure::Low;
        let to = wish
            .filter(|_| may_grow)
            .and_then(|wish| growth.affordable(wish, window));
        let granted = to.filter(|&to| self.raise_window(to));
        let Some(growth) = &mut self.growth else {
            return;
        };
        match (to, granted) {
            (_, Some(to)) => growth.bdp.grown(to),
            (Some(to), None) => {
                growth.give_back(window, to);
                growth.bdp.refused();
            }
            (None, None) if wish.is_some() => growth.bdp.refused(),
            (None, None) => {}
        }
        growth.watch();
    }
}
