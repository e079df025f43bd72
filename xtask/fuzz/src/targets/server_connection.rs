//! Our server against a client that says what the input says.
//!
//! Input: a byte for the server's settings, a byte for how the connection begins, then steps.

use std::time::Duration;

use tokio::time::sleep;
use trunkline::server::ServerHandle;
use trunkline::transport::http2::ServerConfig;
use trunkline::transport::{Address, Connector, memory};
use trunkline::{Channel, Server};

use crate::Source;
use crate::echo::{EchoClient, EchoServer, Note};
use crate::wire::{
    Echoing, Hearing, Output, PREFACE, SETTINGS, Side, Step, frame, on_paused_time, script, soon,
    speak,
};

pub(super) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let settings = source.byte();
    let mut steps = match source.byte() {
        0 => Vec::new(),
        1 => vec![Step::Send(PREFACE.to_vec())],
        _ => vec![Step::Send([PREFACE, &frame(SETTINGS, 0, 0, &[])].concat())],
    };
    steps.extend(script(&mut source, Side::Client));
    on_paused_time(scenario(settings, steps));
}

async fn scenario(settings: u8, steps: Vec<Step>) {
    let (connector, listener) = memory::pair("fuzz");
    let mut builder = Server::insecure().add_service(EchoServer::new(Echoing));
    if settings & 1 != 0 {
        let mut http2 = ServerConfig::default();
        http2.max_concurrent_streams = 2;
        http2.stream_window_bytes = Some(1_000);
        http2.connection_window_bytes = 2_000;
        builder = builder.http2(http2);
    }
    if settings & 2 != 0 {
        builder = builder
            .max_receive_message_bytes(100)
            .max_timeout(Duration::from_secs(5));
    }
    if settings & 4 != 0 {
        let age = Duration::from_secs(1);
        builder = builder
            .max_connection_age(age)
            .max_connection_age_grace(age)
            .max_connection_idle(age);
    }
    let server = builder.listen(listener).expect("a server");
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let address = Address::Memory("fuzz".into());
    let io = connector
        .connect(&address)
        .await
        .expect("the server listens");
    let linger = Duration::from_secs(1);
    soon(
        "the script",
        speak(
            io,
            steps,
            Hearing::late(settings & 8 != 0),
            linger,
            Output::of_server(),
        ),
    )
    .await;
    soon("the end of the connection", nothing_left(&handle)).await;

    let channel = Channel::builder("memory:fuzz")
        .insecure()
        .connector(connector);
    let channel = channel.build().expect("a channel");
    let note = Note {
        text: "hello".to_owned(),
        ..Note::default()
    };
    let call = EchoClient::new(channel.clone());
    let answer = soon("a good call", async { call.once(note.clone()).await }).await;
    let answer = answer.expect("the next client is served");
    assert_eq!(answer.text, note.text);
    drop((call, channel));
    soon("the end of the good connection", nothing_left(&handle)).await;
    let report = soon("the stop", handle.graceful_stop(Duration::from_secs(1))).await;
    assert_eq!(report.unfinished, 0, "{report:?}");
    let served = soon("serve", serving).await.expect("serve does not panic");
    served.expect("serve ends well");
}

/// No connection, RPC or child of the server's.
async fn nothing_left(handle: &ServerHandle) {
    loop {
        let stats = handle.stats();
        if stats.live_connections + stats.live_rpcs + stats.live_children == 0 {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
}
