//! The channel: what a client calls through.

mod builder;
mod close;
mod compression;
mod control;
mod error;
mod idle;
mod life;
mod middleware;
mod queue;
mod route;
mod snapshot;
mod state;

use std::fmt;
use std::sync::Arc;

use trunkline_core::Method;

pub use builder::ChannelBuilder;
pub use close::CloseReport;
pub use error::ChannelError;
pub(crate) use snapshot::{Picked, Shared, loop_panics, no_runtime};
pub(crate) use state::Picker;
pub use state::{ChannelStats, ConnectivityState};

use crate::call::{Bidi, Call, ClientStreaming, ServerStreaming, Unary};
use crate::interceptor::Chain;

/// A virtual connection to a service: resolves, connects, balances and reconnects by itself.
///
/// Cloning is cheap and shares everything; all methods take `&self`, so one channel serves any
/// number of stubs and tasks. Nothing happens before the first call: a channel is built without a
/// runtime, and its control loop starts on the runtime of the first call. If that runtime ends,
/// the next call starts the loop again on its own.
///
/// Connections close once the last clone and the last call are gone.
///
/// ```
/// use trunkline_client::Channel;
///
/// let channel = Channel::insecure("localhost:50051")?;
/// let same = channel.clone();
/// # Ok::<(), trunkline_client::ChannelError>(())
/// ```
#[derive(Clone)]
pub struct Channel(pub(crate) Arc<Shared>, pub(crate) Option<Chain>);

impl Channel {
    /// A channel that speaks plaintext, with every option at its default.
    ///
    /// Shape of `target`: `host:port`, `dns:///host:port`, an IP address, or a list as in
    /// `ipv4:10.0.0.1:50051,10.0.0.2:50051`; without a port it is 443. Or a Unix socket:
    /// `unix:/run/greeter.sock`, `unix:relative/path`, or on Linux `unix-abstract:name`, where
    /// `:authority` is `localhost`.
    ///
    /// Errors: the target is malformed; the text names the fault.
    pub fn insecure(target: impl AsRef<str>) -> Result<Self, ChannelError> {
        Self::builder(target).insecure().build()
    }

    /// Starts building a channel with options.
    pub fn builder(target: impl AsRef<str>) -> ChannelBuilder {
        ChannelBuilder::new(target.as_ref())
    }

    /// The target as it was given.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.0.config.target.text
    }

    /// Prepares a call with one request and one response. Generated stubs call this.
    pub fn unary<M: Method>(&self, request: M::Request) -> Call<'_, M, Unary> {
        Call::new(self, request)
    }

    /// Prepares a call with one request and many responses.
    pub fn server_streaming<M: Method>(&self, request: M::Request) -> Call<'_, M, ServerStreaming> {
        Call::new(self, request)
    }

    /// Prepares a call with many requests and one response.
    pub fn client_streaming<M: Method>(&self) -> Call<'_, M, ClientStreaming> {
        Call::new(self, ())
    }

    /// Prepares a call with many messages both ways.
    pub fn bidi<M: Method>(&self) -> Call<'_, M, Bidi> {
        Call::new(self, ())
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snapshot = self.0.snapshot();
        f.debug_struct("Channel")
            .field("target", &self.target())
            .field("state", &format_args!("{}", snapshot.describe()))
            .finish()
    }
}

/// A channel that is borrowed, or owned by a call that must be `'static`.
#[derive(Clone, Debug)]
pub(crate) enum ChannelRef<'a> {
    Borrowed(&'a Channel),
    Owned(Channel),
}

impl ChannelRef<'_> {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        match self {
            Self::Borrowed(channel) => &channel.0,
            Self::Owned(channel) => &channel.0,
        }
    }

    /// The interceptors of the channel, if it has any.
    pub(crate) const fn chain(&self) -> Option<&Chain> {
        match self {
            Self::Borrowed(channel) => channel.1.as_ref(),
            Self::Owned(channel) => channel.1.as_ref(),
        }
    }

    pub(crate) fn into_channel(self) -> Channel {
        match self {
            Self::Borrowed(channel) => channel.clone(),
            Self::Owned(channel) => channel,
        }
    }

    pub(crate) fn into_owned(self) -> ChannelRef<'static> {
        ChannelRef::Owned(self.into_channel())
    }
}
