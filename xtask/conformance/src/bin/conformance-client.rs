//! `conformance-client [-p CALLS]`: makes the calls that standard input asks for, so many at a time, and tells what became of them on standard output.

use std::process::ExitCode;

/// As many as the judge's own clients make on a machine with two cores.
const PARALLEL: usize = 8;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let parallel = match *arguments.as_slice() {
        [] => Some(PARALLEL),
        ["-p", calls] => calls.parse().ok().filter(|&calls| calls > 0),
        _ => None,
    };
    let Some(parallel) = parallel else {
        eprintln!("conformance-client [-p CALLS]");
        return ExitCode::FAILURE;
    };
    match trunkline_conformance::run_client(tokio::io::stdin(), tokio::io::stdout(), parallel).await
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance-client: {error}");
            ExitCode::FAILURE
        }
    }
}
