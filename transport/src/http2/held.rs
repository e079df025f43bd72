//! What all connections of a server hold for others: requests that nobody has read yet, and
//! responses that a peer does not take.
//!
//! A connection counts for itself and leases from the whole in steps, so that frames touch nothing
//! shared. Bytes that have come cannot be refused: a lease always succeeds, but where it leads
//! beyond the limit the connection that holds most is told to let go of its largest stream, until
//! all is within the limit again.

use std::fmt;
use std::sync::Arc;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What is leased at once.
const STEP: u64 = 64 * 1024;

/// What each connection has without a lease, as its read buffer: many connections that hold a
/// little neither meet here nor use up what there is.
const FREE: u64 = 16 * 1024;

/// What is held; clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Held(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    leased: AtomicU64,
    /// Those that have leased something.
    holders: Mutex<Vec<Arc<State>>>,
}

/// One connection's part; given back when dropped.
#[derive(Debug)]
pub(super) struct Holder {
    shared: Arc<Shared>,
    limit: u64,
    leased: u64,
    state: Arc<State>,
    listed: bool,
}

/// How much of the whole is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pressure {
    #[default]
    Low,
    /// More than a half: windows do not grow.
    Half,
    /// More than three quarters: streams may not stall for long.
    High,
}

struct State {
    leased: AtomicU64,
    /// It was told to let go, and has not answered.
    told: AtomicBool,
    tell: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.leased.fmt(f)
    }
}

impl Held {
    /// For one connection; all of them together get `limit`. `tell` is called, from any task, when
    /// this one is to let go of a stream.
    pub(super) fn holder(&self, limit: u64, tell: impl Fn() + Send + Sync + 'static) -> Holder {
        Holder {
            shared: Arc::clone(&self.0),
            limit,
            leased: 0,
            state: Arc::new(State {
                leased: AtomicU64::new(0),
                told: AtomicBool::new(false),
                tell: Box::new(tell),
            }),
            listed: false,
        }
    }
}

impl Holder {
    /// So many bytes are held now.
    #[inline]
    pub(super) fn hold(&mut self, bytes: u64) {
        let wanted = bytes.saturating_sub(FREE);
        if wanted > self.leased || self.leased - wanted >= 2 * STEP {
            self.lease(wanted);
        }
    }

    /// There is nothing to do: what was leased beyond this is given back.
    pub(super) fn rest(&mut self, bytes: u64) {
        let wanted = bytes.saturating_sub(FREE);
        if wanted.div_ceil(STEP).saturating_mul(STEP) < self.leased {
            self.lease(wanted);
        }
    }

    /// It was told, and holds this much. True if it has to let go of its largest stream, and to
    /// [answer](Self::let_go) then; false if what it had leased in advance was enough, or another
    /// one holds more than this one really does.
    pub(super) fn must_let_go(&mut self, bytes: u64) -> bool {
        self.rest(bytes);
        if self.used() > self.limit && self.is_largest() {
            return true;
        }
        self.let_go(bytes);
        false
    }

    /// It was told and has let go of something, and holds this much now.
    pub(super) fn let_go(&mut self, bytes: u64) {
        self.state.told.store(false, Ordering::Release);
        self.rest(bytes);
        if self.used() > self.limit {
            self.cut();
        }
    }

    /// How much of all that there is is in use, as far as this connection needs to know: one that
    /// holds little sees none.
    pub(super) fn pressure(&self) -> Pressure {
        if self.leased == 0 {
            return Pressure::Low;
        }
        match self.used() {
            used if used > self.limit / 4 * 3 => Pressure::High,
            used if used > self.limit / 2 => Pressure::Half,
            _ => Pressure::Low,
        }
    }

    pub(super) const fn is_leasing(&self) -> bool {
        self.leased > 0
    }

    fn lease(&mut self, wanted: u64) {
        let leased = wanted.div_ceil(STEP).saturating_mul(STEP);
        let all = &self.shared.leased;
        if leased < self.leased {
            all.fetch_sub(self.leased - leased, Ordering::AcqRel);
        } else {
            all.fetch_add(leased - self.leased, Ordering::AcqRel);
        }
        let grows = leased > self.leased;
        self.leased = leased;
        self.state.leased.store(leased, Ordering::Release);
        if grows && !self.listed {
            self.shared.holders.lock().push(Arc::clone(&self.state));
            self.listed = true;
        }
        if leased == 0 {
            self.unlist();
        }
        if grows && self.used() > self.limit {
            self.cut();
        }
    }

    /// Tells the one that holds most, unless one was told and has not answered yet.
    fn cut(&self) {
        let largest = {
            let holders = self.shared.holders.lock();
            if holders.iter().any(|one| one.told.load(Ordering::Acquire)) {
                return;
            }
            let largest = holders
                .iter()
                .max_by_key(|one| one.leased.load(Ordering::Acquire));
            let Some(largest) = largest else {
                return;
            };
            largest.told.store(true, Ordering::Release);
            Arc::clone(largest)
        };
        (largest.tell)();
    }

    fn is_largest(&self) -> bool {
        let holders = self.shared.holders.lock();
        let others = holders.iter().map(|one| one.leased.load(Ordering::Acquire));
        others.max().is_some_and(|largest| largest <= self.leased)
    }

    fn used(&self) -> u64 {
        self.shared.leased.load(Ordering::Acquire)
    }

    fn unlist(&mut self) {
        if std::mem::take(&mut self.listed) {
            let mut holders = self.shared.holders.lock();
            holders.retain(|one| !Arc::ptr_eq(one, &self.state));
            if holders.is_empty() {
                *holders = Vec::new();
            }
        }
    }
}

/// One that was told and ends instead has let go of everything; if that is not enough, the next
/// one is told.
impl Drop for Holder {
    fn drop(&mut self) {
        self.shared.leased.fetch_sub(self.leased, Ordering::AcqRel);
        self.unlist();
        let was_told = self.state.told.load(Ordering::Acquire);
        if was_told && self.used() > self.limit {
            self.cut();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn holder(held: &Held, limit: u64) -> (Holder, Arc<AtomicU64>) {
        let told = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&told);
        let tell = move || {
            count.fetch_add(1, Ordering::Relaxed);
        };
        (held.holder(limit, tell), told)
    }

    fn times(told: &AtomicU64) -> u64 {
        told.load(Ordering::Relaxed)
    }

    #[test]
    fn little_is_free_and_more_is_leased_in_steps() {
        let held = Held::default();
        let (mut one, _) = holder(&held, MIB);
        one.hold(FREE);
        assert_eq!(one.used(), 0);
        one.hold(FREE + 1);
        assert_eq!(one.used(), STEP);
        one.hold(FREE + STEP);
        one.hold(0);
        assert_eq!(one.used(), STEP, "kept for the next one");
        one.hold(FREE + 3 * STEP);
        assert_eq!(one.used(), 3 * STEP);
        one.hold(FREE + STEP);
        assert_eq!(one.used(), STEP);
        one.rest(10);
        assert_eq!((one.used(), one.shared.holders.lock().len()), (0, 0));
        one.hold(MIB);
        drop(one);
        assert_eq!(held.0.leased.load(Ordering::Acquire), 0);
        assert!(held.0.holders.lock().is_empty());
    }

    #[test]
    fn the_largest_is_told_once_and_again_until_it_is_enough() {
        let held = Held::default();
        let (mut small, small_told) = holder(&held, 10 * MIB);
        let (mut large, large_told) = holder(&held, 10 * MIB);
        large.hold(7 * MIB);
        small.hold(2 * MIB);
        assert_eq!(small.pressure(), Pressure::High);
        small.hold(4 * MIB);
        assert_eq!((times(&small_told), times(&large_told)), (0, 1));
        small.hold(5 * MIB);
        assert_eq!(times(&large_told), 1, "it has not answered");
        large.let_go(6 * MIB);
        assert_eq!(times(&large_told), 2, "not enough");
        large.let_go(3 * MIB);
        assert_eq!((times(&small_told), times(&large_told)), (0, 2));
        small.hold(9 * MIB);
        assert_eq!((times(&small_told), times(&large_told)), (1, 2), "itself");
    }

    #[test]
    fn nobody_loses_a_stream_for_what_is_leased_in_advance() {
        let held = Held::default();
        let (mut first, first_told) = holder(&held, 8 * STEP);
        let (mut second, second_told) = holder(&held, 8 * STEP);
        first.hold(FREE + 5 * STEP);
        first.hold(FREE + 3 * STEP + 1);
        second.hold(FREE + 4 * STEP);
        assert_eq!(
            (times(&first_told), times(&second_told)),
            (1, 0),
            "9 of 8 steps"
        );
        assert!(!first.must_let_go(FREE + 3 * STEP + 1), "4 and 4 fit");
        second.hold(FREE + 5 * STEP);
        assert_eq!((times(&first_told), times(&second_told)), (1, 1));
        assert!(second.must_let_go(FREE + 5 * STEP), "it is the largest");
        second.let_go(0);
        first.hold(FREE + 9 * STEP);
        assert_eq!(times(&first_told), 2);
        second.hold(FREE + 9 * STEP);
        assert!(
            !first.must_let_go(FREE + STEP),
            "9 fit with nothing of this one"
        );
    }

    #[test]
    fn one_that_ends_instead_passes_it_on() {
        let held = Held::default();
        let (mut first, first_told) = holder(&held, 10 * MIB);
        let (mut second, second_told) = holder(&held, 10 * MIB);
        second.hold(5 * MIB);
        first.hold(6 * MIB);
        second.hold(12 * MIB);
        assert_eq!((times(&first_told), times(&second_told)), (1, 0));
        drop(first);
        assert_eq!(times(&second_told), 1);
        second.let_go(MIB);
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
                            one.hold(bytes);
                        } else {
                            one.let_go(bytes / 8);
                        }
                    }
                });
            }
        });
        assert_eq!(held.0.leased.load(Ordering::Acquire), 0);
        assert!(held.0.holders.lock().is_empty());
    }
}
