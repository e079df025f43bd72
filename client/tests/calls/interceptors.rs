//! Interceptors: what they see, what they change, and that calls behind them are calls like any
//! other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::sleep;
use trunkline_client::{BoxInterceptor, CallContext, Channel, ClientStream, Interceptor, Next};
use trunkline_core::{Code, Deadline, Origin, Shape, Status};
use trunkline_transport::{memory, now};

use super::support::{Both, Down, Exchange, One, Peer, Up, bytes, frame, headers, ok, pair};

const MS: Duration = Duration::from_millis(1);

/// Notes what it sees, and fetches a token first.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Vec<String>>>);

impl Witness {
    fn notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn note(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }
}

impl Interceptor for Witness {
    async fn intercept(&self, mut call: CallContext, next: Next) -> Result<ClientStream, Status> {
        sleep(10 * MS).await;
        call.metadata_mut().insert("authorization", "Bearer t")?;
        let (method, shape) = (call.method(), call.shape());
        let left = call.deadline().map(|deadline| deadline.remaining(now()));
        self.note(format!("{method} {shape} {} {left:?}", call.target()));
        let mut stream = next.start(call).await?;
        let notes = self.clone();
        stream.on_end(move |outcome| {
            let (code, cost) = (outcome.code(), outcome.trailers().get("cost"));
            let greeting = outcome.headers().get("greeting");
            notes.note(format!("{code} {greeting:?} {cost:?}"));
            outcome.trailers_mut().insert("seen", "yes").unwrap();
            outcome.headers_mut().insert("seen", "yes").unwrap();
        });
        Ok(stream)
    }
}

/// Headers with metadata, these messages, and OK with metadata.
fn reply(mut exchange: Exchange, messages: &[&str]) {
    assert_eq!(exchange.header("authorization"), "Bearer t");
    let mut head = headers();
    head.headers_mut().insert("greeting", "hi".parse().unwrap());
    let mut stream = exchange.respond.send_response(head, false).unwrap();
    for message in messages {
        stream.send_data(frame(message), false).unwrap();
    }
    let mut trailers = ok();
    trailers.insert("cost", "7".parse().unwrap());
    stream.send_trailers(trailers).unwrap();
}

fn watched() -> (Channel, Witness, Peer) {
    let witness = Witness::default();
    let (builder, peer) = pair(100);
    let channel = builder.intercept(witness.clone()).build().unwrap();
    (channel, witness, peer)
}

#[tokio::test(start_paused = true)]
async fn a_call_of_each_shape_is_seen_from_its_start_to_its_end() {
    let (channel, witness, mut peer) = watched();
    let server = async {
        for _ in 0..2 {
            let mut exchange = peer.next().await;
            assert_eq!(exchange.message().await.unwrap().unwrap(), "ask");
            reply(exchange, &["one"]);
        }
        for _ in 0..3 {
            let mut exchange = peer.next().await;
            while exchange.message().await.unwrap().is_some() {}
            reply(exchange, &["one"]);
        }
    };
    let client = async {
        let call = channel.unary::<One>(bytes("ask")).timeout(100 * MS);
        let answer = call.await.unwrap();
        assert_eq!(answer.message(), "one");
        assert_eq!(answer.trailers().get("seen"), Some("yes"));
        assert_eq!(answer.headers().get("seen"), Some("yes"));
        let end = "OK Some(\"hi\") Some(\"7\")";
        let expected = ["/test.T/One unary memory:peer Some(90ms)", end];
        assert_eq!(witness.notes(), expected);

        let call = channel.server_streaming::<Down>(bytes("ask"));
        let mut answers = call.owned().await.unwrap();
        assert_eq!(answers.recv().await.unwrap().unwrap(), "one");
        assert!(answers.recv().await.unwrap().is_none());
        assert!(answers.recv().await.unwrap().is_none(), "sticky");
        assert_eq!(answers.trailers().get("seen"), Some("yes"));
        assert_eq!(answers.trailers().get("cost"), Some("7"));
        let expected = ["/test.T/Down server streaming memory:peer None", end];
        assert_eq!(witness.notes(), expected);

        let (mut sender, summary) = channel.client_streaming::<Up>().await.unwrap();
        sender.send(&bytes("ask")).await.unwrap();
        sender.finish();
        let answer = summary.await.unwrap();
        assert_eq!(answer.message(), "one");
        assert_eq!(answer.trailers().get("seen"), Some("yes"));
        let expected = ["/test.T/Up client streaming memory:peer None", end];
        assert_eq!(witness.notes(), expected);

        let call = channel.client_streaming::<Up>().upload([bytes("ask")]);
        assert_eq!(call.owned().await.unwrap().message(), "one");
        assert_eq!(witness.notes(), expected);

        let (mut sender, mut answers) = channel.bidi::<Both>().await.unwrap();
        sender.send(&bytes("ask")).await.unwrap();
        sender.finish();
        assert_eq!(answers.recv().await.unwrap().unwrap(), "one");
        assert!(answers.recv().await.unwrap().is_none());
        assert_eq!(answers.trailers().get("seen"), Some("yes"));
        let expected = ["/test.T/Both bidirectional memory:peer None", end];
        assert_eq!(witness.notes(), expected);
    };
    tokio::join!(client, server);
}

#[tokio::test(start_paused = true)]
async fn failures_of_each_shape_are_seen_and_may_be_rewritten() {
    let (builder, mut peer) = pair(100);
    let rewrite = |call: CallContext, next: Next| async move {
        let mut stream = next.start(call).await?;
        stream.on_end(|outcome| {
            assert_eq!(outcome.code(), Code::NotFound);
            assert_eq!(outcome.status().unwrap_err().origin(), Origin::Peer);
            outcome.set_status(Err(Status::aborted("as the interceptor has it")));
        });
        Ok(stream)
    };
    let channel = builder.intercept(rewrite).build().unwrap();
    let server = async {
        for _ in 0..4 {
            let exchange = peer.next().await;
            exchange.fail("5", "nothing");
        }
    };
    let client = async {
        let mut errors = Vec::new();
        errors.push(channel.unary::<One>(bytes("")).await.unwrap_err());
        let mut down = channel.server_streaming::<Down>(bytes("")).await.unwrap();
        errors.push(down.recv().await.unwrap_err());
        errors.push(down.recv().await.unwrap_err());
        let (sender, summary) = channel.client_streaming::<Up>().await.unwrap();
        errors.push(summary.await.unwrap_err());
        drop(sender);
        let (sender, mut both) = channel.bidi::<Both>().await.unwrap();
        errors.push(both.headers().await.unwrap_err());
        errors.push(both.recv().await.unwrap_err());
        drop(sender);
        for error in errors {
            let text = error.to_string();
            assert!(text.starts_with("ABORTED: /test.T/"), "{text}");
            assert!(text.ends_with(": as the interceptor has it"), "{text}");
        }
    };
    tokio::join!(client, server);
}

#[tokio::test(start_paused = true)]
async fn an_error_may_become_ok_where_there_is_something_to_give() {
    let (builder, mut peer) = pair(100);
    let forgive = |call: CallContext, next: Next| async move {
        let mut stream = next.start(call).await?;
        stream.on_end(|outcome| outcome.set_status(Ok(())));
        Ok(stream)
    };
    let channel = builder.intercept(forgive).build().unwrap();
    let server = async {
        peer.next().await.fail("5", "nothing");
        peer.next().await.fail("5", "nothing");
    };
    let client = async {
        let mut down = channel.server_streaming::<Down>(bytes("")).await.unwrap();
        assert!(down.recv().await.unwrap().is_none());
        assert!(down.recv().await.unwrap().is_none());
        let error = channel.unary::<One>(bytes("")).await.unwrap_err();
        assert_eq!(error.code(), Code::Internal);
        assert!(error.message().contains("no response message"), "{error}");
    };
    tokio::join!(client, server);
}

/// Takes the second token where the first is refused.
struct Refresh {
    tokens: AtomicUsize,
}

impl Interceptor for Refresh {
    async fn intercept(&self, mut call: CallContext, next: Next) -> Result<ClientStream, Status> {
        loop {
            let token = self.tokens.load(Ordering::Relaxed).to_string();
            call.metadata_mut().insert("authorization", &token)?;
            let mut stream = next.clone().start(call.clone()).await?;
            match stream.outcome().await {
                Some(outcome) if outcome.code() == Code::Unauthenticated => {
                    sleep(10 * MS).await;
                    self.tokens.fetch_add(1, Ordering::Relaxed);
                }
                _ => return Ok(stream),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_refreshed_and_the_call_made_again() {
    let inner = Witness::default();
    let refresh = Refresh {
        tokens: AtomicUsize::new(1),
    };
    let (builder, mut peer) = pair(100);
    let channel = builder.intercept(refresh).build().unwrap();
    let seen = inner.clone();
    let channel = channel.intercepted(move |call: CallContext, next: Next| {
        let seen = seen.clone();
        async move {
            let mut stream = next.start(call).await?;
            stream.on_end(move |outcome| seen.note(outcome.code().name()));
            Ok(stream)
        }
    });
    let server = async {
        let mut first = peer.next().await;
        assert_eq!(first.header("authorization"), "1");
        assert_eq!(first.message().await.unwrap().unwrap(), "ask");
        first.fail("16", "old");
        let mut second = peer.next().await;
        assert_eq!(second.header("authorization"), "2");
        assert_eq!(second.message().await.unwrap().unwrap(), "ask");
        second.reply(&["answer"]);
    };
    let call = channel.unary::<One>(bytes("ask")).timeout(1000 * MS);
    let (answer, ()) = tokio::join!(call.into_future(), server);
    assert_eq!(answer.unwrap().message(), "answer");
    assert_eq!(inner.notes(), ["UNAUTHENTICATED", "OK"]);
}

#[tokio::test(start_paused = true)]
async fn streams_have_no_outcome_to_wait_for() {
    let (builder, mut peer) = pair(100);
    let refresh = Refresh {
        tokens: AtomicUsize::new(1),
    };
    let channel = builder.intercept(refresh).build().unwrap();
    let client = async {
        let mut down = channel.server_streaming::<Down>(bytes("")).await.unwrap();
        assert_eq!(down.recv().await.unwrap().unwrap(), "one");
    };
    let server = async { peer.next().await.try_reply(&["one"]) };
    tokio::join!(client, server);
}

/// What a program stores: no type parameter tells of the interceptors.
struct Service {
    channel: Channel,
}

#[tokio::test(start_paused = true)]
async fn a_list_built_at_run_time_runs_in_its_order() {
    let notes = Witness::default();
    let list: Vec<BoxInterceptor> = (1..=5)
        .map(|number| {
            let notes = notes.clone();
            let each = move |mut call: CallContext, next: Next| {
                let notes = notes.clone();
                async move {
                    call.metadata_mut().append("number", &number.to_string())?;
                    notes.note(format!("in {number}"));
                    let mut stream = next.start(call).await?;
                    notes.note(format!("out {number}"));
                    stream.on_end(move |_| notes.note(format!("end {number}")));
                    Ok(stream)
                }
            };
            each.boxed()
        })
        .collect();
    let (builder, mut peer) = pair(100);
    let channel = builder.intercept_all(list).build().unwrap();
    let service = Service { channel };
    let server = async {
        let exchange = peer.next().await;
        let numbers = exchange.head.headers.get_all("number").iter();
        let numbers: Vec<_> = numbers.map(|each| each.to_str().unwrap()).collect();
        assert_eq!(numbers, ["1", "2", "3", "4", "5"]);
        exchange.reply(&["x"]);
    };
    let call = service.channel.unary::<One>(bytes(""));
    let (answer, ()) = tokio::join!(call.into_future(), server);
    answer.unwrap();
    let all = notes.notes();
    let of = |kind: &str| -> String {
        let each = all.iter().filter_map(|note| note.strip_prefix(kind));
        each.collect()
    };
    assert_eq!(of("in "), "12345");
    assert_eq!(of("out "), "54321");
    assert_eq!(of("end "), "54321");
}

#[tokio::test(start_paused = true)]
async fn a_derived_channel_adds_inside_and_shares_connections() {
    let (builder, mut peer) = pair(100);
    let tag = |name: &'static str| {
        move |mut call: CallContext, next: Next| async move {
            call.metadata_mut().append("tag", name)?;
            next.start(call).await
        }
    };
    let plain = builder.intercept(tag("outer")).build().unwrap();
    let derived = plain.intercepted(tag("inner"));
    let server = async {
        for expected in [&["outer"][..], &["outer", "inner"]] {
            let exchange = peer.next().await;
            let tags: Vec<_> = exchange.head.headers.get_all("tag").iter().collect();
            assert_eq!(tags, expected);
            exchange.reply(&["x"]);
        }
    };
    let client = async {
        plain.unary::<One>(bytes("")).await.unwrap();
        derived.unary::<One>(bytes("")).await.unwrap();
    };
    tokio::join!(client, server);
    assert_eq!(peer.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_never_reaches_the_wire() {
    let (builder, mut peer) = pair(100);
    let refuse = |call: CallContext, _: Next| async move {
        Err(match call.shape() {
            Shape::Unary => Status::permission_denied("not here"),
            _ => Status::unauthenticated("who?"),
        })
    };
    let channel = builder.intercept(refuse).build().unwrap();
    let error = channel.unary::<One>(bytes("")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "PERMISSION_DENIED: /test.T/One: not here"
    );
    let error = channel.server_streaming::<Down>(bytes("")).await;
    assert_eq!(error.unwrap_err().code(), Code::Unauthenticated);
    let error = channel.client_streaming::<Up>().await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    let error = channel.client_streaming::<Up>().upload([bytes("")]).await;
    assert_eq!(error.unwrap_err().code(), Code::Unauthenticated);
    let error = channel.bidi::<Both>().await.unwrap_err();
    assert_eq!(error.to_string(), "UNAUTHENTICATED: /test.T/Both: who?");
    assert!(peer.calls.try_recv().is_err());
    assert_eq!(peer.connections(), 0, "nobody was called at all");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_bounds_interceptors_and_they_may_shorten_it() {
    let (builder, mut peer) = pair(100);
    let slow = |call: CallContext, next: Next| async move {
        sleep(1000 * MS).await;
        next.start(call).await
    };
    let channel = builder.clone().intercept(slow).build().unwrap();
    let began = now();
    let call = channel.unary::<One>(bytes("")).timeout(50 * MS);
    let error = call.await.unwrap_err();
    assert_eq!(now() - began, 50 * MS);
    let text =
        "DEADLINE_EXCEEDED: /test.T/One: request: no answer within 50ms: in the interceptors";
    assert_eq!(error.to_string(), text);
    let call = channel.bidi::<Both>().timeout(50 * MS);
    assert_eq!(call.await.unwrap_err().code(), Code::DeadlineExceeded);
    assert!(peer.calls.try_recv().is_err());

    let shorten = |mut call: CallContext, next: Next| async move {
        call.shorten_deadline(Deadline::after(now(), 200 * MS));
        next.start(call).await
    };
    let channel = builder.intercept(shorten).build().unwrap();
    let sent = channel.unary::<One>(bytes(""));
    let (error, exchange) = tokio::join!(sent.into_future(), peer.next());
    assert_eq!(exchange.header("grpc-timeout"), "200000u");
    let error = error.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);
    let whose = "no answer within 200ms, the deadline that an interceptor set";
    assert!(error.message().starts_with(whose), "{error}");
    // The caller's own that is earlier stays.
    let call = channel.unary::<One>(bytes("")).timeout(20 * MS);
    let (error, exchange) = tokio::join!(call.into_future(), peer.next());
    assert_eq!(exchange.header("grpc-timeout"), "20000000n");
    assert!(error.unwrap_err().message().contains("within 20ms: "));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_drops_its_interceptors_and_tells_those_who_watch_the_end() {
    let notes = Witness::default();
    let (builder, mut peer) = pair(100);
    let seen = notes.clone();
    let watch = move |call: CallContext, next: Next| {
        let seen = seen.clone();
        async move {
            let guard = OnDrop(seen.clone());
            sleep(10 * MS).await;
            let mut stream = next.start(call).await?;
            drop(guard);
            stream.on_end(move |outcome| {
                let status = outcome.status().unwrap_err();
                seen.note(format!("{status}"));
            });
            Ok(stream)
        }
    };
    struct OnDrop(Witness);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.note("dropped");
        }
    }
    let channel = builder.intercept(watch).build().unwrap();
    // Inside of the interceptor.
    let mut call = Box::pin(channel.unary::<One>(bytes("")).into_future());
    assert!(tokio::time::timeout(MS, &mut call).await.is_err());
    drop(call);
    assert_eq!(notes.notes(), ["dropped"]);
    // Behind it.
    let end = "CANCELLED: /test.T/One: the call was dropped before its end";
    let mut call = Box::pin(channel.unary::<One>(bytes("")).into_future());
    let (waited, exchange) = tokio::join!(tokio::time::timeout(20 * MS, &mut call), peer.next());
    assert!(waited.is_err());
    drop(call);
    assert_eq!(notes.notes(), ["dropped", end]);
    assert_eq!(exchange.reset().await, h2::Reason::CANCEL);
    // With the halves in hand.
    let down = channel.server_streaming::<Down>(bytes("")).await.unwrap();
    drop(down);
    assert_eq!(notes.notes()[1], end.replace("One", "Down"));
    let (sender, summary) = channel.client_streaming::<Up>().await.unwrap();
    drop(summary);
    drop(sender);
    assert_eq!(notes.notes()[1], end.replace("One", "Up"));
    let (sender, mut both) = channel.bidi::<Both>().await.unwrap();
    drop(sender);
    let error = both.recv().await.unwrap_err();
    assert!(error.message().contains("without finish()"), "{error}");
    drop(both);
    let seen = notes.notes();
    assert_eq!(seen.len(), 2, "once: {seen:?}");
    assert!(seen[1].contains("without finish()"), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_surely_not_processed_goes_out_again_beneath_the_interceptors() {
    let starts = Arc::new(AtomicUsize::new(0));
    let (builder, mut peer) = pair(100);
    let count = Arc::clone(&starts);
    let counting = move |call: CallContext, next: Next| {
        count.fetch_add(1, Ordering::Relaxed);
        async move { next.start(call).await }
    };
    let channel = builder.intercept(counting).build().unwrap();
    let server = async {
        for _ in 0..4 {
            let mut refused = peer.next().await;
            refused.respond.send_reset(h2::Reason::REFUSED_STREAM);
            let mut exchange = peer.next().await;
            assert_eq!(exchange.message().await.unwrap().unwrap(), "ask");
            exchange.reply(&["x"]);
        }
    };
    let client = async {
        channel.unary::<One>(bytes("ask")).await.unwrap();
        let mut down = channel
            .server_streaming::<Down>(bytes("ask"))
            .await
            .unwrap();
        assert_eq!(down.recv().await.unwrap().unwrap(), "x");
        assert!(down.recv().await.unwrap().is_none());
        let call = channel.client_streaming::<Up>().upload([bytes("ask")]);
        call.await.unwrap();
        let (mut sender, mut both) = channel.bidi::<Both>().await.unwrap();
        sender.send(&bytes("ask")).await.unwrap();
        assert_eq!(both.recv().await.unwrap().unwrap(), "x");
        sender.finish();
        assert!(both.recv().await.unwrap().is_none());
    };
    tokio::join!(client, server);
    assert_eq!(starts.load(Ordering::Relaxed), 4, "one call each");
}

#[tokio::test(start_paused = true)]
async fn the_stream_of_another_call_is_told_apart() {
    let kept: Arc<Mutex<Option<ClientStream>>> = Arc::default();
    let (builder, mut peer) = pair(100);
    let confused = move |call: CallContext, next: Next| {
        let kept = Arc::clone(&kept);
        async move {
            let stream = next.start(call).await?;
            let old = kept.lock().unwrap().replace(stream);
            old.ok_or_else(|| Status::aborted("kept"))
        }
    };
    let channel = builder.intercept(confused).build().unwrap();
    let client = async {
        let kept = channel.unary::<One>(bytes("")).await.unwrap_err();
        assert_eq!(kept.code(), Code::Aborted);
        let wrong = channel.bidi::<Both>().await.unwrap_err();
        assert!(wrong.message().contains("another method"), "{wrong}");
    };
    let server = async {
        // One that is over before it was written may never come.
        loop {
            peer.next().await;
        }
    };
    tokio::select! {
        () = client => {}
        never = server => never,
    }
}

#[tokio::test(start_paused = true)]
async fn the_options_that_an_interceptor_sets_hold_for_the_call() {
    let (builder, mut peer) = pair(100);
    let options = |mut call: CallContext, next: Next| async move {
        match call.metadata().get("set") {
            Some("compression") => call.set_compression("gzip")?,
            Some("send") => call.set_max_send_message_bytes(2),
            Some("receive") => call.set_max_receive_message_bytes(2),
            _ => {}
        }
        next.start(call).await
    };
    let channel = builder.intercept(options).build().unwrap();
    let server = async {
        let exchange = peer.next().await;
        assert_eq!(exchange.header("grpc-encoding"), "gzip");
        exchange.reply(&["one"]);
        peer.next().await.try_reply(&["three"]);
    };
    let client = async {
        let call = |set: &str| channel.unary::<One>(bytes("ask")).metadata("set", set);
        assert_eq!(call("compression").await.unwrap().message(), "one");
        let sent = call("send").await.unwrap_err();
        assert_eq!(sent.code(), Code::ResourceExhausted, "{sent}");
        assert!(sent.message().contains("sending"), "{sent}");
        let received = call("receive").await.unwrap_err();
        assert_eq!(received.code(), Code::ResourceExhausted, "{received}");
        assert!(received.message().contains("receiving"), "{received}");
    };
    tokio::join!(server, client);

    // Nobody listens: a call fails at once unless its interceptor has it wait.
    let waits = |mut call: CallContext, next: Next| async move {
        call.set_wait_for_ready(true);
        next.start(call).await
    };
    let (connector, listener) = memory::pair("nobody");
    drop(listener);
    let nowhere = Channel::builder("memory:nobody")
        .connector(connector)
        .insecure();
    let plain = nowhere.clone().build().unwrap();
    let waiting = nowhere.intercept(waits).build().unwrap();
    let call = |channel: &Channel| {
        let call = channel.unary::<One>(bytes("ask")).timeout(5_000 * MS);
        call.owned()
    };
    assert_eq!(call(&plain).await.unwrap_err().code(), Code::Unavailable);
    let late = call(&waiting).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
}
