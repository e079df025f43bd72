//! Our client against a server that the test plays.

use tokio::net::TcpListener;
use trunkline::Channel;
use trunkline::client::ChannelBuilder;
use trunkline::transport::memory::{self, MemoryListener};
use trunkline::transport::{BoxIo, Listener};
use trunkline_test_protos::echo::EchoClient;

use super::{Over, Peer, within};

/// Where the channel of a test connects to.
pub(crate) struct RawServer(Socket);

enum Socket {
    Memory(MemoryListener),
    Tcp(TcpListener),
}

impl RawServer {
    /// Reached in memory; its address is `memory:` and the name.
    pub(crate) fn memory(name: &str) -> (Self, EchoClient) {
        let (server, builder) = Self::builder(name);
        (server, EchoClient::new(builder.build().unwrap()))
    }

    /// The same, with the channel still to be built.
    pub(crate) fn builder(name: &str) -> (Self, ChannelBuilder) {
        let (connector, listener) = memory::pair(name);
        let builder = Channel::builder(format!("memory:{name}"))
            .insecure()
            .connector(connector);
        (Self(Socket::Memory(listener)), builder)
    }

    /// Reached by TCP; the address too.
    pub(crate) async fn tcp() -> (Self, EchoClient, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let channel = Channel::insecure(&address).unwrap();
        (
            Self(Socket::Tcp(listener)),
            EchoClient::new(channel),
            address,
        )
    }

    /// Reached in this way.
    pub(crate) async fn over(over: Over, name: &str) -> (Self, EchoClient) {
        Self::over_with(over, name, |channel| channel).await
    }

    /// The same, with options for the channel.
    pub(crate) async fn over_with(
        over: Over,
        name: &str,
        options: impl FnOnce(ChannelBuilder) -> ChannelBuilder,
    ) -> (Self, EchoClient) {
        let (server, builder) = match over {
            Over::Memory => Self::builder(name),
            Over::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap().to_string();
                let builder = Channel::builder(address).insecure();
                (Self(Socket::Tcp(listener)), builder)
            }
        };
        (server, EchoClient::new(options(builder).build().unwrap()))
    }

    /// The next connection, with HTTP/2 begun and empty SETTINGS sent.
    pub(crate) async fn accept(&mut self) -> Peer {
        self.accept_with(&[]).await
    }

    /// The next connection, with HTTP/2 begun and these SETTINGS sent.
    pub(crate) async fn accept_with(&mut self, settings: &[(u16, u32)]) -> Peer {
        Peer::server(self.accept_io().await, settings).await
    }

    /// The next connection, as it comes. Over TCP, dropping it sends RST.
    pub(crate) async fn accept_io(&mut self) -> BoxIo {
        let accepted = async {
            match &mut self.0 {
                Socket::Memory(listener) => listener.accept().await.unwrap().0,
                Socket::Tcp(listener) => {
                    let (stream, _) = listener.accept().await.unwrap();
                    // One frame after the other, each at once.
                    stream.set_nodelay(true).unwrap();
                    stream.set_zero_linger().unwrap();
                    BoxIo::new(stream)
                }
            }
        };
        within("a connection of the client's", accepted).await
    }
}

/// Drops the client: nothing of its connection may be left.
pub(crate) async fn channel_closes(echo: EchoClient, mut peer: Peer) {
    drop(echo);
    peer.expect_close().await;
}
