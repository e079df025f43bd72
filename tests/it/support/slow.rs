//! A path that takes its time: a delay in each direction, and so many bytes per second. On paused
//! time both are exact, to a timer's millisecond.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use trunkline::transport::memory::{self, MemoryConnector};
use trunkline::transport::{Address, BoxIo, Connector};

/// Bytes that travel as one.
const PIECE: usize = 16 * 1024;

/// What timers can tell apart.
const TICK: Duration = Duration::from_millis(1);

/// How long a path is, and how wide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slow {
    /// From one end to the other: half a round trip.
    pub(crate) delay: Duration,
    /// In each direction.
    pub(crate) bytes_per_second: u32,
}

impl Slow {
    /// Connects by way of this path.
    pub(crate) fn over(self, connector: MemoryConnector) -> impl Connector {
        OverSlow(connector, self)
    }
}

struct OverSlow(MemoryConnector, Slow);

impl Connector for OverSlow {
    async fn connect(&self, to: &Address) -> io::Result<BoxIo> {
        let (near, middle) = memory::pipe();
        let (from_client, to_client) = tokio::io::split(middle);
        let (from_server, to_server) = tokio::io::split(self.0.connect(to).await?);
        tokio::spawn(carry(self.1, from_client, to_server));
        tokio::spawn(carry(self.1, from_server, to_client));
        Ok(near)
    }
}

/// One direction, until its sender closes. A sender has to wait while what it sent is put onto
/// the path; what is on the path holds up nobody.
async fn carry(
    path: Slow,
    mut from: impl AsyncRead + Unpin,
    to: impl AsyncWrite + Unpin + Send + 'static,
) {
    let (put, taken) = mpsc::unbounded_channel();
    tokio::spawn(deliver(taken, to));
    let mut free_at = Instant::now();
    loop {
        let mut piece = vec![0; PIECE];
        let Ok(length @ 1..) = from.read(&mut piece).await else {
            return;
        };
        piece.truncate(length);
        let length = u32::try_from(length).unwrap();
        let takes = Duration::from_secs(1) * length / path.bytes_per_second;
        free_at = free_at.max(Instant::now()) + takes;
        if put.send((free_at + path.delay, piece)).is_err() {
            return;
        }
        // A tick early: timers are late by up to one, and the path would stand still meanwhile.
        if free_at > Instant::now() + TICK {
            sleep_until(free_at - TICK).await;
        }
    }
}

/// The far end: each piece at its time, and then the end.
async fn deliver(
    mut taken: mpsc::UnboundedReceiver<(Instant, Vec<u8>)>,
    mut to: impl AsyncWrite + Unpin,
) {
    while let Some((at, piece)) = taken.recv().await {
        sleep_until(at).await;
        if to.write_all(&piece).await.is_err() {
            return;
        }
    }
    // The other side may have gone first.
    let _ = to.shutdown().await;
}
