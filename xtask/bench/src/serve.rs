//! The frame of every server program: listen, say where, serve until the starter goes away.

use crate::arguments::{ServerArguments, runtime};
use crate::grpc::Failure;
use std::future::Future;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::{TcpListener, TcpSocket};

/// Some thousand connections come at once in the cells about memory.
const BACKLOG: u32 = 4_096;

/// Listens on a free port, prints `listening ADDRESS`, and serves until standard input ends.
pub fn run_server<F>(serve: impl FnOnce(TcpListener, ServerArguments) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let arguments = ServerArguments::parse()?;
    // No server outlives whoever started it.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    runtime(arguments.single_thread)?.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let listener = socket.listen(BACKLOG)?;
        println!("listening {}", listener.local_addr()?);
        std::io::stdout().flush()?;
        serve(listener, arguments).await
    })
}
