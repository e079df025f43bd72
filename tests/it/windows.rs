//! Windows are given back to the last byte, and a peer that opens them late stops nobody for ever.

use std::time::Duration;

use trunkline::transport::http2::ClientConfig;
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::bytes;
use crate::support::{
    CANCEL, Event, MAX_CONCURRENT_STREAMS, RawServer, Wire, channel_closes, data, headers, note,
    padded, reset, text, trailers, window, within,
};
use crate::world::soon;

/// What HTTP/2 grants when nobody says otherwise.
const WINDOW: usize = 65_535;

/// Two uploads of which each waits for the other, through a server that opens a window only when
/// nothing is left of it.
#[tokio::test(start_paused = true)]
async fn dependent_uploads_finish_though_windows_are_opened_only_at_zero() {
    const MESSAGES: usize = 20;
    let (mut server, echo) = RawServer::memory("late");
    let calls = async {
        let (mut one, first) = soon(echo.collect()).await.unwrap();
        let (mut other, second) = soon(echo.collect()).await.unwrap();
        for _ in 0..MESSAGES {
            within("a message", one.send(&bytes(20_000))).await.unwrap();
            within("a message", other.send(&bytes(20_000)))
                .await
                .unwrap();
        }
        one.finish();
        other.finish();
        let (first, second) = tokio::join!(first, second);
        assert_eq!(first.unwrap().text, "all");
        assert_eq!(second.unwrap().text, "all");
    };
    let script = async {
        let mut peer = server.accept().await;
        let (mut connection, mut streams) = (WINDOW, [WINDOW; 2]);
        let mut ended = 0;
        while ended < 2 {
            let Event::Data(stream, bytes, end) = peer.next("DATA or its head").await else {
                continue;
            };
            let at = usize::from(stream == 3);
            connection -= bytes.len();
            streams[at] -= bytes.len();
            if connection == 0 {
                peer.send(window(0, 65_535)).await;
                connection = WINDOW;
            }
            if streams[at] == 0 && !end {
                peer.send(window(stream, 65_535)).await;
                streams[at] = WINDOW;
            }
            if end {
                ended += 1;
                let head = Wire::from(headers(stream).status(200).grpc());
                let answer = head.and(data(stream, note("all")));
                peer.send(answer.and(trailers(stream, 0))).await;
            }
        }
        peer
    };
    let ((), peer) = tokio::join!(calls, script);
    channel_closes(echo, peer).await;
}

/// Many times the window passes in streams that are reset by either side, padded, read in part or
/// not at all: a byte that was not given back each time would close it.
#[tokio::test]
async fn reset_cancelled_and_padded_streams_give_their_window_back() {
    const CYCLES: u32 = 1_000;
    let mut http2 = ClientConfig::default();
    http2.stream_window_bytes = Some(65_535);
    http2.connection_window_bytes = 65_535;
    let (mut server, builder) = RawServer::builder("cycles");
    let echo = EchoClient::new(builder.http2(http2).build().unwrap());
    let calls = async {
        for cycle in 0..CYCLES {
            let mut received = soon(echo.expand(text("x"))).await.unwrap();
            match cycle % 4 {
                // Read in part, or not at all, and cancelled.
                0 => assert!(soon(received.recv()).await.unwrap().is_some()),
                1 => assert!(soon(received.headers()).await.is_ok()),
                // Reset by the server with messages unread.
                2 => while let Ok(Some(_)) = soon(received.recv()).await {},
                // Read to its end.
                _ => while soon(received.recv()).await.unwrap().is_some() {},
            }
        }
    };
    let script = async {
        // One call at a time: the connection's window is that of one stream.
        let mut peer = server.accept_with(&[(MAX_CONCURRENT_STREAMS, 1)]).await;
        let mut sent: u64 = 0;
        for cycle in 0..CYCLES {
            let stream = 2 * cycle + 1;
            peer.expect_end(stream).await;
            let body = note(&"y".repeat(1_000 + (cycle * 37 % 4_000) as usize));
            let padding = (cycle * 13 % 256) as u8;
            let head = Wire::from(headers(stream).status(200).grpc());
            let mut wire = head
                .and(padded(stream, &body, padding))
                .and(data(stream, &body));
            sent += (2 * body.len() + usize::from(padding) + 1) as u64;
            wire = match cycle % 4 {
                2 => wire.and(reset(stream, CANCEL)),
                3 => wire.and(trailers(stream, 0)),
                _ => wire,
            };
            peer.send(wire).await;
            if cycle % 4 < 2 {
                peer.expect_reset(stream).await;
            }
        }
        (peer, sent)
    };
    let ((), (mut peer, sent)) = tokio::join!(calls, script);
    peer.listen(Duration::from_millis(50)).await;
    let granted = WINDOW as u64 + peer.credit.get(&0).copied().unwrap_or_default();
    let left = granted - sent;
    // h2 tells of what was given back from half of the window on.
    assert!(left >= WINDOW as u64 / 2, "{left} left of {WINDOW}");
    assert!(sent > 50 * WINDOW as u64, "{sent}");
    let last = async {
        let stream = 2 * CYCLES + 1;
        peer.expect_end(stream).await;
        let head = Wire::from(headers(stream).status(200).grpc());
        let body = note(&"z".repeat(30_000));
        let (one, rest) = body.split_at(16_000);
        let body = data(stream, one).and(data(stream, rest));
        peer.send(head.and(body).and(trailers(stream, 0))).await;
    };
    let (reply, ()) = tokio::join!(echo.once(text("x")), last);
    assert_eq!(reply.unwrap().text.len(), 30_000);
    channel_closes(echo, peer).await;
}
