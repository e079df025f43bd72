//! `conformance-server`: serves the judge's service as standard input asks, says where on standard output, and ends by SIGTERM.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match trunkline_conformance::run_server(tokio::io::stdin(), tokio::io::stdout()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance-server: {error}");
            ExitCode::FAILURE
        }
    }
}
