//! The tasks of a connection's RPCs: one that is done waits for the next RPC.
//!
//! To start a task, and to end it, costs a unary call more than all that its handler does in
//! between; to wake one that waits costs a tenth of it.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use super::place::{BoxPlace, PlaceOf};

/// As many wait for the next RPC as most connections have at once; more end.
const MOST: usize = 128;

/// The largest place that a task keeps while it waits. Units: bytes.
///
/// The RPC of a handler that holds a few hundred bytes takes about one KiB, beneath interceptors
/// less than two. A handler may hold any number: with [`MOST`] of its places a connection would
/// keep what its worst burst took, for as long as anything comes at all.
const KEPT_BYTES: usize = 2 * 1024;

/// The tasks of one connection. Each runs one RPC at a time. When this is dropped those that wait
/// end at once, and the others with their RPCs.
pub(crate) struct Tasks {
    rest: Arc<Mutex<Rest>>,
    /// That of all tasks which were never done: nobody is put there.
    nobodys: Arc<Seat>,
}

/// Those that wait, and how many may.
struct Rest {
    seats: Vec<Arc<Seat>>,
    most: usize,
    /// Nothing has come since all were let go of: an RPC that ends now leaves nobody waiting.
    is_at_rest: bool,
}

/// Where a task that waits is given what comes next. It has one from the first time that it is
/// done: the task of a long stream never needs it.
struct Seat {
    next: Mutex<Next>,
    is_nobodys: bool,
    /// Where it is put while its task waits. Whoever lets go of the tasks takes it out.
    rest: Arc<Mutex<Rest>>,
}

#[derive(Default)]
struct Next {
    /// With what is to be run, or empty.
    place: Option<BoxPlace>,
    has_rpc: bool,
    /// Nothing comes any more.
    is_over: bool,
    /// The task's own.
    waker: Option<Waker>,
}

impl Tasks {
    /// `keeps`: whether a task that is done waits. Somebody has to [`let_go`](Self::let_go) of it
    /// then.
    pub(super) fn new(keeps: bool) -> Self {
        let most = if keeps { MOST } else { 0 };
        let rest = Arc::new(Mutex::new(Rest {
            seats: Vec::new(),
            most,
            is_at_rest: false,
        }));
        let nobodys = Arc::new(Seat::new(&rest, true));
        Self { rest, nobodys }
    }

    /// Runs an RPC in a task of its own.
    ///
    /// `F` must hold nothing once it is ready, as an `async fn`'s future does: it stays in its
    /// place until the next one is put there. That happens under the lock of a seat, and `make`
    /// runs there too: it must only build `F`, and run no code of anybody else, such as a
    /// handler's or a drop of what one holds.
    ///
    /// A panic unwinds through the task and ends it. What cannot run any more, because the runtime
    /// is about to go away, is dropped.
    pub(crate) fn run<F, C>(&self, make: C)
    where
        F: Future<Output = ()> + Send + 'static,
        C: FnOnce() -> F + 'static,
    {
        let mut rest = lock(&self.rest);
        rest.is_at_rest = false;
        let (seat, keeps) = (rest.seats.pop(), rest.most > 0);
        drop(rest);
        match seat {
            Some(seat) => seat.take_on(make),
            None if keeps => drop(tokio::spawn(Runner {
                place: Some(PlaceOf::boxed(make)),
                seat: Arc::clone(&self.nobodys),
            })),
            // It needs no seat.
            None => drop(tokio::spawn(PlaceOf::boxed(make))),
        }
    }

    /// Ends the tasks that wait, and until the next RPC those that get done: nothing was to be done for a while.
    pub(super) fn let_go(&self) {
        let mut rest = lock(&self.rest);
        rest.is_at_rest = true;
        let seats = std::mem::take(&mut rest.seats);
        drop(rest);
        seats.iter().for_each(|seat| seat.end());
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        lock(&self.rest).most = 0;
        self.let_go();
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = lock(&self.rest).seats.len();
        f.debug_struct("Tasks")
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}

impl Seat {
    fn new(rest: &Arc<Mutex<Rest>>, is_nobodys: bool) -> Self {
        Self {
            next: Mutex::default(),
            is_nobodys,
            rest: Arc::clone(rest),
        }
    }

    fn take_on<F, C>(&self, make: C)
    where
        F: Future<Output = ()> + Send + 'static,
        C: FnOnce() -> F + 'static,
    {
        let mut next = lock(&self.next);
        let mut make = Some(make);
        if let Some(place) = &mut next.place {
            place.as_mut().fill(&mut make);
        }
        if let Some(make) = make {
            next.place = Some(PlaceOf::boxed(make));
        }
        next.has_rpc = true;
        let waker = next.waker.take();
        drop(next);
        wake(waker);
    }

    fn end(&self) {
        let mut next = lock(&self.next);
        next.is_over = true;
        let waker = next.waker.take();
        drop(next);
        wake(waker);
    }

    /// Ready with what is to be run next; `None`: nothing.
    fn poll_next(&self) -> Poll<Option<BoxPlace>> {
        let mut next = lock(&self.next);
        match std::mem::take(&mut next.has_rpc) {
            true => Poll::Ready(next.place.take()),
            false if next.is_over => Poll::Ready(None),
            false => Poll::Pending,
        }
    }
}

impl Rest {
    /// A task is done; false if it is not needed any more.
    fn add(seat: &Arc<Seat>, place: Option<BoxPlace>, cx: &Context<'_>) -> bool {
        // One that is too large is freed here: under no lock, and before the task counts as free.
        let place = place.filter(|place| size_of_val(&**place) <= KEPT_BYTES);
        // Before anybody can take the seat.
        let mut next = lock(&seat.next);
        next.waker = Some(cx.waker().clone());
        next.place = place;
        drop(next);
        let mut rest = lock(&seat.rest);
        let has_room = !rest.is_at_rest && rest.seats.len() < rest.most;
        if has_room {
            // The one that ran last is the one that the caches still know.
            rest.seats.push(Arc::clone(seat));
        }
        has_room
    }
}

/// A task: it runs what it began with, then what its seat is given. With a pointer more it would not
/// fit into the smallest task that tokio makes, but take twice as much.
struct Runner {
    place: Option<BoxPlace>,
    seat: Arc<Seat>,
}

impl Future for Runner {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let place = match &mut this.place {
            Some(place) => place,
            // Perhaps woken for an RPC that is over.
            empty => match ready!(this.seat.poll_next()) {
                Some(place) => empty.insert(place),
                None => return Poll::Ready(()),
            },
        };
        ready!(place.as_mut().poll(cx));
        if this.seat.is_nobodys {
            this.seat = Arc::new(Seat::new(&this.seat.rest, false));
        }
        if Rest::add(&this.seat, this.place.take(), cx) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// No code of anybody else runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
