//! Timeouts by table and by random spans; deadlines.

use std::time::{Duration, Instant};

use super::{Deadline, Timeout, TimeoutError};
use crate::random::Random;

#[test]
fn written() {
    let nanos = Duration::from_nanos;
    for (span, text) in [
        (Duration::ZERO, "0n"),
        (nanos(1), "1n"),
        (nanos(99_999_999), "99999999n"),
        (nanos(100_000_000), "100000u"),
        (nanos(100_000_001), "100001u"),
        (nanos(99_999_999_001), "100000m"),
        (Duration::from_secs(1), "1000000u"),
        (Duration::from_secs(99_999_999), "99999999S"),
        (Duration::from_secs(100_000_000), "1666667M"),
        (Duration::from_secs(60 * 100_000_000), "1666667H"),
        (Duration::MAX, "99999999H"),
    ] {
        assert_eq!(Timeout::new(span).to_string(), text);
        assert_eq!(Timeout::new(span).to_value(), text);
        assert_eq!(Timeout::new(span).to_text().as_bytes(), text.as_bytes());
    }
}

#[test]
fn read() {
    for (text, span) in [
        ("1H", Duration::from_secs(3_600)),
        ("2M", Duration::from_secs(120)),
        ("3S", Duration::from_secs(3)),
        ("4m", Duration::from_millis(4)),
        ("5u", Duration::from_micros(5)),
        ("6n", Duration::from_nanos(6)),
        ("0S", Duration::ZERO),
        ("00000010n", Duration::from_nanos(10)),
        ("99999999H", Duration::from_secs(99_999_999 * 3_600)),
    ] {
        assert_eq!(text.parse(), Ok(Timeout::new(span)));
    }
    for (text, error) in [
        ("", TimeoutError::Empty),
        ("S", TimeoutError::BadDigits),
        ("1", TimeoutError::BadUnit),
        ("1s", TimeoutError::BadUnit),
        ("1 ", TimeoutError::BadUnit),
        ("123456789n", TimeoutError::TooLong),
        ("000000001n", TimeoutError::TooLong),
        ("-1S", TimeoutError::BadDigits),
        ("+1S", TimeoutError::BadDigits),
        (" 1S", TimeoutError::BadDigits),
        ("1.5S", TimeoutError::BadDigits),
        ("\u{0661}S", TimeoutError::BadDigits),
    ] {
        assert_eq!(text.parse::<Timeout>(), Err(error), "{text:?}");
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn any_bytes_never_panic() {
    let mut random = Random::new(3);
    for _ in 0..10_000 {
        let _ = Timeout::parse(&random.bytes(12));
    }
}

#[test]
fn a_span_never_shrinks_and_hardly_grows() {
    let mut random = Random::new(4);
    for _ in 0..10_000 {
        let nanos = random.next() >> random.below(64);
        let span = Duration::from_nanos(nanos);
        let back = Timeout::parse(Timeout::new(span).to_value().as_bytes()).unwrap();
        assert!(back.duration() >= span);
        let growth = (back.duration() - span).as_nanos();
        // Five digits stay exact.
        assert!(
            growth * 100_000 <= span.as_nanos(),
            "{span:?} became {back}"
        );
    }
}

#[test]
fn deadlines_count_down() {
    let now = Instant::now();
    let second = Duration::from_secs(1);
    let deadline = Deadline::after(now, second);
    assert_eq!(deadline, Deadline::at(now + second));
    assert_eq!(deadline.remaining(now), second);
    assert!(!deadline.is_expired(now));
    assert!(deadline.is_expired(now + second));
    assert_eq!(deadline.remaining(now + second * 2), Duration::ZERO);
}

#[test]
fn a_span_without_end_is_far_away() {
    let now = Instant::now();
    let deadline = Deadline::after(now, Duration::MAX);
    assert!(deadline.remaining(now) > Duration::from_secs(1 << 40));
}

#[test]
fn the_earliest_of_two() {
    let now = Instant::now();
    let (a, b) = (
        Deadline::at(now),
        Deadline::after(now, Duration::from_secs(1)),
    );
    assert_eq!(Deadline::earliest(Some(a), Some(b)), Some(a));
    assert_eq!(Deadline::earliest(Some(b), Some(a)), Some(a));
    assert_eq!(Deadline::earliest(None, Some(b)), Some(b));
    assert_eq!(Deadline::earliest(Some(b), None), Some(b));
    assert_eq!(Deadline::earliest(None, None), None);
}
