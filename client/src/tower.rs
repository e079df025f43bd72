//! tower's layers around the calls of a channel. The only file here that names tower.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;
use tower_layer::Layer;
use tower_service::Service;
use trunkline_core::Status;

use crate::channel::{ChannelBuilder, no_runtime};
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
        let service = layer.layer(StartCall(()));
        self.intercept(Layered(Arc::new(Mutex::new(service))))
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
/// waited for by one call after the other: a service wakes only who asked last. Whose turn it is
/// waits in a task of its own, because the call may be left unpolled, in the branch of a `select!`
/// that lost, and the lock with it.
struct Layered<S>(Arc<Mutex<S>>);

impl<S> Interceptor for Layered<S>
where
    S: Service<CallContext, Response = ClientStream> + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send,
{
    async fn intercept(&self, mut call: CallContext, next: Next) -> Result<ClientStream, Status> {
        call.set_next(next);
        let response = match self.ready_now().await? {
            Some(mut service) => service.call(call),
            None => self.start_in_turn(call).await?,
        };
        response.await.map_err(to_status)
    }
}

impl<S> Layered<S>
where
    S: Service<CallContext, Response = ClientStream> + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send,
{
    /// The service, if nobody waits for it and it is ready. Never pending.
    async fn ready_now(&self) -> Result<Option<MutexGuard<'_, S>>, Status> {
        let Ok(mut service) = self.0.try_lock() else {
            return Ok(None);
        };
        match poll_fn(|cx| Poll::Ready(service.poll_ready(cx))).await {
            Poll::Ready(ready) => ready.map_err(to_status).map(|()| Some(service)),
            Poll::Pending => Ok(None),
        }
    }

    /// Starts the call when it is its turn and the service is ready.
    async fn start_in_turn(&self, call: CallContext) -> Result<S::Future, Status> {
        let runtime = Handle::try_current().map_err(|error| no_runtime().with_source(error))?;
        let service = Arc::clone(&self.0);
        let mut turn = Turn(runtime.spawn(async move {
            let mut service = service.lock_owned().await;
            let ready = poll_fn(|cx| service.poll_ready(cx)).await;
            ready.map_err(to_status).map(|()| service.call(call))
        }));
        match (&mut turn.0).await {
            Ok(started) => started,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(error) => Err(no_runtime().with_source(error)),
            },
        }
    }
}

/// A call that waits for its turn; dropped with the call.
struct Turn<T>(JoinHandle<T>);

impl<T> Drop for Turn<T> {
    fn drop(&mut self) {
        self.0.abort();
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
