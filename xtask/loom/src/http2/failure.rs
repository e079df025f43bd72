//! What halves are told: that there is something to tell is all that a model looks at.

use std::fmt::Display;

use trunkline_core::{Metadata, Stage, Status};

use super::Peer;

pub(crate) fn ended_status(_: Result<&Metadata, &Status>) -> Status {
    Status::cancelled("ended")
}

pub(crate) fn gone(why: &Status) -> Status {
    why.clone()
}

pub(crate) fn cut_off(cause: &Status, _: Stage) -> Status {
    cause.clone()
}

pub(crate) fn early_end(what: &'static str) -> Status {
    Status::cancelled(what)
}

pub(crate) fn fault(_: u32, _: impl Display, _: &str, _: &Peer, _: Stage) -> Status {
    Status::internal("fault")
}

pub(crate) fn left_out(_: impl Display, _: &Peer, _: Stage) -> Status {
    Status::unavailable("left out")
}

pub(crate) fn reset_by_peer(_: u32, _: impl Display, _: &Peer, _: Stage) -> Status {
    Status::cancelled("reset")
}

pub(crate) fn too_many_interim(_: impl Display, _: &Peer) -> Status {
    Status::internal("interim")
}

pub(crate) fn unavailable(text: &'static str) -> Status {
    Status::unavailable(text)
}
