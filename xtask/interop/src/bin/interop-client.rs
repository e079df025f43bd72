//! `interop-client --server_port=PORT --test_case=CASE`: runs one case; exit code 0 means that it passed.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use trunkline::client::{Channel, Keepalive};
use trunkline::tls::{ClientTls, Roots};
use trunkline_interop::{Dial, Flags, Soak, compressors, run_case};

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
    let known: Vec<&str> = FLAGS.iter().copied().chain(Soak::FLAGS).collect();
    let flags = Flags::parse(std::env::args().skip(1), &known)?;
    let case = flags.required("test_case")?;
    let host = flags.get("server_host").unwrap_or("localhost");
    let target = format!("{host}:{}", flags.required("server_port")?);
    let tls = if flags.value("use_tls", false)? {
        let roots = Roots::from_file(flags.required("ca_file")?)?;
        Some(ClientTls::builder().roots(roots).build()?)
    } else {
        None
    };
    let name = flags.get("server_host_override").map(str::to_owned);
    // A case that is silent for longer lives only if the server acknowledges a PING within a second.
    let mut keepalive = Keepalive::every(Duration::from_secs(10));
    keepalive.timeout = Duration::from_secs(1);
    let dial: Dial = Arc::new(move || {
        let builder = Channel::builder(&target)
            .compressors(compressors())
            .keepalive(keepalive.clone());
        let builder = match &tls {
            Some(tls) => builder.credentials(tls.clone()),
            None => builder.insecure(),
        };
        match &name {
            Some(name) => builder.authority(name).build(),
            None => builder.build(),
        }
    });
    let outcome = run_case(&dial, case, &Soak::from_flags(&flags)?).await;
    Ok(outcome.map_err(|error| format!("{case}: {error}"))?)
}
