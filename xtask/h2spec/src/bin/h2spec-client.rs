//! `h2spec-client [--bare] URL`: what h2specd judges; makes one request.

use std::process::ExitCode;
use trunkline_h2spec::{Library, ask};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut library = Library::Ours;
    let mut url = String::new();
    for word in std::env::args().skip(1) {
        match word.as_str() {
            "--bare" => library = Library::Bare,
            _ => url = word,
        }
    }
    match ask(library, &url).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{url}: {error}");
            ExitCode::FAILURE
        }
    }
}
