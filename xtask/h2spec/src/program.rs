//! The two programs, whichever library they are made of.

use crate::{bare, ours};
use std::io::Write as _;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// What is answered; h2spec opens windows for its first bytes one by one.
pub(crate) const ANSWER: &str = "some bytes";

/// h2specd gives a client three seconds.
const CLIENT_BOUND: Duration = Duration::from_millis(2_500);

/// How long a client that has its answer, or none, stays for the judge's last question: it says goodbye once it has
/// a verdict. It waits two seconds, and some cases pass when we are the first to leave.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);

/// Which library speaks HTTP/2.
#[derive(Clone, Copy, Debug)]
pub enum Library {
    /// `trunkline-transport`.
    Ours,
    /// The h2 crate and nothing else.
    Bare,
}

/// Serves on a port of the system's choice, and prints it; ends with the process.
///
/// # Errors
/// No port could be had.
pub async fn serve(library: Library) -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut screen = std::io::stdout();
    writeln!(screen, "{}", listener.local_addr()?.port())?;
    screen.flush()?;
    loop {
        let (stream, from) = listener.accept().await?;
        match library {
            Library::Ours => tokio::spawn(ours::serve(stream, from)),
            Library::Bare => tokio::spawn(bare::serve(stream)),
        };
    }
}

/// Makes one request of `http://HOST:PORT/` and reads its answer, within the judge's patience. Failures are
/// none: the judge watches the wire.
///
/// # Errors
/// No such server.
pub async fn ask(library: Library, url: &str) -> std::io::Result<()> {
    let authority = url.trim_start_matches("http://").trim_end_matches('/');
    let stream = TcpStream::connect(authority).await?;
    let _ = tokio::time::timeout(CLIENT_BOUND, async {
        match library {
            Library::Ours => ours::ask(stream, authority).await,
            Library::Bare => bare::ask(stream, authority).await,
        }
    })
    .await;
    Ok(())
}
