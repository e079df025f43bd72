//! tower's layers around the RPCs of a server. The only file here that names tower.

use std::error::Error;
use std::fmt;
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::sync::{Mutex, oneshot};
use tower_layer::Layer;
use tower_service::Service;
use trunkline_core::{Stage, Status, Trailers};

use crate::interceptor::{BoxInterceptor, Interceptor, Next};
use crate::router::BoxService;
use crate::rpc::RequestContext;
use crate::server::ServerBuilder;

impl ServerBuilder {
    /// Surrounds every RPC of the server with a tower layer, or with a stack of them from
    /// `ServiceBuilder`.
    ///
    /// The layer is applied once, now, to [`RunRpc`], so what it keeps is shared by all RPCs of the
    /// server: one `ConcurrencyLimit` limits them together. A layer that spawns a task of its own,
    /// as `Buffer` does, therefore needs a runtime here. A stack counts as one
    /// [interceptor](Self::intercept) and stands in the same order with the others.
    ///
    /// Request: the [`RequestContext`]. Response: the trailers that go with OK. The messages pass
    /// beside the layers. An RPC of any kind, streams among them, is over when the service's future
    /// is: a timeout bounds all of it and drops its handler, a limit counts it until its end.
    ///
    /// Errors that a layer makes itself: an elapsed timeout is DEADLINE_EXCEEDED, shed load is
    /// RESOURCE_EXHAUSTED, a [`Status`] in a box is that status. All else is INTERNAL for the
    /// client, and its text is for the server's log.
    /// ```
    /// use std::time::Duration;
    /// use tower::ServiceBuilder;
    /// use trunkline_server::Server;
    ///
    /// let layers = ServiceBuilder::new()
    ///     .load_shed()
    ///     .concurrency_limit(100)
    ///     .timeout(Duration::from_secs(2));
    /// let server = Server::insecure().layer(layers);
    /// # let _ = server;
    /// ```
    pub fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<RunRpc>,
        L::Service: Service<RequestContext, Response = Trailers> + Send + 'static,
        <L::Service as Service<RequestContext>>::Error: Into<Box<dyn Error + Send + Sync>>,
        <L::Service as Service<RequestContext>>::Future: Send,
    {
        self.intercept(layered(&layer))
    }
}

impl BoxService {
    /// Surrounds every RPC of this service with a tower layer: see [`ServerBuilder::layer`].
    ///
    /// ```
    /// use tower::limit::ConcurrencyLimitLayer;
    /// use trunkline_server::{BoxService, GrpcService};
    ///
    /// fn one_at_a_time(service: impl GrpcService) -> BoxService {
    ///     service.boxed().layer(ConcurrencyLimitLayer::new(1))
    /// }
    /// ```
    #[must_use]
    pub fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<RunRpc>,
        L::Service: Service<RequestContext, Response = Trailers> + Send + 'static,
        <L::Service as Service<RequestContext>>::Error: Into<Box<dyn Error + Send + Sync>>,
        <L::Service as Service<RequestContext>>::Future: Send,
    {
        self.intercept(layered(&layer))
    }
}

fn layered<L>(layer: &L) -> BoxInterceptor
where
    L: Layer<RunRpc>,
    L::Service: Service<RequestContext, Response = Trailers> + Send + 'static,
    <L::Service as Service<RequestContext>>::Error: Into<Box<dyn Error + Send + Sync>>,
    <L::Service as Service<RequestContext>>::Future: Send,
{
    Layered(Mutex::new(layer.layer(RunRpc(())))).boxed()
}

/// The service that layers stand around: runs the rest of the RPC whose context it is given.
///
/// Request: a [`RequestContext`]. Response: the trailers of an RPC that ended with OK. Errors: the
/// RPC's status. Always ready. Dropping the future drops the handler.
#[derive(Clone, Copy, Debug)]
pub struct RunRpc(());

impl Service<RequestContext> for RunRpc {
    type Response = Trailers;
    type Error = Status;
    type Future = RunRpcFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut cx: RequestContext) -> RunRpcFuture {
        let (answer, outcome) = oneshot::channel();
        if let Some(start) = Seam::take(&mut cx) {
            // If its task is gone, so is the RPC, and `answer` with it.
            let _ = start.send((cx, answer));
        }
        RunRpcFuture(outcome)
    }
}

/// The future of [`RunRpc`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct RunRpcFuture(oneshot::Receiver<Result<Trailers, Status>>);

impl Future for RunRpcFuture {
    type Output = Result<Trailers, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(outcome.unwrap_or_else(|_| {
            let text = "the RPC is over, or was run before";
            Err(Status::internal(text).with_stage(Stage::Handler))
        }))
    }
}

/// What a context is sent to its RPC's task with, to be run there: the rest of the RPC cannot
/// leave it.
type Start = oneshot::Sender<(RequestContext, oneshot::Sender<Result<Trailers, Status>>)>;

/// Where the layers' innermost service finds the task of its RPC: in the context.
#[derive(Clone)]
struct Seam(Arc<std::sync::Mutex<Option<Start>>>);

impl Seam {
    fn put(start: Start, cx: &mut RequestContext) {
        let seam = Self(Arc::new(std::sync::Mutex::new(Some(start))));
        cx.extensions_mut().insert(seam);
    }

    fn take(cx: &mut RequestContext) -> Option<Start> {
        let Self(start) = cx.extensions_mut().remove()?;
        start.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A stack of layers as one interceptor.
///
/// One service stands for all RPCs, because not every layer's can be cloned (`RateLimit`). Its
/// readiness is waited for by one RPC after the other: a service wakes only who asked last.
struct Layered<S>(Mutex<S>);

impl<S> Interceptor for Layered<S>
where
    S: Service<RequestContext, Response = Trailers> + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send,
{
    async fn intercept(&self, mut cx: RequestContext, next: Next<'_>) -> Result<Trailers, Status> {
        let (start, started) = oneshot::channel();
        Seam::put(start, &mut cx);
        let response = {
            let mut service = self.0.lock().await;
            let ready = poll_fn(|task| service.poll_ready(task)).await;
            ready.map_err(to_status)?;
            service.call(cx)
        };
        let mut response = pin!(response);
        let mut rest = pin!(run_rest(started, next));
        let outcome = poll_fn(|task| {
            if let Poll::Ready(outcome) = response.as_mut().poll(task) {
                return Poll::Ready(outcome);
            }
            // Not ready, ever: the layers decide when it is over.
            let _ = rest.as_mut().poll(task);
            response.as_mut().poll(task)
        });
        outcome.await.map_err(to_status)
    }
}

/// Runs the rest of an RPC when the layers ask for it, and for as long as they wait for it.
async fn run_rest(
    started: oneshot::Receiver<(RequestContext, oneshot::Sender<Result<Trailers, Status>>)>,
    next: Next<'_>,
) {
    if let Ok((cx, mut answer)) = started.await {
        let outcome = {
            let mut running = pin!(next.run(cx));
            poll_fn(|task| match answer.poll_closed(task) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => running.as_mut().poll(task).map(Some),
            })
            .await
        };
        if let Some(outcome) = outcome {
            // Nobody waits for it any more: then it is the layers' word that counts.
            let _ = answer.send(outcome);
        }
    }
    pending().await
}

impl<S> fmt::Debug for Layered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Layered")
    }
}

fn to_status(error: impl Into<Box<dyn Error + Send + Sync>>) -> Status {
    let error = error.into();
    Status::of_layer(&*error)
        .unwrap_or_else(|| Status::internal("a layer of the server failed").with_source(error))
}
