//! A network that one seed decides about: delays, pieces, partitions, resets, and whether anybody listens.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use trunkline::transport::{Address, BoxIo, Connector, Listener};

use super::pipe::{Pipe, Socket, Weather};

/// The address of the one server.
pub(super) const NAME: &str = "simulated";

/// Handles share the network.
#[derive(Clone)]
pub(super) struct Network {
    shared: Arc<Mutex<Shared>>,
    partitioned: watch::Sender<bool>,
}

struct Shared {
    random: fastrand::Rng,
    listener: Option<mpsc::UnboundedSender<BoxIo>>,
    /// Both directions of each connection.
    connections: Vec<[Arc<Pipe>; 2]>,
}

impl Network {
    pub(super) fn new(random: fastrand::Rng) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Shared {
                random,
                listener: None,
                connections: Vec::new(),
            })),
            partitioned: watch::Sender::new(false),
        }
    }

    pub(super) fn connector(&self) -> impl Connector {
        Dialer(self.clone())
    }

    /// Takes the place of the listener before.
    pub(super) fn listen(&self) -> impl Listener {
        let (sender, accepted) = mpsc::unbounded_channel();
        self.shared().listener = Some(sender);
        Door(accepted)
    }

    /// Who connects is refused until the next `listen`.
    pub(super) fn stop_listening(&self) {
        self.shared().listener = None;
    }

    /// Nothing arrives anywhere any more, or only in one direction; nothing is lost.
    pub(super) fn partition(&self, to_server: bool, to_client: bool) {
        self.partitioned.send_replace(to_server || to_client);
        for [requests, answers] in &self.shared().connections {
            requests.stall(to_server);
            answers.stall(to_client);
        }
    }

    /// What was held up goes on.
    pub(super) fn heal(&self) {
        self.partition(false, false);
    }

    /// Breaks each connection with this probability.
    pub(super) fn reset(&self, probability: f64) {
        let mut shared = self.shared();
        let connections = std::mem::take(&mut shared.connections);
        for pipes in connections {
            if shared.random.f64() < probability {
                pipes.iter().for_each(|pipe| pipe.reset());
            } else {
                shared.connections.push(pipes);
            }
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }
}

impl Shared {
    fn weather(&mut self) -> Weather {
        let random = &mut self.random;
        let delays = [0, 1, 20, 200];
        let chunks = [100, 1_000, 9_000, 64_000];
        Weather {
            delay: Duration::from_millis(delays[random.usize(..delays.len())]),
            jitter: Duration::from_millis(random.u64(0..50)),
            chunk: chunks[random.usize(..chunks.len())],
        }
    }
}

struct Dialer(Network);

impl Connector for Dialer {
    async fn connect(&self, _: &Address) -> io::Result<BoxIo> {
        let mut partitioned = self.0.partitioned.subscribe();
        let weather = self.0.shared().weather();
        sleep(weather.delay).await;
        // The network outlives whoever connects.
        let _ = partitioned.wait_for(|partitioned| !partitioned).await;
        let mut shared = self.0.shared();
        let (one, other) = (shared.random.fork(), shared.random.fork());
        let pipes = [
            Pipe::new(weather.clone(), one, false),
            Pipe::new(weather, other, false),
        ];
        let [requests, answers] = pipes.clone();
        let theirs = Socket::new(Arc::clone(&requests), Arc::clone(&answers));
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let listener = shared.listener.as_ref().ok_or_else(refused)?;
        listener.send(BoxIo::new(theirs)).map_err(|_| refused())?;
        shared.connections.push(pipes);
        Ok(BoxIo::new(Socket::new(answers, requests)))
    }
}

struct Door(mpsc::UnboundedReceiver<BoxIo>);

impl Listener for Door {
    async fn accept(&mut self) -> io::Result<(BoxIo, Address)> {
        match self.0.recv().await {
            Some(io) => Ok((io, self.address())),
            None => std::future::pending().await,
        }
    }

    fn address(&self) -> Address {
        Address::Memory(NAME.into())
    }
}
