//! How large a stream's window has to be: measured, not guessed.
//!
//! A sender may have one window of bytes under way and hears of new room a round trip later. So a
//! stream moves at most one window per round trip, however fast the path is: 256 KiB over a path
//! of 100 ms is 2.6 MB/s. What a path holds is its bandwidth-delay product; a window below that
//! leaves the path idle, one far above it only fills queues.
//!
//! 1. *Watch.* Nothing is asked until the reader of one stream has taken a whole window of bytes
//!    since the last look. A stream that has carried less never had to wait for room, and
//!    connections of small messages never get here. Bytes count when they are taken, not when
//!    they arrive: room that a slow reader does not use would be memory for nothing.
//! 2. *Sample.* One PING goes out. Until its answer comes, the bytes that each stream's reader
//!    takes are counted; the largest count is the sample.
//! 3. Throughput is the sample divided by the round trip of that very PING. Both are of the same
//!    interval, so queues that lengthen the one lengthen the other, and nothing is smoothed.
//! 4. *Grow* to twice the window, or twice the sample where that is more, if
//!    - the sample is at least half of the window: the window is what limits the sender. Window is
//!      given back in steps, so that a sender may lack a third of it; a half leaves some slack; and
//!    - throughput is an eighth above that of the last growth. One that doubled the window and did
//!      not pay has found the path's limit, or the reader's. Noise is less than an eighth.
//! 5. The next look is due when one stream has taken a whole *new* window. The old one lets at
//!    most half of that through per round trip, so the new one is in force by then.
//! 6. Where 4 says no, the next look takes four times as many windows, up to 64 MiB: often enough
//!    to follow a path, rare enough to cost nothing. It is counted in bytes, so no clock is needed.
//! 7. A window never shrinks. At the largest one, 16 MiB, nothing is watched any more.
//!
//! Twice and 16 MiB are the numbers of grpc-go. Its two thirds of the window (4) fit an engine
//! that gives back every byte at once, and its average of round trips (3) one that asks all the
//! time.

use std::time::Duration;

/// The largest window that a stream grows to, unless there is less room.
pub(super) const MAX_GROWN_WINDOW: u32 = 16 * 1024 * 1024;

/// Bytes to be taken before the next look, at the most.
const MAX_PATIENCE: u64 = 64 * 1024 * 1024;

/// How much more patient each look in vain makes.
const LESS_OFTEN: u64 = 4;

/// The decision for one connection: told what was measured, it says what to do. It reads no clock.
#[derive(Debug)]
pub(super) struct Bdp {
    window: u32,
    max: u32,
    /// Bytes per second at the last growth.
    best: u64,
    /// Windows to be taken before the next look.
    patience: u64,
    /// Bytes per second in the sample that asks for growth.
    measured: u64,
}

impl Bdp {
    pub(super) fn new(window: u32, max: u32) -> Self {
        Self {
            window,
            max,
            best: 0,
            patience: 1,
            measured: 0,
        }
    }

    /// Bytes that one stream has to take before a PING is worth it; `None`: it is as large as it
    /// may be.
    pub(super) fn watch_bytes(&self) -> Option<u64> {
        let window = u64::from(self.window);
        (self.window < self.max).then(|| {
            let bytes = window.saturating_mul(self.patience);
            bytes.min(MAX_PATIENCE.max(window))
        })
    }

    /// One stream has taken so many bytes during a PING's round trip: the window to ask for, if
    /// any. [`grown`](Self::grown) or [`refused`](Self::refused) is to follow then.
    pub(super) fn measured(&mut self, sample: u64, round_trip: Duration) -> Option<u32> {
        let window = u64::from(self.window);
        let throughput = per_second(sample, round_trip);
        let is_limited = sample >= window / 2;
        let has_paid = throughput.saturating_mul(8) >= self.best.saturating_mul(9);
        let wish = u32::try_from(sample.max(window).saturating_mul(2)).unwrap_or(u32::MAX);
        let wish = wish.min(self.max);
        if !is_limited || !has_paid || wish <= self.window {
            self.refused();
            return None;
        }
        self.measured = throughput;
        Some(wish)
    }

    /// The window is this large from now on.
    pub(super) fn grown(&mut self, window: u32) {
        self.window = window;
        self.best = self.measured;
        self.patience = 1;
    }

    /// There is no room for more, or no need.
    pub(super) fn refused(&mut self) {
        self.patience = self.patience.saturating_mul(LESS_OFTEN);
    }
}

/// Bytes per second; a round trip below a microsecond counts as one.
fn per_second(bytes: u64, time: Duration) -> u64 {
    let micros = time.as_micros().max(1);
    let rate = u128::from(bytes).saturating_mul(1_000_000) / micros;
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
