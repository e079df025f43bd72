//! The two HTTP/2 engines: any client speaks to any server, and who says nothing gets the one that the
//! environment names.

use std::process::Command;
use std::time::Duration;

use trunkline::client::ChannelBuilder;
use trunkline::server::ServerBuilder;
use trunkline::transport::http2::{ClientConfig, Engine, ServerConfig};
use trunkline_test_protos::echo::{EchoClient, Note};

use crate::handlers::{note, number, plain};
use crate::log::Log;
use crate::support::{Event, RawServer, channel_closes, headers};
use crate::world::World;

const VARIABLE: &str = "TRUNKLINE_HTTP2_ENGINE";

/// Beside the test below, in a process of its own.
const INSIDE: &str = "TRUNKLINE_TEST_INSIDE";

fn serve_on(server: ServerBuilder, engine: Engine) -> ServerBuilder {
    let mut config = ServerConfig::default();
    config.engine = engine;
    server.http2(config)
}

fn call_on(channel: ChannelBuilder, engine: Engine) -> ChannelBuilder {
    let mut config = ClientConfig::default();
    config.engine = engine;
    channel.http2(config)
}

async fn calls_of_all_kinds_work(caller: Engine, answerer: Engine) {
    let server = serve_on(plain(), answerer);
    let world = World::memory_with(server, |channel| call_on(channel, caller));
    let echo = world.echo();
    assert_eq!(echo.once(note("a")).await.unwrap().text, "a");
    let mut received = echo.expand(number(3)).await.unwrap();
    for expected in 0..3 {
        assert_eq!(received.recv().await.unwrap().unwrap().number, expected);
    }
    assert_eq!(received.recv().await.unwrap(), None);
    let sum = echo.collect().upload((0..4).map(number)).await.unwrap();
    assert_eq!(sum.number, 6);
    // More than a window each way.
    let large = Note {
        data: vec![7; 1 << 20],
        ..Note::default()
    };
    let (mut sender, mut receiver) = echo.chat().await.unwrap();
    for _ in 0..2 {
        sender.send(&large).await.unwrap();
        assert_eq!(receiver.recv().await.unwrap().unwrap(), large);
    }
    sender.finish();
    assert_eq!(receiver.recv().await.unwrap(), None);
    drop((received, receiver, echo));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_on_h2_speaks_to_a_server_on_the_native_engine() {
    calls_of_all_kinds_work(Engine::H2, Engine::Native).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_on_the_native_engine_speaks_to_a_server_on_h2() {
    calls_of_all_kinds_work(Engine::Native, Engine::H2).await;
}

#[tokio::test(start_paused = true)]
async fn each_engine_speaks_to_itself() {
    calls_of_all_kinds_work(Engine::H2, Engine::H2).await;
    calls_of_all_kinds_work(Engine::Native, Engine::Native).await;
}

/// Some servers know no other end of a request.
#[tokio::test(start_paused = true)]
async fn a_request_without_messages_ends_in_empty_data_on_either_engine() {
    for engine in [Engine::H2, Engine::Native] {
        let (mut server, builder) = RawServer::builder("empty");
        let echo = EchoClient::new(call_on(builder, engine).build().unwrap());
        let script = async {
            let mut peer = server.accept().await;
            let heard = peer.listen(Duration::from_millis(50)).await;
            let [Event::Headers(1, _, false), Event::Data(1, data, true)] = &heard[..] else {
                panic!("{engine}: {heard:?}");
            };
            assert_eq!(data.len(), 0);
            let answer = headers(1).status(200).grpc().field("grpc-status", "0");
            peer.send(answer.end()).await;
            peer
        };
        let call = async {
            let (sender, mut receiver) = echo.chat().await.unwrap();
            sender.finish();
            assert_eq!(receiver.recv().await.unwrap(), None);
        };
        let (peer, ()) = tokio::join!(script, call);
        channel_closes(echo, peer).await;
    }
}

/// What a process of its own gets with this word in the variable: the engine, and whether it was
/// warned that there is no such engine.
fn inside(word: Option<&str>) -> (String, bool) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "engines::what_the_environment_names",
        "--nocapture",
    ]);
    match word {
        Some(word) => command.env(VARIABLE, word),
        None => command.env_remove(VARIABLE),
    };
    let output = command.env(INSIDE, "1").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let line = text.lines().find_map(|line| line.split_once("inside: "));
    let (engine, warned) = line.unwrap().1.split_once(' ').unwrap();
    (engine.to_owned(), warned == "warned")
}

#[test]
fn what_the_environment_names() {
    if std::env::var_os(INSIDE).is_some() {
        let (log, _guard) = Log::listen(tracing::Level::WARN);
        let engines = (
            ServerConfig::default().engine,
            ClientConfig::default().engine,
        );
        assert_eq!(engines, (Engine::default(), Engine::default()));
        let word = std::env::var(VARIABLE).unwrap_or_default();
        let warned = match log.count(&format!("{VARIABLE} is {word:?}")) {
            0 => "silent",
            _ => "warned",
        };
        println!("inside: {} {warned}", Engine::default());
        return;
    }
    let default = || ("native".to_owned(), false);
    assert_eq!(inside(None), default());
    assert_eq!(inside(Some("")), default());
    assert_eq!(inside(Some("native")), default());
    assert_eq!(inside(Some("h2")), ("h2".to_owned(), false));
    for wrong in ["hyper", "Native", "h2 "] {
        assert_eq!(
            inside(Some(wrong)),
            ("native".to_owned(), true),
            "{wrong:?}"
        );
    }
}
