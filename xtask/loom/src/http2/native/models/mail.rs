//! Between a stream's tasks and the driver.

use std::sync::Arc;
use std::task::Poll;

use loom::thread;

use super::{KEY, StreamKey, chunk, drive, ended, link, push, served};
use crate::http2::native::cell::StreamCell;
use crate::http2::native::connection::End;
use crate::http2::native::frame::Reason;
use crate::world::{block_on, check, join, join_all, wait_for};

/// Two streams send, one of them twice: the driver, asleep or awake, sees all of it.
pub fn every_post_is_seen() {
    check(3, || {
        let link = link();
        let other = StreamKey {
            slot: 1,
            generation: 2,
        };
        let tasks = [(KEY, 2), (other, 1)].map(|(key, times)| {
            let cell = served(&link, key);
            thread::spawn(move || {
                for _ in 0..times {
                    push(&cell).expect("it lives");
                }
            })
        });
        let seen = drive(&link, |_, _| {}, |seen| seen.sent == 3);
        join_all(tasks);
        assert_eq!(seen.sent, 3);
    });
}

/// A sender that waits until nothing is queued goes on once the driver has taken it.
pub fn a_sender_goes_on_when_there_is_room() {
    check(3, || {
        let link = link();
        let cell = served(&link, KEY);
        let task = thread::spawn(move || {
            for _ in 0..2 {
                push(&cell).expect("it lives");
                block_on(|cx| cell.poll_below(1, cx)).expect("it lives");
            }
            assert_eq!(cell.waiting(), 0);
        });
        drive(&link, |_, _| {}, |seen| seen.sent == 2);
        join(task);
    });
}

/// The driver brings a chunk, then the end, to a reader that may or may not sleep.
pub fn a_reader_hears_of_what_came() {
    check(3, || {
        let link = link();
        let cell = served(&link, KEY);
        let task = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || {
                let first = block_on(|cx| cell.poll_request(cx));
                assert!(first.expect("no failure").is_some());
                let last = block_on(|cx| cell.poll_request(cx));
                assert!(last.expect("no failure").is_none());
            })
        };
        for mut inbound in [chunk(), ended(End::Clean)] {
            let mut wakers = Vec::new();
            cell.deliver(&link, KEY, &mut inbound, &mut wakers);
            wakers.into_iter().for_each(std::task::Waker::wake);
        }
        join(task);
    });
}

/// A call's deadline passes while its reader looks, finds nothing and goes to sleep.
pub fn a_reader_hears_of_its_deadline() {
    check(3, || {
        let link = link();
        let cell = StreamCell::client(Arc::clone(&link), 0, true);
        cell.begin(|| Some(KEY), &mut Vec::new());
        let task = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || {
                block_on(|cx| match cell.poll_response(cx) {
                    Poll::Ready(_) => panic!("nothing comes"),
                    Poll::Pending if cell.has_expired() => Poll::Ready(()),
                    Poll::Pending => Poll::Pending,
                });
            })
        };
        let mut wakers = Vec::new();
        cell.expire(&mut wakers);
        wakers.into_iter().for_each(std::task::Waker::wake);
        join(task);
    });
}

/// A reset reaches sender, receiver and runner, which are three tasks.
pub fn three_tasks_of_a_stream_are_all_woken() {
    check(2, || {
        let link = link();
        let cell = served(&link, KEY);
        let sender = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || {
                wait_for(std::future::poll_fn(|cx| cell.poll_closed(cx)));
            })
        };
        let runner = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || {
                wait_for(std::future::poll_fn(|cx| cell.poll_reset(cx)));
            })
        };
        let mut inbound = ended(End::Reset(Reason::CANCEL));
        let mut wakers = Vec::new();
        cell.deliver(&link, KEY, &mut inbound, &mut wakers);
        wakers.into_iter().for_each(std::task::Waker::wake);
        let received = block_on(|cx| match cell.poll_request(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => Poll::Pending,
        });
        assert!(received.is_err());
        join(sender);
        join(runner);
    });
}
