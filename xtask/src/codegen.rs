//! `codegen`: the checked-in code of the standard services, written anew from `server/proto` or compared with it.
//!
//! A test of trunkline-codegen does both, because nothing here depends on a crate of ours; so `test` compares too.

use crate::outcome::Outcome;
use crate::process;
use crate::workspace;
use std::time::Duration;

const BOUND: Duration = Duration::from_secs(600);

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let writes = match arguments {
        [] => true,
        [word] if word == "--check" => false,
        _ => return Outcome::Failed("codegen takes nothing but --check".to_owned()),
    };
    let mut command = process::cargo();
    command
        .current_dir(workspace::root())
        .args(["test", "--quiet", "--package", "trunkline-codegen"])
        .args(["--test", "services"]);
    if writes {
        command.env("TRUNKLINE_BLESS", "1");
    }
    Outcome::from_result(process::run(&mut command, BOUND))
}
