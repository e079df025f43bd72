//! Interceptors of a server: one async fn around calls of all four kinds, lists made at run time,
//! refusals, hooks and panics.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use trunkline::server::{BoxInterceptor, Interceptor, Next};
use trunkline::{
    Code, MessageHook, Metadata, RequestContext, Response, Server, Shape, Status, Trailers,
};
use trunkline_test_protos::echo::{EchoServer, Note};
use trunkline_test_protos::ledger::LedgerServer;

use crate::handlers::{Plain, Scripted, amount, note, number, scripted};
use crate::support::{Heard, Served, Wire, last_data, note as raw_note, request};
use crate::world::{World, soon};

const MS: Duration = Duration::from_millis(1);

/// Who the call is for, as an interceptor found out.
#[derive(Clone, Debug, PartialEq)]
struct User(String);

/// What an interceptor saw of one call.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    path: &'static str,
    shape: Shape,
    peer: String,
    deadline_left: Option<Duration>,
    tenant: Option<String>,
    code: Code,
    trailer: Option<String>,
    took: Duration,
}

/// Fetches a token, edits what the handler sees, and notes how the call went.
#[derive(Clone, Default)]
struct Auth {
    seen: Arc<Mutex<Vec<Seen>>>,
}

async fn token_for(tenant: &str) -> Result<String, Status> {
    tokio::time::sleep(10 * MS).await;
    match tenant {
        "a" => Ok("ann".to_owned()),
        _ => Err(Status::unauthenticated("no such tenant")),
    }
}

impl Interceptor for Auth {
    async fn intercept(
        &self,
        mut cx: RequestContext,
        mut next: Next<'_>,
    ) -> Result<Trailers, Status> {
        let began = Instant::now();
        let mut seen = Seen {
            path: cx.method().path,
            shape: cx.method().shape,
            peer: cx.peer().address().to_string(),
            deadline_left: cx
                .deadline()
                .map(|deadline| deadline.remaining(began.into())),
            tenant: cx.metadata().get("tenant").map(str::to_owned),
            code: Code::Ok,
            trailer: None,
            took: Duration::ZERO,
        };
        let user = token_for(seen.tenant.as_deref().unwrap_or_default()).await?;
        cx.metadata_mut().remove("tenant");
        cx.metadata_mut().insert("user", &user)?;
        cx.extensions_mut().insert(User(user));
        next.headers_mut().insert("checked", "yes")?;
        let mut outcome = next.run(cx).await;
        let (code, trailers): (Code, &mut Metadata) = match &mut outcome {
            Ok(trailers) => (Code::Ok, trailers),
            Err(status) => (status.code(), status.metadata_mut()),
        };
        trailers.append("audited", "yes")?;
        seen.code = code;
        seen.trailer = trailers.get("from-handler").map(str::to_owned);
        seen.took = began.elapsed();
        self.seen.lock().unwrap().push(seen);
        outcome
    }
}

/// What each handler says of the call that it was given.
fn who(cx: &RequestContext) -> String {
    let user = cx.extensions().get::<User>().cloned();
    assert_eq!(
        user.map(|user| user.0).as_deref(),
        cx.metadata().get("user")
    );
    assert_eq!(cx.metadata().get("tenant"), None, "was taken out");
    cx.metadata().get("user").unwrap().to_owned()
}

/// Handlers that wait 5 ms, set a trailer, and fail where the request says so.
fn telling_who(handled: &Arc<AtomicUsize>) -> Scripted {
    let count = || {
        let handled = Arc::clone(handled);
        move || handled.fetch_add(1, Ordering::SeqCst)
    };
    let (once, expand, collect, chat) = (count(), count(), count(), count());
    Scripted::default()
        .once(move |cx, request| {
            once();
            Box::pin(async move {
                tokio::time::sleep(5 * MS).await;
                if request.text == "fail" {
                    let mut status = Status::not_found("as asked");
                    status.metadata_mut().insert("from-handler", "t")?;
                    return Err(status);
                }
                let mut reply = Response::new(note(&who(cx)));
                reply.headers_mut().insert("from-handler", "h")?;
                reply.trailers_mut().insert("from-handler", "t")?;
                Ok(reply)
            })
        })
        .expand(move |cx, request, mut responses| {
            expand();
            Box::pin(async move {
                tokio::time::sleep(5 * MS).await;
                responses.insert_header("from-handler", "h")?;
                responses.insert_trailer("from-handler", "t")?;
                responses.send(&note(&who(cx))).await?;
                match request.text.as_str() {
                    "fail" => Err(Status::not_found("as asked")),
                    _ => Ok(()),
                }
            })
        })
        .collect(move |cx, mut requests| {
            collect();
            Box::pin(async move {
                let first = requests.recv().await?.unwrap_or_default();
                tokio::time::sleep(5 * MS).await;
                if first.text == "fail" {
                    let mut status = Status::not_found("as asked");
                    status.metadata_mut().insert("from-handler", "t")?;
                    return Err(status);
                }
                let mut reply = Response::new(note(&who(cx)));
                reply.headers_mut().insert("from-handler", "h")?;
                reply.trailers_mut().insert("from-handler", "t")?;
                Ok(reply)
            })
        })
        .chat(move |cx, mut requests, mut responses| {
            chat();
            Box::pin(async move {
                responses.insert_header("from-handler", "h")?;
                responses.insert_trailer("from-handler", "t")?;
                let first = requests.recv().await?.unwrap_or_default();
                tokio::time::sleep(5 * MS).await;
                responses.send(&note(&who(cx))).await?;
                match first.text.as_str() {
                    "fail" => Err(Status::not_found("as asked")),
                    _ => Ok(()),
                }
            })
        })
}

/// What a client gets of one call.
#[derive(Debug, PartialEq)]
struct Got {
    user: Option<String>,
    code: Code,
    headers: Option<(bool, bool)>,
    audited: bool,
    from_handler: bool,
}

fn has(metadata: &Metadata) -> (bool, bool) {
    (
        metadata.get("checked") == Some("yes"),
        metadata.get("from-handler") == Some("h"),
    )
}

fn ended(trailers: &Metadata) -> (bool, bool) {
    (
        trailers.get("audited") == Some("yes"),
        trailers.get("from-handler") == Some("t"),
    )
}

fn of_reply(reply: Result<Response<Note>, Status>) -> Got {
    match reply {
        Ok(reply) => {
            let (audited, from_handler) = ended(reply.trailers());
            Got {
                user: Some(reply.text.clone()),
                code: Code::Ok,
                headers: Some(has(reply.headers())),
                audited,
                from_handler,
            }
        }
        Err(status) => of_status(&status, None, None),
    }
}

fn of_status(status: &Status, user: Option<String>, headers: Option<(bool, bool)>) -> Got {
    let (audited, from_handler) = ended(status.metadata());
    Got {
        user,
        code: status.code(),
        headers,
        audited,
        from_handler,
    }
}

async fn of_stream(mut notes: trunkline::client::Receiver<Note>) -> Got {
    let user = match notes.recv().await {
        Ok(first) => first.map(|first| first.text),
        Err(status) => return of_status(&status, None, None),
    };
    let headers = Some(has(notes.headers().await.unwrap()));
    match notes.recv().await {
        Ok(_) => {
            let (audited, from_handler) = ended(notes.trailers());
            Got {
                user,
                code: Code::Ok,
                headers,
                audited,
                from_handler,
            }
        }
        Err(status) => of_status(&status, user, headers),
    }
}

/// One call of each kind with this text.
async fn call_all(world: &World, tenant: &str, text: &str) -> Vec<Got> {
    let echo = world.echo();
    let timeout = Duration::from_secs(3);
    let once = echo.once(note(text)).timeout(timeout);
    let once = of_reply(once.metadata("tenant", tenant).await);
    let expand = echo.expand(note(text)).timeout(timeout);
    let expand = match expand.metadata("tenant", tenant).await {
        Ok(notes) => of_stream(notes).await,
        Err(status) => of_status(&status, None, None),
    };
    let collect = echo.collect().timeout(timeout).metadata("tenant", tenant);
    let (mut sender, summary) = collect.await.unwrap();
    sender.send(&note(text)).await.unwrap();
    sender.finish();
    let collect = of_reply(summary.await);
    let chat = echo.chat().timeout(timeout).metadata("tenant", tenant);
    let (mut sender, notes) = chat.await.unwrap();
    sender.send(&note(text)).await.unwrap();
    sender.finish();
    let chat = of_stream(notes).await;
    vec![once, expand, collect, chat]
}

const KINDS: [(&str, Shape); 4] = [
    ("/tests.echo.Echo/Once", Shape::Unary),
    ("/tests.echo.Echo/Expand", Shape::ServerStreaming),
    ("/tests.echo.Echo/Collect", Shape::ClientStreaming),
    ("/tests.echo.Echo/Chat", Shape::Bidi),
];

#[tokio::test(start_paused = true)]
async fn one_async_fn_surrounds_calls_of_every_kind() {
    let auth = Auth::default();
    let handled = Arc::default();
    let world = World::memory(scripted(telling_who(&handled)).intercept(auth.clone()));
    for (text, code) in [("well", Code::Ok), ("fail", Code::NotFound)] {
        let got = call_all(&world, "a", text).await;
        let seen = std::mem::take(&mut *auth.seen.lock().unwrap());
        assert_eq!((got.len(), seen.len()), (4, 4));
        for ((got, seen), (path, shape)) in got.into_iter().zip(seen).zip(KINDS) {
            let sent = code == Code::Ok || shape.server_streams();
            let expected = Got {
                user: sent.then(|| "ann".to_owned()),
                code,
                headers: sent.then_some((true, true)),
                audited: true,
                from_handler: true,
            };
            assert_eq!(got, expected, "{path}");
            let expected = Seen {
                path,
                shape,
                peer: seen.peer.clone(),
                deadline_left: seen.deadline_left,
                tenant: Some("a".to_owned()),
                code,
                trailer: Some("t".to_owned()),
                took: 15 * MS,
            };
            assert!(seen.peer.starts_with("memory:"), "{seen:?}");
            assert_eq!(seen.deadline_left, Some(Duration::from_secs(3)), "{path}");
            assert_eq!(seen, expected, "{path}");
        }
    }
    assert_eq!(handled.load(Ordering::SeqCst), 8);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_never_reaches_its_handler() {
    let handled = Arc::default();
    let auth = Auth::default();
    let world = World::memory(scripted(telling_who(&handled)).intercept(auth));
    for got in call_all(&world, "b", "well").await {
        assert_eq!(got.code, Code::Unauthenticated, "{got:?}");
    }
    assert_eq!(handled.load(Ordering::SeqCst), 0);
    assert_eq!(world.stats().rpcs_completed, 4);
    world.end().await;
}

/// Adds its name to what is told, before and after.
struct Layer(&'static str, Arc<Mutex<Vec<String>>>);

impl Interceptor for Layer {
    async fn intercept(&self, cx: RequestContext, next: Next<'_>) -> Result<Trailers, Status> {
        self.1.lock().unwrap().push(format!("+{}", self.0));
        let outcome = next.run(cx).await;
        self.1.lock().unwrap().push(format!("-{}", self.0));
        outcome
    }
}

#[tokio::test]
async fn the_first_one_added_is_the_outermost_and_the_servers_are_outside() {
    let order = Arc::default();
    let layer = |name| Layer(name, Arc::clone(&order));
    // As a configuration file would have it.
    let list: Vec<BoxInterceptor> = ["two", "three"]
        .into_iter()
        .map(|name| layer(name).boxed())
        .collect();
    let echo = EchoServer::new(Plain::default())
        .intercept(layer("echo one"))
        .intercept_all([layer("echo two").boxed()]);
    let server = Server::insecure()
        .intercept(layer("one"))
        .add_service(echo)
        .intercept_all(list)
        .add_service(LedgerServer::new(Plain::default()));
    let world = World::memory(server);
    soon(world.echo().once(note("x"))).await.unwrap();
    let told = std::mem::take(&mut *order.lock().unwrap()).join(" ");
    assert_eq!(
        told,
        "+one +two +three +echo one +echo two -echo two -echo one -three -two -one"
    );
    soon(world.ledger().double(amount(1))).await.unwrap();
    let told = std::mem::take(&mut *order.lock().unwrap()).join(" ");
    assert_eq!(told, "+one +two +three -three -two -one");
    world.end().await;
}

/// Turns outcomes into others.
struct Rewriting(fn(Result<Trailers, Status>) -> Result<Trailers, Status>);

impl Interceptor for Rewriting {
    async fn intercept(&self, cx: RequestContext, next: Next<'_>) -> Result<Trailers, Status> {
        (self.0)(next.run(cx).await)
    }
}

#[tokio::test]
async fn the_status_can_be_rewritten_but_a_response_cannot_be_invented() {
    for (rewrite, once, expand) in [
        (
            Rewriting(|_| Err(Status::aborted("instead"))),
            Code::Aborted,
            Code::Aborted,
        ),
        // Nothing was lost of this stream; the unary call lacks its response.
        (
            Rewriting(|outcome| Ok(outcome.unwrap_or_default())),
            Code::Internal,
            Code::Ok,
        ),
    ] {
        let echo = Scripted::default()
            .once(|_, _| Box::pin(async { Err(Status::not_found("first")) }))
            .expand(|_, _, _| Box::pin(async { Err(Status::not_found("first")) }));
        let world = World::memory(scripted(echo).intercept(rewrite));
        let status = soon(world.echo().once(note("x"))).await.unwrap_err();
        assert_eq!(status.code(), once, "{status}");
        let mut notes = soon(world.echo().expand(number(1))).await.unwrap();
        let code = match soon(notes.recv()).await {
            Ok(message) => {
                assert_eq!(message, None);
                Code::Ok
            }
            Err(status) => status.code(),
        };
        assert_eq!(code, expand);
        drop(notes);
        world.end().await;
    }
}

/// Answers without the handler.
struct Instead;

impl Interceptor for Instead {
    async fn intercept(&self, _: RequestContext, mut next: Next<'_>) -> Result<Trailers, Status> {
        next.headers_mut().insert("instead", "yes")?;
        let mut trailers = Trailers::default();
        trailers.insert("nothing", "to see")?;
        Ok(trailers)
    }
}

#[tokio::test]
async fn a_stream_can_be_answered_without_its_handler() {
    let echo = Scripted::default().expand(|_, _, _| panic!("never called"));
    let world = World::memory(scripted(echo).intercept(Instead));
    let mut notes = soon(world.echo().expand(number(3))).await.unwrap();
    assert_eq!(soon(notes.recv()).await.unwrap(), None);
    assert_eq!(notes.trailers().get("nothing"), Some("to see"));
    let headers = soon(notes.headers()).await.unwrap();
    assert_eq!(headers.get("instead"), Some("yes"));
    drop(notes);
    world.end().await;
}

/// Gives the handler 10 ms.
struct Impatient;

impl Interceptor for Impatient {
    async fn intercept(&self, cx: RequestContext, next: Next<'_>) -> Result<Trailers, Status> {
        match tokio::time::timeout(10 * MS, next.run(cx)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Status::resource_exhausted("too slow")),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_rest_drops_the_handler_and_its_children() {
    let (teller, mut told) = crate::handlers::telling();
    let echo = Scripted::default().expand(move |cx, _, mut responses| {
        let (handler, child) = (teller.guard("handler"), teller.guard("child"));
        let teller = teller.clone();
        cx.spawn(async move {
            let _child = child;
            std::future::pending().await
        });
        Box::pin(async move {
            let _handler = handler;
            responses.send(&note("first")).await?;
            cx.cancelled().await;
            teller.say("knows");
            std::future::pending().await
        })
    });
    let world = World::memory(scripted(echo).intercept(Impatient));
    let mut notes = world.echo().expand(number(1)).await.unwrap();
    assert_eq!(notes.recv().await.unwrap().unwrap().text, "first");
    let status = notes.recv().await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    told.expect("knows").await;
    told.expect_all(["handler dropped", "child dropped"]).await;
    drop(notes);
    world.end().await;
}

/// Waits before or after the handler, for longer than any call has.
struct Slow {
    before: bool,
    teller: crate::handlers::Teller,
}

impl Interceptor for Slow {
    async fn intercept(&self, cx: RequestContext, next: Next<'_>) -> Result<Trailers, Status> {
        let _guard = self.teller.guard("interceptor");
        let wait = tokio::time::sleep(Duration::from_secs(60));
        if self.before {
            wait.await;
            return next.run(cx).await;
        }
        let outcome = next.run(cx).await;
        wait.await;
        outcome
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_and_a_cancel_drop_an_interceptor_where_it_waits() {
    for before in [true, false] {
        let (teller, mut told) = crate::handlers::telling();
        let world = World::memory(crate::handlers::plain().intercept(Slow { before, teller }));
        let call = world.echo();
        let late = call.once(note("x")).timeout(Duration::from_secs(1)).await;
        assert_eq!(late.unwrap_err().code(), Code::DeadlineExceeded);
        told.expect("interceptor dropped").await;
        let given_up = tokio::time::timeout(Duration::from_secs(1), call.once(note("x"))).await;
        assert!(given_up.is_err());
        told.expect("interceptor dropped").await;
        drop(call);
        world.quiet().await;
        let stats = world.stats();
        assert_eq!((stats.rpcs_started, stats.rpcs_completed), (2, 0));
        world.end().await;
    }
}

/// A child that fails after its handler is done is what the interceptor sees.
#[tokio::test(start_paused = true)]
async fn the_end_that_an_interceptor_sees_counts_the_children() {
    let auth = Auth::default();
    let echo = Scripted::default().once(|cx, request| {
        cx.spawn(async {
            tokio::time::sleep(20 * MS).await;
            Err(Status::data_loss("a child's"))
        });
        Box::pin(async { Ok(request.into()) })
    });
    let world = World::memory(scripted(echo).intercept(auth.clone()));
    let echo = world.echo();
    let failed = echo.once(note("x")).metadata("tenant", "a").await;
    assert_eq!(failed.unwrap_err().code(), Code::DataLoss);
    let seen = auth.seen.lock().unwrap().clone();
    assert_eq!((seen[0].code, seen[0].took), (Code::DataLoss, 30 * MS));
    drop(echo);
    world.end().await;
}

/// Refuses notes that say "bad", by type; counts the rest in both directions.
#[derive(Clone, Default)]
struct Validate {
    received: Arc<AtomicUsize>,
    sending: Arc<AtomicUsize>,
}

impl MessageHook for Validate {
    fn received(&mut self, message: &mut dyn Any) -> Result<(), Status> {
        let Some(note) = message.downcast_mut::<Note>() else {
            return Ok(());
        };
        if note.text == "bad" {
            return Err(Status::invalid_argument("text: must not be \"bad\""));
        }
        note.text.push('!');
        self.received.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn sending(&mut self, message: &dyn Any) -> Result<(), Status> {
        let note = message.downcast_ref::<Note>();
        if note.is_some_and(|note| note.text == "secret!") {
            return Err(Status::internal("not to be sent"));
        }
        self.sending.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

struct Validating(Validate);

impl Interceptor for Validating {
    async fn intercept(&self, cx: RequestContext, mut next: Next<'_>) -> Result<Trailers, Status> {
        next.hook(self.0.clone());
        next.run(cx).await
    }
}

#[tokio::test]
async fn a_hook_validates_messages_of_unary_calls_and_streams_by_their_type() {
    let hook = Validate::default();
    let world = World::memory(crate::handlers::plain().intercept(Validating(hook.clone())));
    let echo = world.echo();
    assert_eq!(soon(echo.once(note("good"))).await.unwrap().text, "good!");
    let status = soon(echo.once(note("bad"))).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), "text: must not be \"bad\"");
    let status = soon(echo.once(note("secret"))).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal, "{status}");

    let (mut sender, mut notes) = soon(echo.chat()).await.unwrap();
    for text in ["one", "two", "bad"] {
        soon(sender.send(&note(text))).await.unwrap();
    }
    for text in ["one!", "two!"] {
        assert_eq!(soon(notes.recv()).await.unwrap().unwrap().text, text);
    }
    let status = soon(notes.recv()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert_eq!(hook.received.load(Ordering::SeqCst), 4);
    assert_eq!(hook.sending.load(Ordering::SeqCst), 3);
    // Messages of another type are no business of this hook's.
    let doubled = soon(world.ledger().double(amount(21))).await.unwrap();
    assert_eq!(doubled.amount, 42);
    drop((sender, notes, echo));
    world.end().await;
}

/// Counts the calls that it sees.
struct Counting(Arc<AtomicUsize>);

impl Interceptor for Counting {
    async fn intercept(&self, cx: RequestContext, next: Next<'_>) -> Result<Trailers, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        next.run(cx).await
    }
}

/// There is nothing to get around: what is no method's path is answered before any interceptor.
#[tokio::test]
async fn a_path_that_is_no_methods_reaches_neither_interceptor_nor_handler() {
    let count = Arc::new(AtomicUsize::new(0));
    let mut served = Served::with(|server| server.intercept(Counting(Arc::clone(&count))));
    let mut peer = served.connect().await;
    let paths = [
        "tests.echo.Echo/Once",
        "//tests.echo.Echo/Once",
        "/tests.echo.Echo//Once",
        "/tests.echo.Echo/Once/",
        "/tests.echo.Echo/Once?x",
        "/tests.echo.Echo%2FOnce",
        "%2Ftests.echo.Echo/Once",
        "/tests.echo.Echo/%4Fnce",
        "/x/../tests.echo.Echo/Once",
        "/tests.echo.Echo/once",
        "/tests.echo.Echo/Nope",
        "/nope/Once",
        "*",
        "",
    ];
    for (stream, path) in (1..).step_by(2).zip(paths) {
        let head = request(stream, path);
        peer.send(Wire::from(head).and(last_data(stream, raw_note("bad"))))
            .await;
        let answer = peer.expect_end(stream).await;
        let refused = answer.code() == Some(Code::Unimplemented.number());
        assert!(refused || answer.reset.is_some(), "{path}: {answer:?}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
    assert!(served.heard_nothing_more());
    let head = request(1001, "/tests.echo.Echo/Once");
    peer.send(Wire::from(head).and(last_data(1001, raw_note("good"))))
        .await;
    assert_eq!(peer.expect_end(1001).await.code(), Some(0));
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert!(matches!(served.heard().await, Heard::Message(_)));
    drop(peer);
    served.end().await;
}
