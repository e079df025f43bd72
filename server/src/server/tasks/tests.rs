//! What becomes of a connection's tasks, and of the places in them.

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

/// Of the tasks that wait, how large the places are that they keep.
fn kept(tasks: &Tasks) -> Vec<Option<usize>> {
    let rest = lock(&tasks.rest);
    let place = |seat: &Arc<Seat>| lock(&seat.next).place.as_ref().map(|it| size_of_val(&**it));
    rest.seats.iter().map(place).collect()
}

/// An RPC that holds so many bytes while it runs.
async fn hold<const BYTES: usize>(done: oneshot::Sender<usize>) {
    let held = [1_u8; BYTES];
    tokio::task::yield_now().await;
    let _ = done.send(held.iter().map(|&each| usize::from(each)).sum());
}

#[tokio::test]
async fn a_task_that_waits_keeps_a_small_place_and_frees_a_large_one() {
    const SMALL: usize = KEPT_BYTES - 512;
    const LARGE: usize = KEPT_BYTES + 1;
    let tasks = Tasks::new(true);
    for round in 0..3 {
        let (done, ended) = oneshot::channel();
        tasks.run(|| hold::<SMALL>(done));
        assert_eq!(ended.await.unwrap(), SMALL);
        until(|| !kept(&tasks).is_empty()).await;
        let places = kept(&tasks);
        assert!(
            matches!(places[..], [Some(SMALL..=KEPT_BYTES)]),
            "{round}: {places:?}"
        );

        let (done, ended) = oneshot::channel();
        tasks.run(|| hold::<LARGE>(done));
        assert_eq!(ended.await.unwrap(), LARGE);
        until(|| !kept(&tasks).is_empty()).await;
        assert_eq!(kept(&tasks), [None], "{round}");
        assert_eq!(alive(), 1, "it waits without it");
    }
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
