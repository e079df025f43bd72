//! Messages that arrive in pieces: the DATA frames of several streams, interleaved, padded, and cut
//! on their way, at our server and at our client.
//!
//! Input: a byte for the side, a byte for the number of streams, the messages, then the cuts.

use std::time::Duration;

use trunkline::transport::{Address, Connector, Listener, memory};
use trunkline::{Channel, Server};

use crate::Source;
use crate::echo::{EchoClient, EchoServer, Note};
use crate::wire::{
    DATA, END_HEADERS, END_STREAM, Echoing, HEADERS, Hearing, Output, PADDED, PREFACE, SETTINGS,
    Step, WINDOW_UPDATE, block, frame, message, on_paused_time, request, response, soon, speak,
    trailers,
};

/// Below the window of a stream, which nobody opens further here.
const MAX_BYTES: usize = 60_000;

pub(super) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let at_server = source.flag();
    let streams = 1 + source.below(4);
    let all: Vec<Vec<Note>> = (0..streams).map(|_| messages(&mut source)).collect();
    if at_server {
        on_paused_time(to_server(all, source));
    } else {
        on_paused_time(to_client(all, source));
    }
}

fn messages(source: &mut Source<'_>) -> Vec<Note> {
    let mut left = MAX_BYTES;
    let mut notes = Vec::new();
    for _ in 0..source.below(6) {
        let note = Note {
            text: "y".repeat(source.below(20)),
            data: vec![source.byte(); usize::from(source.u16() % 20_000)],
            number: source.u64(),
        };
        let Some(rest) = left.checked_sub(message(&note).len() * 2) else {
            break;
        };
        left = rest;
        notes.push(note);
    }
    notes
}

/// The frames of all streams, each stream's in its order; `last` ends a stream.
fn interleaved(
    all: &[Vec<Note>],
    source: &mut Source<'_>,
    last: impl Fn(u32) -> Vec<u8>,
) -> Vec<u8> {
    let mut rest: Vec<(u32, Vec<u8>)> = (0..)
        .zip(all)
        .map(|(index, notes)| (index * 2 + 1, notes.iter().flat_map(message).collect()))
        .collect();
    let mut wire = Vec::new();
    while !rest.is_empty() {
        let index = usize::from(source.byte()) % rest.len();
        let Some((stream, bytes)) = rest.get_mut(index) else {
            break;
        };
        if bytes.is_empty() {
            wire.extend(last(*stream));
            rest.remove(index);
            continue;
        }
        let choice = source.byte();
        // Without more input, in few pieces.
        let length = match choice {
            0 => 16_000,
            small @ 1..200 => usize::from(small % 40),
            large => usize::from(large) * 37,
        };
        let piece: Vec<u8> = bytes.drain(..length.min(bytes.len())).collect();
        if choice % 5 == 4 && piece.len() < 16_000 {
            let padding = source.byte() % 16;
            let mut padded = vec![padding];
            padded.extend(piece);
            padded.resize(padded.len() + usize::from(padding), 0);
            wire.extend(frame(DATA, PADDED, *stream, &padded));
        } else {
            wire.extend(frame(DATA, 0, *stream, &piece));
        }
    }
    wire
}

/// The same bytes in several writes.
fn cut(wire: Vec<u8>, source: &mut Source<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = wire;
    while !rest.is_empty() {
        let length = match source.byte() {
            0 => rest.len(),
            other => usize::from(other) * usize::from(1 + source.byte() % 16),
        };
        let after = rest.split_off(length.min(rest.len()));
        steps.push(Step::Send(rest));
        steps.push(Step::Wait(Duration::from_millis(1)));
        rest = after;
    }
    steps
}

/// Everything that we give the other side to send.
fn open_windows(streams: usize) -> Vec<u8> {
    let more = 1_000_000_u32.to_be_bytes();
    let mut wire = frame(WINDOW_UPDATE, 0, 0, &more);
    for stream in (1..).step_by(2).take(streams) {
        wire.extend(frame(WINDOW_UPDATE, 0, stream, &more));
    }
    wire
}

async fn to_server(all: Vec<Vec<Note>>, mut source: Source<'_>) {
    let (connector, listener) = memory::pair("fuzz");
    let builder = Server::insecure().add_service(EchoServer::new(Echoing));
    let server = builder.listen(listener).expect("a server");
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let mut wire = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    for stream in (1..).step_by(2).take(all.len()) {
        let head = block(request("/tests.echo.Echo/Chat", "fuzz"));
        wire.extend(frame(HEADERS, END_HEADERS, stream, &head));
    }
    wire.extend(open_windows(all.len()));
    wire.extend(interleaved(&all, &mut source, |stream| {
        frame(DATA, END_STREAM, stream, &[])
    }));
    let steps = cut(wire, &mut source);
    let address = Address::Memory("fuzz".into());
    let io = connector
        .connect(&address)
        .await
        .expect("the server listens");
    let linger = Duration::from_secs(5);
    let output = soon(
        "the conversation",
        speak(io, steps, Hearing::AllAlong, linger, Output::of_server()),
    )
    .await;
    for (stream, notes) in (1..).step_by(2).zip(&all) {
        let expected: Vec<u8> = notes.iter().flat_map(message).collect();
        let echoed = output.data.get(&stream).cloned().unwrap_or_default();
        assert!(
            echoed == expected,
            "stream {stream} echoes {} of {} bytes",
            echoed.len(),
            expected.len()
        );
        assert!(
            output.ended.contains(&stream),
            "stream {stream} has not ended"
        );
        let blocks = if notes.is_empty() { 1..=2 } else { 2..=2 };
        assert!(
            output
                .heads
                .get(&stream)
                .is_some_and(|heads| blocks.contains(heads))
        );
    }
    soon("the stop", handle.graceful_stop(Duration::from_secs(30))).await;
    soon("serve", serving)
        .await
        .expect("no panic")
        .expect("serve ends well");
}

async fn to_client(all: Vec<Vec<Note>>, mut source: Source<'_>) {
    let (connector, mut listener) = memory::pair("fuzz");
    let channel = Channel::builder("memory:fuzz")
        .insecure()
        .connector(connector);
    let echo = EchoClient::new(channel.build().expect("a channel"));
    let mut wire = Vec::new();
    for stream in (1..).step_by(2).take(all.len()) {
        wire.extend(frame(HEADERS, END_HEADERS, stream, &block(response())));
    }
    let end = END_HEADERS | END_STREAM;
    wire.extend(interleaved(&all, &mut source, |stream| {
        frame(HEADERS, end, stream, &block(trailers()))
    }));
    let mut steps = vec![
        Step::Send(frame(SETTINGS, 0, 0, &[])),
        Step::Wait(Duration::from_millis(10)),
    ];
    steps.extend(cut(wire, &mut source));
    let says = async {
        let (io, _) = listener.accept().await.expect("a connection");
        speak(
            io,
            steps,
            Hearing::AllAlong,
            Duration::from_secs(60),
            Output::of_client(),
        )
        .await
    };
    let hears = async {
        let mut tasks = Vec::new();
        for _ in &all {
            let echo = echo.clone();
            tasks.push(tokio::spawn(async move {
                let mut receiver = echo.expand(Note::default()).await.expect("a head comes");
                let mut got = Vec::new();
                while let Some(note) = receiver.recv().await.expect("a good stream") {
                    got.push(note);
                }
                got
            }));
        }
        // Which call has which stream is nobody's promise.
        let mut expected = all.clone();
        for task in tasks {
            let got = task.await.expect("no panic");
            let place = expected.iter().position(|notes| *notes == got);
            expected.swap_remove(place.expect("these messages were sent on one stream"));
        }
    };
    soon("the conversation", async {
        tokio::select! {
            _output = says => panic!("the server's part is over first"),
            () = hears => {}
        }
    })
    .await;
}
