//! `interop-server --port=PORT`: serves the interop services on the loopback until it is ended.

use std::error::Error;
use std::process::ExitCode;
use trunkline::server::Server;
use trunkline::tls::{Identity, ServerTls};
use trunkline::transport::http2::ServerConfig;
use trunkline_interop::{Flags, Interop};

const FLAGS: &[&str] = &[
    "port",
    "use_tls",
    "tls_cert_file",
    "tls_key_file",
    "max_concurrent_streams",
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
    let builder = if flags.value("use_tls", false)? {
        let chain = flags.required("tls_cert_file")?;
        let identity = Identity::from_files(chain, flags.required("tls_key_file")?)?;
        Server::builder().credentials(ServerTls::new(identity)?)
    } else {
        Server::insecure()
    };
    let mut http2 = ServerConfig::default();
    http2.max_concurrent_streams =
        flags.value("max_concurrent_streams", http2.max_concurrent_streams)?;
    let server = Interop::add_to(builder.http2(http2)).bind(address).await?;
    Ok(server.serve().await?)
}
