//! A started call, as interceptors hand it on.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};

use trunkline_core::MethodDescriptor;

use super::outcome::{OnEnd, Outcome};
use crate::call::CallEnd;

/// A call that has been started: what an [`Interceptor`](super::Interceptor) gets from
/// [`Next::start`](super::Next::start) and hands on to the caller.
///
/// Dropping it cancels the call.
#[must_use = "dropping the stream cancels the call"]
pub struct ClientStream {
    method: &'static MethodDescriptor,
    product: Box<dyn Product>,
}

/// What the caller is given once the interceptors are through: the future of the response, or the
/// halves of the stream.
pub(crate) trait Product: Any + Send + Sync {
    fn on_end(&mut self, end: OnEnd);

    /// Takes over who tells the end of the call as a whole.
    fn measure(&mut self, end: CallEnd);

    /// Reads a call with one request and one response to its end; ready at once for others.
    fn poll_end(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// How a call with one request and one response ended, once it has.
    fn outcome(&mut self) -> Option<&mut Outcome> {
        None
    }
}

impl ClientStream {
    pub(crate) fn new(method: &'static MethodDescriptor, product: impl Product) -> Self {
        Self {
            method,
            product: Box::new(product),
        }
    }

    /// What is in it; `None` if it belongs to a call of another type.
    pub(crate) fn into_product<P: Product>(self) -> Option<Box<P>> {
        let product: Box<dyn Any> = self.product;
        product.downcast().ok()
    }

    /// The method that was called.
    #[must_use]
    pub const fn method(&self) -> &'static MethodDescriptor {
        self.method
    }

    /// Registers who sees how the call ended, before its caller does.
    ///
    /// Called exactly once: when the response, the error or the end of the stream reaches the
    /// caller, or with CANCELLED when the caller drops the call before its end; then nobody sees
    /// what is changed. An inner interceptor's comes before an outer one's. It runs on the task of
    /// the caller and must not block.
    ///
    /// A stream's `Sender` is told directly why it can send no more, past this.
    ///
    /// ```
    /// # use trunkline_client::{CallContext, ClientStream, Next};
    /// # use trunkline_core::Status;
    /// async fn log(call: CallContext, next: Next) -> Result<ClientStream, Status> {
    ///     let method = call.method();
    ///     let mut stream = next.start(call).await?;
    ///     stream.on_end(move |outcome| println!("{method}: {}", outcome.code()));
    ///     Ok(stream)
    /// }
    /// ```
    pub fn on_end(&mut self, end: impl FnOnce(&mut Outcome) + Send + 'static) {
        self.product.on_end(Box::new(end));
    }

    /// Waits for the end of a call with one request and one response, and keeps the response for
    /// the caller. `None`, at once, for a call that streams: its end is in the hands of the caller.
    ///
    /// Those who were registered by [`on_end`](Self::on_end) until now are told first.
    /// Bounded by the call's deadline. Cancel safe.
    pub async fn outcome(&mut self) -> Option<&mut Outcome> {
        poll_fn(|cx| self.product.poll_end(cx)).await;
        self.product.outcome()
    }
}

impl fmt::Debug for ClientStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientStream")
            .field("method", &self.method.path)
            .finish_non_exhaustive()
    }
}
