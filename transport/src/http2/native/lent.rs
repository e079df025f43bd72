//! What a stream needs only while something passes through it, lent by the thread: one that is at
//! rest has but a null in its place.

use std::cell::RefCell;
use std::thread::LocalKey;

/// As many wait on a thread for the next stream as most connections have at once. Units: values of
/// each type, a fifth of a KiB each.
const MOST: usize = 128;

/// Where a thread keeps those that nobody uses.
pub(super) type Shelf<T> = RefCell<Vec<Box<T>>>;

/// What can be lent.
pub(super) trait Lend: Default + 'static {
    fn shelf() -> &'static LocalKey<Shelf<Self>>;

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

fn borrow<T: Lend>() -> Box<T> {
    // Where a thread's values are gone already each is made anew.
    let kept = T::shelf().try_with(|shelf| shelf.try_borrow_mut().ok()?.pop());
    kept.ok().flatten().unwrap_or_default()
}

fn give_back<T: Lend>(mut value: Box<T>) {
    // While nothing is borrowed: what is dropped may be anybody's.
    value.clear();
    let _ = T::shelf().try_with(|shelf| {
        if let Ok(mut shelf) = shelf.try_borrow_mut()
            && shelf.len() < MOST
        {
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
    use bytes::Bytes;

    use super::*;

    thread_local! {
        static SHELF: Shelf<Vec<Bytes>> = const { RefCell::new(Vec::new()) };
    }

    impl Lend for Vec<Bytes> {
        fn shelf() -> &'static LocalKey<Shelf<Self>> {
            &SHELF
        }

        fn clear(&mut self) {
            self.clear();
        }
    }

    fn kept() -> usize {
        SHELF.with_borrow(Vec::len)
    }

    #[test]
    fn what_is_given_back_is_lent_again_and_empty() {
        let mut place = Lent::<Vec<Bytes>>::default();
        assert!(place.get().is_none());
        place.open().push(Bytes::from_static(b"x"));
        place.open().push(Bytes::from_static(b"y"));
        assert_eq!(place.get().map(Vec::len), Some(2));
        place.close();
        assert!(place.get_mut().is_none());
        assert_eq!(kept(), 1);
        let mut other = Lent::<Vec<Bytes>>::default();
        assert!(other.open().is_empty());
        assert_eq!(kept(), 0);
        drop(other);
        assert_eq!(kept(), 1);
        release::<Vec<Bytes>>();
        assert_eq!(kept(), 0);
    }

    #[test]
    fn a_burst_leaves_no_more_than_a_few() {
        let mut places: Vec<Lent<Vec<Bytes>>> = Vec::new();
        places.resize_with(3 * MOST, Lent::default);
        for place in &mut places {
            place.open();
        }
        drop(places);
        assert_eq!(kept(), MOST);
    }

    /// Its drop lends, and gives back.
    struct Nested(Lent<Vec<Bytes>>);

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

    #[test]
    fn what_is_dropped_with_it_may_use_the_thread_s_own() {
        let mut place = Lent::<Vec<Bytes>>::default();
        let inner = Nested(Lent::default());
        place.open().push(Bytes::from_owner(inner));
        place.close();
        assert_eq!(kept(), 2);
    }
}
