//! What goes on while a connection ends: others run, and its handlers know.

use std::io;
use std::pin::Pin;
use std::task::Context;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep};

use super::*;
use crate::BoxIo;

const SECOND: Duration = Duration::from_secs(1);

/// Its peer writes faster than it is read, and it takes part in no budget of the runtime.
struct Endless(BytesMut, usize);

impl AsyncRead for Endless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.0.is_empty() {
            let length = self.0.len().min(into.remaining());
            let some = self.0.split_to(length);
            into.put_slice(&some);
            return Poll::Ready(Ok(()));
        }
        self.1 += 1;
        if self.1 <= 3 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        assert!(self.1 < 100_000, "400 MB were read in one poll");
        into.put_slice(&[0; 4096]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_lingers_lets_others_run() {
    let mut hello = BytesMut::from(&PREFACE[..]);
    write::settings(&[], &mut hello);
    write::settings_ack(&mut hello);
    write::go_away(StreamId(0), Reason::NO_ERROR, b"", &mut hello);
    let config = ServerConfig {
        engine: Engine::Native,
        ..ServerConfig::default()
    };
    let io = BoxIo::new(Endless(hello, 0));
    let mut connection = ServerConnection::handshake(io, peer(), &config)
        .await
        .unwrap();
    let others = async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = poll_fn(|cx| connection.poll_next(cx)) => {}
        () = others => {}
    }
}

#[tokio::test(start_paused = true)]
async fn handlers_hear_of_an_abrupt_end_at_once() {
    for engine in [Engine::H2, Engine::Native] {
        let (mut near, far) = memory::pipe();
        let (tell, told) = tokio::sync::oneshot::channel();
        let server = tokio::spawn(async move {
            let config = ServerConfig {
                engine,
                ..ServerConfig::default()
            };
            let mut connection = ServerConnection::handshake(far, peer(), &config)
                .await
                .unwrap();
            let stream = poll_fn(|cx| connection.poll_next(cx)).await.unwrap();
            let (body, responder) = stream.unwrap().into_parts();
            let shared = responder.share(body, form());
            tokio::spawn(async move {
                let mut send = SendHalf::<Bytes>::server(shared, Box::new(RawCodec), LIMIT);
                let _ = poll_fn(|cx| send.poll_closed(cx)).await;
                let _ = tell.send(Instant::now());
            });
            sleep(SECOND / 10).await;
            connection.abrupt_shutdown();
            let _ = poll_fn(|cx| connection.poll_next(cx)).await;
        });
        let mut hello = BytesMut::from(&PREFACE[..]);
        write::settings(&[], &mut hello);
        write::settings_ack(&mut hello);
        write::headers(StreamId(1), &[0x83, 0x86, 0x84], false, 16_384, &mut hello);
        near.write_all(&hello).await.unwrap();
        let begun = Instant::now();
        let writing = tokio::spawn(async move {
            for _ in 0..60 {
                sleep(SECOND / 2).await;
                let mut ping = BytesMut::new();
                write::ping(false, [0; 8], &mut ping);
                if near.write_all(&ping).await.is_err() {
                    break;
                }
            }
            near
        });
        let after = told.await.unwrap() - begun;
        assert!(after < SECOND, "{engine:?}: heard after {after:?}");
        let _ = (server.await, writing.await);
    }
}
