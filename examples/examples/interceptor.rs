//! Interceptors on both sides: a server that lets in who shows a token, and a client that fetches
//! one, renews it when it is refused, and logs how its calls end. Neither stub nor service knows.
#![expect(clippy::print_stdout, reason = "an example")]

use std::any::Any;
use std::error::Error;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use trunkline::client::{self, CallContext, ClientStream};
use trunkline::server;
use trunkline::{Channel, Code, MessageHook, RequestContext, Response, Server, Status, Trailers};
use trunkline_examples::helloworld::{
    Greeter, GreeterClient, GreeterServer, HelloReply, HelloRequest,
};

/// What the server's interceptor hands to the handler.
#[derive(Clone)]
struct User(&'static str);

/// Server: who shows the token of today may come in.
struct Gate;

impl server::Interceptor for Gate {
    async fn intercept(
        &self,
        mut cx: RequestContext,
        next: server::Next<'_>,
    ) -> Result<Trailers, Status> {
        let method = cx.method();
        let result = match cx.metadata().get("authorization") {
            Some("Bearer 2") => {
                cx.extensions_mut().insert(User("ann"));
                next.run(cx).await
            }
            Some(_) => Err(Status::unauthenticated("the token has expired")),
            None => Err(Status::unauthenticated("no token")),
        };
        let code = Code::of(&result);
        println!("server  {method}: {code}");
        result
    }
}

struct Polite;

impl Greeter for Polite {
    async fn say_hello(
        &self,
        cx: &RequestContext,
        request: HelloRequest,
    ) -> Result<Response<HelloReply>, Status> {
        let user = cx
            .extensions()
            .get::<User>()
            .map_or("nobody", |user| user.0);
        let message = format!("Hello, {}! (asked by {user})", request.name);
        Ok(HelloReply { message }.into())
    }
}

/// Client: puts a token on every call, and gets a new one when the server refuses it.
#[derive(Default)]
struct Auth {
    issued: AtomicU32,
    token: Mutex<Option<String>>,
}

impl Auth {
    async fn fetch(&self) -> String {
        // A program asks a token server here.
        tokio::time::sleep(Duration::from_millis(10)).await;
        let number = self.issued.fetch_add(1, Ordering::Relaxed) + 1;
        println!("client  fetched token {number}");
        let token = format!("Bearer {number}");
        if let Ok(mut kept) = self.token.lock() {
            *kept = Some(token.clone());
        }
        token
    }

    fn kept(&self) -> Option<String> {
        self.token.lock().ok()?.clone()
    }
}

impl client::Interceptor for Auth {
    async fn intercept(
        &self,
        mut call: CallContext,
        next: client::Next,
    ) -> Result<ClientStream, Status> {
        let token = match self.kept() {
            Some(token) => token,
            None => self.fetch().await,
        };
        call.metadata_mut().insert("authorization", &token)?;
        let mut stream = next.clone().start(call.clone()).await?;
        // The end of a unary call, seen before the caller does.
        match stream.outcome().await {
            Some(outcome) if outcome.code() == Code::Unauthenticated => {}
            _ => return Ok(stream),
        }
        let token = self.fetch().await;
        call.metadata_mut().insert("authorization", &token)?;
        next.start(call).await
    }
}

/// Client: an `async fn` is an interceptor too.
async fn log(call: CallContext, next: client::Next) -> Result<ClientStream, Status> {
    let method = call.method();
    let started = next.start(call).await;
    let mut stream = started.inspect_err(|why| println!("client  {method}: not sent: {why}"))?;
    stream.on_end(move |outcome| println!("client  {method}: {}", outcome.code()));
    Ok(stream)
}

/// Client: refuses requests that make no sense before they are sent.
struct Named;

impl MessageHook for Named {
    fn sending(&mut self, message: &dyn Any) -> Result<(), Status> {
        match message.downcast_ref::<HelloRequest>() {
            Some(request) if request.name.is_empty() => {
                Err(Status::invalid_argument("whom shall it greet?"))
            }
            _ => Ok(()),
        }
    }
}

/// What a program keeps: the stub's type says nothing of interceptors.
struct Reception {
    greeter: GreeterClient,
}

impl Reception {
    async fn greet(&self, name: &str) {
        let name = name.to_owned();
        match self.greeter.say_hello(HelloRequest { name }).await {
            Ok(reply) => println!("client  {}", reply.message),
            Err(status) => println!("client  {status}"),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::insecure()
        .intercept(Gate)
        .add_service(GreeterServer::new(Polite))
        .bind("127.0.0.1:0")
        .await?;
    let address = server.local_address().to_string();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());

    // The first one is the outermost: `log` sees a call as its caller does.
    let plain = Channel::builder(&address)
        .insecure()
        .intercept(log)
        .build()?;
    let signed = plain.intercepted(Auth::default());
    let checked = signed.intercepted(|mut call: CallContext, next: client::Next| {
        call.hook(Named);
        async move { next.start(call).await }
    });

    let stranger = Reception {
        greeter: GreeterClient::new(plain),
    };
    stranger.greet("world").await;
    // The same connection; another handle on it.
    let ann = Reception {
        greeter: GreeterClient::new(checked),
    };
    ann.greet("world").await;
    ann.greet("moon").await;
    ann.greet("").await;

    handle.graceful_stop(Duration::from_secs(1)).await;
    serving.await??;
    let stats = handle.stats();
    println!("server  {} connection", stats.connections_accepted);
    Ok(())
}
