//! io failures as statuses that name stage, address and cause.

use std::io;

use trunkline_core::{Code, Origin, Stage, Status};

use crate::Address;

/// A connection that could not be made.
///
/// Always UNAVAILABLE and unprocessed: nothing was sent.
#[must_use]
pub fn connect_error(error: io::Error, address: &Address) -> Status {
    Status::new(Code::Unavailable, format!("{address}: {error}"))
        .with_origin(Origin::Transport)
        .with_stage(Stage::Connect)
        .with_unprocessed(true)
        .with_source(error)
}
