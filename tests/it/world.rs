//! A server and a channel to it, for the length of one test; at the end nothing may be left over.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use trunkline::client::ChannelBuilder;
use trunkline::server::{ServerBuilder, ServerHandle, ServerStats};
use trunkline::transport::{Address, memory};
use trunkline::{Channel, Server, Status};
use trunkline_test_protos::echo::EchoClient;
use trunkline_test_protos::ledger::LedgerClient;

/// No step of a test takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// True under `cargo xtask soak`: the numbers are the full ones, and time does not matter.
pub(crate) fn soaking() -> bool {
    std::env::var_os("TRUNKLINE_SOAK").is_some()
}

/// Awaits what must not hang.
pub(crate) async fn soon<F: IntoFuture>(what: F) -> F::Output {
    let waited = timeout(PATIENCE, what.into_future()).await;
    waited.expect("done long before now")
}

/// A running server and a channel to it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) channel: Channel,
    pub(crate) handle: ServerHandle,
    pub(crate) address: Address,
    serving: JoinHandle<Result<(), Status>>,
}

impl World {
    /// Over TCP, on a port that the kernel chooses.
    pub(crate) async fn tcp(server: ServerBuilder) -> Self {
        Self::tcp_with(server, |channel| channel).await
    }

    /// Over TCP, with options for the channel.
    pub(crate) async fn tcp_with(
        server: ServerBuilder,
        options: impl FnOnce(ChannelBuilder) -> ChannelBuilder,
    ) -> Self {
        let server = server.bind("127.0.0.1:0").await.expect("a free port");
        let target = server.local_address().to_string();
        let channel = options(Channel::builder(target).insecure());
        Self::new(server, channel)
    }

    /// Over TCP, with credentials that both sides bring.
    pub(crate) async fn tcp_secured(
        server: ServerBuilder,
        credentials: impl FnOnce(ChannelBuilder) -> ChannelBuilder,
    ) -> Self {
        let server = server.bind("127.0.0.1:0").await.expect("a free port");
        let target = server.local_address().to_string();
        Self::new(server, credentials(Channel::builder(target)))
    }

    /// In memory: also under paused time.
    pub(crate) fn memory(server: ServerBuilder) -> Self {
        Self::memory_with(server, |channel| channel)
    }

    /// In memory, with options for the channel.
    pub(crate) fn memory_with(
        server: ServerBuilder,
        options: impl FnOnce(ChannelBuilder) -> ChannelBuilder,
    ) -> Self {
        let (connector, listener) = memory::pair("world");
        let server = server.listen(listener).expect("a server");
        let channel = Channel::builder("memory:world")
            .insecure()
            .connector(connector);
        Self::new(server, options(channel))
    }

    /// In memory, with a listener and a channel of the test's own.
    pub(crate) fn over(
        server: ServerBuilder,
        listener: memory::MemoryListener,
        channel: ChannelBuilder,
    ) -> Self {
        Self::new(server.listen(listener).expect("a server"), channel)
    }

    fn new(server: Server, channel: ChannelBuilder) -> Self {
        Self {
            channel: channel.build().expect("a channel"),
            handle: server.handle(),
            address: server.local_address().clone(),
            serving: tokio::spawn(server.serve()),
        }
    }

    pub(crate) fn echo(&self) -> EchoClient {
        EchoClient::new(self.channel.clone())
    }

    pub(crate) fn ledger(&self) -> LedgerClient {
        LedgerClient::new(self.channel.clone())
    }

    pub(crate) fn stats(&self) -> ServerStats {
        self.handle.stats()
    }

    /// Waits until the server's counters are as they should be.
    pub(crate) async fn until(&self, what: &str, reached: impl Fn(&ServerStats) -> bool) {
        until(&self.handle, what, reached).await;
    }

    /// Every call has ended: no RPC and no child lives, and the connections still do.
    pub(crate) async fn quiet(&self) {
        let no_calls = |stats: &ServerStats| stats.live_rpcs + stats.live_children == 0;
        self.until("no RPC is live", no_calls).await;
    }

    /// Ends the world: no RPC, then, without the channel, no connection, then no server is left.
    /// Every stub and half of the test must be gone by now.
    pub(crate) async fn end(self) {
        self.quiet().await;
        let Self {
            channel,
            handle,
            serving,
            ..
        } = self;
        drop(channel);
        until(&handle, "no connection is live (or a stub is)", |stats| {
            stats.live_connections == 0
        })
        .await;
        let report = soon(handle.graceful_stop(PATIENCE)).await;
        assert_eq!(report.unfinished, 0, "{report:?}");
        assert_eq!(handle.stats().live_listeners, 0);
        let served = soon(serving).await.expect("serve does not panic");
        served.expect("serve ends well");
    }
}

/// Waits until a server's counters are as they should be.
pub(crate) async fn until(
    handle: &ServerHandle,
    what: &str,
    reached: impl Fn(&ServerStats) -> bool,
) {
    let looking = async {
        while !reached(&handle.stats()) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    if timeout(PATIENCE, looking).await.is_err() {
        panic!("waited in vain until {what}: {:?}", handle.stats());
    }
}
