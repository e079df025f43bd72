//! What a stream needs only while something passes through it, lent by the thread: one that is at
//! rest has but a null in its place.
//!
//! What one thread borrows another one may give back. Were it left to the allocator that the second
//! has too many and the first too few, they would wait for each other at its lock: threads pass
//! them on by the batch.

use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::LocalKey;

/// As many wait on a thread for the next stream as most connections have at once. Units: values of
/// each type, a fifth of a KiB each.
const MOST: usize = 128;

/// As many go from one thread to others at once.
const BATCH: usize = MOST / 2;

/// Batches that wait for a thread that has too few.
const MOST_BATCHES: usize = 8;

/// Where a thread keeps those that nobody uses.
pub(super) type Shelf<T> = RefCell<Vec<Box<T>>>;

/// Batches on their way from threads that have too many to those that have too few.
#[derive(Debug)]
pub(super) struct Depot<T>(Mutex<Batches<T>>);

#[derive(Debug)]
struct Batches<T> {
    all: Vec<Vec<Box<T>>>,
    /// One was left or taken since the last sweep.
    were_used: bool,
}

/// Of all kinds, for those who ask often.
static BATCHES: AtomicUsize = AtomicUsize::new(0);

/// What can be lent.
pub(super) trait Lend: Default + Send + 'static {
    fn shelf() -> &'static LocalKey<Shelf<Self>>;

    fn depot() -> &'static Depot<Self>;

    /// Drops whatever is in it.
    fn clear(&mut self);
}

/// The place of one, lent when something is put into it.
#[derive(Debug)]
pub(super) struct Lent<T: Lend>(Option<Box<T>>);

impl<T: Lend> Lent<T> {
    #[inline]
    pub(super) fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// With one in it, which is empty if there was none.
    #[inline]
    pub(super) fn open(&mut self) -> &mut T {
        self.0.get_or_insert_with(borrow)
    }

    /// Gives back what is there, and drops what is in it.
    #[inline]
    pub(super) fn close(&mut self) {
        if let Some(value) = self.0.take() {
            give_back(value);
        }
    }
}

impl<T: Lend> Default for Lent<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Lend> Drop for Lent<T> {
    #[inline]
    fn drop(&mut self) {
        self.close();
    }
}

impl<T> Depot<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Batches {
            all: Vec::new(),
            were_used: false,
        }))
    }

    /// A batch, if there is one and nobody else is at it: who would have to wait makes one anew.
    fn take(&self) -> Option<Vec<Box<T>>> {
        let mut batches = self.0.try_lock().ok()?;
        let batch = batches.all.pop()?;
        batches.were_used = true;
        BATCHES.fetch_sub(1, Ordering::Relaxed);
        Some(batch)
    }

    /// Leaves a batch there, if it has room.
    fn leave(&self, batch: impl FnOnce() -> Vec<Box<T>>) {
        if let Ok(mut batches) = self.0.try_lock()
            && batches.all.len() < MOST_BATCHES
        {
            batches.all.push(batch());
            batches.were_used = true;
            BATCHES.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Drops all, unless it `keeps_used` and some were used since the last sweep; true if some are left.
    fn sweep(&self, keeps_used: bool) -> bool {
        let Ok(mut batches) = self.0.try_lock() else {
            return true;
        };
        if std::mem::take(&mut batches.were_used) && keeps_used {
            return !batches.all.is_empty();
        }
        let all = std::mem::take(&mut batches.all);
        BATCHES.fetch_sub(all.len(), Ordering::Relaxed);
        drop(batches);
        drop(all);
        false
    }
}

/// Whether threads have left any for others: costs a load.
#[inline]
pub(super) fn are_some_passed_on() -> bool {
    BATCHES.load(Ordering::Relaxed) > 0
}

/// Gives back the memory of those that were left for other threads, where none of their kind was left
/// or taken since the last sweep; true if some are kept.
pub(super) fn sweep<T: Lend>() -> bool {
    T::depot().sweep(true)
}

/// Gives back the memory of those that were left for other threads.
pub(super) fn release_passed_on<T: Lend>() {
    T::depot().sweep(false);
}

fn borrow<T: Lend>() -> Box<T> {
    // Where a thread's values are gone already each is made anew.
    let kept = T::shelf().try_with(|shelf| {
        let mut shelf = shelf.try_borrow_mut().ok()?;
        if shelf.is_empty()
            && let Some(mut batch) = T::depot().take()
        {
            shelf.append(&mut batch);
        }
        shelf.pop()
    });
    kept.ok().flatten().unwrap_or_default()
}

fn give_back<T: Lend>(mut value: Box<T>) {
    // While nothing is borrowed: what is dropped may be anybody's.
    value.clear();
    let _ = T::shelf().try_with(|shelf| {
        let Ok(mut shelf) = shelf.try_borrow_mut() else {
            return;
        };
        if shelf.len() >= MOST {
            // Those that were used last stay.
            T::depot().leave(|| shelf.drain(..BATCH).collect());
        }
        if shelf.len() < MOST {
            shelf.push(value);
        }
    });
}

/// Gives back the memory of those that nobody uses on this thread.
pub(super) fn release<T: Lend>() {
    let all = T::shelf().try_with(RefCell::take);
    drop(all);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use bytes::Bytes;

    use super::*;

    /// A kind of its own for each test: they run side by side.
    macro_rules! lent {
        ($name:ident) => {
            #[derive(Debug)]
            struct $name(Vec<Bytes>);

            static MADE: AtomicUsize = AtomicUsize::new(0);

            impl Default for $name {
                fn default() -> Self {
                    MADE.fetch_add(1, Ordering::Relaxed);
                    Self(Vec::new())
                }
            }

            thread_local! {
                static SHELF: Shelf<$name> = const { RefCell::new(Vec::new()) };
            }

            static DEPOT: Depot<$name> = Depot::new();

            impl Lend for $name {
                fn shelf() -> &'static LocalKey<Shelf<Self>> {
                    &SHELF
                }

                fn depot() -> &'static Depot<Self> {
                    &DEPOT
                }

                fn clear(&mut self) {
                    self.0.clear();
                }
            }
        };
    }

    fn kept<T: Lend>() -> usize {
        T::shelf().with_borrow(Vec::len)
    }

    fn passed_on<T: Lend>() -> usize {
        T::depot().0.lock().unwrap().all.iter().map(Vec::len).sum()
    }

    fn lent<T: Lend>(count: usize) -> Vec<Lent<T>> {
        let mut places: Vec<Lent<T>> = Vec::new();
        places.resize_with(count, Lent::default);
        for place in &mut places {
            place.open();
        }
        places
    }

    #[test]
    fn what_is_given_back_is_lent_again_and_empty() {
        lent!(Words);
        let mut place = Lent::<Words>::default();
        assert!(place.get().is_none());
        place.open().0.push(Bytes::from_static(b"x"));
        place.open().0.push(Bytes::from_static(b"y"));
        assert_eq!(place.get().map(|words| words.0.len()), Some(2));
        place.close();
        assert!(place.get_mut().is_none());
        assert_eq!(kept::<Words>(), 1);
        let mut other = Lent::<Words>::default();
        assert!(other.open().0.is_empty());
        assert_eq!(kept::<Words>(), 0);
        drop(other);
        assert_eq!(kept::<Words>(), 1);
        release::<Words>();
        assert_eq!((kept::<Words>(), MADE.load(Ordering::Relaxed)), (0, 1));
    }

    #[test]
    fn a_burst_leaves_no_more_than_a_few() {
        lent!(Many);
        drop(lent::<Many>(20 * MOST));
        assert!((MOST - BATCH..=MOST).contains(&kept::<Many>()));
        assert_eq!(passed_on::<Many>(), MOST_BATCHES * BATCH);
        release::<Many>();
        assert_eq!(kept::<Many>(), 0);
        assert!(sweep::<Many>(), "they were just left there");
        assert!(!sweep::<Many>());
        assert_eq!(passed_on::<Many>(), 0);
        assert_eq!(MADE.load(Ordering::Relaxed), 20 * MOST);
    }

    #[test]
    fn a_thread_that_borrows_gets_what_another_one_gives_back() {
        lent!(Shared);
        let (give, given) = mpsc::sync_channel::<(Lent<Shared>, mpsc::Sender<()>)>(0);
        let other = thread::spawn(move || {
            for (place, done) in given {
                drop(place);
                done.send(()).unwrap();
            }
        });
        let (done, is_done) = mpsc::channel();
        for _ in 0..100 * MOST {
            let mut place = Lent::<Shared>::default();
            place.open();
            give.send((place, done.clone())).unwrap();
            is_done.recv().unwrap();
        }
        drop(give);
        other.join().unwrap();
        let made = MADE.load(Ordering::Relaxed);
        assert!((1..=MOST + 1).contains(&made), "{made} were made");
    }

    /// Its drop lends, and gives back.
    #[test]
    fn what_is_dropped_with_it_may_use_the_thread_s_own() {
        lent!(Owner);
        struct Nested(Lent<Owner>);

        impl AsRef<[u8]> for Nested {
            fn as_ref(&self) -> &[u8] {
                b"nested"
            }
        }

        impl Drop for Nested {
            fn drop(&mut self) {
                self.0.open();
            }
        }

        let mut place = Lent::<Owner>::default();
        let inner = Nested(Lent::default());
        place.open().0.push(Bytes::from_owner(inner));
        place.close();
        assert_eq!((kept::<Owner>(), MADE.load(Ordering::Relaxed)), (2, 2));
    }
}
