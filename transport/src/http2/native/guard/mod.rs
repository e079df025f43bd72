//! What a peer may make us do for nothing: one budget per kind of nuisance.
//!
//! A peer that is out of budget gets GOAWAY ENHANCE_YOUR_CALM with the text of that kind. Both
//! sides run the same guard. Time is the `now` of the batch.

mod budget;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use self::budget::{Budget, WHOLE};
use super::frame::{Fatal, Reason};

pub(super) use crate::http2::defence::Defence as Limits;

/// A stream that is reset within this time of its HEADERS was hardly opened for its answer.
const YOUNG: Duration = Duration::from_millis(50);

/// One whose deadline has passed is old after this: so many of them as may be open at once, and as
/// many again only then.
const EXPIRED: Duration = Duration::from_millis(5);

/// How long a header block may stay unfinished.
const BLOCK_TIME: Duration = Duration::from_secs(10);

/// Values that one SETTINGS frame has at most, if it has any sense.
const SETTINGS_VALUES: usize = 16;

/// Of what we have sent, for each WINDOW_UPDATE: less at once is not worth its frames.
const BYTES_PER_UPDATE: u32 = 256;

/// ACKs of SETTINGS that may be owed at once.
const MAX_SETTINGS_OWED: u32 = 10;

/// Header blocks that are too long, too finely cut, or too slow.
pub(super) const HEADER_BLOCK_TOO_LARGE: &str = "header_block_too_large";
/// Heads or trailers beyond the limit.
const HEADER_LIST_TOO_LARGE: &str = "header_list_too_large";
/// The socket has taken nothing for too long.
pub(super) const WRITE_TIMEOUT: &str = "write_timeout";
/// A stream had no window for too long.
pub(super) const STREAM_STALLED: &str = "stream_stalled";
/// The numbers of streams are running out.
pub(super) const MAX_STREAM_ID: &str = "max_stream_id";
/// PINGs of any kind of excess, as gRFC A8 names it.
pub(super) const TOO_MANY_PINGS: &str = "too_many_pings";

#[derive(Debug)]
pub(super) struct Guard {
    resets: Budget,
    stream_errors: Budget,
    refused: Budget,
    /// Heads too large in a row.
    large_heads: u32,
    max_large_heads: u32,
    settings: Budget,
    pings: Budget,
    empty_data: Budget,
    window_updates: Budget,
    useless: Budget,
    goaways: u32,
    max_goaways: u32,
    informational: Budget,
    /// Bytes of DATA that may lawfully still come for streams that we have reset.
    late: u64,
    /// Since when a header block is unfinished.
    block: Option<Instant>,
}

/// A stream that its peer has reset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reset {
    /// As we saw it.
    pub(super) age: Duration,
    /// How long before that it may have come, while we did not look.
    pub(super) unseen: Duration,
    /// What it had from its beginning, if that was said and is short.
    pub(super) timeout: Option<Duration>,
}

type Verdict = Result<(), Fatal>;

impl Guard {
    pub(super) fn new(limits: &Limits, now: Instant) -> Self {
        let budget = |cap, per_second| Budget::new(cap, per_second, now);
        Self {
            resets: budget(limits.resets, 200),
            stream_errors: budget(limits.stream_errors, 10),
            refused: budget(limits.refused_streams, 100),
            large_heads: 0,
            max_large_heads: limits.large_heads,
            settings: budget(limits.settings, 1),
            pings: budget(limits.pings, 1),
            empty_data: budget(limits.empty_data, 1),
            window_updates: budget(limits.window_updates, 100),
            useless: budget(limits.useless_frames, 50),
            goaways: 0,
            max_goaways: limits.goaways,
            informational: budget(limits.informational, 1),
            late: 0,
            block: None,
        }
    }

    /// Server: the peer has reset a stream before it had any answer.
    ///
    /// One that it resets in the same breath in which it opens it was never meant to have one, and
    /// counts double. One whose deadline has passed is what a client does that means well, above all
    /// where the server is slow, and costs nothing. But a deadline is only said: one that was over
    /// as soon as it was said costs a tenth.
    pub(super) fn reset(&mut self, reset: &Reset, now: Instant) -> Verdict {
        let Reset {
            age,
            unseen,
            timeout,
        } = *reset;
        let cost = match timeout {
            _ if age >= YOUNG => return Ok(()),
            Some(timeout) if age >= timeout.max(EXPIRED) => return Ok(()),
            Some(timeout) if age >= timeout && !age.is_zero() => WHOLE / 10,
            // Both may have waited for us to look, and we were late.
            Some(timeout) if age.saturating_add(unseen) >= timeout.max(EXPIRED) => WHOLE / 10,
            _ if age.is_zero() => 2 * WHOLE,
            _ => WHOLE,
        };
        within(self.resets.take_parts(cost, now), "too_many_resets")
    }

    /// The peer has broken a rule of one stream, which we reset.
    pub(super) fn stream_error(&mut self, now: Instant) -> Verdict {
        within(self.stream_errors.take(1, now), "too_many_stream_errors")
    }

    /// Server: a stream beyond the limit that the peer has acknowledged.
    pub(super) fn refused(&mut self, now: Instant) -> Verdict {
        within(self.refused.take(1, now), "too_many_refused_streams")
    }

    /// A head or trailers beyond the limit of a header list.
    pub(super) fn head_too_large(&mut self) -> Verdict {
        self.large_heads = self.large_heads.saturating_add(1);
        let within_cap = self.large_heads <= self.max_large_heads;
        within(within_cap, HEADER_LIST_TOO_LARGE)
    }

    /// A head or trailers so far beyond it that only an attacker has reason to: a few references
    /// to one large field, for example.
    pub(super) const fn huge_head() -> Fatal {
        Fatal::new(Reason::ENHANCE_YOUR_CALM, HEADER_LIST_TOO_LARGE)
    }

    /// A head or trailers within the limit.
    #[inline]
    pub(super) fn head_fits(&mut self) {
        self.large_heads = 0;
    }

    /// After each batch of reading: whether a header block is begun and not ended.
    #[inline]
    pub(super) fn block(&mut self, unfinished: bool, now: Instant) {
        match (unfinished, self.block) {
            (false, _) => self.block = None,
            (true, None) => self.block = Some(now),
            (true, Some(_)) => {}
        }
    }

    /// SETTINGS of so many values have come; so many ACKs are owed with theirs. Each value may go
    /// through all streams: many of them count as several frames.
    pub(super) fn settings(&mut self, values: usize, owed: u32, now: Instant) -> Verdict {
        let more = u32::try_from(values / SETTINGS_VALUES).unwrap_or(u32::MAX);
        let taken = self.settings.take(more.saturating_add(1), now);
        within(taken && owed <= MAX_SETTINGS_OWED, "too_many_settings")
    }

    /// A PING has come that is not an ACK.
    pub(super) fn ping(&mut self, now: Instant) -> Verdict {
        within(self.pings.take(1, now), TOO_MANY_PINGS)
    }

    /// DATA has come for an open stream: the length of its payload without padding.
    #[inline]
    pub(super) fn data(&mut self, payload: usize, end: bool, now: Instant) -> Verdict {
        if payload > 0 {
            self.empty_data.earn(1);
            return Ok(());
        }
        within(end || self.empty_data.take(1, now), "too_many_empty_frames")
    }

    /// WINDOW_UPDATE, also for a stream that is over: readers credit what they still take of it.
    pub(super) fn window_update(&mut self, now: Instant) -> Verdict {
        within(self.window_updates.take(1, now), "too_many_window_updates")
    }

    /// We have reset a stream whose peer may still send so many bytes on it, before it hears.
    pub(super) fn reset_by_us(&mut self, left: u32) {
        self.late = self.late.saturating_add(u64::from(left));
    }

    /// DATA that takes so much window, for a stream that we have reset. What was under way when we
    /// did is nobody's fault, in however many frames it comes; more is useless.
    pub(super) fn late_data(&mut self, flow: u32, now: Instant) -> Verdict {
        match self.late.checked_sub(u64::from(flow)) {
            Some(rest) if flow > 0 => {
                self.late = rest;
                Ok(())
            }
            _ => self.useless(now),
        }
    }

    /// PRIORITY, an unknown frame, a frame for a closed stream, an ACK that nobody asked for.
    pub(super) fn useless(&mut self, now: Instant) -> Verdict {
        within(self.useless.take(1, now), "too_many_useless_frames")
    }

    pub(super) fn go_away(&mut self) -> Verdict {
        self.goaways = self.goaways.saturating_add(1);
        within(self.goaways <= self.max_goaways, "too_many_goaways")
    }

    /// Client: an interim response. A few more of one call fail that call alone.
    pub(super) fn informational(&mut self, now: Instant) -> Verdict {
        within(self.informational.take(1, now), "too_many_informational")
    }

    /// A stream was opened by either side.
    #[inline]
    pub(super) fn opened(&mut self) {
        self.useless.earn(4);
        self.window_updates.earn(2);
    }

    /// An RPC has completed: both sides have ended their stream.
    #[inline]
    pub(super) fn completed(&mut self) {
        self.resets.earn(1);
    }

    /// We have sent HEADERS.
    #[inline]
    pub(super) fn sent_headers(&mut self) {
        self.pings.reset();
    }

    /// We have sent a DATA frame of this length, which ended where the window did or where the
    /// data did. Readers give back window as they read, down to a quarter of a small one at once, on
    /// stream and connection; frames that a peer's tiny window has cut to crumbs earn nothing.
    #[inline]
    pub(super) fn sent_data(&mut self, length: u32, is_cut: bool) {
        self.pings.reset();
        let updates = length / BYTES_PER_UPDATE;
        self.window_updates.earn(if is_cut {
            updates
        } else {
            updates.saturating_add(2)
        });
    }

    /// The time of [`wake_at`](Self::wake_at) has come, perhaps.
    pub(super) fn tick(&self, now: Instant) -> Verdict {
        let due = self.wake_at().is_some_and(|at| at <= now);
        within(!due, HEADER_BLOCK_TOO_LARGE)
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.block?.checked_add(BLOCK_TIME)
    }
}

const fn within(is_within: bool, text: &'static str) -> Verdict {
    if is_within {
        Ok(())
    } else {
        Err(Fatal::new(Reason::ENHANCE_YOUR_CALM, text))
    }
}
