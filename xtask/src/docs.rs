//! `docs`: the API documentation of every member; a broken link or a missing page is an error.

use crate::outcome::Outcome;
use crate::process;
use crate::workspace;
use std::time::Duration;

const BOUND: Duration = Duration::from_secs(1_200);

pub(crate) fn run(_: &[String]) -> Outcome {
    let mut command = process::cargo();
    command
        .current_dir(workspace::root())
        .env("RUSTDOCFLAGS", "-D warnings")
        .args(["doc", "--workspace", "--no-deps", "--all-features"]);
    Outcome::from_result(process::run(&mut command, BOUND))
}
