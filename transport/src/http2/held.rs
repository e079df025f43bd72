//! What all connections of a server hold for others: requests that nobody has read yet, and
//! responses that a peer does not take.
//!
//! A connection counts for itself and leases from the whole in steps, so that frames touch nothing
//! shared. Bytes that have come cannot be refused: a lease always succeeds. How much of the whole is
//! in use decides what follows:
//! 1. Above a half, each connection takes on no more output than its share, and windows stop
//!    growing: peers that take what they are sent wait a little, and lose nothing.
//! 2. Above three quarters streams may not stall for long.
//! 3. Beyond the limit a connection is told to let go of its largest stream, until all is within it
//!    again: one that has [stalled](STALLED), if there is any, or else one that has not moved for a
//!    moment, and among these the one that holds most.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, OnceLock};

/// What is leased at once.
const STEP: u64 = 64 * 1024;

/// The same while memory is short.
const SMALL_STEP: u64 = 24 * 1024;

/// What each connection has without a lease, as its read buffer: many connections that hold a
/// little neither meet here nor use up what there is.
pub(super) const FREE: u64 = 16 * 1024;

/// A connection that for so long was not rid of a quarter of what it held has stalled. A peer that
/// takes 100 kbit/s is rid of that much of its share.
pub(super) const STALLED: Duration = Duration::from_secs(5);

/// One that moves is rid of as much within this.
const MOMENT: Duration = Duration::from_secs(1);

/// What is held; clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Held(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    leased: AtomicU64,
    /// How many have leased something.
    count: AtomicU64,
    /// Those.
    holders: Mutex<Vec<Arc<State>>>,
    /// When the first one was there: times are milliseconds since then.
    begin: OnceLock<Instant>,
}

/// One connection's part; given back when dropped.
#[derive(Debug)]
pub(super) struct Holder {
    shared: Arc<Shared>,
    limit: u64,
    leased: u64,
    state: Arc<State>,
    listed: bool,
    mark: Mark,
    now: Instant,
}

/// Where a connection was when it had moved last.
#[derive(Clone, Copy, Debug)]
struct Mark {
    held: u64,
    /// All that was ever taken from it.
    taken: u64,
}

/// How much of the whole is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pressure {
    #[default]
    Low,
    /// More than a half: windows do not grow, and output is shared out.
    Half,
    /// More than three quarters: streams may not stall for long.
    High,
}

/// How long ago a connection has moved: who is longer still goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pace {
    Moves,
    Slow,
    Stalled,
}

struct State {
    leased: AtomicU64,
    /// When it was last rid of a quarter of what it held.
    moved: AtomicU64,
    /// It was told to let go, and has not answered.
    told: AtomicBool,
    tell: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.leased.fmt(f)
    }
}

impl State {
    /// Whom to make let go first: the largest key.
    fn rank(&self, millis: u64) -> (Pace, u64) {
        let still = millis.saturating_sub(self.moved.load(Ordering::Acquire));
        let pace = match Duration::from_millis(still) {
            still if still >= STALLED => Pace::Stalled,
            still if still >= MOMENT => Pace::Slow,
            _ => Pace::Moves,
        };
        (pace, self.leased.load(Ordering::Acquire))
    }
}

impl Held {
    /// For one connection; all of them together get `limit`. `tell` is called, from any task, when
    /// this one is to let go of a stream.
    pub(super) fn holder(
        &self,
        limit: u64,
        now: Instant,
        tell: impl Fn() + Send + Sync + 'static,
    ) -> Holder {
        Holder {
            shared: Arc::clone(&self.0),
            limit,
            leased: 0,
            state: Arc::new(State {
                leased: AtomicU64::new(0),
                moved: AtomicU64::new(0),
                told: AtomicBool::new(false),
                tell: Box::new(tell),
            }),
            listed: false,
            mark: Mark { held: 0, taken: 0 },
            now,
        }
    }

    /// What all of them have leased.
    #[cfg(test)]
    pub(super) fn leased(&self) -> u64 {
        self.0.leased.load(Ordering::Acquire)
    }
}

impl Holder {
    /// So many bytes are held now, and so many were ever taken from it: by its peer, or by readers.
    #[inline]
    pub(super) fn hold(&mut self, bytes: u64, taken: u64, now: Instant) {
        if bytes > FREE || self.leased > 0 {
            self.count(bytes, taken, now);
        }
    }

    /// Keeps a step in advance, unless others need it: where memory is short one that holds little
    /// leases nothing.
    fn count(&mut self, bytes: u64, taken: u64, now: Instant) {
        self.now = now;
        let since = taken.saturating_sub(self.mark.taken);
        if self.leased == 0 || since >= (self.mark.held / 4).max(1) {
            self.mark = Mark { held: bytes, taken };
            let millis = self.millis();
            self.state.moved.store(millis, Ordering::Release);
        }
        let wanted = bytes.saturating_sub(FREE);
        if wanted > self.leased
            || self.leased - wanted >= 2 * self.step()
            || (bytes <= FREE / 2 && self.pressure_of_all() > Pressure::Low)
        {
            self.lease(wanted);
        }
    }

    /// There is nothing to do: what was leased beyond this is given back.
    pub(super) fn rest(&mut self, bytes: u64) {
        let wanted = bytes.saturating_sub(FREE);
        let step = self.step();
        if wanted.div_ceil(step).saturating_mul(step) < self.leased {
            self.lease(wanted);
        }
    }

    /// It was told to let go, and has not answered.
    pub(super) fn was_told(&self) -> bool {
        self.state.told.load(Ordering::Acquire)
    }

    /// It was told, and holds this much. True if it has to let go of its largest stream, and to
    /// [answer](Self::let_go) then; false if what it had leased in advance was enough, or another
    /// one is to let go before this one.
    pub(super) fn must_let_go(&mut self, bytes: u64, now: Instant) -> bool {
        self.now = now;
        self.rest(bytes);
        if self.used() > self.limit && self.is_first() {
            return true;
        }
        self.let_go(bytes, now);
        false
    }

    /// It was told and has let go of something, and holds this much now.
    pub(super) fn let_go(&mut self, bytes: u64, now: Instant) {
        self.now = now;
        self.state.told.store(false, Ordering::Release);
        self.rest(bytes);
        self.cut();
    }

    /// How much of all that there is is in use, as far as this connection needs to know: one that
    /// holds little sees none.
    pub(super) fn pressure(&self) -> Pressure {
        if self.leased == 0 {
            return Pressure::Low;
        }
        self.pressure_of_all()
    }

    /// What each may place ahead of its socket while memory is short: all together a quarter of the
    /// whole, since streams have a message beside it, and leases are whole steps.
    pub(super) fn share(&self) -> u64 {
        let count = self.shared.count.load(Ordering::Acquire).max(1);
        self.limit / 4 / count
    }

    pub(super) const fn is_leasing(&self) -> bool {
        self.leased > 0
    }

    pub(super) fn pressure_of_all(&self) -> Pressure {
        match self.used() {
            used if used > self.limit / 4 * 3 => Pressure::High,
            used if used > self.limit / 2 => Pressure::Half,
            _ => Pressure::Low,
        }
    }

    fn step(&self) -> u64 {
        match self.pressure_of_all() {
            Pressure::Low => STEP,
            Pressure::Half | Pressure::High => SMALL_STEP,
        }
    }

    fn lease(&mut self, wanted: u64) {
        let step = self.step();
        let leased = wanted.div_ceil(step).saturating_mul(step);
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
            self.shared.count.fetch_add(1, Ordering::AcqRel);
            self.listed = true;
        }
        if leased == 0 {
            self.unlist();
        }
        if grows {
            self.cut();
        }
    }

    /// Tells the one that is to go first, unless one was told and has not answered yet.
    fn cut(&self) {
        if self.used() <= self.limit {
            return;
        }
        let millis = self.millis();
        let first = {
            let holders = self.shared.holders.lock();
            if holders.iter().any(|one| one.told.load(Ordering::Acquire)) {
                return;
            }
            let first = holders.iter().max_by_key(|one| one.rank(millis));
            let Some(first) = first else {
                return;
            };
            first.told.store(true, Ordering::Release);
            Arc::clone(first)
        };
        (first.tell)();
    }

    fn is_first(&self) -> bool {
        let millis = self.millis();
        let own = self.state.rank(millis);
        let holders = self.shared.holders.lock();
        self.listed && holders.iter().all(|one| one.rank(millis) <= own)
    }

    fn used(&self) -> u64 {
        self.shared.leased.load(Ordering::Acquire)
    }

    fn millis(&self) -> u64 {
        let begin = *self.shared.begin.get_or_init(|| self.now);
        let since = self.now.saturating_duration_since(begin);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn unlist(&mut self) {
        if std::mem::take(&mut self.listed) {
            self.shared.count.fetch_sub(1, Ordering::AcqRel);
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
        if self.was_told() {
            self.cut();
        }
    }
}

#[cfg(test)]
mod tests;
