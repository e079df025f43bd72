//! Attempts that fail, on paused time: how they are spaced, who waits for them, and what those hear.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use trunkline::transport::memory::{self, MemoryConnector, MemoryListener};
use trunkline::transport::{Address, BoxIo, Connector, now};
use trunkline::{Channel, Code};
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::{note, number, plain};

const SECOND: Duration = Duration::from_secs(1);

/// Tells when it is asked, and refuses until there is something to connect to.
struct Doorman {
    asked: mpsc::UnboundedSender<Instant>,
    refusals: usize,
    door: MemoryConnector,
    count: Arc<AtomicUsize>,
}

impl Connector for Doorman {
    async fn connect(&self, to: &Address) -> io::Result<BoxIo> {
        let _ = self.asked.send(now());
        let before = self.count.fetch_add(1, Ordering::SeqCst);
        if before < self.refusals {
            return Err(io::Error::new(io::ErrorKind::ConnectionRefused, "not yet"));
        }
        self.door.connect(to).await
    }
}

fn doorman(refusals: usize) -> (Doorman, MemoryListener, mpsc::UnboundedReceiver<Instant>) {
    let (asked, told) = mpsc::unbounded_channel();
    let (door, listener) = memory::pair("door");
    let doorman = Doorman {
        asked,
        refusals,
        door,
        count: Arc::default(),
    };
    (doorman, listener, told)
}

/// 1 s, then 1.6 times as long each, give or take a fifth; never over 120 s. A call that waits for
/// ready gets through at the end.
#[tokio::test(start_paused = true)]
async fn attempts_are_spaced_by_the_standard_backoff() {
    let (doorman, listener, mut told) = doorman(14);
    let server = plain().listen(listener).unwrap();
    tokio::spawn(server.serve());
    let channel = Channel::builder("memory:door")
        .insecure()
        .connector(doorman)
        .build()
        .unwrap();
    let echo = EchoClient::new(channel);
    assert_eq!(
        echo.once(note("x"))
            .wait_for_ready(true)
            .await
            .unwrap()
            .text,
        "x"
    );
    drop(echo);
    let mut at = Vec::new();
    while let Some(instant) = told.recv().await {
        at.push(instant);
    }
    assert_eq!(at.len(), 15);
    let mut expected = 1.0_f64;
    for gap in at.windows(2).map(|two| (two[1] - two[0]).as_secs_f64()) {
        // A millisecond is what tokio's timer rounds to.
        assert!(
            (expected * 0.8 - 0.01..expected * 1.2 + 0.01).contains(&gap),
            "{gap} {expected}"
        );
        expected = (expected * 1.6).min(120.0);
    }
}

/// Who asks while the channel backs off hears at once what failed, and a deadline that passes
/// while waiting says how often and why.
#[tokio::test(start_paused = true)]
async fn fail_fast_fails_at_once_and_waiting_is_bounded_by_the_deadline() {
    let (doorman, _listener, _told) = doorman(usize::MAX);
    let channel = Channel::builder("memory:door")
        .insecure()
        .connector(doorman)
        .build()
        .unwrap();
    let echo = EchoClient::new(channel);
    let started = now();
    for _ in 0..2 {
        let failed = echo.once(note("x")).await.unwrap_err();
        assert_eq!(failed.code(), Code::Unavailable);
        assert!(
            failed.to_string().contains("memory:door: not yet"),
            "{failed}"
        );
    }
    assert!(now() - started < SECOND, "nobody waited for a backoff");

    let late = echo
        .once(note("x"))
        .wait_for_ready(true)
        .timeout(10 * SECOND)
        .await
        .unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    assert!(late.is_unprocessed());
    let text = late.to_string();
    assert!(
        text.contains("memory:door: not yet"),
        "the last failure: {text}"
    );
    assert!(text.contains("attempt(s) failed"), "how many: {text}");
    assert!(now() - started >= 10 * SECOND);
}

/// The channel's default may be to wait; a call may still choose not to.
#[tokio::test(start_paused = true)]
async fn waiting_for_ready_can_be_the_channels_default() {
    let (doorman, listener, _told) = doorman(3);
    let server = plain().listen(listener).unwrap();
    tokio::spawn(server.serve());
    let channel = Channel::builder("memory:door")
        .insecure()
        .connector(doorman)
        .wait_for_ready(true);
    let echo = EchoClient::new(channel.build().unwrap());
    let fast = echo
        .once(note("fast"))
        .wait_for_ready(false)
        .await
        .unwrap_err();
    assert_eq!(fast.code(), Code::Unavailable);
    let mut notes = echo.expand(number(1)).await.unwrap();
    assert_eq!(notes.recv().await.unwrap(), Some(number(0)));
}

/// A connector that never comes back: the connect timeout bounds it too.
#[tokio::test(start_paused = true)]
async fn a_connector_that_hangs_is_bounded_by_the_connect_timeout() {
    struct Hangs;
    impl Connector for Hangs {
        async fn connect(&self, _: &Address) -> io::Result<BoxIo> {
            std::future::pending().await
        }
    }
    let channel = Channel::builder("memory:nowhere")
        .insecure()
        .connector(Hangs)
        .connect_timeout(3 * SECOND);
    let echo = EchoClient::new(channel.build().unwrap());
    let failed = echo.once(note("x")).await.unwrap_err();
    assert_eq!(failed.code(), Code::Unavailable);
    let text = failed.to_string();
    assert!(
        text.contains("memory:nowhere") && text.contains("3s"),
        "{text}"
    );
}
