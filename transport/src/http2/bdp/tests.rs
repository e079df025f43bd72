//! Paths of every kind, as numbers.

use fastrand::Rng;

use super::*;

const KIB: u64 = 1024;
const FIRST: u32 = 256 * 1024;
const MS: Duration = Duration::from_millis(1);

fn policy() -> Bdp {
    Bdp::new(FIRST, MAX_GROWN_WINDOW)
}

/// A path that a sender with a lot to send uses alone.
#[derive(Clone, Copy, Debug)]
struct Path {
    bytes_per_second: u64,
    round_trip: Duration,
}

impl Path {
    fn holds(self) -> u64 {
        let bytes = u128::from(self.bytes_per_second) * self.round_trip.as_micros() / 1_000_000;
        u64::try_from(bytes).unwrap()
    }

    /// What a PING shows with this window: one window per round trip, and a longer one where the
    /// window is more than the path holds, because the rest waits in a queue.
    fn sample(self, window: u32) -> (u64, Duration) {
        let window = u64::from(window);
        let draining = Duration::from_micros(window * 1_000_000 / self.bytes_per_second);
        (window, self.round_trip.max(draining))
    }
}

/// Looks `looks` times; the window then, and the PINGs until it last grew.
fn run(path: Path, bdp: &mut Bdp, looks: usize) -> (u32, usize) {
    let (mut window, mut last) = (bdp.window, 0);
    for look in 1..=looks {
        if bdp.watch_bytes().is_none() {
            break;
        }
        let (sample, round_trip) = path.sample(window);
        if let Some(wish) = bdp.measured(sample, round_trip) {
            bdp.grown(wish);
            (window, last) = (wish, look);
        }
    }
    (window, last)
}

#[test]
fn a_window_grows_to_what_its_path_holds() {
    // 40 MB/s over 100 ms hold 4 MB.
    let path = Path {
        bytes_per_second: 40_000_000,
        round_trip: 100 * MS,
    };
    let (window, pings) = run(path, &mut policy(), 100);
    // At 4 MiB the last doubling has still paid, so that there is one more.
    assert_eq!(u64::from(window), 8192 * KIB);
    assert!(u64::from(window) >= path.holds());
    assert_eq!(pings, 5, "one PING for each");
}

#[test]
fn a_window_that_holds_the_path_grows_once_at_the_most() {
    // 1 Gbit/s over 0.2 ms hold 25 kB.
    let near = Path {
        bytes_per_second: 125_000_000,
        round_trip: MS / 5,
    };
    let (window, _) = run(near, &mut policy(), 1_000);
    assert_eq!(window, 2 * FIRST, "nothing is known before the first look");
}

#[test]
fn the_largest_window_is_never_exceeded_and_no_more_is_asked_then() {
    let far = Path {
        bytes_per_second: 10_000_000_000,
        round_trip: 300 * MS,
    };
    let mut bdp = policy();
    let (window, pings) = run(far, &mut bdp, 100);
    assert_eq!((window, pings), (MAX_GROWN_WINDOW, 6));
    assert_eq!(bdp.watch_bytes(), None);
}

#[test]
fn nothing_is_asked_before_a_stream_has_carried_a_window_and_rarely_once_it_is_in_vain() {
    let mut bdp = policy();
    let mut watched = Vec::new();
    for _ in 0..6 {
        watched.push(bdp.watch_bytes().unwrap() / KIB);
        assert_eq!(bdp.measured(10 * KIB, 10 * MS), None, "far from limited");
    }
    assert_eq!(watched, [256, 1024, 4096, 16_384, 65_536, 65_536]);
    let wish = bdp.measured(256 * KIB, 10 * MS).unwrap();
    bdp.grown(wish);
    assert_eq!(bdp.watch_bytes(), Some(512 * KIB), "the whole new window");
}

#[test]
fn a_sender_or_a_reader_that_is_slow_by_itself_gets_no_more() {
    let mut bdp = policy();
    assert_eq!(bdp.measured(127 * KIB, 100 * MS), None, "below a half");
    assert_eq!(bdp.measured(128 * KIB, 100 * MS), Some(512 * 1024));
    bdp.grown(512 * 1024);
    // Faster by less than an eighth, though the window is used up.
    assert_eq!(bdp.measured(512 * KIB, 356 * MS), None);
    assert_eq!(bdp.measured(512 * KIB, 355 * MS), Some(1024 * 1024));
    bdp.grown(1024 * 1024);
    // More than a window within a round trip: the path holds more.
    assert_eq!(bdp.measured(1500 * KIB, 355 * MS), Some(3000 * 1024));
}

#[test]
fn a_wish_that_is_not_granted_changes_nothing_but_the_next_look() {
    let mut bdp = policy();
    assert_eq!(bdp.measured(256 * KIB, 100 * MS), Some(512 * 1024));
    bdp.refused();
    assert_eq!(bdp.watch_bytes(), Some(1024 * KIB));
    assert_eq!(bdp.measured(256 * KIB, 100 * MS), Some(512 * 1024), "again");
    bdp.grown(300_000);
    assert_eq!(bdp.watch_bytes(), Some(300_000), "less than was wished for");
}

/// Any path, with measurements that are off by a tenth: the window ends between what the path
/// holds and a few times that, within its bounds, and the PINGs stay few.
#[test]
fn windows_end_near_what_their_paths_hold() {
    for seed in 0..2_000 {
        let mut rng = Rng::with_seed(seed);
        let path = Path {
            bytes_per_second: 1 << rng.u32(16..34),
            round_trip: Duration::from_micros(1 << rng.u32(6..20)),
        };
        let mut bdp = policy();
        let (mut window, mut bytes, mut pings) = (FIRST, 0, 0_u64);
        while let Some(watched) = bdp.watch_bytes().filter(|_| bytes < 4 << 30) {
            let (sample, round_trip) = path.sample(window);
            bytes += watched + sample;
            pings += 1;
            let noise = rng.u32(95..=105);
            if let Some(wish) = bdp.measured(sample, round_trip * noise / 100) {
                assert!(wish > window && wish <= MAX_GROWN_WINDOW, "{path:?}");
                bdp.grown(wish);
                window = wish;
            }
        }
        let holds = path.holds();
        let wanted = holds.min(u64::from(MAX_GROWN_WINDOW));
        assert!(
            u64::from(window) >= wanted * 9 / 10,
            "{window} for {path:?}"
        );
        let most = (4 * holds).max(4 * u64::from(FIRST));
        assert!(u64::from(window) <= most, "{window} for {path:?}");
        assert!(
            pings <= 12 + bytes / (64 * 1024 * KIB),
            "{pings} for {path:?}"
        );
    }
}

/// Numbers that make no sense: nothing overflows, and a window only ever grows within its bounds.
#[test]
fn any_numbers_are_survived() {
    let mut rng = Rng::with_seed(7);
    for _ in 0..10_000 {
        let mut bdp = Bdp::new(rng.u32(..), rng.u32(..));
        for _ in 0..10 {
            let before = bdp.window;
            let sample = rng.u64(..) >> rng.u32(..64);
            let round_trip = Duration::from_nanos(rng.u64(..) >> rng.u32(..64));
            if let Some(wish) = bdp.measured(sample, round_trip) {
                assert!(wish > before && wish <= bdp.max);
                bdp.grown(wish);
            }
            assert_eq!(bdp.watch_bytes().is_none(), bdp.window >= bdp.max);
        }
    }
}
