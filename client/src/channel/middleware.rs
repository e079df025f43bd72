//! What surrounds, signs and measures the calls of a channel.

use std::sync::Arc;

use trunkline_core::stats::StatsHandler;

use super::{Channel, ChannelBuilder};
use crate::credentials::CallCredentials;
use crate::interceptor::{BoxInterceptor, Chain, Interceptor};

impl ChannelBuilder {
    /// Surrounds every call of the channel; the first one added is the outermost.
    pub fn intercept(mut self, interceptor: impl Interceptor) -> Self {
        self.interceptors.push(interceptor.boxed());
        self
    }

    /// Surrounds every call by interceptors from a list that was made at run time.
    pub fn intercept_all(mut self, list: impl IntoIterator<Item = BoxInterceptor>) -> Self {
        self.interceptors.extend(list);
        self
    }

    /// Shows servers who calls, on every call. May be said more than once: all are sent, in order.
    ///
    /// Calls fail with UNAUTHENTICATED on a connection that others can read; see
    /// [`CallCredentials`].
    pub fn call_credentials(mut self, credentials: impl CallCredentials) -> Self {
        self.call_credentials.push(credentials.boxed());
        self
    }

    /// Tells this handler of every call of the channel. May be said more than once.
    ///
    /// A call begins when it is first polled, in front of the interceptors, and ends with what its
    /// caller gets, or with CANCELLED where it is dropped. Each stream that it is put on is an
    /// attempt.
    pub fn stats_handler(mut self, handler: impl StatsHandler) -> Self {
        self.stats.add(handler);
        self
    }
}

impl Channel {
    /// The same channel, over the same connections, with one more interceptor around its calls.
    ///
    /// For what is the matter of one stub: `GreeterClient::new(channel.intercepted(auth))`. It
    /// stands inside of those that the channel has already.
    #[must_use]
    pub fn intercepted(&self, interceptor: impl Interceptor) -> Self {
        let outer = self.1.iter().flat_map(|chain| chain.iter().cloned());
        let chain: Chain = outer.chain([interceptor.boxed()]).collect();
        Self(Arc::clone(&self.0), Some(chain))
    }
}
