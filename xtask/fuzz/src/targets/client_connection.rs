//! Our client against a server that says what the input says; the next connection leads to a good
//! one.
//!
//! Input: a byte for the calls, a byte for how the connection begins, then steps.

use std::io;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use trunkline::transport::{Address, BoxIo, Listener, memory};
use trunkline::{Channel, Server};

use crate::Source;
use crate::echo::{EchoClient, EchoServer, Note};
use crate::wire::{
    Echoing, Hearing, Output, SETTINGS, Side, Step, frame, on_paused_time, script, soon, speak,
};

/// The deadline of the calls that meet the bad server.
const DEADLINE: Duration = Duration::from_secs(20);

/// How much later than its deadline no call ends.
const LATEST: Duration = Duration::from_secs(21);

pub(super) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let calls = source.byte();
    let mut steps = match source.byte() {
        0 => Vec::new(),
        1 => vec![Step::Wait(Duration::from_secs(1))],
        _ => vec![
            Step::Send(frame(SETTINGS, 0, 0, &[])),
            Step::Wait(Duration::from_millis(1)),
        ],
    };
    steps.extend(script(&mut source, Side::Server));
    on_paused_time(scenario(calls, steps));
}

async fn scenario(calls: u8, steps: Vec<Step>) {
    let (connector, mut listener) = memory::pair("fuzz");
    let (forward, forwarded) = mpsc::unbounded_channel();
    let server = Server::insecure().add_service(EchoServer::new(Echoing));
    let server = server.listen(Forwarded(forwarded)).expect("a server");
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let (over, bad_is_over) = oneshot::channel();
    let bad = tokio::spawn(async move {
        let (io, _) = listener.accept().await.expect("a connection");
        let linger = Duration::from_secs(1);
        let hearing = Hearing::late(calls & 4 != 0);
        let mut speaking = Box::pin(speak(io, steps, hearing, linger, Output::of_client()));
        // While the first one is bad, others are good: a call may go on there.
        loop {
            tokio::select! {
                biased;
                _output = &mut speaking => break,
                accepted = listener.accept() => {
                    let (io, _) = accepted.expect("a connection");
                    let _ = forward.send(io);
                }
            }
        }
        let _ = over.send(());
        loop {
            let (io, _) = listener.accept().await.expect("a connection");
            let _ = forward.send(io);
        }
    });
    let channel = Channel::builder("memory:fuzz")
        .insecure()
        .connector(connector);
    let channel = channel.build().expect("a channel");
    let echo = EchoClient::new(channel.clone());
    let note = Note {
        text: "hello".to_owned(),
        number: 3,
        ..Note::default()
    };
    let ended = timeout(LATEST, async {
        tokio::join!(
            once(&echo, &note),
            async {
                if calls & 1 != 0 {
                    expand(&echo, &note).await;
                }
            },
            async {
                if calls & 2 != 0 {
                    chat(&echo, &note).await;
                }
            },
        )
    });
    ended.await.expect("calls end at their deadline");
    let _ = soon("the end of the bad server", bad_is_over).await;
    // The client hears of it.
    tokio::time::sleep(Duration::from_millis(10)).await;
    let again = soon("a good call", async {
        echo.once(note.clone()).wait_for_ready(true).await
    })
    .await;
    assert_eq!(again.expect("the next connection is good").text, note.text);
    drop((echo, channel));
    bad.abort();
    let report = soon("the stop", handle.graceful_stop(Duration::from_secs(30))).await;
    assert_eq!(report.unfinished, 0, "{report:?}");
    let served = soon("serve", serving).await.expect("serve does not panic");
    served.expect("serve ends well");
}

async fn once(echo: &EchoClient, note: &Note) {
    if let Err(status) = echo.once(note.clone()).timeout(DEADLINE).await {
        assert!(!status.to_string().is_empty());
    }
}

async fn expand(echo: &EchoClient, note: &Note) {
    let Ok(mut answers) = echo.expand(note.clone()).timeout(DEADLINE).await else {
        return;
    };
    loop {
        match answers.recv().await {
            Ok(Some(_)) => {}
            Ok(None) => {
                assert!(
                    matches!(answers.recv().await, Ok(None)),
                    "the end is the end"
                );
                return;
            }
            Err(status) => {
                let again = answers.recv().await.expect_err("errors are sticky");
                assert_eq!(again.code(), status.code());
                return;
            }
        }
    }
}

async fn chat(echo: &EchoClient, note: &Note) {
    let Ok((mut sender, mut receiver)) = echo.chat().timeout(DEADLINE).await else {
        return;
    };
    for _ in 0..20 {
        if sender.send(note).await.is_err() {
            break;
        }
    }
    sender.finish();
    while let Ok(Some(_)) = receiver.recv().await {}
}

/// Connections that somebody else has accepted.
struct Forwarded(mpsc::UnboundedReceiver<BoxIo>);

impl Listener for Forwarded {
    async fn accept(&mut self) -> io::Result<(BoxIo, Address)> {
        match self.0.recv().await {
            Some(io) => Ok((io, self.address())),
            None => std::future::pending().await,
        }
    }

    fn address(&self) -> Address {
        Address::Memory("forwarded".into())
    }
}
