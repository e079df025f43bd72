//! How a model is run, and a task in it.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::{Condvar, Mutex};
use loom::thread::JoinHandle;

/// Runs `model` in every order of its threads with so many switches that no thread asked for, which
/// is where nearly all faults show; with more when soaking.
pub(crate) fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let is_soaking = std::env::var_os("TRUNKLINE_SOAK").is_some();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions + usize::from(is_soaking));
    builder.check(model);
}

/// Polls until it is ready. A task that sleeps and is never woken is a deadlock, which loom reports.
pub(crate) fn block_on<R>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>) -> R {
    let sleep = Arc::new(Sleep::default());
    let waker = Waker::from(Arc::clone(&sleep));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(result) = poll(&mut cx) {
            return result;
        }
        sleep.until_woken();
    }
}

/// The same for a future.
pub(crate) fn wait_for<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    block_on(|cx| future.as_mut().poll(cx))
}

/// The result of a thread. One that panics ends the model before.
pub(crate) fn join<R>(thread: JoinHandle<R>) -> R {
    thread.join().expect("a thread's panic ends the model")
}

pub(crate) fn join_all<R, const N: usize>(threads: [JoinHandle<R>; N]) -> [R; N] {
    threads.map(join)
}

/// Where a task is while it has nothing to do. A wake-up that comes before it sleeps counts.
#[derive(Debug, Default)]
struct Sleep {
    is_woken: Mutex<bool>,
    woken: Condvar,
}

impl Sleep {
    fn until_woken(&self) {
        let mut is_woken = self.is_woken.lock().expect("no panic under it");
        while !*is_woken {
            is_woken = self.woken.wait(is_woken).expect("no panic under it");
        }
        *is_woken = false;
    }
}

impl Wake for Sleep {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.is_woken.lock().expect("no panic under it") = true;
        self.woken.notify_one();
    }
}
