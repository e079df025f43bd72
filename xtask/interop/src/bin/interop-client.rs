//! `interop-client ADDRESS CASE [--tls CA NAME]`: runs one case; exit code 0 means that it passed.

use std::error::Error;
use std::process::ExitCode;
use trunkline::client::Channel;
use trunkline::tls::{ClientTls, Roots};
use trunkline_interop::run_case;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (channel, case) = match *arguments.as_slice() {
        [address, case] => (Channel::insecure(address)?, case),
        [address, case, "--tls", ca, name] => {
            let tls = ClientTls::builder().roots(Roots::from_file(ca)?).build()?;
            let builder = Channel::builder(address).credentials(tls).authority(name);
            (builder.build()?, case)
        }
        _ => return Err("interop-client ADDRESS CASE [--tls CA NAME]".into()),
    };
    let outcome = run_case(&channel, case).await;
    Ok(outcome.map_err(|error| format!("{case}: {error}"))?)
}
