//! Services made of closures.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use trunkline_core::{Metadata, Method, MethodDescriptor, Response, Status};

use crate::handler::Serve;
use crate::router::Router;
use crate::rpc::{Incoming, Outcome, RequestContext};
use crate::stream::{Receiver, Sender};

/// Services whose methods are closures, as many of them as a test needs.
///
/// A method without a closure answers UNIMPLEMENTED and names itself. The closures run as handlers
/// do: with the context of their RPC, which they look at before their `async` block.
/// ```
/// # use bytes::Bytes;
/// # use trunkline_core::{Method, MethodDescriptor, RawCodec, Response, Shape};
/// # struct SayHello;
/// # impl Method for SayHello {
/// #     type Request = Bytes;
/// #     type Response = Bytes;
/// #     type Codec = RawCodec;
/// #     const DESCRIPTOR: &'static MethodDescriptor =
/// #         &MethodDescriptor::new("demo.Greeter", "SayHello", "/demo.Greeter/SayHello", Shape::Unary);
/// # }
/// use trunkline_server::{Router, testing::Stub};
///
/// let stub = Stub::new().unary::<SayHello, _>(|cx, name| {
///     let tenant = cx.metadata().get("tenant").unwrap_or("nobody").to_owned();
///     async move { Ok(Response::new(Bytes::from(format!("{name:?} of {tenant}")))) }
/// });
/// let calls = stub.calls();
/// let router = Router::from(stub);
/// assert_eq!(calls.count::<SayHello>(), 0);
/// ```
#[must_use = "a stub does nothing until it is served"]
#[derive(Debug, Default)]
pub struct Stub {
    router: Router,
    calls: StubCalls,
}

impl Stub {
    /// No methods yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers a unary method.
    pub fn unary<M, F>(
        self,
        handler: impl Fn(&RequestContext, M::Request) -> F + Send + Sync + 'static,
    ) -> Self
    where
        M: Method,
        F: Future<Output = Result<Response<M::Response>, Status>> + Send + 'static,
    {
        self.add::<M, _>(Unary(handler))
    }

    /// Answers a method with many responses.
    pub fn server_streaming<M, F>(
        self,
        handler: impl Fn(&RequestContext, M::Request, Sender<M::Response>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        M: Method,
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        self.add::<M, _>(ServerStreaming(handler))
    }

    /// Answers a method with many requests.
    pub fn client_streaming<M, F>(
        self,
        handler: impl Fn(&RequestContext, Receiver<M::Request>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        M: Method,
        F: Future<Output = Result<Response<M::Response>, Status>> + Send + 'static,
    {
        self.add::<M, _>(ClientStreaming(handler))
    }

    /// Answers a method with many requests and many responses.
    pub fn bidi<M, F>(
        self,
        handler: impl Fn(&RequestContext, Receiver<M::Request>, Sender<M::Response>) -> F
        + Send
        + Sync
        + 'static,
    ) -> Self
    where
        M: Method,
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        self.add::<M, _>(Bidi(handler))
    }

    /// What will have been called.
    pub fn calls(&self) -> StubCalls {
        self.calls.clone()
    }

    /// Answers method `M` by this handler, of whichever shape.
    fn add<M, H>(self, handler: H) -> Self
    where
        M: Method,
        H: Send + Sync + 'static,
        Stubbed<M>: Serve<Recorded<H>>,
    {
        let calls = self.calls.clone();
        self.add_as::<Stubbed<M>, _>(Recorded { handler, calls })
    }

    /// Answers the method of marker `M` by this service.
    pub(super) fn add_as<M, S>(mut self, service: S) -> Self
    where
        M: Serve<S>,
        S: Send + Sync + 'static,
    {
        self.router = self.router.add_method::<M, S>(&Arc::new(service));
        self
    }
}

impl From<Stub> for Router {
    fn from(stub: Stub) -> Self {
        stub.router
    }
}

/// What has been called of a [`Stub`]. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct StubCalls(Arc<Mutex<Vec<(&'static str, Metadata)>>>);

impl StubCalls {
    /// The paths of the methods, in the order in which their RPCs began.
    #[must_use]
    pub fn methods(&self) -> Vec<&'static str> {
        self.read(|calls| calls.iter().map(|(path, _)| *path).collect())
    }

    /// How many RPCs of this method have begun.
    #[must_use]
    pub fn count<M: Method>(&self) -> usize {
        self.metadata::<M>().len()
    }

    /// The metadata that each RPC of this method came with.
    #[must_use]
    pub fn metadata<M: Method>(&self) -> Vec<Metadata> {
        let wanted = |(path, _): &&(&str, Metadata)| *path == M::DESCRIPTOR.path;
        self.read(|calls| {
            let metadata = calls.iter().filter(wanted);
            metadata.map(|(_, metadata)| metadata.clone()).collect()
        })
    }

    fn began(&self, cx: &RequestContext) {
        let call = (cx.method().path, cx.metadata().clone());
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(call);
    }

    fn read<R>(&self, look: impl FnOnce(&[(&'static str, Metadata)]) -> R) -> R {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Method `M` as it is answered by a stub: a type of ours, whatever generated code does with `M`.
struct Stubbed<M>(PhantomData<fn() -> M>);

impl<M: Method> Method for Stubbed<M> {
    type Request = M::Request;
    type Response = M::Response;
    type Codec = M::Codec;
    const DESCRIPTOR: &'static MethodDescriptor = M::DESCRIPTOR;
}

/// A handler, and where its calls are written down.
struct Recorded<H> {
    handler: H,
    calls: StubCalls,
}

struct Unary<H>(H);
struct ServerStreaming<H>(H);
struct ClientStreaming<H>(H);
struct Bidi<H>(H);

impl<M, H, F> Serve<Recorded<Unary<H>>> for Stubbed<M>
where
    M: Method,
    H: Fn(&RequestContext, M::Request) -> F + Send + Sync,
    F: Future<Output = Result<Response<M::Response>, Status>> + Send,
{
    async fn serve(
        stub: &Recorded<Unary<H>>,
        cx: &RequestContext,
        call: Incoming<Self>,
    ) -> Outcome {
        stub.calls.began(cx);
        match call.only().await {
            Ok((request, call)) => call.reply((stub.handler.0)(cx, request)).await,
            Err(outcome) => outcome,
        }
    }
}

impl<M, H, F> Serve<Recorded<ServerStreaming<H>>> for Stubbed<M>
where
    M: Method,
    H: Fn(&RequestContext, M::Request, Sender<M::Response>) -> F + Send + Sync,
    F: Future<Output = Result<(), Status>> + Send,
{
    async fn serve(
        stub: &Recorded<ServerStreaming<H>>,
        cx: &RequestContext,
        call: Incoming<Self>,
    ) -> Outcome {
        stub.calls.began(cx);
        match call.only().await {
            Ok((request, call)) => {
                let (responses, rest) = call.responses();
                rest.finish((stub.handler.0)(cx, request, responses)).await
            }
            Err(outcome) => outcome,
        }
    }
}

impl<M, H, F> Serve<Recorded<ClientStreaming<H>>> for Stubbed<M>
where
    M: Method,
    H: Fn(&RequestContext, Receiver<M::Request>) -> F + Send + Sync,
    F: Future<Output = Result<Response<M::Response>, Status>> + Send,
{
    async fn serve(
        stub: &Recorded<ClientStreaming<H>>,
        cx: &RequestContext,
        call: Incoming<Self>,
    ) -> Outcome {
        stub.calls.began(cx);
        let (requests, call) = call.requests();
        call.reply((stub.handler.0)(cx, requests)).await
    }
}

impl<M, H, F> Serve<Recorded<Bidi<H>>> for Stubbed<M>
where
    M: Method,
    H: Fn(&RequestContext, Receiver<M::Request>, Sender<M::Response>) -> F + Send + Sync,
    F: Future<Output = Result<(), Status>> + Send,
{
    async fn serve(stub: &Recorded<Bidi<H>>, cx: &RequestContext, call: Incoming<Self>) -> Outcome {
        stub.calls.began(cx);
        let (requests, responses, rest) = call.split();
        rest.finish((stub.handler.0)(cx, requests, responses)).await
    }
}
