//! Streams by number and by key, and the memory of those that are gone.

mod chunks;
mod closed;
mod ids;
mod queue;
mod state;
mod table;

pub(super) use self::chunks::Chunks;
pub(super) use self::closed::Closed;
pub(super) use self::queue::{Fin, Unsent};
pub(super) use self::state::{Blocked, Marks, Receiving, Sending, Stream, Taken};
pub(super) use self::table::Table;
