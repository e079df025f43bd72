//! `interop-server ADDRESS [--tls CHAIN KEY]`: serves the interop service until it is ended.

use std::error::Error;
use std::process::ExitCode;
use trunkline::tls::{Identity, ServerTls};
use trunkline_interop::Interop;

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
    let (address, tls) = match *arguments.as_slice() {
        [address] => (address, None),
        [address, "--tls", chain, key] => {
            let identity = Identity::from_files(chain, key)?;
            (address, Some(ServerTls::new(identity)?))
        }
        _ => return Err("interop-server ADDRESS [--tls CHAIN KEY]".into()),
    };
    Ok(Interop::serve(address, tls).await?)
}
