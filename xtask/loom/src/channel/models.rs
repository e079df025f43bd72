//! Calls and the control loop of a channel: who starts it, who wakes it, and its last word.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use loom::thread;
use trunkline_core::Code;

use crate::channel::builder::{Config, Target};
use crate::channel::snapshot::Shared;
use crate::channel::state::Picker;
use crate::sync::Notify;
use crate::world::{check, join, wait_for};

fn shared() -> Arc<Shared> {
    let target = Target { text: "a model" };
    let first_dies = AtomicBool::new(false);
    let stopped = Notify::new();
    Arc::new(Shared::new(Config {
        target,
        first_dies,
        stopped,
    }))
}

/// A call that waits for a connection, like the product's, until it is told why there is none.
async fn call(shared: &Arc<Shared>) -> Code {
    let _waiting = shared.count_waiting();
    loop {
        let mut changed = pin!(shared.changed.notified());
        changed.as_mut().enable();
        if shared.closed_by().is_some() {
            return shared.closed_status().code();
        }
        assert!(shared.ensure_running().is_ok());
        match &shared.snapshot().picker {
            Picker::Failed(why) | Picker::Closed(why) => return why.code(),
            Picker::Idle => shared.wake.notify_one(),
            Picker::Resolving | Picker::Connecting(..) | Picker::Ready(_) => {}
        }
        changed.await;
    }
}

/// The first calls of a channel come at once: one loop is started, both hear from it, and it ends
/// when nobody needs the channel any more.
pub fn the_first_calls_start_one_loop() {
    check(2, || {
        let shared = shared();
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || wait_for(call(&shared)))
        };
        let first = wait_for(call(&shared));
        assert_eq!([first, join(other)], [Code::Unavailable; 2]);
    });
}

/// A call comes while the loop goes to sleep for want of calls.
pub fn a_call_wakes_the_idle_loop() {
    check(3, || {
        let shared = shared();
        assert!(shared.ensure_running().is_ok_and(|started| started));
        assert_eq!(wait_for(call(&shared)), Code::Unavailable);
    });
}

/// A connection is asked for without a call while the loop goes to sleep.
pub fn a_wish_wakes_the_idle_loop() {
    check(3, || {
        let shared = shared();
        assert!(shared.ensure_running().is_ok_and(|started| started));
        let mut changed = pin!(shared.changed.notified());
        changed.as_mut().enable();
        shared.want();
        wait_for(changed);
        assert!(matches!(shared.snapshot().picker, Picker::Failed(_)));
    });
}

/// A call comes while the loop ends with its runtime: it starts another one, whose word is not
/// replaced by the last one of the first.
pub fn a_call_outlives_the_loop_that_stops() {
    check(3, || {
        let shared = shared();
        shared.config.first_dies.store(true, Ordering::Relaxed);
        assert!(shared.ensure_running().is_ok_and(|started| started));
        assert_eq!(wait_for(call(&shared)), Code::Unavailable);
        wait_for(shared.config.stopped.notified());
        assert!(matches!(shared.snapshot().picker, Picker::Failed(_)));
    });
}

/// The channel is closed while a call starts its loop: the call and whoever closes it both end, and
/// the channel stays closed.
pub fn a_close_is_heard_by_all() {
    check(3, || {
        let shared = shared();
        let calls = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || wait_for(call(&shared)))
        };
        shared.request_close(Instant::now());
        wait_for(shared.close_report());
        let code = join(calls);
        assert!(
            matches!(code, Code::Cancelled | Code::Unavailable),
            "{code:?}"
        );
        assert!(matches!(shared.snapshot().picker, Picker::Closed(_)));
    });
}
