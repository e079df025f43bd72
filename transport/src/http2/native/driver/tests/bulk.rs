//! Streams whose senders have many small messages ready.

use std::pin::{Pin, pin};
use std::task::Context;

use futures_core::Stream;

use super::*;
use crate::stream::Pause;

const EACH: usize = 64;
/// Its prefix, too.
const FRAMED: usize = EACH + 5;

/// Has messages ready, and lets others run after each 32, as sources that come from iterators do.
struct Source {
    left: usize,
    run: usize,
    /// Whether it ends, or waits for ever, behind the last one.
    ends: bool,
}

impl Source {
    const fn of(left: usize, ends: bool) -> Self {
        Self { left, run: 0, ends }
    }
}

impl Stream for Source {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.left == 0 {
            return if self.ends {
                Poll::Ready(None)
            } else {
                Poll::Pending
            };
        }
        if self.run == 32 {
            self.run = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.run += 1;
        self.left -= 1;
        Poll::Ready(Some(message(EACH)))
    }
}

/// A server that answers each stream with what such a source has.
async fn serve(io: crate::BoxIo, mut sources: Vec<Source>) -> Result<(), Status> {
    let config = ServerConfig {
        engine: Engine::Native,
        ..ServerConfig::default()
    };
    let mut connection = ServerConnection::handshake(io, peer(), &config).await?;
    while let Some(stream) = poll_fn(|cx| connection.poll_next(cx)).await {
        let (body, responder) = stream?.into_parts();
        let shared = responder.share(body, form());
        let source = sources.remove(0);
        tokio::spawn(async move {
            let mut send = SendHalf::server(shared.clone(), Box::new(RawCodec), LIMIT);
            let mut source = pin!(source);
            let all =
                poll_fn(
                    |cx| match std::task::ready!(send.poll_send_many(source.as_mut(), cx)) {
                        Ok(Pause::Source) => Poll::Pending,
                        other => Poll::Ready(other),
                    },
                );
            assert!(matches!(all.await, Ok(Pause::End)));
            shared.finish(Ok(&Metadata::new()));
        });
    }
    Ok(())
}

/// The frames of streams that a peer sees of it, as kind, stream and length, until it has seen so
/// many bytes of DATA.
async fn seen(sources: Vec<Source>, bytes: usize) -> Vec<(u8, u32, usize)> {
    let (mut near, far) = memory::pipe();
    let mut hello = BytesMut::from(&PREFACE[..]);
    write::settings(&[], &mut hello);
    for number in 0..sources.len() as u32 {
        // POST, http, a path of one octet.
        let block = [0x83, 0x86, 0x84];
        write::headers(StreamId(2 * number + 1), &block, true, 16_384, &mut hello);
    }
    near.write_all(&hello).await.unwrap();
    let server = tokio::spawn(serve(far, sources));
    let mut heard = BytesMut::new();
    let (mut frames, mut data) = (Vec::new(), 0);
    while data < bytes {
        let read = near.read_buf(&mut heard);
        let read = tokio::time::timeout(Duration::from_secs(1), read).await;
        assert_ne!(read.unwrap().unwrap(), 0, "{frames:?}");
        while let Some(([a, b, c, kind, _, stream @ ..], _)) = heard.split_first_chunk::<9>() {
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            let (kind, stream) = (*kind, u32::from_be_bytes(*stream));
            if heard.len() < 9 + length {
                break;
            }
            let _ = heard.split_to(9 + length);
            data += if kind == 0 { length } else { 0 };
            if stream > 0 {
                frames.push((kind, stream, length));
            }
        }
    }
    server.abort();
    frames
}

fn data_of(frames: &[(u8, u32, usize)], of: u32) -> Vec<usize> {
    let data = frames
        .iter()
        .filter(|(kind, stream, _)| (*kind, *stream) == (0, of));
    data.map(|(_, _, length)| *length).collect()
}

#[tokio::test(start_paused = true)]
async fn messages_of_a_source_that_lets_others_run_leave_together() {
    let frames = seen(vec![Source::of(256, true)], 256 * FRAMED).await;
    assert_eq!(data_of(&frames, 1), [128 * FRAMED; 2], "four batches each");
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_leaves_though_nothing_follows_it() {
    let frames = seen(vec![Source::of(32, false)], 32 * FRAMED).await;
    assert_eq!(data_of(&frames, 1), [32 * FRAMED]);
}

/// Whoever has one message waits for none of those that have many.
#[tokio::test(start_paused = true)]
async fn a_single_message_takes_along_what_waits_for_more() {
    let sources = vec![Source::of(256, true), Source::of(1, true)];
    let frames = seen(sources, 257 * FRAMED).await;
    assert_eq!(data_of(&frames, 3), [FRAMED]);
    let first = data_of(&frames, 1).first().copied();
    assert_eq!(first, Some(32 * FRAMED), "what was there: {frames:?}");
}
