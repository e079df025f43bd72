//! Deadlines as points in time, and as the span that travels in `grpc-timeout`.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use http::HeaderValue;

use crate::metadata::Metadata;

/// When an RPC must have ended, on this machine's clock.
///
/// Nothing here reads the clock: `now` comes in as a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Instant);

impl Deadline {
    /// This long after `now`; a span that the clock cannot hold gives a deadline far away.
    pub fn after(now: Instant, span: Duration) -> Self {
        let mut span = span;
        loop {
            if let Some(instant) = now.checked_add(span) {
                return Self(instant);
            }
            span /= 2;
        }
    }

    /// At this instant.
    pub const fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// The instant itself.
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// The time left; zero once it has passed.
    pub fn remaining(self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }

    /// Whether it has passed.
    pub fn is_expired(self, now: Instant) -> bool {
        self.0 <= now
    }

    /// The earlier of two deadlines, either of which may be missing.
    pub fn earliest(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

/// What a call made inside a handler takes over from the RPC that is being handled.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Inherited {
    /// The call ends no later than this.
    pub deadline: Option<Deadline>,
    /// Metadata that travels on, such as the trace context.
    pub metadata: Metadata,
}

impl Inherited {
    /// Nothing inherited.
    pub const fn new() -> Self {
        Self {
            deadline: None,
            metadata: Metadata::new(),
        }
    }
}

/// A span of time in the form of the `grpc-timeout` field: up to eight digits and a unit.
///
/// Shape: `100m`, the units being `H M S m u n`. Writing picks the finest unit that fits and
/// rounds up, so a deadline never shrinks on the wire; 99,999,999 hours are the most.
/// Source: gRPC over HTTP/2, "Timeout".
/// ```
/// use std::time::Duration;
/// use trunkline_core::Timeout;
///
/// assert_eq!(Timeout::new(Duration::from_millis(100)).to_string(), "100000u");
/// let timeout: Timeout = "2S".parse()?;
/// assert_eq!(timeout.duration(), Duration::from_secs(2));
/// # Ok::<(), trunkline_core::TimeoutError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timeout(Duration);

/// Units with their length in nanoseconds, finest first.
const UNITS: [(u8, u64); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60 * 1_000_000_000),
    (b'H', 3_600 * 1_000_000_000),
];
const MAX_DIGITS: usize = 8;
const MAX_VALUE: u32 = 99_999_999;

impl Timeout {
    /// This span.
    pub const fn new(duration: Duration) -> Self {
        Self(duration)
    }

    /// The span itself.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Reads the field's value.
    ///
    /// Errors: anything but one to eight digits and a unit.
    pub fn parse(value: &[u8]) -> Result<Self, TimeoutError> {
        let (unit, digits) = value.split_last().ok_or(TimeoutError::Empty)?;
        if digits.len() > MAX_DIGITS {
            return Err(TimeoutError::TooLong);
        }
        let unit = UNITS.iter().find(|(name, _)| name == unit);
        let (_, nanos) = unit.ok_or(TimeoutError::BadUnit)?;
        if digits.is_empty() {
            return Err(TimeoutError::BadDigits);
        }
        let mut count = 0;
        for digit in digits {
            match digit.wrapping_sub(b'0') {
                value @ 0..=9 => count = count * 10 + u32::from(value),
                _ => return Err(TimeoutError::BadDigits),
            }
        }
        // Spans that 64 bits do not hold are hundreds of years.
        Ok(Self(match nanos.checked_mul(u64::from(count)) {
            Some(nanos) => Duration::from_nanos(nanos),
            None => Duration::from_nanos(*nanos).saturating_mul(count),
        }))
    }

    /// Writes the field's value.
    pub fn to_value(self) -> HeaderValue {
        let text = self.to_text();
        // Digits and a letter are always a legal value, so the fallback is never taken.
        HeaderValue::from_bytes(text.as_bytes()).unwrap_or(HeaderValue::from_static("0n"))
    }

    /// Writes the field's value without allocating.
    /// ```
    /// use std::time::Duration;
    /// use trunkline_core::Timeout;
    ///
    /// let timeout = Timeout::new(Duration::from_millis(100));
    /// assert_eq!(timeout.to_text().as_bytes(), b"100000u");
    /// ```
    pub fn to_text(self) -> TimeoutText {
        let (mut rest, unit) = self.rounded();
        let mut octets = [b'0'; MAX_DIGITS + 1];
        let mut used = 0;
        for (place, byte) in octets.iter_mut().rev().enumerate() {
            if place == 0 {
                *byte = unit;
            } else if place == 1 || rest > 0 {
                *byte = b'0' + u8::try_from(rest % 10).unwrap_or(0);
                rest /= 10;
            } else {
                break;
            }
            used = place + 1;
        }
        TimeoutText { octets, used }
    }

    /// The number of the finest unit that fits, rounded up.
    fn rounded(self) -> (u32, u8) {
        // Spans that 64 bits do not hold are hundreds of years.
        let nanos = u64::try_from(self.0.as_nanos());
        for (unit, length) in UNITS {
            let count = match nanos {
                Ok(nanos) => u32::try_from(nanos.div_ceil(length)),
                Err(_) => u32::try_from(self.0.as_nanos().div_ceil(u128::from(length))),
            };
            match count {
                Ok(count) if count <= MAX_VALUE => return (count, unit),
                _ => {}
            }
        }
        (MAX_VALUE, b'H')
    }
}

/// A [`Timeout`] as it is written.
#[derive(Clone, Copy, Debug)]
pub struct TimeoutText {
    /// The text is at the end.
    octets: [u8; MAX_DIGITS + 1],
    used: usize,
}

impl TimeoutText {
    /// The text: digits and a unit, at most nine bytes.
    pub fn as_bytes(&self) -> &[u8] {
        let from = self.octets.len().saturating_sub(self.used);
        self.octets.get(from..).unwrap_or_default()
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = self.rounded();
        write!(f, "{count}{}", char::from(unit))
    }
}

impl FromStr for Timeout {
    type Err = TimeoutError;

    fn from_str(text: &str) -> Result<Self, TimeoutError> {
        Self::parse(text.as_bytes())
    }
}

/// Why a text is no `grpc-timeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeoutError {
    /// There is nothing.
    Empty,
    /// There are more than eight digits.
    TooLong,
    /// The last byte is none of `H M S m u n`.
    BadUnit,
    /// What stands before the unit is no number.
    BadDigits,
}

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::TooLong => "it has more than 8 digits",
            Self::BadUnit => "its unit is none of H M S m u n",
            Self::BadDigits => "it does not begin with digits",
        })
    }
}

impl Error for TimeoutError {}

#[cfg(test)]
mod tests;
