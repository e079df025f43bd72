//! A network between a client and a server that may move: each connection is cut after a while.

use std::net::SocketAddr;
use std::time::Duration;

use fastrand::Rng;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

pub(super) struct Relay {
    pub(super) address: SocketAddr,
    running: JoinHandle<()>,
}

impl Relay {
    /// Takes each connection to where the server is by then.
    pub(super) async fn start(places: watch::Receiver<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let running = tokio::spawn(async move {
            let (mut links, mut random) = (JoinSet::new(), Rng::with_seed(5));
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let place = *places.borrow();
                let life = Duration::from_millis(random.u64(20..3_000));
                links.spawn(link(client, place, life, random.bool()));
                while links.try_join_next().is_some() {}
            }
        });
        Self { address, running }
    }

    pub(super) async fn end(self) {
        self.running.abort();
        assert!(self.running.await.unwrap_err().is_cancelled());
    }
}

async fn link(mut client: TcpStream, place: SocketAddr, life: Duration, resets: bool) {
    let Ok(mut server) = TcpStream::connect(place).await else {
        return;
    };
    // One of them hears RST, or both the end of what is written.
    if resets {
        client.set_zero_linger().unwrap();
    }
    let _ = timeout(life, copy_bidirectional(&mut client, &mut server)).await;
}
