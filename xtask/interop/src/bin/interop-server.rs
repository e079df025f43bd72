//! `interop-server ADDRESS`: serves the interop service until it is ended.

use std::process::ExitCode;
use trunkline_interop::Interop;

#[tokio::main]
async fn main() -> ExitCode {
    let Some(address) = std::env::args().nth(1) else {
        eprintln!("interop-server ADDRESS");
        return ExitCode::FAILURE;
    };
    match Interop::serve(&address).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(status) => {
            eprintln!("{status}");
            ExitCode::FAILURE
        }
    }
}
