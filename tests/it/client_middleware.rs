//! What surrounds and signs the calls of a client, against a server of ours: interceptors built at
//! run time, tokens that are renewed, credentials that need privacy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use trunkline::client::{
    BearerToken, BoxInterceptor, CallContext, ClientStream, Interceptor, Next,
};
use trunkline::server::ServerBuilder;
use trunkline::{Channel, Code, RequestContext, Response, Server, Status, Trailers, server};
use trunkline_test_protos::echo::{EchoClient, EchoServer};

use crate::handlers::{Scripted, note, number, plain, scripted};
use crate::tls::certificates::Authority;
use crate::world::{World, soon};

const MS: Duration = Duration::from_millis(1);

/// A server that shows every caller the metadata that came under this key.
fn showing(key: &'static str) -> Scripted {
    Scripted::default().once(move |cx, _| {
        let shown: Vec<String> = cx.metadata().get_all(key).map(str::to_owned).collect();
        Box::pin(async move { Ok(Response::new(note(&shown.join(" ")))) })
    })
}

/// One more line of a configuration file.
fn tag(name: &str) -> BoxInterceptor {
    let name = name.to_owned();
    let tag = move |mut call: CallContext, next: Next| {
        let added = call.metadata_mut().append("tag", &name);
        async move {
            added?;
            next.start(call).await
        }
    };
    tag.boxed()
}

/// What a program keeps, in types without parameters.
#[derive(Clone)]
struct Program {
    echo: EchoClient,
}

#[tokio::test]
async fn a_stub_behind_five_interceptors_of_a_configuration_is_a_plain_one_for_a_thousand_tasks() {
    let world = World::tcp_with(scripted(showing("tag")), |channel| {
        channel.intercept_all("a b c d".split(' ').map(tag))
    })
    .await;
    let stub = world.channel.intercepted(tag("e"));
    let program = Program {
        echo: EchoClient::new(stub),
    };
    let mut tasks = JoinSet::new();
    for _ in 0..1_000 {
        let program = program.clone();
        tasks.spawn(async move { program.echo.once(note("")).await });
    }
    while let Some(answer) = soon(tasks.join_next()).await {
        assert_eq!(answer.unwrap().unwrap().text, "a b c d e");
    }
    let alone = world.echo();
    assert_eq!(soon(alone.once(note(""))).await.unwrap().text, "a b c d");
    drop((program, alone));
    world.end().await;
}

/// Takes tokens from a source that takes its time, and a new one when the server wants it.
#[derive(Default)]
struct Tokens {
    issued: AtomicUsize,
}

impl Interceptor for Tokens {
    async fn intercept(&self, mut call: CallContext, next: Next) -> Result<ClientStream, Status> {
        assert!(call.method().path.starts_with("/"), "{call:?}");
        loop {
            sleep(10 * MS).await;
            let token = self.issued.load(Ordering::Relaxed).to_string();
            call.metadata_mut().insert("token", &token)?;
            let mut stream = next.clone().start(call.clone()).await?;
            match stream.outcome().await {
                Some(outcome) if outcome.code() == Code::Unauthenticated => {
                    self.issued.fetch_add(1, Ordering::Relaxed);
                }
                _ => return Ok(stream),
            }
        }
    }
}

/// Lets in who has the third token, and counts who came to the handler.
struct Gate;

impl server::Interceptor for Gate {
    async fn intercept(
        &self,
        cx: RequestContext,
        next: server::Next<'_>,
    ) -> Result<Trailers, Status> {
        match cx.metadata().get("token") {
            Some("2") => next.run(cx).await,
            other => Err(Status::unauthenticated(format!("{other:?} is no token"))),
        }
    }
}

#[tokio::test]
async fn a_token_is_renewed_until_the_server_takes_it_and_the_handler_is_called_once() {
    let handled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&handled);
    let echo = Scripted::default().once(move |_, request| {
        count.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { Ok(Response::new(request)) })
    });
    let world = World::tcp_with(scripted(echo).intercept(Gate), |channel| {
        channel.intercept(Tokens::default())
    })
    .await;
    let echo = world.echo();
    assert_eq!(soon(echo.once(note("hello"))).await.unwrap().text, "hello");
    assert_eq!(handled.load(Ordering::Relaxed), 1);
    assert_eq!(soon(echo.once(note("again"))).await.unwrap().text, "again");
    assert_eq!(world.stats().rpcs_started, 4, "two refused, two answered");
    drop(echo);
    world.end().await;
}

#[tokio::test]
async fn all_kinds_carry_messages_through_interceptors() {
    let world = World::tcp_with(plain(), |channel| {
        channel.intercept_all(["a", "b"].map(tag))
    })
    .await;
    let echo = world.echo();
    assert_eq!(soon(echo.once(number(7))).await.unwrap().number, 7);
    let mut expanded = soon(echo.expand(number(1_000))).await.unwrap();
    let mut count = 0;
    while soon(expanded.recv()).await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 1_000);
    let sum = echo.collect().upload((1..=100).map(number)).owned();
    assert_eq!(soon(sum).await.unwrap().number, 5_050);
    let (mut notes, mut heard) = soon(echo.chat()).await.unwrap();
    for word in ["one", "two"] {
        soon(notes.send(&note(word))).await.unwrap();
        assert_eq!(soon(heard.recv()).await.unwrap().unwrap().text, word);
    }
    notes.finish();
    assert!(soon(heard.recv()).await.unwrap().is_none());
    drop((echo, expanded, heard));
    world.end().await;
}

/// A server that shows tokens, with credentials or without.
fn doorman(builder: ServerBuilder) -> ServerBuilder {
    builder.add_service(EchoServer::new(showing("authorization")))
}

#[tokio::test]
async fn call_credentials_travel_over_tls_those_of_the_channel_and_those_of_the_call() {
    let authority = Authority::new("ours");
    let server = doorman(Server::builder().credentials(authority.server()));
    let world = World::tcp_secured(server, |channel| {
        let token = BearerToken::new("channel").unwrap();
        channel
            .credentials(authority.client())
            .call_credentials(token)
    })
    .await;
    let echo = world.echo();
    let call = echo.once(note(""));
    assert_eq!(soon(call).await.unwrap().text, "Bearer channel");
    let call = echo
        .once(note(""))
        .credentials(BearerToken::new("call").unwrap());
    assert_eq!(soon(call).await.unwrap().text, "Bearer channel Bearer call");
    drop(echo);
    world.end().await;
}

#[tokio::test]
async fn call_credentials_never_reach_a_plaintext_server() {
    let world = World::tcp(doorman(Server::insecure())).await;
    let token = || BearerToken::new("secret").unwrap();
    let call = world.echo().once(note("")).credentials(token()).owned();
    let error = soon(call).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    assert!(error.is_unprocessed());
    let text = error.to_string();
    assert!(text.contains(&world.address.to_string()), "{text}");
    assert!(!text.contains("secret"), "{text}");
    let channel = Channel::builder(world.address.to_string()).insecure();
    let channel = channel.call_credentials(token()).build().unwrap();
    let error = soon(EchoClient::new(channel).expand(note("")).owned()).await;
    assert_eq!(error.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(world.stats().rpcs_started, 0, "nothing was sent");
    world.end().await;
}
