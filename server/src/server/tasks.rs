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
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::runtime::Handle;
    use tokio::sync::{Notify, oneshot};

    use super::*;

    fn alive() -> usize {
        Handle::current().metrics().num_alive_tasks()
    }

    async fn until(reached: impl Fn() -> bool) {
        for _ in 0..1_000 {
            if reached() {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("it never came");
    }

    /// Runs so many at once, and waits until all are done.
    async fn run(tasks: &Tasks, count: usize) {
        let (go, done) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        for _ in 0..count {
            let (go, done) = (Arc::clone(&go), Arc::clone(&done));
            tasks.run(|| async move {
                go.notified().await;
                done.fetch_add(1, Ordering::SeqCst);
            });
        }
        until(|| {
            go.notify_waiters();
            done.load(Ordering::SeqCst) == count
        })
        .await;
    }

    #[tokio::test]
    async fn who_is_done_after_all_were_let_go_of_does_not_wait() {
        let tasks = Tasks::new(true);
        let (end, ended) = oneshot::channel::<()>();
        tasks.run(|| async move {
            let _ = ended.await;
        });
        run(&tasks, 2).await;
        tasks.let_go();
        until(|| alive() == 1).await;
        end.send(()).unwrap();
        until(|| alive() == 0).await;
        run(&tasks, 2).await;
        assert_eq!(alive(), 2, "they are needed again");
    }

    #[tokio::test]
    async fn a_task_that_is_done_runs_what_comes_next() {
        let tasks = Tasks::new(true);
        for _ in 0..20 {
            run(&tasks, 3).await;
            assert_eq!(alive(), 3);
        }
        run(&tasks, 5).await;
        assert_eq!(alive(), 5, "two more");
        tasks.let_go();
        until(|| alive() == 0).await;
        run(&tasks, 2).await;
        assert_eq!(alive(), 2);
        drop(tasks);
        until(|| alive() == 0).await;
    }

    #[tokio::test]
    async fn an_rpc_takes_the_place_of_the_last_one_of_its_kind_and_finds_nothing_of_it() {
        let (tasks, arc) = (Tasks::new(true), Arc::new(()));
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let mut places = Vec::new();
        for _ in 0..3 {
            let (held, tell) = (Arc::clone(&arc), tell.clone());
            tasks.run(move || async move {
                tokio::task::yield_now().await;
                let _ = tell.send(std::ptr::from_ref(&held).addr());
            });
            places.push(told.recv().await.unwrap());
            tokio::task::yield_now().await;
            assert_eq!(alive(), 1, "it waits");
            assert_eq!(Arc::strong_count(&arc), 1, "and holds nothing");
        }
        places.dedup();
        assert_eq!(places.len(), 1);
        let (tell, ended) = oneshot::channel();
        let large = [7_u8; 500];
        tasks.run(move || async move {
            tokio::task::yield_now().await;
            let _ = tell.send(large);
        });
        assert_eq!(ended.await.unwrap(), large, "one of another kind");
        assert_eq!(alive(), 1);
    }

    #[cfg(target_pointer_width = "64")]
    #[test]
    fn a_task_is_as_small_as_tokio_makes_them() {
        assert!(size_of::<Runner>() <= 24);
    }

    #[tokio::test]
    async fn a_burst_leaves_no_more_than_a_few() {
        let tasks = Tasks::new(true);
        run(&tasks, MOST + 50).await;
        until(|| alive() == MOST).await;
        drop(tasks);
        until(|| alive() == 0).await;
    }

    #[tokio::test]
    async fn nothing_waits_where_nobody_lets_go() {
        let tasks = Tasks::new(false);
        run(&tasks, 3).await;
        until(|| alive() == 0).await;
    }

    #[tokio::test]
    async fn a_task_that_runs_ends_with_its_rpc_when_the_connection_is_gone() {
        let tasks = Tasks::new(true);
        let (go, gone) = oneshot::channel::<()>();
        let (done, ended) = oneshot::channel();
        tasks.run(|| async move {
            let _ = gone.await;
            let _ = done.send(());
        });
        tokio::task::yield_now().await;
        drop(tasks);
        tokio::task::yield_now().await;
        assert_eq!(alive(), 1, "its RPC goes on");
        drop(go);
        ended.await.unwrap();
        until(|| alive() == 0).await;
    }

    #[tokio::test]
    async fn a_panic_ends_its_own_task_only() {
        let tasks = Tasks::new(true);
        run(&tasks, 2).await;
        tasks.run(|| async { panic!("of a handler") });
        until(|| alive() == 1).await;
        run(&tasks, 2).await;
        assert_eq!(alive(), 2);
    }

    #[test]
    fn what_a_runtime_that_goes_away_cannot_run_is_dropped() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let tasks = Tasks::new(true);
        runtime.block_on(run(&tasks, 1));
        drop(runtime);
        let held = Arc::new(());
        let kept = Arc::clone(&held);
        tasks.run(|| async move { drop(kept) });
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whatever_the_threads_do_each_rpc_runs_once() {
        let tasks = Tasks::new(true);
        let count = Arc::new(AtomicUsize::new(0));
        for round in 0..2_000 {
            let count = Arc::clone(&count);
            tasks.run(move || async move {
                if round % 3 == 0 {
                    tokio::task::yield_now().await;
                }
                count.fetch_add(1, Ordering::SeqCst);
            });
            match round % 7 {
                0 => tasks.let_go(),
                1 => tokio::task::yield_now().await,
                _ => {}
            }
        }
        let done = Arc::clone(&count);
        let all = async move {
            while done.load(Ordering::SeqCst) < 2_000 {
                tokio::task::yield_now().await;
            }
        };
        let bound = std::time::Duration::from_secs(10);
        tokio::time::timeout(bound, all).await.unwrap();
    }
}
