//! A whole exchange cut after each of its bytes, and one that comes byte by byte, in both roles:
//! whoever is left ends with an error that says what happened, and nothing hangs.

use bytes::Bytes;
use trunkline::{Code, Origin, Stage};

use super::{Kind, ask, asked, head};
use crate::support::{
    Event, Heard, Over, PREFACE, Peer, RawServer, Served, Wire, data, last_data, note, request,
    settings, trailers,
};
use crate::world::soaking;

/// What a server says: first to anybody, then to a call on stream 1.
fn server_says() -> (Bytes, Bytes) {
    let answer = head(1).and(data(1, note("answered"))).and(trailers(1, 0));
    (settings(&[]).0.into(), answer.0.into())
}

/// Where the message is whole.
fn message_ends() -> usize {
    head(1).and(data(1, note("answered"))).0.len()
}

/// A call whose server says only so many bytes, and then closes or vanishes.
async fn call_cut_at(over: Over, kind: Kind, at: usize, vanish: bool) {
    let shown = format!("{over:?} {kind:?} cut at {at}");
    let (first, then) = server_says();
    let (mut server, echo) = RawServer::over(over, "cut").await;
    let script = async {
        let mut peer = Peer::silent(server.accept_io().await);
        peer.expect_preface().await;
        if at < first.len() {
            peer.send(Wire(first[..at].to_vec())).await;
        } else {
            peer.send(Wire(first.to_vec())).await;
            asked(&mut peer, 1, kind).await;
            peer.send(Wire(then[..at - first.len()].to_vec())).await;
        }
        if !vanish {
            peer.finish().await;
            // Whoever hears of the end says goodbye, or is gone at once.
            peer.expect_close().await;
        }
    };
    let (outcome, ()) = tokio::join!(ask(&echo, kind), script);
    let error = outcome.error();
    let all = error.to_string();
    assert_eq!(error.code(), Code::Unavailable, "{shown}: {all}");
    assert_eq!(error.origin(), Origin::Transport, "{shown}: {all}");
    // Before SETTINGS nothing was sent; from then on it may have been processed.
    assert_eq!(error.is_unprocessed(), at < first.len(), "{shown}: {all}");
    let connecting = error.stage() == Some(Stage::Http2);
    assert_eq!(connecting, at < first.len(), "{shown}: {all}");
    assert!(all.contains(kind.path()), "{shown}: {all}");
    let whole = at >= first.len() + message_ends();
    // What is lost with a connection that vanishes is nobody's promise.
    if !vanish {
        let delivered = whole && kind.streams_responses();
        assert_eq!(outcome.messages.len(), usize::from(delivered), "{shown}");
    }
}

#[tokio::test]
async fn an_answer_cut_at_any_byte_is_an_error() {
    let (first, then) = server_says();
    for at in 0..first.len() + then.len() {
        for kind in Kind::ALL {
            call_cut_at(Over::Memory, kind, at, false).await;
        }
    }
}

#[tokio::test]
async fn an_answer_cut_at_any_byte_is_an_error_over_tcp() {
    let (first, then) = server_says();
    let step = if soaking() { 1 } else { 5 };
    for at in (0..first.len() + then.len()).step_by(step) {
        for vanish in [false, true] {
            call_cut_at(Over::Tcp, Kind::Once, at, vanish).await;
            call_cut_at(Over::Tcp, Kind::Chat, at, vanish).await;
        }
    }
}

/// Sends each byte by itself, and gives the other side time to look at it.
async fn crumble(peer: &mut Peer, bytes: &[u8]) {
    for byte in bytes {
        peer.send(Wire(vec![*byte])).await;
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_answer_that_comes_byte_by_byte_is_whole() {
    for over in Over::BOTH {
        for kind in Kind::ALL {
            let (first, then) = server_says();
            let (mut server, echo) = RawServer::over(over, "crumbs").await;
            let script = async {
                let mut peer = Peer::silent(server.accept_io().await);
                peer.expect_preface().await;
                crumble(&mut peer, &first).await;
                asked(&mut peer, 1, kind).await;
                crumble(&mut peer, &then).await;
                peer
            };
            let (outcome, _peer) = tokio::join!(ask(&echo, kind), script);
            assert!(outcome.end.is_ok(), "{over:?} {kind:?}: {outcome:?}");
            assert_eq!(outcome.messages, ["answered"]);
        }
    }
}

/// What a client says, and after how many bytes its request has begun, its message is whole, and
/// it has ended.
fn client_says(kind: Kind) -> (Vec<u8>, [usize; 3]) {
    let begun = Wire(PREFACE.to_vec())
        .and(settings(&[]))
        .and(request(1, kind.path()));
    let asked = begun.clone().and(data(1, note("asked")));
    let ended = asked.clone().and(last_data(1, ""));
    let marks = [begun.0.len(), asked.0.len(), ended.0.len()];
    (ended.0, marks)
}

async fn requests_cut_everywhere(over: Over, step: usize) {
    let mut served = Served::over(over).await;
    for kind in [Kind::Once, Kind::Collect, Kind::Chat] {
        let (bytes, [begun, whole, _]) = client_says(kind);
        for at in (0..bytes.len()).step_by(step) {
            let shown = format!("{over:?} {kind:?} cut at {at}");
            let mut peer = Peer::silent(served.connect_io().await);
            peer.send(Wire(bytes[..at].to_vec())).await;
            peer.finish().await;
            let events = peer.expect_close().await;
            let bad = |event: &Event| matches!(event, Event::Data(_, _, true));
            assert!(!events.iter().any(bad), "{shown}: {events:?}");
            drop(peer);
            served
                .until(&shown, |stats| {
                    stats.live_rpcs + stats.live_connections == 0
                })
                .await;
            let mut heard = Vec::new();
            while let Some(next) = served.heard_already() {
                heard.push(next);
            }
            // An RPC of one message begins when that is whole and all.
            if kind == Kind::Once {
                assert!(heard.is_empty(), "{shown}: {heard:?}");
                continue;
            }
            if let Some(Heard::Failed(status)) = heard.last() {
                assert!(at >= begun, "{shown}: {heard:?}");
                assert_eq!(status.code(), Code::Cancelled, "{shown}: {status}");
            } else {
                // The connection's end may be quicker than the handler's first look.
                assert!(heard.is_empty(), "{shown}: {heard:?}");
            }
            let messages = heard
                .iter()
                .filter(|each| matches!(each, Heard::Message(_)));
            assert!(
                messages.count() <= usize::from(at >= whole),
                "{shown}: {heard:?}"
            );
        }
    }
    served.end().await;
}

#[tokio::test]
async fn a_request_cut_at_any_byte_is_no_request() {
    requests_cut_everywhere(Over::Memory, 1).await;
}

#[tokio::test]
async fn a_request_cut_at_any_byte_is_no_request_over_tcp() {
    requests_cut_everywhere(Over::Tcp, if soaking() { 1 } else { 5 }).await;
}

#[tokio::test]
async fn a_request_that_comes_byte_by_byte_is_served() {
    for over in Over::BOTH {
        let mut served = Served::over(over).await;
        for kind in [Kind::Once, Kind::Collect, Kind::Chat] {
            let mut peer = Peer::silent(served.connect_io().await);
            crumble(&mut peer, &client_says(kind).0).await;
            let answer = peer.expect_end(1).await;
            assert_eq!(
                (answer.code(), answer.body),
                (Some(0), note("asked")),
                "{kind:?}"
            );
            assert!(matches!(served.heard().await, Heard::Message(_)));
            if kind != Kind::Once {
                assert!(matches!(served.heard().await, Heard::End));
            }
        }
        served.end().await;
    }
}
