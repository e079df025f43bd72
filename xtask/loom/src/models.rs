//! The models, by what is true of every order.

use std::sync::Arc;

use loom::thread;

use crate::signal::Signal;
use crate::world::{check, join, join_all, wait_for};

pub use crate::channel::models::*;
pub use crate::http2::h2::models::*;
pub use crate::http2::native::models::*;

/// The server's signal is raised while two tasks go to sleep for it: both are woken.
pub fn a_raised_signal_wakes_all() {
    check(3, || {
        let signal = Arc::new(Signal::default());
        let tasks = [(); 2].map(|()| {
            let signal = Arc::clone(&signal);
            thread::spawn(move || {
                wait_for(signal.wait());
                assert!(signal.is_raised());
            })
        });
        signal.raise();
        join_all(tasks);
    });
}

/// A task that sleeps for something else as well is woken by the signal, and stops.
pub fn a_raised_signal_stops_what_runs_until_it() {
    check(3, || {
        let signal = Arc::new(Signal::default());
        let task = {
            let signal = Arc::clone(&signal);
            thread::spawn(move || {
                let stopped = wait_for(signal.unless(std::future::pending::<()>()));
                assert_eq!(stopped, None);
            })
        };
        signal.raise();
        join(task);
    });
}
