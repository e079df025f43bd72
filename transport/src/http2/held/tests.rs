//! What connections hold together, and who lets go.

use super::*;

const MIB: u64 = 1024 * 1024;

fn holder(held: &Held, limit: u64) -> (Holder, Arc<AtomicU64>) {
    let told = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&told);
    let tell = move || {
        count.fetch_add(1, Ordering::Relaxed);
    };
    (held.holder(limit, Instant::now(), tell), told)
}

impl Holder {
    /// So much, and it does not move.
    fn holds(&mut self, bytes: u64) {
        self.hold(bytes, 0, self.now);
    }
}

fn times(told: &AtomicU64) -> u64 {
    told.load(Ordering::Relaxed)
}

#[test]
fn little_is_free_and_more_is_leased_in_steps() {
    let held = Held::default();
    let (mut one, _) = holder(&held, MIB);
    one.holds(FREE);
    assert_eq!(one.used(), 0);
    one.holds(FREE + 1);
    assert_eq!(one.used(), STEP);
    one.holds(FREE + STEP);
    one.holds(0);
    assert_eq!(one.used(), STEP, "kept for the next one");
    one.holds(FREE + 3 * STEP);
    assert_eq!(one.used(), 3 * STEP);
    one.holds(FREE + STEP);
    assert_eq!(one.used(), STEP);
    one.rest(10);
    assert_eq!((one.used(), one.shared.holders.lock().len()), (0, 0));
    one.holds(MIB);
    drop(one);
    assert_eq!(held.0.leased.load(Ordering::Acquire), 0);
    assert!(held.0.holders.lock().is_empty());
}

#[test]
fn nothing_is_kept_for_the_next_one_while_memory_is_short() {
    let held = Held::default();
    let (mut busy, _) = holder(&held, MIB);
    let (mut large, _) = holder(&held, MIB);
    large.holds(FREE + 10 * STEP);
    assert_eq!(large.pressure(), Pressure::Half);
    busy.holds(FREE + 1);
    busy.holds(FREE);
    let both = 10 * STEP + SMALL_STEP;
    assert_eq!(held.leased(), both, "it may be about to hold more");
    busy.holds(0);
    assert_eq!(held.leased(), 10 * STEP);
    assert_eq!(large.shared.holders.lock().len(), 1);
}

#[test]
fn the_largest_is_told_once_and_again_until_it_is_enough() {
    let held = Held::default();
    let (mut small, small_told) = holder(&held, 10 * MIB);
    let (mut large, large_told) = holder(&held, 10 * MIB);
    large.holds(7 * MIB);
    small.holds(2 * MIB);
    assert_eq!(small.pressure(), Pressure::High);
    small.holds(4 * MIB);
    assert_eq!((times(&small_told), times(&large_told)), (0, 1));
    small.holds(5 * MIB);
    assert_eq!(times(&large_told), 1, "it has not answered");
    large.let_go(6 * MIB, large.now);
    assert_eq!(times(&large_told), 2, "not enough");
    large.let_go(3 * MIB, large.now);
    assert_eq!((times(&small_told), times(&large_told)), (0, 2));
    small.holds(9 * MIB);
    assert_eq!((times(&small_told), times(&large_told)), (1, 2), "itself");
}

#[test]
fn nobody_loses_a_stream_for_what_is_leased_in_advance() {
    let held = Held::default();
    let (mut first, first_told) = holder(&held, 8 * STEP);
    let (mut second, second_told) = holder(&held, 8 * STEP);
    let (mut third, _) = holder(&held, 8 * STEP);
    first.holds(FREE + 4 * STEP);
    first.holds(FREE + 2 * STEP + 1);
    second.holds(FREE + 3 * STEP + 1);
    assert_eq!(held.leased(), 8 * STEP, "all of it");
    third.holds(FREE + 1);
    assert_eq!(held.leased(), 8 * STEP + SMALL_STEP, "a little more");
    let told = (times(&first_told), times(&second_told));
    assert_eq!(told.0 + told.1, 1);
    let (one, bytes) = match told.0 {
        1 => (&mut first, FREE + 2 * STEP + 1),
        _ => (&mut second, FREE + 3 * STEP + 1),
    };
    assert!(!one.must_let_go(bytes, one.now), "it fits");
    assert!(held.leased() < 8 * STEP);
    second.holds(FREE + 9 * STEP);
    assert!(!first.must_let_go(FREE + STEP, first.now), "another one");
    assert!(second.must_let_go(FREE + 9 * STEP, second.now));
}

#[test]
fn who_moves_goes_last_however_much_it_holds() {
    let held = Held::default();
    let (mut large, large_told) = holder(&held, 10 * MIB);
    let (mut slow, slow_told) = holder(&held, 10 * MIB);
    let (mut still, still_told) = holder(&held, 10 * MIB);
    let told = || [&large_told, &slow_told, &still_told].map(|told| times(told));
    let t0 = large.now;
    let at = |millis| t0 + Duration::from_millis(millis);
    large.hold(6 * MIB, 0, t0);
    slow.hold(2 * MIB, 0, t0);
    still.hold(MIB, 0, t0);
    // A quarter each two seconds, and crumbs.
    slow.hold(2 * MIB, MIB / 2, at(2_000));
    still.hold(MIB, 100_000, at(2_000));
    slow.hold(2 * MIB, MIB, at(4_000));
    large.hold(6 * MIB, 2 * MIB, at(5_000));
    still.hold(MIB, 200_000, at(5_000));
    assert_eq!(told(), [0; 3], "within the limit");
    large.hold(8 * MIB, 4 * MIB, at(5_100));
    assert_eq!(told(), [0, 0, 1], "the one that stands still");
    assert!(still.must_let_go(MIB, at(5_100)));
    still.let_go(0, at(5_100));
    assert_eq!(told(), [0, 0, 1], "all is within the limit");
    large.hold(9 * MIB, 6 * MIB, at(5_200));
    assert_eq!(told(), [0, 1, 1], "the one that has not moved for a second");
    slow.let_go(0, at(5_200));
    large.hold(11 * MIB, 8 * MIB, at(5_300));
    assert_eq!(told(), [1, 1, 1], "nobody else is left");
}

#[test]
fn while_memory_is_short_it_is_shared_out() {
    let held = Held::default();
    let mut holders: Vec<_> = (0..8).map(|_| holder(&held, 8 * MIB).0).collect();
    for holder in &mut holders {
        holder.holds(MIB / 2);
        assert_eq!(holder.pressure(), Pressure::Low);
    }
    holders[0].holds(MIB);
    assert_eq!(holders[1].pressure(), Pressure::Half);
    assert_eq!(holders[1].share(), MIB / 4);
    holders.truncate(2);
    assert_eq!(holders[1].pressure(), Pressure::Low);
    assert_eq!(holders[1].share(), MIB);
}

#[test]
fn one_that_ends_instead_passes_it_on() {
    let held = Held::default();
    let (mut first, first_told) = holder(&held, 10 * MIB);
    let (mut second, second_told) = holder(&held, 10 * MIB);
    second.holds(5 * MIB);
    first.holds(6 * MIB);
    second.holds(12 * MIB);
    assert_eq!((times(&first_told), times(&second_told)), (1, 0));
    drop(first);
    assert_eq!(times(&second_told), 1);
    second.let_go(MIB, second.now);
    assert_eq!(times(&second_told), 1);
    assert_eq!(second.pressure(), Pressure::Low);
}

#[test]
fn threads_leave_nothing_behind() {
    let held = Held::default();
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (mut one, _told) = holder(&held, MIB);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                for _ in 0..2_000 {
                    let bytes = random.u64(..MIB);
                    if random.bool() {
                        one.holds(bytes);
                    } else {
                        one.let_go(bytes / 8, one.now);
                    }
                }
            });
        }
    });
    assert_eq!(held.0.leased.load(Ordering::Acquire), 0);
    assert!(held.0.holders.lock().is_empty());
}
