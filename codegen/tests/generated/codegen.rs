//! A stand-in for `trunkline::codegen`: the names that generated code uses, with the right types and no behaviour.

#![allow(
    missing_docs,
    clippy::pedantic,
    reason = "a stand-in, not an interface; its bodies are never run"
)]

pub use prost;
pub use prost_types;

#[derive(Clone, Debug)]
pub struct Status;

#[derive(Debug)]
pub struct Response<T>(T);

impl<T> From<T> for Response<T> {
    fn from(message: T) -> Self {
        Self(message)
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Unary,
    ClientStreaming,
    ServerStreaming,
    Bidi,
}

#[derive(Clone, Copy, Debug)]
pub enum Idempotency {
    Unknown,
    NoSideEffects,
    Idempotent,
}

#[derive(Debug)]
pub struct MethodDescriptor {
    pub service: &'static str,
    pub name: &'static str,
    pub path: &'static str,
    pub shape: Shape,
    pub idempotency: Idempotency,
}

impl MethodDescriptor {
    pub const fn new(
        service: &'static str,
        name: &'static str,
        path: &'static str,
        shape: Shape,
    ) -> Self {
        Self {
            service,
            name,
            path,
            shape,
            idempotency: Idempotency::Unknown,
        }
    }

    pub const fn with_idempotency(mut self, idempotency: Idempotency) -> Self {
        self.idempotency = idempotency;
        self
    }
}

#[derive(Debug)]
pub struct ServiceDescriptor {
    pub name: &'static str,
    pub methods: &'static [&'static MethodDescriptor],
}

impl ServiceDescriptor {
    pub const fn new(name: &'static str, methods: &'static [&'static MethodDescriptor]) -> Self {
        Self { name, methods }
    }
}

#[derive(Debug)]
pub struct FileDescriptor {
    pub encoded: &'static [u8],
    pub imports: &'static [&'static Self],
}

impl FileDescriptor {
    pub const fn new(encoded: &'static [u8], imports: &'static [&'static Self]) -> Self {
        Self { encoded, imports }
    }
}

pub trait Codec<M> {}

#[derive(Clone, Debug, Default)]
pub struct ProstCodec;

impl<M: prost::Message + Default> Codec<M> for ProstCodec {}

pub trait Method: Send + Sync + 'static {
    type Request: Send + Sync + 'static;
    type Response: Send + Sync + 'static;
    type Codec: Codec<Self::Request> + Codec<Self::Response>;
    const DESCRIPTOR: &'static MethodDescriptor;
}

pub mod client {
    use std::marker::PhantomData;

    use super::Method;

    #[derive(Clone, Debug)]
    pub struct Channel;

    #[derive(Debug)]
    pub struct Unary;
    #[derive(Debug)]
    pub struct ClientStreaming;
    #[derive(Debug)]
    pub struct ServerStreaming;
    #[derive(Debug)]
    pub struct Bidi;

    #[derive(Debug)]
    #[must_use]
    pub struct Call<'a, M, K>(PhantomData<(&'a Channel, M, K)>);

    impl Channel {
        pub fn unary<M: Method>(&self, _request: M::Request) -> Call<'_, M, Unary> {
            Call(PhantomData)
        }

        pub fn server_streaming<M: Method>(
            &self,
            _request: M::Request,
        ) -> Call<'_, M, ServerStreaming> {
            Call(PhantomData)
        }

        pub fn client_streaming<M: Method>(&self) -> Call<'_, M, ClientStreaming> {
            Call(PhantomData)
        }

        pub fn bidi<M: Method>(&self) -> Call<'_, M, Bidi> {
            Call(PhantomData)
        }
    }
}

pub mod server {
    use std::marker::PhantomData;
    use std::sync::Arc;

    use super::{FileDescriptor, Method, Response, ServiceDescriptor, Status};

    #[derive(Debug)]
    pub struct RequestContext;
    #[derive(Debug)]
    pub struct Outcome;
    #[derive(Debug)]
    pub struct Sender<T>(PhantomData<T>);
    #[derive(Debug)]
    pub struct Receiver<T>(PhantomData<T>);
    #[derive(Debug)]
    pub struct MethodTable;
    #[derive(Debug)]
    pub struct Incoming<M>(PhantomData<M>);
    #[derive(Debug)]
    pub struct Respond<M>(PhantomData<M>);
    #[derive(Debug)]
    pub struct Rest;

    pub trait GrpcService {
        fn descriptor(&self) -> &'static ServiceDescriptor;
        fn register(self, methods: &mut MethodTable);

        fn file_descriptor(&self) -> Option<&'static FileDescriptor> {
            None
        }

        fn boxed(self) -> BoxService
        where
            Self: Sized,
        {
            BoxService
        }
    }

    #[derive(Debug)]
    pub struct BoxService;
    #[derive(Debug)]
    pub struct BoxInterceptor;
    #[derive(Debug)]
    pub struct MethodLimits;
    pub trait Interceptor {}

    impl BoxService {
        #[must_use]
        pub fn intercept(self, _: impl Interceptor) -> Self {
            self
        }

        #[must_use]
        pub fn intercept_all(self, _: impl IntoIterator<Item = BoxInterceptor>) -> Self {
            self
        }

        #[must_use]
        pub fn run_to_completion<M: Method>(self) -> Self {
            self
        }

        #[must_use]
        pub fn start_inline<M: Method>(self) -> Self {
            self
        }

        #[must_use]
        pub fn method_limits<M: Method>(self, _: MethodLimits) -> Self {
            self
        }
    }

    pub trait Serve<S>: Method + Sized {
        fn serve(
            service: &S,
            cx: &RequestContext,
            call: Incoming<Self>,
        ) -> impl Future<Output = Outcome> + Send;
    }

    impl MethodTable {
        pub fn add<M: Serve<S>, S: Send + Sync + 'static>(&mut self, _service: &Arc<S>) {}
    }

    impl<M: Method> Incoming<M> {
        pub async fn only(self) -> Result<(M::Request, Respond<M>), Outcome> {
            Err(Outcome)
        }

        pub fn requests(self) -> (Receiver<M::Request>, Respond<M>) {
            (Receiver(PhantomData), Respond(PhantomData))
        }

        pub fn split(self) -> (Receiver<M::Request>, Sender<M::Response>, Rest) {
            (Receiver(PhantomData), Sender(PhantomData), Rest)
        }
    }

    impl<M: Method> Respond<M> {
        pub async fn reply<F>(self, handler: F) -> Outcome
        where
            F: Future<Output = Result<Response<M::Response>, Status>>,
        {
            let _ = handler.await;
            Outcome
        }

        pub fn responses(self) -> (Sender<M::Response>, Rest) {
            (Sender(PhantomData), Rest)
        }
    }

    impl Rest {
        pub async fn finish<F>(self, handler: F) -> Outcome
        where
            F: Future<Output = Result<(), Status>>,
        {
            let _ = handler.await;
            Outcome
        }
    }
}
