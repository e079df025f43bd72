//! A service of all four kinds whose requests say what its handlers do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Barrier, Notify};
use trunkline_core::{
    Metadata, Method, MethodDescriptor, RawCodec, Response, ServiceDescriptor, Shape, Status,
};
use trunkline_server::{
    GrpcService, Incoming, MethodTable, Outcome, Receiver, RequestContext, Sender, Serve,
};

pub(crate) const CALL: &str = "/test.Service/Call";
pub(crate) const LIST: &str = "/test.Service/List";
pub(crate) const COLLECT: &str = "/test.Service/Collect";
pub(crate) const CHAT: &str = "/test.Service/Chat";

/// What the handlers leave for the test to see.
#[derive(Debug)]
pub(crate) struct State {
    /// Handlers and children that were dropped or are done.
    pub(crate) gone: AtomicUsize,
    /// Handlers and children that live, and the most that ever did.
    live: AtomicUsize,
    pub(crate) peak: AtomicUsize,
    /// Handlers that saw `cancelled()`.
    pub(crate) saw_cancel: AtomicUsize,
    /// Told when a handler has begun to wait.
    pub(crate) waiting: Notify,
    pub(crate) barrier: Barrier,
    /// What a sender was told that was used after its RPC.
    pub(crate) refused: Mutex<Vec<Status>>,
}

impl State {
    pub(crate) fn new(barrier: usize) -> Arc<Self> {
        Arc::new(Self {
            gone: AtomicUsize::new(0),
            live: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            saw_cancel: AtomicUsize::new(0),
            waiting: Notify::new(),
            barrier: Barrier::new(barrier),
            refused: Mutex::new(Vec::new()),
        })
    }

    pub(crate) fn gone(&self) -> usize {
        self.gone.load(Ordering::SeqCst)
    }

    fn guard(self: &Arc<Self>) -> Guard {
        let live = self.live.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(live, Ordering::SeqCst);
        Guard(Arc::clone(self))
    }
}

/// The drop guard of a handler.
struct Guard(Arc<State>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::SeqCst);
        self.0.gone.fetch_add(1, Ordering::SeqCst);
    }
}

pub(crate) struct Service(pub(crate) Arc<State>);

impl Service {
    async fn call(&self, cx: &RequestContext, request: Bytes) -> Result<Response<Bytes>, Status> {
        let _guard = self.0.guard();
        let text = std::str::from_utf8(&request).unwrap_or("binary");
        match text {
            "wait" => self.wait().await,
            "barrier" => {
                self.0.barrier.wait().await;
            }
            "block" => std::thread::sleep(Duration::from_secs(1)),
            "panic" => panic!("a secret"),
            "panic later" => {
                tokio::task::yield_now().await;
                panic!("a secret");
            }
            "fail" => {
                let mut status = Status::not_found("no such thing");
                status.metadata_mut().insert("why", "because")?;
                return Err(status);
            }
            "big" => return Ok(Bytes::from(vec![7; 2000]).into()),
            "watch" => {
                self.0.waiting.notify_one();
                cx.cancelled().await;
                self.0.saw_cancel.fetch_add(1, Ordering::SeqCst);
                self.wait().await;
            }
            "busy" => busy().await,
            "busy child fails" => {
                cx.spawn(async { Err(Status::aborted("the child failed")) });
                busy().await;
            }
            "context" => return self.context(cx),
            _ if text.starts_with("child ") => self.children(cx, text).await?,
            _ => {}
        }
        Ok(request.into())
    }

    async fn children(&self, cx: &RequestContext, text: &str) -> Result<(), Status> {
        let state = Arc::clone(&self.0);
        let guard = self.0.guard();
        let long = async move {
            let _guard = guard;
            tokio::time::sleep(Duration::from_secs(5)).await;
            Ok(())
        };
        match text {
            "child slow" => cx.spawn(long),
            "child forever" => {
                let guard = self.0.guard();
                cx.spawn(async move {
                    let _guard = guard;
                    std::future::pending().await
                });
            }
            "child fails" => {
                cx.spawn(long);
                cx.spawn(async { Err(Status::aborted("the child failed")) });
                state.wait_forever().await;
            }
            "child fails after" => {
                cx.spawn(long);
                cx.spawn(async {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    Err(Status::aborted("the child failed"))
                });
            }
            "child panics" => {
                cx.spawn(long);
                cx.spawn(async { panic!("a secret") });
            }
            "child and error" => {
                cx.spawn(long);
                return Err(Status::not_found("the handler failed"));
            }
            _ => {}
        }
        Ok(())
    }

    fn context(&self, cx: &RequestContext) -> Result<Response<Bytes>, Status> {
        let inherited = cx.inherited();
        let text = format!(
            "{} from {} by {:?}; deadline {}; inherits {} and {:?}",
            cx.method().name,
            cx.peer().address(),
            cx.user_agent(),
            cx.deadline().is_some(),
            inherited.deadline == cx.deadline(),
            inherited.metadata.get("traceparent"),
        );
        assert!(!inherited.metadata.contains("authorization"));
        let mut response = Response::new(Bytes::from(text));
        let tenant = cx.metadata().get("tenant").unwrap_or("none");
        response.headers_mut().insert("x-head", tenant)?;
        response.trailers_mut().insert("x-tail", tenant)?;
        Ok(response)
    }

    async fn wait(&self) {
        self.0.wait_forever().await;
    }

    async fn list(&self, request: Bytes, mut out: Sender<Bytes>) -> Result<(), Status> {
        let _guard = self.0.guard();
        let text = String::from_utf8_lossy(&request).into_owned();
        out.insert_header("x-head", "list")?;
        out.insert_header_bin("x-head-bin", [0, 255])?;
        out.insert_trailer("x-tail", "list")?;
        out.insert_trailer_bin("x-tail-bin", [255, 0])?;
        if text == "panic" {
            panic!("a secret");
        }
        if text == "headers" {
            out.send_headers().await?;
            out.insert_trailer("x-later", "too")?;
            self.wait().await;
        }
        match text.as_str() {
            "bad header" => out.insert_header("X-Head", "list")?,
            "bad trailer" => out.insert_trailer_bin("x-tail", [0])?,
            "late header" => {
                out.send_headers().await?;
                out.insert_header("x-late", "list")?;
            }
            "outlive" => {
                // Nobody takes the sender away from a task that does not belong to the RPC.
                let state = Arc::clone(&self.0);
                tokio::spawn(async move {
                    while out.insert_trailer("x-tail", "again").is_ok() {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    let late = [
                        out.insert_header_bin("x-late-bin", []).unwrap_err(),
                        out.insert_trailer("x-late", "list").unwrap_err(),
                    ];
                    state.refused.lock().unwrap().extend(late);
                });
                return Ok(());
            }
            _ => {}
        }
        if text == "flood" {
            let message = Bytes::from(vec![0; 16 * 1024]);
            loop {
                out.send(&message).await?;
                self.0.waiting.notify_one();
            }
        }
        for part in ["one", "two", "three"] {
            out.send(&Bytes::from_static(part.as_bytes())).await?;
        }
        match text.as_str() {
            "panic after" => panic!("a secret"),
            "wait" => self.wait().await,
            "fail" => return Err(Status::data_loss("after three")),
            _ => {}
        }
        Ok(())
    }

    async fn collect(&self, mut requests: Receiver<Bytes>) -> Result<Response<Bytes>, Status> {
        let _guard = self.0.guard();
        let mut all = Vec::new();
        self.0.waiting.notify_one();
        while let Some(request) = requests.recv().await? {
            all.extend_from_slice(&request);
        }
        let mut response = Response::new(Bytes::from(all));
        response.headers_mut().insert("x-head", "collect")?;
        response.trailers_mut().insert("x-tail", "collect")?;
        Ok(response)
    }

    async fn chat(
        &self,
        cx: &RequestContext,
        mut requests: Receiver<Bytes>,
        mut responses: Sender<Bytes>,
    ) -> Result<(), Status> {
        let _guard = self.0.guard();
        let guard = self.0.guard();
        // In a child, so that the RPC must wait for it.
        cx.spawn(async move {
            let _guard = guard;
            while let Some(request) = requests.recv().await? {
                responses.send(&request).await?;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            responses.send(&Bytes::from_static(b"bye")).await
        });
        Ok(())
    }
}

/// Always has something to do, and yields as tokio asks it to. Ends, so that a test can fail.
async fn busy() {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        tokio::task::consume_budget().await;
    }
}

impl State {
    async fn wait_forever(&self) {
        self.waiting.notify_one();
        std::future::pending::<()>().await;
    }
}

macro_rules! methods {
    ($($method:ident $path:ident $shape:ident $($suffix:literal)?;)*) => { $(
        #[derive(Debug)]
        pub(crate) struct $method;

        impl Method for $method {
            type Request = Bytes;
            type Response = Bytes;
            type Codec = RawCodec;
            const DESCRIPTOR: &'static MethodDescriptor =
                &MethodDescriptor::new("test.Service", stringify!($method), $path, Shape::$shape);
        }
    )* };
}

methods! {
    Call CALL Unary;
    List LIST ServerStreaming;
    Collect COLLECT ClientStreaming;
    Chat CHAT Bidi;
}

impl Serve<Service> for Call {
    async fn serve(service: &Service, cx: &RequestContext, call: Incoming<Self>) -> Outcome {
        match call.only().await {
            Ok((request, call)) => call.reply(service.call(cx, request)).await,
            Err(outcome) => outcome,
        }
    }
}

impl Serve<Service> for List {
    async fn serve(service: &Service, _: &RequestContext, call: Incoming<Self>) -> Outcome {
        match call.only().await {
            Ok((request, call)) => {
                let (responses, rest) = call.responses();
                rest.finish(service.list(request, responses)).await
            }
            Err(outcome) => outcome,
        }
    }
}

impl Serve<Service> for Collect {
    async fn serve(service: &Service, _: &RequestContext, call: Incoming<Self>) -> Outcome {
        let (requests, call) = call.requests();
        call.reply(service.collect(requests)).await
    }
}

impl Serve<Service> for Chat {
    async fn serve(service: &Service, cx: &RequestContext, call: Incoming<Self>) -> Outcome {
        let (requests, responses, rest) = call.split();
        rest.finish(service.chat(cx, requests, responses)).await
    }
}

pub(crate) static SERVICE: ServiceDescriptor = ServiceDescriptor::new(
    "test.Service",
    &[
        Call::DESCRIPTOR,
        List::DESCRIPTOR,
        Collect::DESCRIPTOR,
        Chat::DESCRIPTOR,
    ],
);

impl GrpcService for Service {
    fn descriptor(&self) -> &'static ServiceDescriptor {
        &SERVICE
    }

    fn register(self, methods: &mut MethodTable) {
        let service = Arc::new(self);
        methods.add::<Call, Self>(&service);
        methods.add::<List, Self>(&service);
        methods.add::<Collect, Self>(&service);
        methods.add::<Chat, Self>(&service);
    }
}

/// Metadata as a client sends it.
pub(crate) fn metadata(pairs: &[(&str, &str)]) -> Metadata {
    let mut metadata = Metadata::new();
    for (key, value) in pairs {
        metadata.append(key, value).unwrap();
    }
    metadata
}
