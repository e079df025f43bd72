//! tower's layers around the calls of a channel. The only file here that names tower.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};

use tokio::sync::Mutex;
use tower_layer::Layer;
use tower_service::Service;
use trunkline_core::Status;

use crate::channel::ChannelBuilder;
use crate::exclusive::BoxFuture;
use crate::interceptor::{CallContext, ClientStream, Interceptor, Next};

impl ChannelBuilder {
    /// Surrounds every call with a tower layer, or with a stack of them from `ServiceBuilder`.
    ///
    /// The layer is applied once, to [`StartCall`], so what it keeps is shared by all calls of the
    /// channel: one `ConcurrencyLimit` limits them together. A stack counts as one
    /// [interceptor](Self::intercept) and stands in the same order with the others.
    ///
    /// A call with one request and one response is over when the service's future is: a timeout
    /// bounds all of it, a limit counts it until its response is there, and an error of the server
    /// is the service's error. For a call that streams that future ends when the stream is open.
    ///
    /// Errors that a layer makes itself: an elapsed timeout is DEADLINE_EXCEEDED, shed load is
    /// RESOURCE_EXHAUSTED, a [`Status`] in a box is that status, and all else is INTERNAL with its
    /// text.
    /// ```
    /// use std::time::Duration;
    /// use tower::ServiceBuilder;
    /// use trunkline_client::Channel;
    ///
    /// let layers = ServiceBuilder::new()
    ///     .load_shed()
    ///     .concurrency_limit(100)
    ///     .timeout(Duration::from_secs(2));
    /// let channel = Channel::builder("localhost:50051").insecure().layer(layers).build()?;
    /// # Ok::<(), trunkline_client::ChannelError>(())
    /// ```
    pub fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<StartCall>,
        L::Service: Service<CallContext, Response = ClientStream> + Send + 'static,
        <L::Service as Service<CallContext>>::Error: Into<Box<dyn Error + Send + Sync>>,
        <L::Service as Service<CallContext>>::Future: Send,
    {
        self.intercept(Layered(Mutex::new(layer.layer(StartCall(())))))
    }
}

/// The service that layers stand around: starts the call that it is given.
///
/// Request: a [`CallContext`]. Response: the [`ClientStream`]; of a call with one request and one
/// response when that has ended with OK. Errors: the call's status. Always ready.
#[derive(Clone, Copy, Debug)]
pub struct StartCall(());

impl Service<CallContext> for StartCall {
    type Response = ClientStream;
    type Error = Status;
    type Future = BoxFuture<Result<ClientStream, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut call: CallContext) -> Self::Future {
        let next = call.take_next();
        Box::pin(async move {
            let next = next.ok_or_else(|| {
                Status::internal("a layer made up a call that no interceptor was given")
            })?;
            let mut stream = next.start(call).await?;
            match stream.outcome().await.map(|outcome| outcome.status()) {
                Some(Err(status)) => Err(status.clone()),
                Some(Ok(())) | None => Ok(stream),
            }
        })
    }
}

/// A stack of layers as one interceptor.
///
/// One service stands for all calls, because not every layer's can be cloned. Its readiness is
/// waited for by one call after the other: a service wakes only who asked last.
struct Layered<S>(Mutex<S>);

impl<S> Interceptor for Layered<S>
where
    S: Service<CallContext, Response = ClientStream> + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send,
{
    async fn intercept(&self, mut call: CallContext, next: Next) -> Result<ClientStream, Status> {
        call.set_next(next);
        let response = {
            let mut service = self.0.lock().await;
            let ready = poll_fn(|cx| service.poll_ready(cx)).await;
            ready.map_err(to_status)?;
            service.call(call)
        };
        response.await.map_err(to_status)
    }
}

impl<S> fmt::Debug for Layered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Layered")
    }
}

fn to_status(error: impl Into<Box<dyn Error + Send + Sync>>) -> Status {
    let error = error.into();
    Status::of_layer(&*error).unwrap_or_else(|| {
        Status::internal(format!("a layer of the channel failed: {error}")).with_source(error)
    })
}
