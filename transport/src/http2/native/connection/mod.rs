//! The connection as one state machine: events in, actions out, `now` given.

mod orders;

pub(super) use self::orders::{Control, End, Event, Inbound, Order, Start, StreamKey};
