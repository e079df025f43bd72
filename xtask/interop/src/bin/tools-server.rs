//! `tools-server --port=PORT`: serves the interop service with health and reflection until it is ended.

use std::error::Error;
use std::process::ExitCode;
use trunkline::tls::{Identity, ServerTls};
use trunkline_interop::{Flags, ReflectionVersions, serve_tools};

const FLAGS: &[&str] = &[
    "port",
    "use_tls",
    "tls_cert_file",
    "tls_key_file",
    "reflection",
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
    let address = format!("127.0.0.1:{}", flags.required("port")?);
    let tls = if flags.value("use_tls", false)? {
        let chain = flags.required("tls_cert_file")?;
        let identity = Identity::from_files(chain, flags.required("tls_key_file")?)?;
        Some(ServerTls::new(identity)?)
    } else {
        None
    };
    let versions = match flags.get("reflection") {
        None => ReflectionVersions::Both,
        Some("v1") => ReflectionVersions::V1,
        Some("v1alpha") => ReflectionVersions::V1Alpha,
        Some(other) => return Err(format!("--reflection cannot be {other:?}").into()),
    };
    Ok(serve_tools(&address, tls, versions).await?)
}
