//! Call credentials: who is asked, when, for what, and where nothing is sent.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::sleep;
use trunkline_client::{
    BearerToken, CallContext, CallCredentials, Channel, ChannelBuilder, ClientStream,
    CredentialsRequest, Interceptor, Next, Token,
};
use trunkline_core::{Code, Metadata, Stage, Status};
use trunkline_transport::credentials::{
    Handshake, Secured, Security, SecurityLevel, TransportCredentials,
};
use trunkline_transport::memory::{self, MemoryConnector};
use trunkline_transport::{Address, BoxIo, Connector, now};

use super::support::{Both, Down, One, Peer, Up, bytes, pair, serve};

const MS: Duration = Duration::from_millis(1);

/// Reaches the in-memory peer under an address that looks like one of the network.
struct Network(MemoryConnector);

impl Connector for Network {
    async fn connect(&self, _: &Address) -> io::Result<BoxIo> {
        self.0.connect(&Address::Memory("peer".into())).await
    }
}

/// A channel over what looks like plaintext TCP.
fn network() -> (ChannelBuilder, Peer) {
    let (connector, listener) = memory::pair("peer");
    let builder = Channel::builder("10.0.0.1:50051").connector(Network(connector));
    (builder, serve(listener, 100))
}

/// What TLS would say, without the cost of it.
struct Sealed;

impl TransportCredentials for Sealed {
    fn client_handshake<'a>(&'a self, io: BoxIo, _: &'a str) -> Handshake<'a> {
        self.server_handshake(io)
    }

    fn server_handshake(&self, io: BoxIo) -> Handshake<'_> {
        let security = Security::new(SecurityLevel::PrivacyAndIntegrity);
        Box::pin(async move { Ok(Secured::new(io, security)) })
    }
}

fn token(text: &str) -> BearerToken {
    BearerToken::new(text).unwrap()
}

#[tokio::test(start_paused = true)]
async fn plaintext_is_refused_and_nothing_is_sent() {
    let (builder, mut peer) = network();
    let channel = builder.clone().insecure().build().unwrap();
    let call = channel.unary::<One>(bytes("")).credentials(token("secret"));
    let error = call.await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    assert_eq!(error.stage(), Some(Stage::Request));
    assert!(error.is_unprocessed());
    let text = error.to_string();
    assert!(
        text.contains("/test.T/One") && text.contains("10.0.0.1:50051"),
        "{text}"
    );
    assert!(text.contains("TLS") && !text.contains("secret"), "{text}");
    let of_channel = builder.insecure().call_credentials(token("secret"));
    let channel = of_channel.wait_for_ready(true).build().unwrap();
    let unary = channel.unary::<One>(bytes("")).await.unwrap_err();
    let down = channel
        .server_streaming::<Down>(bytes(""))
        .await
        .unwrap_err();
    let up = channel.client_streaming::<Up>().await.unwrap_err();
    let both = channel.bidi::<Both>().await.unwrap_err();
    for error in [unary, down, up, both] {
        assert_eq!(error.code(), Code::Unauthenticated, "{error}");
    }
    assert!(peer.calls.try_recv().is_err());
}

/// Says that anybody may read it.
struct Public;

impl CallCredentials for Public {
    async fn metadata(&self, request: &CredentialsRequest) -> Result<Metadata, Status> {
        assert_eq!(request.security_level(), SecurityLevel::None);
        let mut metadata = Metadata::new();
        metadata.insert("who", "anybody")?;
        Ok(metadata)
    }

    fn needs_privacy(&self) -> bool {
        false
    }
}

#[tokio::test(start_paused = true)]
async fn what_needs_no_privacy_is_sent_anywhere_but_not_beside_what_does() {
    let (builder, mut peer) = network();
    let channel = builder.insecure().call_credentials(Public).build().unwrap();
    let server = async {
        let exchange = peer.next().await;
        assert_eq!(exchange.header("who"), "anybody");
        exchange.reply(&["x"]);
    };
    let call = channel.unary::<One>(bytes(""));
    let (reply, ()) = tokio::join!(call.into_future(), server);
    reply.unwrap();
    let call = channel.unary::<One>(bytes("")).credentials(token("t"));
    assert_eq!(call.await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test(start_paused = true)]
async fn the_channels_and_the_calls_own_are_both_sent_with_calls_of_every_shape() {
    let (network, peer_of_network) = network();
    let (memory, peer_of_memory) = pair(100);
    // Secured by its handshake, or never off the machine.
    for (builder, mut peer) in [
        (network.credentials(Sealed), peer_of_network),
        (memory, peer_of_memory),
    ] {
        let channel = builder.call_credentials(token("channel")).build().unwrap();
        let server = async {
            for _ in 0..4 {
                let mut exchange = peer.next().await;
                let sent = exchange.head.headers.get_all("authorization").iter();
                let sent: Vec<_> = sent.map(|each| each.to_str().unwrap()).collect();
                assert_eq!(sent, ["Bearer channel", "Bearer call"]);
                assert_eq!(exchange.header("tenant"), "a");
                while exchange.message().await.unwrap().is_some() {}
                exchange.reply(&["x"]);
            }
        };
        let client = async {
            let call = channel.unary::<One>(bytes("")).metadata("tenant", "a");
            call.credentials(token("call")).await.unwrap();
            let call = channel.server_streaming::<Down>(bytes(""));
            let call = call.metadata("tenant", "a").credentials(token("call"));
            let mut down = call.owned().await.unwrap();
            assert_eq!(down.recv().await.unwrap().unwrap(), "x");
            assert!(down.recv().await.unwrap().is_none());
            let call = channel.client_streaming::<Up>().metadata("tenant", "a");
            let call = call.credentials(token("call").boxed()).upload([bytes("")]);
            call.await.unwrap();
            let call = channel.bidi::<Both>().metadata("tenant", "a");
            let (sender, mut both) = call.credentials(token("call")).await.unwrap();
            sender.finish();
            assert_eq!(both.recv().await.unwrap().unwrap(), "x");
            assert!(both.recv().await.unwrap().is_none());
        };
        tokio::join!(client, server);
    }
}

/// Gives a number that grows, and notes what it was asked for.
#[derive(Clone, Default)]
struct Numbers(Arc<AtomicUsize>, Arc<Mutex<Vec<String>>>);

impl CallCredentials for Numbers {
    async fn metadata(&self, request: &CredentialsRequest) -> Result<Metadata, Status> {
        sleep(10 * MS).await;
        let (method, authority) = (request.method(), request.authority());
        let asked = format!("{method} {authority} {}", request.service_url());
        self.1.lock().unwrap().push(asked);
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        let mut metadata = Metadata::new();
        metadata.insert("number", &number.to_string())?;
        Ok(metadata)
    }
}

#[tokio::test(start_paused = true)]
async fn they_are_asked_again_for_every_stream_that_the_call_is_put_on() {
    let numbers = Numbers::default();
    let (builder, mut peer) = pair(100);
    let builder = builder.authority("svc.example:443");
    let channel = builder.call_credentials(numbers.clone()).build().unwrap();
    let server = async {
        for number in ["1", "3", "5"] {
            let mut refused = peer.next().await;
            assert_eq!(refused.header("number"), number);
            refused.respond.send_reset(h2::Reason::REFUSED_STREAM);
            let exchange = peer.next().await;
            let next = (number.parse::<u32>().unwrap() + 1).to_string();
            assert_eq!(exchange.header("number"), next);
            exchange.try_reply(&["x"]);
        }
    };
    let client = async {
        channel.unary::<One>(bytes("")).await.unwrap();
        let mut down = channel.server_streaming::<Down>(bytes("")).await.unwrap();
        assert_eq!(down.recv().await.unwrap().unwrap(), "x");
        let (sender, mut both) = channel.bidi::<Both>().await.unwrap();
        assert_eq!(both.recv().await.unwrap().unwrap(), "x");
        sender.finish();
    };
    tokio::join!(client, server);
    let asked = numbers.1.lock().unwrap();
    assert_eq!(
        asked[0],
        "/test.T/One svc.example:443 https://svc.example/test.T"
    );
    assert_eq!(asked.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn no_stream_is_held_while_they_are_asked() {
    struct Slow;
    impl CallCredentials for Slow {
        async fn metadata(&self, _: &CredentialsRequest) -> Result<Metadata, Status> {
            sleep(1000 * MS).await;
            Ok(Metadata::new())
        }
    }
    let (builder, mut peer) = pair(1);
    let channel = builder.max_connections(1).build().unwrap();
    let call = channel.unary::<One>(bytes("slow")).credentials(Slow);
    let mut slow = Box::pin(call.into_future());
    assert!(tokio::time::timeout(MS, &mut slow).await.is_err());
    // The only stream that the peer allows is free for others.
    let quick = channel.unary::<One>(bytes("")).timeout(100 * MS);
    let (quick, ()) = tokio::join!(quick.into_future(), async {
        peer.next().await.reply(&["x"]);
    });
    quick.unwrap();
    let (slow, ()) = tokio::join!(slow, async { peer.next().await.reply(&["x"]) });
    slow.unwrap();
}

#[tokio::test(start_paused = true)]
async fn their_errors_and_their_slowness_are_the_calls() {
    struct Fails(Code);
    impl CallCredentials for Fails {
        async fn metadata(&self, _: &CredentialsRequest) -> Result<Metadata, Status> {
            Err(Status::new(self.0, "token server says no"))
        }
    }
    struct Never;
    impl CallCredentials for Never {
        async fn metadata(&self, _: &CredentialsRequest) -> Result<Metadata, Status> {
            std::future::pending().await
        }
    }
    let (builder, mut peer) = pair(100);
    let channel = builder.build().unwrap();
    for (code, told) in [
        (
            Code::Unavailable,
            "UNAVAILABLE: /test.T/One: request: call credentials: ",
        ),
        (
            Code::NotFound,
            "INTERNAL: /test.T/One: request: call credentials failed with NOT_FOUND: ",
        ),
    ] {
        let call = channel.unary::<One>(bytes("")).credentials(Fails(code));
        let error = call.await.unwrap_err();
        assert_eq!(error.to_string(), format!("{told}token server says no"));
    }
    let began = now();
    let call = channel.bidi::<Both>().credentials(Never).timeout(50 * MS);
    let error = call.await.unwrap_err();
    assert_eq!(now() - began, 50 * MS);
    assert!(
        error
            .message()
            .ends_with("waiting for the call credentials"),
        "{error}"
    );
    // Dropped while it waits: nothing is left behind.
    let call = channel.unary::<One>(bytes("")).credentials(Never);
    assert!(tokio::time::timeout(MS, call.into_future()).await.is_err());
    assert!(peer.calls.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn interceptors_run_before_and_may_add_credentials() {
    let (builder, mut peer) = pair(100);
    let add = |mut call: CallContext, next: Next| async move {
        assert!(call.metadata().get("authorization").is_none());
        call.add_credentials(token("interceptor"));
        next.start(call).await
    };
    let channel = builder.intercept(add).build().unwrap();
    let call = channel.unary::<One>(bytes("")).credentials(token("call"));
    let server = async {
        let exchange = peer.next().await;
        let sent: Vec<_> = exchange
            .head
            .headers
            .get_all("authorization")
            .iter()
            .collect();
        assert_eq!(sent, ["Bearer call", "Bearer interceptor"]);
        exchange.reply(&["x"]);
    };
    let (reply, ()) = tokio::join!(call.into_future(), server);
    reply.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_is_fetched_once_for_all_who_wait_and_again_before_it_expires() {
    let fetches = Arc::new(AtomicUsize::new(0));
    let script = Arc::new(Mutex::new(VecDeque::from([
        Err(Status::unavailable("not yet")),
        Ok(Token::new("one").valid_for(Duration::from_secs(100))),
        Ok(Token::new("two").valid_for(Duration::from_secs(10))),
        Ok(Token::new("three")),
    ])));
    let counter = Arc::clone(&fetches);
    let fetched = BearerToken::fetched(move || {
        let number = counter.fetch_add(1, Ordering::Relaxed);
        let next = script.lock().unwrap().pop_front().unwrap();
        async move {
            sleep(10 * MS).await;
            assert!(number < 4);
            next
        }
    });
    let (builder, mut peer) = pair(100);
    let channel = builder.call_credentials(fetched).build().unwrap();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&seen);
    let server = tokio::spawn(async move {
        while let Some(exchange) = peer.calls.recv().await {
            let token = exchange.header("authorization").to_owned();
            log.lock().unwrap().push(token);
            exchange.reply(&["x"]);
        }
    });
    let call = || channel.unary::<One>(bytes("")).owned();
    let failed = call().await.unwrap_err();
    assert_eq!(failed.code(), Code::Unavailable);
    let (a, b, c) = tokio::join!(call(), call(), call());
    a.and(b).and(c).unwrap();
    assert_eq!(
        fetches.load(Ordering::Relaxed),
        2,
        "one fetch for three calls"
    );
    sleep(Duration::from_secs(69)).await;
    call().await.unwrap();
    sleep(Duration::from_secs(2)).await;
    call().await.unwrap();
    assert_eq!(fetches.load(Ordering::Relaxed), 3, "30 s before its end");
    sleep(Duration::from_secs(4)).await;
    call().await.unwrap();
    sleep(Duration::from_secs(2)).await;
    call().await.unwrap();
    assert_eq!(
        fetches.load(Ordering::Relaxed),
        4,
        "a short one after half of it"
    );
    sleep(Duration::from_secs(1_000_000)).await;
    call().await.unwrap();
    server.abort();
    let expected = [("one", 4), ("two", 2), ("three", 2)];
    let expected = expected.map(|(token, count)| vec![format!("Bearer {token}"); count]);
    assert_eq!(*seen.lock().unwrap(), expected.concat());
}

/// Makes a call again, once, with a new token.
struct Renew(Arc<BearerToken>);

impl Interceptor for Renew {
    async fn intercept(&self, call: CallContext, next: Next) -> Result<ClientStream, Status> {
        let mut stream = next.clone().start(call.clone()).await?;
        match stream.outcome().await {
            Some(outcome) if outcome.code() == Code::Unauthenticated => {}
            _ => return Ok(stream),
        }
        self.0.invalidate();
        next.start(call).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_fetched_anew_for_all_whom_it_failed() {
    let fetches = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&fetches);
    let fetched = Arc::new(BearerToken::fetched(move || {
        let number = counter.fetch_add(1, Ordering::Relaxed);
        async move {
            sleep(10 * MS).await;
            Ok(Token::new(number.to_string()))
        }
    }));
    let (builder, mut peer) = pair(100);
    let channel = builder
        .call_credentials(Arc::clone(&fetched))
        .intercept(Arc::new(Renew(fetched)))
        .build()
        .unwrap();
    let server = tokio::spawn(async move {
        while let Some(exchange) = peer.calls.recv().await {
            match exchange.header("authorization") {
                "Bearer 1" => exchange.reply(&["x"]),
                _ => exchange.fail("16", "expired"),
            }
        }
    });
    let call = || channel.unary::<One>(bytes("")).owned();
    let (a, b, c) = tokio::join!(call(), call(), call());
    a.and(b).and(c).unwrap();
    call().await.unwrap();
    assert_eq!(fetches.load(Ordering::Relaxed), 2);
    server.abort();
}

#[test]
fn tokens_are_checked_and_never_shown() {
    let error = BearerToken::new("two\nlines").unwrap_err().to_string();
    assert!(
        error.contains("authorization") && !error.contains("lines"),
        "{error}"
    );
    assert!(!format!("{:?}", token("secret")).contains("secret"));
    assert!(!format!("{:?}", Token::new("secret")).contains("secret"));
}

/// A token that takes 100 ms to be fetched, and is told how often that was begun.
fn slow_token(answer: fn() -> Result<Token, Status>) -> (BearerToken, Arc<AtomicUsize>) {
    let fetches = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fetches);
    let token = BearerToken::fetched(move || {
        count.fetch_add(1, Ordering::Relaxed);
        async move {
            sleep(100 * MS).await;
            answer()
        }
    });
    (token, fetches)
}

/// Else calls that are shorter than the fetch would never get a token.
#[tokio::test(start_paused = true)]
async fn a_fetch_goes_on_when_the_call_that_began_it_does_not() {
    let (builder, mut peer) = pair(100);
    let (token, fetches) = slow_token(|| Ok(Token::new("sesame")));
    let channel = builder.call_credentials(token).build().unwrap();
    let late = channel.unary::<One>(bytes("")).timeout(60 * MS).await;
    assert_eq!(late.unwrap_err().code(), Code::DeadlineExceeded);
    let call = channel.unary::<One>(bytes("")).timeout(60 * MS);
    let server = async {
        let exchange = peer.next().await;
        assert_eq!(exchange.header("authorization"), "Bearer sesame");
        exchange.reply(&["x"]);
    };
    let both = async { tokio::join!(call.into_future(), server).0 };
    let reply = tokio::time::timeout(Duration::from_secs(10), both).await;
    reply.expect("a call with a token").unwrap();
    assert_eq!(fetches.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_began_a_fetch_and_is_not_polled_holds_up_nobody() {
    let (builder, mut peer) = pair(100);
    let (token, _) = slow_token(|| Ok(Token::new("sesame")));
    let channel = builder.call_credentials(token).build().unwrap();
    let mut asleep = Box::pin(channel.unary::<One>(bytes("")).into_future());
    assert!(tokio::time::timeout(50 * MS, &mut asleep).await.is_err());
    let call = channel
        .unary::<One>(bytes(""))
        .timeout(Duration::from_secs(5));
    let server = async { peer.next().await.reply(&["x"]) };
    let both = async { tokio::join!(call.into_future(), server).0 };
    let reply = tokio::time::timeout(Duration::from_secs(10), both).await;
    reply.expect("a call, or its deadline").unwrap();
}

/// Not one after the other: the last of a hundred would wait for a hundred fetches.
#[tokio::test(start_paused = true)]
async fn a_failed_fetch_fails_all_who_waited_for_it() {
    let (builder, _peer) = pair(100);
    let (token, fetches) = slow_token(|| Err(Status::unavailable("no tokens today")));
    let channel = builder.call_credentials(token).build().unwrap();
    let began = now();
    let calls = (0..100).map(|_| tokio::spawn(channel.unary::<One>(bytes("")).owned()));
    for call in calls.collect::<Vec<_>>() {
        let error = call.await.unwrap().unwrap_err();
        assert!(error.message().contains("no tokens today"), "{error}");
    }
    assert_eq!(
        (now() - began, fetches.load(Ordering::Relaxed)),
        (100 * MS, 1)
    );
    let again = channel.unary::<One>(bytes("")).await;
    assert!(again.is_err());
    assert_eq!(
        fetches.load(Ordering::Relaxed),
        2,
        "the next one tries anew"
    );
}

/// The token server has gone silent: whoever waits has a deadline or not, and others may ask again.
#[tokio::test(start_paused = true)]
async fn a_fetch_that_hangs_is_given_up() {
    let (builder, _peer) = pair(100);
    let token = BearerToken::fetched(std::future::pending);
    let channel = builder.call_credentials(token).build().unwrap();
    let began = now();
    let error = channel.unary::<One>(bytes("")).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.message().contains("no token within 30s"), "{error}");
    assert_eq!(now() - began, 300 * 100 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_panics_fails_its_calls_and_the_next_one_works() {
    let (builder, mut peer) = pair(100);
    let fetches = AtomicUsize::new(0);
    let token = BearerToken::fetched(move || {
        let first = fetches.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            assert!(!first, "the first fetch panics");
            Ok(Token::new("sesame"))
        }
    });
    let channel = builder.call_credentials(token).build().unwrap();
    let error = channel.unary::<One>(bytes("")).await.unwrap_err();
    assert_eq!(error.code(), Code::Internal);
    assert!(error.message().contains("panicked"), "{error}");
    let server = async { peer.next().await.reply(&["x"]) };
    let call = channel.unary::<One>(bytes(""));
    let (reply, ()) = tokio::join!(call.into_future(), server);
    reply.unwrap();
}
