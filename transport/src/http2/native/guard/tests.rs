//! Each row: its cap, its refill, what it earns, its text.

use super::*;

const S: Duration = Duration::from_secs(1);

type Event = fn(&mut Guard, Instant) -> Verdict;
type Earning = (fn(&mut Guard), u32);

struct Row {
    text: &'static str,
    event: Event,
    cap: u32,
    per_second: u32,
    /// Useful events, and how many each gives back.
    earns: &'static [Earning],
}

const fn of_age(age: Duration) -> Reset {
    Reset {
        age,
        unseen: Duration::ZERO,
        timeout: None,
    }
}

const ROWS: &[Row] = &[
    Row {
        text: "too_many_resets",
        event: |guard, now| guard.reset(&of_age(Duration::from_millis(49)), now),
        cap: 500,
        per_second: 200,
        earns: &[(Guard::completed, 1)],
    },
    Row {
        text: "too_many_stream_errors",
        event: Guard::stream_error,
        cap: 200,
        per_second: 10,
        earns: &[],
    },
    Row {
        text: "too_many_refused_streams",
        event: Guard::refused,
        cap: 1_000,
        per_second: 100,
        earns: &[],
    },
    Row {
        text: "header_list_too_large",
        event: |guard, _| guard.head_too_large(),
        cap: 20,
        per_second: 0,
        earns: &[(Guard::head_fits, 20)],
    },
    Row {
        text: "too_many_settings",
        event: |guard, now| guard.settings(6, 1, now),
        cap: 100,
        per_second: 1,
        earns: &[],
    },
    Row {
        text: "too_many_pings",
        event: Guard::ping,
        cap: 100,
        per_second: 1,
        earns: &[
            (Guard::sent_headers, 100),
            (|guard| guard.sent_data(1, true), 100),
        ],
    },
    Row {
        text: "too_many_empty_frames",
        event: |guard, now| guard.data(0, false, now),
        cap: 100,
        per_second: 1,
        earns: &[(|guard| guard.data(1, false, Instant::now()).unwrap(), 1)],
    },
    Row {
        text: "too_many_window_updates",
        event: Guard::window_update,
        cap: 2_000,
        per_second: 100,
        earns: &[
            (|guard| guard.sent_data(1, true), 0),
            (|guard| guard.sent_data(1, false), 2),
            (|guard| guard.sent_data(500, true), 1),
            (|guard| guard.sent_data(16_384, true), 64),
            (|guard| guard.sent_data(16_384, false), 66),
            (Guard::opened, 2),
        ],
    },
    Row {
        text: "too_many_useless_frames",
        event: Guard::useless,
        cap: 1_000,
        per_second: 50,
        earns: &[(Guard::opened, 4)],
    },
    Row {
        text: "too_many_goaways",
        event: |guard, _| guard.go_away(),
        cap: 10,
        per_second: 0,
        earns: &[],
    },
    Row {
        text: "too_many_informational",
        event: Guard::informational,
        cap: 1_000,
        per_second: 1,
        earns: &[],
    },
];

fn dry(row: &Row, guard: &mut Guard, now: Instant) -> u32 {
    let mut passed = 0;
    while let Ok(()) = (row.event)(guard, now) {
        passed += 1;
        assert!(passed < 1_000_000, "{} never ends", row.text);
    }
    passed
}

#[test]
fn each_kind_has_its_cap_its_refill_its_earnings_and_its_text() {
    for row in ROWS {
        let t0 = Instant::now();
        let mut guard = Guard::new(&Limits::default(), t0);
        assert_eq!(dry(row, &mut guard, t0), row.cap, "{}", row.text);
        let fatal = (row.event)(&mut guard, t0).unwrap_err();
        assert_eq!(fatal, Fatal::new(Reason::ENHANCE_YOUR_CALM, row.text));
        let later = t0 + 5 * S;
        let back = dry(row, &mut guard, later);
        assert_eq!(back, (5 * row.per_second).min(row.cap), "{}", row.text);
        for (useful, gives) in row.earns {
            useful(&mut guard);
            assert_eq!(dry(row, &mut guard, later), *gives, "{}", row.text);
        }
        // None of the other kinds has lost anything by it.
        for other in ROWS.iter().filter(|other| other.text != row.text) {
            let passed = dry(other, &mut guard, later);
            assert!(passed >= other.cap, "{} by {}", other.text, row.text);
        }
    }
}

#[test]
fn without_limits_nothing_is_too_much() {
    let t0 = Instant::now();
    let mut guard = Guard::new(&Limits::unlimited(), t0);
    for row in ROWS {
        for _ in 0..10_000 {
            (row.event)(&mut guard, t0).unwrap();
        }
    }
}

#[test]
fn streams_that_are_opened_only_to_be_reset_count_double() {
    let t0 = Instant::now();
    let mut guard = Guard::new(&Limits::default(), t0);
    for _ in 0..250 {
        guard.reset(&of_age(Duration::ZERO), t0).unwrap();
    }
    guard.reset(&of_age(Duration::ZERO), t0).unwrap_err();
}

#[test]
fn cancels_of_streams_that_had_their_time_cost_nothing() {
    let t0 = Instant::now();
    let mut guard = Guard::new(&Limits::default(), t0);
    for _ in 0..100_000 {
        guard.reset(&of_age(YOUNG), t0).unwrap();
    }
}

/// How many resets like this, `every` so often, are let through of `many`.
fn lasts(reset: Reset, many: u32, every: Duration) -> u32 {
    let t0 = Instant::now();
    let mut guard = Guard::new(&Limits::default(), t0);
    let fails = |number: &u32| guard.reset(&reset, t0 + every * *number).is_err();
    (0..many).find(fails).unwrap_or(many)
}

#[test]
fn cancels_after_their_own_deadline_cost_nothing() {
    const MS: Duration = Duration::from_millis(1);
    let expired = |timeout: Duration, age| Reset {
        timeout: Some(timeout),
        ..of_age(age)
    };
    // A client that means well, before a server that is slow.
    assert_eq!(
        lasts(expired(20 * MS, 20 * MS), 100_000, Duration::ZERO),
        100_000
    );
    assert_eq!(
        lasts(expired(5 * MS, 7 * MS), 100_000, Duration::ZERO),
        100_000
    );
    // Before its deadline it is any cancel.
    assert_eq!(
        lasts(expired(20 * MS, 19 * MS), 100_000, Duration::ZERO),
        500
    );
    // A deadline that is over as soon as it is said.
    let said = expired(Duration::from_nanos(1), MS);
    assert_eq!(lasts(said, 100_000, Duration::ZERO), 5_000);
    assert_eq!(
        lasts(expired(Duration::ZERO, MS), 100_000, Duration::ZERO),
        5_000
    );
    let at_once = expired(Duration::from_nanos(1), Duration::ZERO);
    assert_eq!(
        lasts(at_once, 100_000, Duration::ZERO),
        250,
        "in the same breath"
    );
    // Two thousand in a second are borne for ever, ten thousand are not.
    assert_eq!(lasts(said, 100_000, MS / 2), 100_000);
    assert!(lasts(said, 100_000, MS / 10) < 10_000);
    // The server has not looked for so long that both came meanwhile.
    let mut late = expired(10 * MS, Duration::ZERO);
    late.unseen = 10 * MS;
    assert_eq!(lasts(late, 100_000, Duration::ZERO), 5_000);
    late.unseen = 9 * MS;
    assert_eq!(lasts(late, 100_000, Duration::ZERO), 250);
}

#[test]
fn a_peer_that_lets_settings_pile_up_unanswered_is_closed_early() {
    let t0 = Instant::now();
    let mut guard = Guard::new(&Limits::default(), t0);
    guard.settings(0, 10, t0).unwrap();
    assert_eq!(
        guard.settings(0, 11, t0).unwrap_err().text,
        "too_many_settings"
    );
}

#[test]
fn one_frame_full_of_settings_is_too_many() {
    let t0 = Instant::now();
    let mut guard = Guard::new(&Limits::default(), t0);
    let most = 16_384 / 6;
    assert_eq!(
        guard.settings(most, 1, t0).unwrap_err().text,
        "too_many_settings"
    );
}

#[test]
fn data_that_was_under_way_when_we_reset_its_stream_costs_nothing() {
    let t0 = Instant::now();
    let mut guard = Guard::new(&Limits::default(), t0);
    for _ in 0..10 {
        guard.reset_by_us(65_535);
        for _ in 0..65_535 {
            guard.late_data(1, t0).unwrap();
        }
    }
    for _ in 0..1_000 {
        guard.late_data(1, t0).unwrap();
    }
    let fatal = guard.late_data(1, t0).unwrap_err();
    assert_eq!(fatal.text, "too_many_useless_frames");
    guard.reset_by_us(100);
    guard.late_data(0, t0).unwrap_err();
}

#[test]
fn empty_data_that_ends_a_stream_is_useful() {
    let t0 = Instant::now();
    let mut guard = Guard::new(&Limits::default(), t0);
    for _ in 0..100_000 {
        guard.data(0, true, t0).unwrap();
    }
}

#[test]
fn a_header_block_has_ten_seconds() {
    let t0 = Instant::now();
    let mut guard = Guard::new(&Limits::default(), t0);
    assert_eq!(guard.wake_at(), None);
    guard.block(true, t0);
    guard.block(true, t0 + 9 * S);
    assert_eq!(guard.wake_at(), Some(t0 + 10 * S));
    guard.tick(t0 + 9 * S).unwrap();
    assert_eq!(
        guard.tick(t0 + 10 * S).unwrap_err().text,
        "header_block_too_large"
    );
    guard.block(false, t0 + 10 * S);
    guard.tick(t0 + 11 * S).unwrap();
}
