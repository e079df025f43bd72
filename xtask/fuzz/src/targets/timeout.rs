//! `grpc-timeout`: a text that is read, and a span that is written.
//!
//! Input: the text; its first twelve bytes are also seconds and nanoseconds.

use std::time::Duration;

use trunkline_core::Timeout;

use crate::Source;

const UNITS: [(u8, u128); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];

pub(super) fn run(input: &[u8]) {
    let read = Timeout::parse(input);
    let expected = model(input);
    assert_eq!(read.ok().map(|t| t.duration().as_nanos()), expected);
    if let Err(error) = read {
        assert!(!error.to_string().is_empty());
    }

    let mut source = Source::new(input);
    // Not only spans of billions of years.
    let seconds = source.u64() >> (source.byte() % 64);
    write(Duration::new(seconds, source.u32() % 1_000_000_000));
    if let Ok(timeout) = read {
        write(timeout.duration());
    }
}

fn model(text: &[u8]) -> Option<u128> {
    let (unit, digits) = text.split_last()?;
    let (_, nanos) = UNITS.iter().find(|(name, _)| name == unit)?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = std::str::from_utf8(digits).ok()?;
    Some(digits.parse::<u128>().ok()? * nanos)
}

fn write(span: Duration) {
    let timeout = Timeout::new(span);
    let value = timeout.to_value();
    assert_eq!(value.to_str().ok(), Some(timeout.to_string().as_str()));
    let sent = model(value.as_bytes()).expect("what is written is legal");
    let (unit, digits) = value.as_bytes().split_last().expect("it has a unit");
    assert!(digits == b"0" || digits.first() != Some(&b'0'), "{value:?}");
    let mut units = UNITS.iter().enumerate();
    let unit = units.find(|(_, (name, _))| name == unit);
    let (place, (_, length)) = unit.expect("it is a unit");
    let wanted = span.as_nanos();
    if wanted > 99_999_999 * UNITS[5].1 {
        assert_eq!(value, "99999999H", "the most that there is");
        return;
    }
    assert!(sent >= wanted, "{span:?} shrinks to {value:?}");
    assert!(sent - wanted < *length, "{span:?} grows to {value:?}");
    if let Some((_, finer)) = place.checked_sub(1).and_then(|finer| UNITS.get(finer)) {
        assert!(
            wanted.div_ceil(*finer) > 99_999_999,
            "{span:?} fits a finer unit than {value:?}"
        );
    }
}
