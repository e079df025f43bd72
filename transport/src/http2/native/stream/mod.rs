//! Streams by number and by key, and the memory of those that are gone.

mod closed;
mod ids;
mod table;

pub(super) use self::closed::Closed;
pub(super) use self::table::Table;
