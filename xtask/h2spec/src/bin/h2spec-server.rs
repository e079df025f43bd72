//! `h2spec-server [--bare]`: what h2spec judges; prints its port.

use std::process::ExitCode;
use trunkline_h2spec::{Library, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let bare = std::env::args().skip(1).any(|word| word == "--bare");
    let library = if bare { Library::Bare } else { Library::Ours };
    match serve(library).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
