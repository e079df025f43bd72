//! The server under test: what it is told to be, where it says it is, and its end.

mod answers;
mod service;

use crate::messages::{
    ConformanceServiceServer, HttpVersion, Protocol, ServerCompatRequest, ServerCompatResponse,
};
use crate::stdio;
use service::Conformance;
use std::error::Error;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use trunkline::server::{ResponseCompression, Server};
use trunkline::tls::{ClientCertificates, Identity, Roots, ServerTls};
use trunkline::transport::Address;

/// For the handlers that still run when the judge has seen enough.
const GRACE: Duration = Duration::from_secs(1);

/// Serves until the process is asked to end.
///
/// Errors: the request cannot be read, asks for what this server is not, or the server cannot start.
pub async fn run(
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> Result<(), Box<dyn Error>> {
    let request: ServerCompatRequest = stdio::read(&mut input).await?.ok_or("no request")?;
    if (request.protocol(), request.http_version()) != (Protocol::Grpc, HttpVersion::HttpVersion2) {
        return Err("this server speaks gRPC over HTTP/2 alone".into());
    }
    let server = bind(&request).await?;
    let Address::Tcp(address) = server.local_address() else {
        return Err("the server listens nowhere in the network".into());
    };
    let response = ServerCompatResponse {
        host: address.ip().to_string(),
        port: address.port().into(),
        pem_cert: request.server_creds.unwrap_or_default().cert,
    };
    stdio::write(&mut output, &response).await?;
    let handle = server.handle();
    let stop = async {
        asked_to_end().await;
        handle.graceful_stop(GRACE).await
    };
    let (served, _) = tokio::join!(server.serve(), stop);
    Ok(served?)
}

async fn bind(request: &ServerCompatRequest) -> Result<Server, Box<dyn Error>> {
    let mut builder = match credentials(request)? {
        Some(tls) => Server::builder().credentials(tls),
        None => Server::insecure(),
    };
    if let limit @ 1.. = request.message_receive_limit {
        builder = builder.max_receive_message_bytes(usize::try_from(limit)?);
    }
    let server = builder
        .compression(ResponseCompression::Mirror)
        // Most messages of the judge are small: those too are to be compressed.
        .compression_min_bytes(0)
        .add_service(ConformanceServiceServer::new(Conformance))
        .bind("127.0.0.1:0")
        .await?;
    Ok(server)
}

fn credentials(request: &ServerCompatRequest) -> Result<Option<ServerTls>, Box<dyn Error>> {
    if !request.use_tls {
        return Ok(None);
    }
    let own = request.server_creds.as_ref().ok_or("TLS without a key")?;
    let mut tls = ServerTls::builder(Identity::from_pem(&own.cert, &own.key)?);
    if !request.client_tls_cert.is_empty() {
        let roots = Roots::from_pem(&request.client_tls_cert)?;
        tls = tls.client_certificates(ClientCertificates::Required(roots));
    }
    Ok(Some(tls.build()?))
}

#[cfg(unix)]
async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => drop(terminate.recv().await),
        Err(error) => {
            eprintln!("SIGTERM will end this process at once: {error}");
            std::future::pending().await
        }
    }
}

#[cfg(not(unix))]
async fn asked_to_end() {
    let _ = tokio::signal::ctrl_c().await;
}
