//! What a subscriber of `tracing` is told: connect, close, GOAWAY, refusal, panic, and one span per
//! RPC, only where somebody listens.

use std::io;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, Interest};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::format::FmtSpan;
use trunkline::Code;

use crate::handlers::{Scripted, note, plain, scripted};
use crate::world::{World, soon};

/// What was logged on this thread, as lines of text.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(crate) fn listen(level: Level) -> (Self, DefaultGuard) {
        static UNDECIDED: Once = Once::new();
        UNDECIDED.call_once(|| {
            // Fails only where somebody else has set one.
            let _ = tracing::subscriber::set_global_default(Undecided);
        });
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .with_span_events(FmtSpan::NEW)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The first line of ours that has all of these.
    pub(crate) fn line(&self, parts: &[&str]) -> String {
        let all = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let ours = all.lines().filter(|line| line.contains("trunkline_"));
        let found = ours
            .clone()
            .find(|line| parts.iter().all(|part| line.contains(part)));
        let Some(found) = found else {
            let ours: Vec<_> = ours.collect();
            panic!("no line with {parts:?} in:\n{}", ours.join("\n"));
        };
        found.to_owned()
    }

    /// How many lines of ours have this.
    pub(crate) fn count(&self, part: &str) -> usize {
        let all = String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned();
        let ours = all.lines().filter(|line| line.contains("trunkline_"));
        ours.filter(|line| line.contains(part)).count()
    }

    fn has(&self, part: &str) -> bool {
        String::from_utf8_lossy(&self.0.lock().unwrap()).contains(part)
    }
}

/// Listens to nothing, and leaves it to each thread to listen.
///
/// Without it a place in the code that logs is switched off for all threads when it is first
/// reached on one that does not listen, while only one other does.
struct Undecided;

impl Subscriber for Undecided {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn connect_close_and_goaway_are_told_on_both_sides() {
    let (log, _listening) = Log::listen(Level::DEBUG);
    let world = World::tcp(plain()).await;
    soon(world.echo().once(note("hello"))).await.unwrap();
    let address = world.address.to_string();
    log.line(&["trunkline_server", "listening", &address]);
    log.line(&["trunkline_server", "connected"]);
    log.line(&["trunkline_client", "ready", &address]);

    let report = soon(world.handle.graceful_stop(Duration::from_secs(2))).await;
    assert_eq!(report.unfinished, 0);
    log.line(&["trunkline_server", "stopping"]);
    soon(async {
        while !log.has("connection closed") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    log.line(&["trunkline_client", "connection closed", &address, "GOAWAY"]);
    log.line(&["trunkline_server", "connection closed"]);
}

#[tokio::test]
async fn a_panic_and_a_refusal_are_told_with_their_method() {
    let (log, _listening) = Log::listen(Level::DEBUG);
    let world = World::tcp(scripted(
        Scripted::default().once(|_, _| Box::pin(async { panic!("a secret") })),
    ))
    .await;
    let error = soon(world.echo().once(note("hello"))).await.unwrap_err();
    assert_eq!(error.code(), Code::Internal);
    log.line(&[
        "ERROR",
        "trunkline_server",
        "handler panicked",
        "/tests.echo.Echo/Once",
    ]);

    let only_echo = World::tcp(trunkline::Server::insecure().add_service(
        trunkline_test_protos::echo::EchoServer::new(Scripted::default()),
    ))
    .await;
    let error = soon(only_echo.ledger().double(crate::handlers::amount(1)))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented);
    log.line(&[
        "trunkline_server",
        "request rejected",
        "/tests.ledger.Ledger/Double",
    ]);
}

#[tokio::test]
async fn a_span_per_rpc_exists_only_where_somebody_listens() {
    let (log, listening) = Log::listen(Level::DEBUG);
    let world = World::tcp(plain()).await;
    soon(world.echo().once(note("hello"))).await.unwrap();
    log.line(&[
        "trunkline_client",
        "rpc{",
        "method=\"/tests.echo.Echo/Once\"",
    ]);
    log.line(&[
        "trunkline_server",
        "rpc{",
        "method=\"/tests.echo.Echo/Once\"",
    ]);
    drop(listening);

    let (log, _listening) = Log::listen(Level::INFO);
    soon(world.echo().once(note("hello"))).await.unwrap();
    assert!(!log.has("rpc{"), "nobody listens at debug level");
}
