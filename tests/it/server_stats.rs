//! Those who measure a server are told of each call's beginning and end exactly once, however it
//! ends, and of its messages and connections.

use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use trunkline::server::{Interceptor, Next};
use trunkline::stats::{CallEvent, CallInfo, ConnectionEvent, ConnectionInfo, Side, StatsHandler};
use trunkline::{RequestContext, Response, Status, Trailers};
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::{Scripted, note, number, plain, scripted};
use crate::panics::{SECRET, quiet_panics};
use crate::world::{World, soon};

/// Writes down what it is told, a line per call.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    /// By id, in order.
    calls: Vec<(u64, String)>,
    connections: Vec<String>,
}

impl StatsHandler for Log {
    fn call(&self, call: &CallInfo, event: &CallEvent<'_>, at: Instant) {
        assert_eq!((call.side, call.attempt), (Side::Server, 0));
        assert_eq!(call.connection, Some(1), "the first thing that has an id");
        assert!(at >= call.began);
        let mut told = self.0.lock().unwrap();
        let line = match told.calls.iter_mut().find(|(id, _)| *id == call.id) {
            Some((_, line)) => line,
            None => {
                told.calls.push((call.id, String::new()));
                &mut told.calls.last_mut().unwrap().1
            }
        };
        let written = match event {
            CallEvent::Begin { deadline } => {
                let name = call.method.name;
                write!(line, "{name} deadline={}", deadline.is_some())
            }
            CallEvent::HeadersIn { metadata } => {
                write!(line, " in({})", metadata.get("who").unwrap_or_default())
            }
            CallEvent::HeadersOut { metadata } => {
                write!(line, " out({})", metadata.get("who").unwrap_or_default())
            }
            CallEvent::MessageIn(size) => write!(line, " <{}", size.bytes),
            CallEvent::MessageOut(size) => write!(line, " >{}", size.bytes),
            CallEvent::TrailersOut { metadata } => {
                let who = metadata.get("who").unwrap_or_default();
                write!(line, " trailers({who})")
            }
            CallEvent::End { outcome, elapsed } => {
                let code = match outcome {
                    Ok(()) => "OK".to_owned(),
                    Err(status) => status.code().to_string(),
                };
                write!(line, " end({code}, {} s)", elapsed.as_secs())
            }
            other => panic!("not of a server: {other:?}"),
        };
        written.unwrap();
    }

    fn connection(&self, connection: &ConnectionInfo, event: &ConnectionEvent<'_>, _: Instant) {
        let line = match event {
            ConnectionEvent::Begin { peer } => format!("{} begin {peer}", connection.id),
            ConnectionEvent::End { elapsed } => {
                format!("{} end {} ms", connection.id, elapsed.as_millis())
            }
            other => panic!("{other:?}"),
        };
        self.0.lock().unwrap().connections.push(line);
    }
}

impl Log {
    fn calls(&self) -> Vec<String> {
        let calls = std::mem::take(&mut self.0.lock().unwrap().calls);
        calls.into_iter().map(|(_, line)| line).collect()
    }
}

/// Handlers that end in every way, by what the request says.
fn all_endings() -> Scripted {
    quiet_panics();
    Scripted::default()
        .once(|_, request| {
            Box::pin(async move {
                match request.text.as_str() {
                    "fail" => {
                        let mut status = Status::not_found("as asked");
                        status.metadata_mut().insert("who", "t")?;
                        Err(status)
                    }
                    "panic" => panic!("{SECRET}"),
                    "wait" => std::future::pending().await,
                    _ => {
                        let mut reply = Response::new(request);
                        reply.headers_mut().insert("who", "h")?;
                        reply.trailers_mut().insert("who", "t")?;
                        Ok(reply)
                    }
                }
            })
        })
        .expand(|_, request, mut responses| {
            Box::pin(async move {
                responses.insert_header("who", "h")?;
                responses.insert_trailer("who", "t")?;
                for n in 0..request.number {
                    responses.send(&number(n)).await?;
                }
                match request.text.as_str() {
                    "fail" => Err(Status::not_found("as asked")),
                    "panic" => panic!("{SECRET}"),
                    "wait" => std::future::pending().await,
                    _ => Ok(()),
                }
            })
        })
}

async fn expand(echo: &EchoClient, text: &str) {
    let mut request = number(2);
    request.text = text.to_owned();
    let mut notes = echo.expand(request).timeout(SECOND).await.unwrap();
    while let Ok(Some(_)) = notes.recv().await {}
}

const SECOND: Duration = Duration::from_secs(1);

/// Surrounds calls with nothing.
struct Nothing;

impl Interceptor for Nothing {
    async fn intercept(&self, cx: RequestContext, next: Next<'_>) -> Result<Trailers, Status> {
        next.run(cx).await
    }
}

#[tokio::test(start_paused = true)]
async fn each_call_begins_and_ends_once_however_it_ends() {
    for intercepted in [false, true] {
        let log = Log::default();
        let server = scripted(all_endings()).stats_handler(log.clone());
        let world = World::memory(match intercepted {
            false => server,
            true => server.intercept(Nothing),
        });
        let echo = world.echo();
        // Client and server watch the deadline each by itself: both count it as that.
        for (text, line) in [
            (
                "ok",
                "Once deadline=true in(c) <4 out(h) >4 trailers(t) end(OK, 0 s)",
            ),
            (
                "fail",
                "Once deadline=true in(c) <6 trailers(t) end(NOT_FOUND, 0 s)",
            ),
            (
                "panic",
                "Once deadline=true in(c) <7 trailers() end(INTERNAL, 0 s)",
            ),
        ] {
            let call = echo.once(note(text)).timeout(SECOND).metadata("who", "c");
            let _ = call.await;
            world.quiet().await;
            assert_eq!(log.calls(), [line], "intercepted: {intercepted}");
        }
        let late = echo.once(note("wait")).timeout(SECOND).await;
        late.unwrap_err();
        world.quiet().await;
        let calls = log.calls();
        assert_eq!(calls.len(), 1);
        assert!(
            calls[0].ends_with("end(DEADLINE_EXCEEDED, 1 s)")
                || calls[0].ends_with("end(CANCELLED, 1 s)"),
            "{calls:?}"
        );

        for (text, line) in [
            ("", "<2 out(h) >0 >2 trailers(t) end(OK, 0 s)"),
            ("fail", "<8 out(h) >0 >2 trailers(t) end(NOT_FOUND, 0 s)"),
            ("panic", "<9 out(h) >0 >2 trailers(t) end(INTERNAL, 0 s)"),
        ] {
            expand(&echo, text).await;
            world.quiet().await;
            let line = format!("Expand deadline=true in() {line}");
            assert_eq!(log.calls(), [line], "intercepted: {intercepted}");
        }

        let call = echo.once(note("wait"));
        assert!(tokio::time::timeout(SECOND, call).await.is_err());
        world.quiet().await;
        let cancelled = "Once deadline=false in() <6 end(CANCELLED, 1 s)";
        assert_eq!(log.calls(), [cancelled]);
        drop(echo);
        world.end().await;
        let connections = log.0.lock().unwrap().connections.clone();
        assert_eq!(connections.len(), 2, "{connections:?}");
        assert!(
            connections[0].starts_with("1 begin memory:"),
            "{connections:?}"
        );
        assert!(connections[1].starts_with("1 end "), "{connections:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_the_server_is_an_end_as_well() {
    let log = Log::default();
    let world = World::memory(scripted(all_endings()).stats_handler(log.clone()));
    let echo = world.echo();
    let waiting = tokio::spawn(echo.once(note("wait")).owned());
    world.until("it runs", |stats| stats.live_rpcs == 1).await;
    let report = world.handle.graceful_stop(SECOND).await;
    assert_eq!(report.trailers, 1, "{report:?}");
    waiting.await.unwrap().unwrap_err();
    let stopped = "Once deadline=false in() <6 trailers() end(UNAVAILABLE, 1 s)";
    assert_eq!(log.calls(), [stopped]);
    assert_eq!(log.0.lock().unwrap().connections.len(), 2);
}

#[tokio::test]
async fn every_message_of_a_stream_is_told() {
    let log = Log::default();
    let world = World::memory(plain().stats_handler(log.clone()));
    let (mut sender, mut notes) = soon(world.echo().chat()).await.unwrap();
    for n in 1..=3 {
        soon(sender.send(&number(n))).await.unwrap();
        assert_eq!(soon(notes.recv()).await.unwrap(), Some(number(n)));
    }
    sender.finish();
    assert_eq!(soon(notes.recv()).await.unwrap(), None);
    drop(notes);
    world.quiet().await;
    let calls = log.calls();
    assert!(
        calls[0].starts_with("Chat deadline=false in() <2 out() >2 <2 >2 <2 >2 trailers() end(OK"),
        "{calls:?}"
    );
    world.end().await;
}
