//! Testing support: client and server in one process, with everything between them but a port.
//!
//! [`pair`] serves a handler, a [`Stub`] or a router in memory and gives a channel to it. Calls
//! run the full path, HTTP/2 included, and under tokio's paused time hours pass at once.
//! ```
//! use trunkline::{Response, testing};
//! # use trunkline_test_protos::echo::{EchoClient, Note, echo}; // stands for your generated code
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), trunkline::Status> {
//! let stub = testing::Stub::new().unary::<echo::Once, _>(|_, mut note| async {
//!     note.text.push('!');
//!     Ok(Response::new(note))
//! });
//! let (channel, _server) = testing::pair(stub);
//! let note = EchoClient::new(channel).once(Note { text: "hello".into(), ..Note::default() }).await?;
//! assert_eq!(note.text, "hello!");
//! # Ok(()) }
//! ```
//!
//! What to use for what:
//! - your handler, as its clients see it: [`pair`] with its service
//! - your handler as a function: [`context`] makes what it takes besides the request
//! - your client's code: [`pair`] with a [`Stub`], whose [`calls`](Stub::calls) can be counted
//! - a server that misbehaves in the middle of a stream: [`Stub::by_hand`]

use trunkline_client::{Channel, ChannelBuilder};
use trunkline_server::{Router, Server, ServerBuilder};

pub use trunkline_server::testing::{
    ContextBuilder, HandCall, HandCalls, HandEnd, Serving, Stub, StubCalls, context, serve,
};

/// A channel, and the server in memory that it leads to: of a service, a [`Stub`] or a [`Router`].
///
/// The server lives as long as what comes with the channel: bind it to a name, `_server`, not to
/// `_`. When that is dropped the server ends at once, and with the channel's last clone the rest.
///
/// # Panics
/// Outside a tokio runtime, and for a router that no server takes: one with a service twice.
pub fn pair(router: impl Into<Router>) -> (Channel, Serving) {
    let server = Server::insecure().router(router.into());
    pair_with(server, |channel| channel)
}

/// The same with all settings of server and channel.
///
/// ```
/// use std::time::Duration;
/// use trunkline::{Server, testing};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let server = Server::insecure().max_timeout(Duration::from_secs(1));
/// let (channel, server) = testing::pair_with(server, |channel| channel.max_connections(1));
/// # drop(channel);
/// let report = server.stop(Duration::from_secs(5)).await;
/// assert_eq!(report.connections_aborted, 0);
/// # }
/// ```
///
/// # Panics
/// Outside a tokio runtime, and for settings that no server or channel takes.
pub fn pair_with(
    server: ServerBuilder,
    options: impl FnOnce(ChannelBuilder) -> ChannelBuilder,
) -> (Channel, Serving) {
    let (connector, serving) = match serve(server) {
        Ok(served) => served,
        Err(status) => panic!("the server of a test: {status}"),
    };
    let channel = Channel::builder("memory:test")
        .connector(connector)
        .insecure();
    match options(channel).build() {
        Ok(channel) => (channel, serving),
        Err(error) => panic!("the channel of a test: {error}"),
    }
}
