//! What a service is to the server: a descriptor, and one erased handler per method.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Context;

use trunkline_core::{FileDescriptor, Method, MethodDescriptor, ServiceDescriptor};

use crate::interceptor::Chain;
use crate::router::{BoxService, MethodTable};
use crate::rpc::{Incoming, Outcome, RequestContext, Rpc, run, run_intercepted};
use crate::server::Tasks;

/// A service that can be added to a server. Generated code implements it for `GreeterServer<T>`,
/// which has the methods of [`BoxService`] too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no service",
    label = "this is no service",
    note = "a handler becomes one by its generated server: `GreeterServer::new(handler)`"
)]
pub trait GrpcService {
    /// The service's name and methods.
    fn descriptor(&self) -> &'static ServiceDescriptor;

    /// Puts one handler per method into the table.
    fn register(self, methods: &mut MethodTable);

    /// The `.proto` file that it was generated from, for server reflection; `None` for one that was
    /// written by hand.
    fn file_descriptor(&self) -> Option<&'static FileDescriptor> {
        None
    }

    /// Erases the type, for services that are kept in lists, and for what [`BoxService`] puts
    /// around one: interceptors, limits, methods that run to completion.
    fn boxed(self) -> BoxService
    where
        Self: Sized,
    {
        BoxService::new(self)
    }
}

/// How a service of type `S` answers this method: the glue between one RPC and one `async fn`.
///
/// Generated code implements it once per method. A hand-written one looks the same:
/// ```
/// use bytes::Bytes;
/// use trunkline_core::{Method, MethodDescriptor, RawCodec, Response, Shape};
/// use trunkline_server::{Incoming, Outcome, RequestContext, Serve};
///
/// struct Echo;
/// impl Method for Echo {
///     type Request = Bytes;
///     type Response = Bytes;
///     type Codec = RawCodec;
///     const DESCRIPTOR: &'static MethodDescriptor =
///         &MethodDescriptor::new("demo.Echo", "Echo", "/demo.Echo/Echo", Shape::Unary);
/// }
///
/// struct MyEcho;
/// impl Serve<MyEcho> for Echo {
///     async fn serve(_: &MyEcho, _: &RequestContext, call: Incoming<Self>) -> Outcome {
///         match call.only().await {
///             Ok((request, call)) => call.reply(async { Ok(Response::new(request)) }).await,
///             Err(outcome) => outcome,
///         }
///     }
/// }
/// ```
pub trait Serve<S>: Method + Sized {
    /// Answers one RPC. It is dropped, wherever it waits, when the RPC ends early.
    fn serve(
        service: &S,
        cx: &RequestContext,
        call: Incoming<Self>,
    ) -> impl Future<Output = Outcome> + Send;
}

/// One method of one service, its types erased. What the method table stores.
pub(crate) trait Handler: Send + Sync {
    /// The method it answers.
    fn descriptor(&self) -> &'static MethodDescriptor;

    /// Runs the RPC in a task of these.
    fn spawn(&self, rpc: Rpc, chain: Option<&Chain>, tasks: &Tasks);

    /// Polls the RPC once where it is called, and starts a task only if it is not over then: one
    /// box instead of a task, or beside it.
    fn start_inline(&self, rpc: Rpc, chain: Option<&Chain>, cx: &mut Context<'_>);
}

/// Where a handler is polled first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FirstPoll {
    /// In its own task, as ever after.
    #[default]
    InTask,
    /// On the task of its connection.
    OnConnection,
}

fn poll_or_spawn(rpc: impl Future<Output = ()> + Send + 'static, cx: &mut Context<'_>) {
    let mut rpc = Box::pin(rpc);
    // A panic has answered the call on its way out, as it does in a task, and must not go further.
    let polled = catch_unwind(AssertUnwindSafe(|| rpc.as_mut().poll(cx)));
    if polled.is_ok_and(|polled| polled.is_pending()) {
        // Its first poll there takes over whatever was to wake the connection's task.
        tokio::spawn(rpc);
    }
}

/// The handler for method `M` of service `S`.
pub(crate) struct MethodHandler<M, S> {
    service: Arc<S>,
    method: PhantomData<fn() -> M>,
}

impl<M, S> MethodHandler<M, S> {
    pub(crate) const fn new(service: Arc<S>) -> Self {
        Self {
            service,
            method: PhantomData,
        }
    }
}

impl<M, S> Handler for MethodHandler<M, S>
where
    M: Serve<S>,
    S: Send + Sync + 'static,
{
    fn descriptor(&self) -> &'static MethodDescriptor {
        M::DESCRIPTOR
    }

    fn spawn(&self, rpc: Rpc, chain: Option<&Chain>, tasks: &Tasks) {
        let service = Arc::clone(&self.service);
        match chain {
            None => tasks.run(|| run::<M, S>(service, rpc)),
            Some(chain) => {
                let chain = Arc::clone(chain);
                tasks.run(|| run_intercepted::<M, S>(service, rpc, chain));
            }
        }
    }

    fn start_inline(&self, rpc: Rpc, chain: Option<&Chain>, cx: &mut Context<'_>) {
        let service = Arc::clone(&self.service);
        match chain {
            None => poll_or_spawn(run::<M, S>(service, rpc), cx),
            Some(chain) => {
                poll_or_spawn(run_intercepted::<M, S>(service, rpc, Arc::clone(chain)), cx);
            }
        }
    }
}
