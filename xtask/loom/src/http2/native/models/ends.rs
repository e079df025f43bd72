//! How streams and connections end.

use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use loom::thread;
use trunkline_core::Status;

use super::{KEY, Seen, drive, ended, link, look, opening, push, why};
use crate::http2::native::cell::StreamCell;
use crate::http2::native::connection::End;
use crate::http2::native::frame::Reason;
use crate::http2::native::link::{Mail, wake};
use crate::world::{block_on, check, join};

/// A client gives its call up while the driver may be opening it: the driver opens and resets it, or
/// neither.
pub fn a_call_that_is_dropped_is_opened_and_reset_or_neither() {
    check(3, || {
        let link = link();
        let cell = StreamCell::client(Arc::clone(&link), 0, true);
        let task = {
            let (cell, link) = (Arc::clone(&cell), Arc::clone(&link));
            thread::spawn(move || {
                let started = link.start(opening(&cell, Bytes::new()));
                wake(started.expect("it lives"));
                cell.abort(Status::cancelled("given up"));
            })
        };
        let seen = drive(
            &link,
            |_, _| {},
            |seen| seen.dropped == 1 || seen.resets == 1,
        );
        join(task);
        assert_eq!(seen.opened, seen.resets, "{seen:?}");
        assert_eq!(seen.opened + seen.dropped, 1, "{seen:?}");
    });
}

/// The connection is lost while a call is being opened and both its halves wait.
pub fn a_lost_connection_ends_all_who_wait() {
    check(3, || {
        let link = link();
        let cell = StreamCell::client(Arc::clone(&link), 0, false);
        let opens = {
            let (cell, link) = (Arc::clone(&cell), Arc::clone(&link));
            thread::spawn(move || match link.start(opening(&cell, Bytes::new())) {
                Ok(driver) => {
                    wake(driver);
                    block_on(|cx| cell.poll_response(cx)).expect_err("it is lost");
                }
                Err(back) => drop(back),
            })
        };
        // The driver's last turn.
        let mut wakers = Vec::new();
        let mut mail = Mail::default();
        link.take(&mut mail);
        let mut open = Vec::new();
        for opening in mail.starts.drain(..) {
            opening.cell.begin(|| Some(KEY), &mut wakers);
            open.push(opening.cell);
        }
        let late = link.close(why());
        open.extend(late.starts.into_iter().map(|opening| opening.cell));
        for cell in open {
            cell.lose(&link, true, &mut wakers);
        }
        wakers.into_iter().for_each(Waker::wake);
        join(opens);
        assert!(link.cause().is_some());
        assert!(link.start(opening(&cell, Bytes::new())).is_err());
    });
}

/// A refused call goes to another connection while its sender sends, and its first driver looks: what
/// was sent arrives there once.
pub fn a_restarted_call_is_sent_once_where_it_went() {
    check(2, || {
        let (first, second) = (link(), link());
        let cell = StreamCell::client(Arc::clone(&first), 0, false);
        let mut wakers = Vec::new();
        cell.begin(|| Some(KEY), &mut wakers);
        let sends = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || push(&cell).expect("it is kept"))
        };
        let old = {
            let (cell, first) = (Arc::clone(&cell), Arc::clone(&first));
            thread::spawn(move || {
                // What it takes of a stream that was refused is kept by the cell.
                let _ = cell.collect(&first);
            })
        };
        let mut inbound = ended(End::Reset(Reason::REFUSED_STREAM));
        cell.deliver(&first, KEY, &mut inbound, &mut wakers);
        let (data, end) = cell.restart(&second).expect("it may");
        assert!(!end);
        // Its driver may look before it has the stream: the sender has woken it.
        let mut mail = Mail::default();
        second.take(&mut mail);
        look(&second, &mut mail, &mut Seen::default(), &mut wakers);
        let started = second.start(opening(&cell, data));
        wake(started.expect("it lives"));
        let seen = drive(&second, |_, _| {}, |seen| seen.sent == 1);
        join(sends);
        join(old);
        assert_eq!((seen.opened, seen.sent), (1, 1), "{seen:?}");
        // Its first connection may go now: nothing of it is left there.
        cell.lose(&first, false, &mut wakers);
        push(&cell).expect("it lives where it is");
    });
}
