//! `interop-client ADDRESS CASE`: runs one case; exit code 0 means that it passed.

use std::error::Error;
use std::process::ExitCode;
use trunkline::client::Channel;
use trunkline_interop::run_case;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(case)) = (arguments.next(), arguments.next()) else {
        eprintln!("interop-client ADDRESS CASE");
        return ExitCode::FAILURE;
    };
    match run(&address, &case).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{case}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(address: &str, case: &str) -> Result<(), Box<dyn Error>> {
    let channel = Channel::insecure(address)?;
    Ok(run_case(&channel, case).await?)
}
