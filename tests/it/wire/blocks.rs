//! Header blocks in every shape: padded, with priority, split anywhere, in every form of HPACK, with
//! tables that change; and DATA with padding. In both roles.

use trunkline::Code;
use trunkline_test_protos::echo::EchoClient;

use super::{Kind, answer, ask, asked, engine, head, is_healthy, next_stream};
use crate::support::{
    DATA, END_STREAM, Exchange, Form, HEADER_TABLE_SIZE, Headers, Heard, Over, PADDED,
    PROTOCOL_ERROR, Peer, RETURNED, RawServer, Reaction, Served, Table, Wire, channel_closes, data,
    headers, last_data, note, padded, priority, raw, request, text, trailers, within,
};
use crate::world::soaking;

/// Every way to write a field.
fn forms() -> impl Iterator<Item = Form> {
    let tables = [Table::Without, Table::Incremental, Table::Never];
    tables
        .into_iter()
        .flat_map(|table| [false, true].map(|huffman| Form { table, huffman }))
}

/// The head of an answer with something to read in it.
fn answering(stream: u32) -> Headers {
    headers(stream)
        .status(200)
        .grpc()
        .field("x-note", "in the head")
}

/// The end of one.
fn ending(stream: u32) -> Headers {
    trailers(stream, 0).field("x-more", "in the trailers")
}

/// A call that is answered by this; all of the answer must arrive.
async fn is_read(echo: &EchoClient, peer: &mut Peer, shown: &str, wire: impl Fn(u32) -> Wire) {
    let stream = next_stream(peer);
    let script = async {
        asked(peer, stream, Kind::Once).await;
        peer.send(wire(stream)).await;
    };
    let call = within(shown, echo.once(text("ask")));
    let (reply, ()) = tokio::join!(call, script);
    let reply = reply.unwrap_or_else(|status| panic!("{shown}: {status}"));
    assert_eq!(reply.text, "body", "{shown}");
    assert_eq!(
        reply.headers().get("x-note"),
        Some("in the head"),
        "{shown}"
    );
    assert_eq!(
        reply.trailers().get("x-more"),
        Some("in the trailers"),
        "{shown}"
    );
}

/// A client of ours and a peer that it is connected to.
async fn connected(over: Over) -> (EchoClient, Peer) {
    let (mut server, echo) = RawServer::over(over, "blocks").await;
    let script = async {
        let mut peer = server.accept().await;
        asked(&mut peer, 1, Kind::Once).await;
        peer.send(answer(1, "first")).await;
        peer
    };
    let (first, peer) = tokio::join!(ask(&echo, Kind::Once), script);
    assert!(first.end.is_ok(), "{first:?}");
    (echo, peer)
}

fn body(stream: u32) -> Wire {
    data(stream, note("body"))
}

fn whole(head: Headers, stream: u32) -> Wire {
    Wire::from(head).and(body(stream)).and(ending(stream))
}

/// One after the other; many in flight at once would only be slower to understand.
#[tokio::test]
async fn an_answer_may_be_split_at_every_byte_of_its_head_and_trailers() {
    for over in Over::BOTH {
        let (echo, mut peer) = connected(over).await;
        for at in 0..=answering(1).block().len() {
            let wire = |stream| whole(answering(stream).split(&[at]), stream);
            is_read(&echo, &mut peer, &format!("head at {at}"), wire).await;
        }
        for at in 0..=ending(1).block().len() {
            let wire = |stream| {
                let head = Wire::from(answering(stream));
                head.and(body(stream)).and(ending(stream).split(&[at]))
            };
            is_read(&echo, &mut peer, &format!("trailers at {at}"), wire).await;
        }
        channel_closes(echo, peer).await;
    }
}

/// Three pieces, empty ones among them: every pair of bytes when soaking.
#[tokio::test]
async fn an_answer_may_be_split_twice() {
    let (echo, mut peer) = connected(Over::Memory).await;
    let length = answering(1).block().len();
    let step = if soaking() { 1 } else { 7 };
    for one in (0..=length).step_by(step) {
        for two in (one..=length).step_by(step) {
            let wire = |stream| whole(answering(stream).split(&[one, two]), stream);
            is_read(&echo, &mut peer, &format!("{one} and {two}"), wire).await;
        }
    }
    channel_closes(echo, peer).await;
}

#[tokio::test]
async fn an_answer_may_be_padded_and_have_priority() {
    for over in Over::BOTH {
        let (echo, mut peer) = connected(over).await;
        for bytes in [0, 1, 7, 255] {
            let wire = |stream| {
                Wire::from(answering(stream).padded(bytes).prioritized().split(&[3]))
                    .and(priority(stream, 0))
                    .and(padded(stream, &note("body"), bytes))
                    .and(padded(stream, b"", bytes))
                    .and(ending(stream).padded(bytes).prioritized())
            };
            is_read(&echo, &mut peer, &format!("{bytes} of padding"), wire).await;
            // Trailers-only too.
            let stream = next_stream(&peer);
            let script = async {
                asked(&mut peer, stream, Kind::Once).await;
                let only = headers(stream).status(200).grpc().field("grpc-status", "5");
                peer.send(only.end().padded(bytes).prioritized()).await;
            };
            let (outcome, ()) = tokio::join!(ask(&echo, Kind::Once), script);
            assert_eq!(outcome.error().code(), Code::NotFound);
        }
        channel_closes(echo, peer).await;
    }
}

/// Each message cut into DATA frames of every size, padded or not.
#[tokio::test]
async fn a_message_may_come_in_frames_of_any_size() {
    let (echo, mut peer) = connected(Over::Memory).await;
    let whole = note("body");
    for size in 1..=whole.len() {
        for padding in [None, Some(size as u8)] {
            let wire = |stream| {
                let mut wire = Wire::from(answering(stream));
                for piece in whole.chunks(size) {
                    wire = match padding {
                        Some(padding) => wire.and(padded(stream, piece, padding)),
                        None => wire.and(data(stream, piece)),
                    };
                }
                wire.and(ending(stream))
            };
            is_read(
                &echo,
                &mut peer,
                &format!("{size} bytes, {padding:?}"),
                wire,
            )
            .await;
        }
    }
    channel_closes(echo, peer).await;
}

#[tokio::test]
async fn an_answer_may_be_written_in_every_form_of_hpack() {
    for over in Over::BOTH {
        let (echo, mut peer) = connected(over).await;
        for form in forms() {
            let wire = |stream| {
                Wire::from(answering(stream).all_as(form))
                    .and(body(stream))
                    .and(ending(stream).all_as(form))
            };
            is_read(&echo, &mut peer, &format!("{form:?}"), wire).await;
        }
        channel_closes(echo, peer).await;
    }
}

/// The peer's table: filled, used, resized in every lawful way, and full.
#[tokio::test]
async fn the_table_of_an_answering_peer_is_kept() {
    const KEEP: Form = Form {
        table: Table::Incremental,
        huffman: true,
    };
    let (echo, mut peer) = connected(Over::Memory).await;
    // 62 is "x-note: in the head" from now on, 8 is ":status: 200".
    let fill = |stream| {
        whole(
            headers(stream)
                .index(8)
                .grpc()
                .field_as(KEEP, "x-note", "in the head"),
            stream,
        )
    };
    let used = |stream| whole(headers(stream).index(8).grpc().index(62), stream);
    is_read(&echo, &mut peer, "filled", fill).await;
    is_read(&echo, &mut peer, "used", used).await;
    let emptied = |stream| {
        let head = headers(stream).resize(0).index(8).grpc();
        whole(head.field("x-note", "in the head"), stream)
    };
    is_read(&echo, &mut peer, "emptied", emptied).await;
    let regrown = |stream| {
        let head = headers(stream).resize(0).resize(4_096).index(8).grpc();
        whole(head.field_as(KEEP, "x-note", "in the head"), stream)
    };
    is_read(&echo, &mut peer, "regrown", regrown).await;
    is_read(&echo, &mut peer, "used again", used).await;
    // An entry takes 32 bytes more than its text: this table holds exactly one of them.
    let one = "x-note".len() + "in the head".len() + 32;
    let narrow = |stream| {
        let head = headers(stream).resize(one).index(8).grpc().index(62);
        whole(head.field_as(KEEP, "x-else", "in the head"), stream)
    };
    is_read(&echo, &mut peer, "narrow", narrow).await;
    // Too long for the table: it empties it, and is no error.
    let long = "z".repeat(one);
    let too_long = |stream| {
        let head = headers(stream)
            .index(8)
            .grpc()
            .field("x-note", "in the head");
        whole(head.field_as(KEEP, "x-long", &long), stream)
    };
    is_read(&echo, &mut peer, "too long", too_long).await;
    // What was pushed out is nobody's any more.
    let stream = next_stream(&peer);
    let script = async {
        asked(&mut peer, stream, Kind::Once).await;
        peer.send(headers(stream).index(8).grpc().index(62)).await;
        peer.reaction().await
    };
    let (outcome, reaction) = tokio::join!(ask(&echo, Kind::Once), script);
    assert_eq!(reaction, engine::undecodable());
    let error = outcome.error();
    assert_eq!(error.code(), Code::Unavailable, "{error}");
}

/// Our own table, when the server allows more or less of it: the peer checks each block.
#[tokio::test]
async fn our_client_follows_the_table_size_of_a_server() {
    for over in Over::BOTH {
        let (echo, mut peer) = connected(over).await;
        for size in [4_096, 0, 100, 65_536, 33, 0, 4_096] {
            peer.settle(&[(HEADER_TABLE_SIZE, size)]).await;
            for _ in 0..3 {
                let stream = next_stream(&peer);
                let script = async {
                    let Exchange { head, body, .. } = peer.expect_end(stream).await;
                    assert_eq!(body, note("ask"));
                    assert_eq!(head.get(":path"), Some(Kind::Once.path()));
                    assert_eq!(head.get("x-a"), Some("the same each time"));
                    peer.send(answer(stream, "ok")).await;
                };
                let call = echo.once(text("ask")).metadata("x-a", "the same each time");
                let (reply, ()) = tokio::join!(call.into_future(), script);
                assert_eq!(reply.unwrap().text, "ok");
            }
        }
        is_healthy(&echo, &mut peer).await;
        channel_closes(echo, peer).await;
    }
}

/// A table that shrinks and grows again between two requests: the smallest size counts too.
#[tokio::test]
async fn our_client_tells_of_a_table_that_was_small_meanwhile() {
    let (echo, mut peer) = connected(Over::Memory).await;
    is_healthy(&echo, &mut peer).await;
    peer.settle(&[(HEADER_TABLE_SIZE, 0)]).await;
    peer.settle(&[(HEADER_TABLE_SIZE, 4_096)]).await;
    is_healthy(&echo, &mut peer).await;
    is_healthy(&echo, &mut peer).await;
    channel_closes(echo, peer).await;
}

/// A request on the stream with this number.
type Question = Box<dyn Fn(u32) -> Wire>;

/// A request that returns what it says in its head.
fn asking(stream: u32) -> Headers {
    request(stream, Kind::Once.path()).field(RETURNED, "in the head")
}

async fn is_served(served: &mut Served, peer: &mut Peer, stream: u32, wire: Wire, shown: &str) {
    peer.send(wire).await;
    let answer = peer.expect_end(stream).await;
    assert_eq!(answer.code(), Some(0), "{shown}: {answer:?}");
    assert_eq!(answer.body, note("body"), "{shown}");
    assert_eq!(answer.head.get(RETURNED), Some("in the head"), "{shown}");
    assert!(matches!(served.heard().await, Heard::Message(_)), "{shown}");
}

fn last(stream: u32) -> Wire {
    last_data(stream, note("body"))
}

#[tokio::test]
async fn a_request_may_be_split_padded_and_written_in_any_way() {
    for over in Over::BOTH {
        let mut served = Served::over(over).await;
        let mut peer = served.connect().await;
        let mut questions: Vec<(String, Question)> = Vec::new();
        for at in 0..=asking(1).block().len() {
            let wire = move |stream| Wire::from(asking(stream).split(&[at])).and(last(stream));
            questions.push((format!("split at {at}"), Box::new(wire)));
        }
        for bytes in [0, 1, 7, 255] {
            let wire = move |stream| {
                let head = asking(stream).padded(bytes).prioritized().split(&[9, 9]);
                let mut body = vec![bytes];
                body.extend(note("body"));
                body.resize(body.len() + usize::from(bytes), 0);
                priority(stream, 0)
                    .and(head)
                    .and(padded(stream, b"", bytes))
                    .and(raw(DATA, PADDED | END_STREAM, stream, &body))
            };
            questions.push((format!("{bytes} of padding"), Box::new(wire)));
        }
        for form in forms() {
            let wire = move |stream| Wire::from(asking(stream).all_as(form)).and(last(stream));
            questions.push((format!("{form:?}"), Box::new(wire)));
        }
        for size in 1..=note("body").len() {
            let wire = move |stream| {
                let body = note("body");
                let pieces = body.chunks(size).map(|piece| data(stream, piece));
                let wire = pieces.fold(asking(stream).into(), Wire::and);
                // Trailers of a request are read over.
                wire.and(headers(stream).field("x-more", "nobody's").end())
            };
            questions.push((format!("pieces of {size}"), Box::new(wire)));
        }
        for (number, (shown, wire)) in questions.iter().enumerate() {
            let stream = 1 + 2 * number as u32;
            is_served(&mut served, &mut peer, stream, wire(stream), shown).await;
        }
        drop(peer);
        served.end().await;
    }
}

#[tokio::test]
async fn our_server_follows_the_table_size_of_a_client() {
    for over in Over::BOTH {
        let mut served = Served::over(over).await;
        let mut peer = served.connect().await;
        let mut stream = 1;
        for size in [4_096, 0, 100, 65_536, 33, 0, 4_096] {
            peer.settle(&[(HEADER_TABLE_SIZE, size)]).await;
            for _ in 0..3 {
                let wire = Wire::from(asking(stream)).and(last(stream));
                let shown = format!("{size} bytes");
                is_served(&mut served, &mut peer, stream, wire, &shown).await;
                stream += 2;
            }
        }
        drop(peer);
        served.end().await;
    }
}

#[tokio::test]
async fn the_table_of_an_asking_peer_is_kept() {
    const KEEP: Form = Form {
        table: Table::Incremental,
        huffman: false,
    };
    let mut served = Served::start();
    let mut peer = served.connect().await;
    let keep = |stream| {
        let head = request(stream, Kind::Once.path());
        head.field_as(KEEP, RETURNED, "in the head")
    };
    let used = |stream| request(stream, Kind::Once.path()).index(62);
    let emptied = |stream: u32| {
        let head = headers(stream).resize(0).resize(4_096);
        head.field(":method", "POST")
            .field(":scheme", "http")
            .field(":path", Kind::Once.path())
            .grpc()
            .field_as(KEEP, RETURNED, "in the head")
    };
    let heads = [keep(1), used(3), used(5), emptied(7), used(9)];
    for (number, head) in heads.into_iter().enumerate() {
        let stream = 1 + 2 * number as u32;
        let wire = Wire::from(head).and(last(stream));
        is_served(&mut served, &mut peer, stream, wire, &number.to_string()).await;
    }
    peer.send(request(11, Kind::Once.path()).index(63)).await;
    assert_eq!(peer.reaction().await, engine::undecodable());
    drop(peer);
    served.end().await;
}

/// 1xx before the head, in every count and form; with END_STREAM it is none.
#[tokio::test]
async fn interim_heads_come_before_the_head_alone() {
    for over in Over::BOTH {
        let (echo, mut peer) = connected(over).await;
        for status in [100, 102, 103, 199] {
            for count in [1, 2, 5] {
                let wire = |stream| {
                    let interim = || headers(stream).status(status).field("link", "</a.css>");
                    let all = (0..count).fold(Wire::default(), |wire, number| {
                        wire.and(interim().split(&[number]).padded(number as u8))
                    });
                    all.and(whole(answering(stream), stream))
                };
                is_read(&echo, &mut peer, &format!("{count} of {status}"), wire).await;
            }
        }
        let end = headers(next_stream(&peer)).status(103).end();
        let late = headers(next_stream(&peer) + 2).status(103);
        for (shown, wrong, expected) in [
            ("an end", end, engine::interim_end()),
            ("after the head", late, Reaction::Stream(PROTOCOL_ERROR)),
        ] {
            let stream = next_stream(&peer);
            let script = async {
                asked(&mut peer, stream, Kind::Once).await;
                if shown == "after the head" {
                    peer.send(head(stream)).await;
                }
                peer.send(wrong).await;
                peer.reaction().await
            };
            let (outcome, reaction) = tokio::join!(ask(&echo, Kind::Once), script);
            assert_eq!(
                outcome.error().code(),
                Code::Internal,
                "{shown}: {outcome:?}"
            );
            assert_eq!(reaction, expected, "{shown}");
        }
        is_healthy(&echo, &mut peer).await;
        channel_closes(echo, peer).await;
    }
}
