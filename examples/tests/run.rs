//! Runs every example as its reader would, and holds the README's block against `readme.rs`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// What an example may take, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A test for each example: it ends by itself with exit code 0, and its output holds each of these.
macro_rules! examples {
    ($($name:ident: $($text:literal),+;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                let output = run(stringify!($name)).await;
                for text in [$($text),+] {
                    assert!(output.contains(text), "no {text:?} in:\n{output}");
                }
            }
        )*

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

examples! {
    readme: "Hello, trunkline!";
    hello: "Bonjour, le monde! (served by polite)", "INVALID_ARGUMENT: /helloworld.Greeter/SayHello",
        "3 calls over 1 connection";
    route_guide: "Lantern Point", "Market Cross", "11 points, 10 of them places, 30.4 km",
        "heard \"second time at stop 3\"", "9 notes sent", "0 calls cut short";
    deadline: "DEADLINE_EXCEEDED: /patience.Timer/Wait", "DEADLINE_EXCEEDED: /patience.Timer/Ticks",
        "DEADLINE_EXCEEDED: /patience.Timer/Count", "DEADLINE_EXCEEDED: /patience.Relay/WaitThere",
        "the handler of Wait was dropped";
    cancel: "Dig was cancelled", "Watch was cancelled", "Sender dropped without finish()",
        "aborted by Sender::abort()", "Carry: 1 loads", "helper 3 was cancelled", "Dig: dug",
        "0 left to cut short";
    errors: "INVALID_ARGUMENT: /booking.Booking/Reserve: who is coming?", "seat 13f is sold",
        "INTERNAL: /booking.Booking/Reserve: internal error", "NOT_FOUND: /booking.Booking/Reserve: it was lent",
        "UNAVAILABLE: /booking.Booking/Reserve: a call to /helloworld.Greeter/SayHello failed (from the server)",
        "UNAVAILABLE: the server says so", "UNAVAILABLE: the server has never seen the call";
    error_details: "INVALID_ARGUMENT: field guest is empty", "google.rpc.ErrorInfo", "free are [\"12a\", \"14c\"]",
        "UNAVAILABLE: once more in 20ms", "reserved: number 7";
    metadata: "Hello, ann!", "stamped Some([255, 254, 1, 0])", "seats left: Some(\"12\")",
        "ask Some(\"the box office\")", "\"Seat\"", "\"grpc-seat\"", "\"se at\"";
    compression: "Store request: 106010 bytes, ", "Store request: 6 bytes, 6 on the wire, as it is",
        "Store request: 106011 bytes, 106011 on the wire, as it is", "Fetch response: 106013 bytes, 106013 on the wire",
        "all 5 of them back", "424000 characters read", "\"lzma\" is not among the channel's compressors";
    tls: "ann: Hello, ann, over TLS 1.3!", "this certificate is no member's",
        "requires a client certificate", "roots loaded (Mozilla's)", "it is for localhost",
        "it expects TLS";
    interceptor: "client  UNAUTHENTICATED: /helloworld.Greeter/SayHello: no token (from the server)",
        "client  fetched token 2", "server  /helloworld.Greeter/SayHello: OK",
        "Hello, moon! (asked by ann)", "not sent: INVALID_ARGUMENT", "server  1 connection";
    tower_layers: "server  stack: 0 OK, 2 late, 4 shed", "server  0 calls cut short",
        "client  timeout: 4 OK, 2 late, 0 shed", "client  limit: 6 OK, 0 late, 0 shed",
        "client  shed: 2 OK, 0 late, 4 shed";
    auth: "channel: Bearer t1", "renewed: Bearer t2", "both: Bearer t2 and Bearer mine",
        "nobody: UNAUTHENTICATED", "signed: Signed for https://localhost/helloworld.Greeter",
        "call credentials are not sent over the connection to 127.0.0.1", "0 calls reached it";
    keepalive: "STILL THERE?", "after 70 s: UNAVAILABLE: /multiplex.Words/Shout", "given up by keepalive",
        "1 RPCs, 1 of them cancelled", "none failed, on 5 more connections or 6: true",
        "IDLE with 0 connections", "kcab is back", "0 calls completed, 1 cancelled",
        "CANCELLED: /multiplex.Words/Reverse", "channel SHUTDOWN", "0 calls cut short";
    health: "the server SERVING", "helloworld.Greeter NOT_FOUND", "watch   helloworld.Greeter SERVICE_UNKNOWN",
        "watch   helloworld.Greeter SERVING", "watch   helloworld.Greeter NOT_SERVING", "the server NOT_SERVING, all the while",
        "3 services are known", "watch   UNAVAILABLE: /grpc.health.v1.Health/Watch: the server is stopping", "0 calls cut short";
    reflection: "serves grpc.reflection.v1.ServerReflection", "serves helloworld.Greeter",
        "helloworld.Greeter.SayHello is in helloworld.proto", "helloworld.Farewell: NOT_FOUND", "Hello, reflection!";
    graceful_stop: "health  NOT_SERVING", "5 s later the stop begins", "the short one is done",
        "UNAVAILABLE: /work.Worker/Watch: the server is stopping",
        "UNAVAILABLE: /work.Worker/Dig: server is shutting down", "2 completed, 1 answered UNAVAILABLE",
        "stopped within the grace and 200 ms: true";
    flow_control: "stopped before the end: true", "each in less than 50 ms: true",
        "another stream of 50 messages to its end", "connections in use: 1", "read 100",
        "counted 1000", "RESOURCE_EXHAUSTED: /multiplex.Words/Join", "flush before feeding more";
    unix: "Hello, path! (uid ", "Hello, port! (127.0.0.1:", "somebody listens on it already",
        "the socket file is gone: true";
    memory: "Hello, memory!", "memory:office", "100 calls at once, 1 connection", "0 calls cut short";
    multiplex: "1600 calls, 4 kinds, 2 services, 400 stubs, 1 connection",
        "12 calls failed on purpose, 0 not as planned", "OUT_OF_RANGE: /multiplex.Numbers/Square",
        "DEADLINE_EXCEEDED: /multiplex.Numbers/RunningTotal", "CANCELLED: /multiplex.Words/Split";
}

#[test]
fn every_example_is_run_and_listed() {
    let tested: BTreeSet<String> = TESTED.iter().map(ToString::to_string).collect();
    let entries = here("examples").read_dir().unwrap();
    let written: BTreeSet<String> = entries
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(tested, written);
    let table = std::fs::read_to_string(here("README.md")).unwrap();
    for name in written {
        assert!(
            table.contains(&format!("| [{name}](")),
            "{name} is not in README.md"
        );
    }
}

#[test]
fn the_readme_shows_an_example_word_for_word() {
    let readme = std::fs::read_to_string(here("../README.md")).unwrap();
    let block = readme.split_once("```rust").unwrap().1;
    let block = block
        .split_once('\n')
        .unwrap()
        .1
        .split_once("```\n")
        .unwrap()
        .0;
    let example = std::fs::read_to_string(here("examples/readme.rs")).unwrap();
    let (header, code) = example.split_once("\n\n").unwrap();
    assert!(
        header
            .lines()
            .all(|line| line.starts_with("//!") || line.starts_with("#![expect("))
    );
    assert_eq!(
        code, block,
        "README.md and examples/readme.rs have to be the same"
    );
}

/// `cargo test` builds the examples into a folder beside that of the tests.
async fn run(name: &str) -> String {
    let test = std::env::current_exe().expect("the path of this test");
    let target = test.parent().and_then(Path::parent).expect("target/debug");
    let program = target
        .join("examples")
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        program.exists(),
        "{} is not built: `cargo test --package trunkline-examples` does it",
        program.display()
    );
    let output = Command::new(program).kill_on_drop(true).output();
    let output = timeout(PATIENCE, output)
        .await
        .expect("it ends by itself")
        .expect("it can be started");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\n{errors}\n{text}",
        output.status
    );
    assert!(errors.is_empty(), "{errors}");
    text
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
