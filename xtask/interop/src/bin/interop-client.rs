//! `interop-client --server_port=PORT --test_case=CASE`: runs one case; exit code 0 means that it passed.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;
use trunkline::client::{Channel, Keepalive};
use trunkline::tls::{ClientTls, Roots};
use trunkline_interop::{Flags, run_case};

const FLAGS: &[&str] = &[
    "server_host",
    "server_port",
    "test_case",
    "use_tls",
    "ca_file",
    "server_host_override",
];

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let flags = Flags::parse(std::env::args().skip(1), FLAGS)?;
    let case = flags.required("test_case")?;
    let host = flags.get("server_host").unwrap_or("localhost");
    let mut builder = Channel::builder(format!("{host}:{}", flags.required("server_port")?));
    if flags.value("use_tls", false)? {
        let roots = Roots::from_file(flags.required("ca_file")?)?;
        builder = builder.credentials(ClientTls::builder().roots(roots).build()?);
    } else {
        builder = builder.insecure();
    }
    if let Some(name) = flags.get("server_host_override") {
        builder = builder.authority(name);
    }
    // A case that is silent for longer lives only if the server acknowledges a PING within a second.
    let mut keepalive = Keepalive::every(Duration::from_secs(10));
    keepalive.timeout = Duration::from_secs(1);
    let channel = builder.keepalive(keepalive).build()?;
    let outcome = run_case(&channel, case).await;
    Ok(outcome.map_err(|error| format!("{case}: {error}"))?)
}
