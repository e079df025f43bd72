//! Connections and streams that only sit there, and what they cost the server in memory.

use super::connection::echo_once;
use crate::arguments::{ClientArguments, runtime};
use crate::process;
use crate::{Failure, tls};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;

/// The server may still be at the last ones.
const SETTLING: Duration = Duration::from_millis(500);

/// After this long, what was taken for connections that are gone has to be given back.
const GIVING_BACK: Duration = Duration::from_secs(10);

trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// Opens connections with streams (`--in-flight` on each) that wait after one message each way; prints the server's
/// memory before, while they are open, and some time after, as a line of JSON.
///
/// Errors: any connection or stream that fails.
pub fn run_idle() -> Result<(), Failure> {
    let arguments = ClientArguments::parse()?;
    runtime(true)?.block_on(idle(&arguments))
}

async fn idle(arguments: &ClientArguments) -> Result<(), Failure> {
    // What a server takes once is not a connection's.
    drop(open(arguments, 10).await?);
    tokio::time::sleep(SETTLING).await;
    let start = process::memory(arguments.server_pid);

    let mut connections = Vec::with_capacity(arguments.connections);
    for _ in 0..arguments.connections {
        connections.push(open(arguments, arguments.in_flight).await?);
    }
    tokio::time::sleep(SETTLING).await;
    let open = process::memory(arguments.server_pid);
    let mut kept = 0;
    if arguments.duration > Duration::ZERO {
        drop(connections);
        tokio::time::sleep(GIVING_BACK).await;
        kept = process::memory(arguments.server_pid);
    }
    println!("{{\"start_kib\":{start},\"open_kib\":{open},\"kept_kib\":{kept}}}");
    Ok(())
}

/// A connection with so many open streams.
async fn open(arguments: &ClientArguments, streams: usize) -> Result<impl Sized, Failure> {
    let socket = TcpStream::connect(arguments.address).await?;
    socket.set_nodelay(true)?;
    let socket: Box<dyn Socket> = match &arguments.tls {
        None => Box::new(socket),
        Some(folder) => {
            let name = ServerName::try_from("localhost")?;
            let connector = tls::connector(folder)?;
            Box::new(connector.connect(name, socket).await?)
        }
    };
    echo_once(socket, arguments.address, streams, arguments.payload).await
}
