//! Messages that are ready together are handed over together.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use futures_core::Stream;
use trunkline_core::Status;

use super::send::{Out, refused};
use super::{Framed, SendHalf, Work};

/// Messages that are taken from a source before they are handed over: enough that what each costs
/// is its own encoding, few enough that a source that works for each holds none back for long.
const MOST_MESSAGES: usize = 32;

/// Bytes of the same: a DATA frame's worth.
const MOST_BYTES: usize = 16 * 1024;

/// Why [`SendHalf::poll_send_many`] takes no more messages for now.
#[derive(Debug)]
pub enum Pause {
    /// The source has none ready, and wakes the task when it has.
    Source,
    /// The source has ended.
    End,
    /// One is large and to be compressed: this is that work, whose result is for
    /// [`SendHalf::finish_send`]. Until then no other message may be sent.
    Compressing(Work<Framed>),
}

impl<T> SendHalf<T> {
    /// Takes the messages of a source as long as it has some and the stream has room. What was
    /// taken is handed over before this returns, however it does.
    ///
    /// Errors: those of [`start_send`](Self::start_send); the message that it is about was taken
    /// from the source. Cancel safe: a message is taken only when there is room for it.
    pub fn poll_send_many<S: Stream<Item = T>>(
        &mut self,
        mut messages: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Pause, Status>> {
        loop {
            ready!(self.poll_ready(cx))?;
            let taken = match self.is_plain() {
                true => self.take_many(messages.as_mut(), cx),
                false => self.take_one(messages.as_mut(), cx),
            };
            if let Some(pause) = taken? {
                return Poll::Ready(Ok(pause));
            }
        }
    }

    /// For messages that are looked at, or may be compressed.
    fn take_one<S: Stream<Item = T>>(
        &mut self,
        messages: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> Result<Option<Pause>, Status> {
        Ok(match messages.poll_next(cx) {
            Poll::Ready(Some(message)) => self.begin_send(&message)?.map(Pause::Compressing),
            Poll::Ready(None) => Some(Pause::End),
            Poll::Pending => Some(Pause::Source),
        })
    }

    fn take_many<S: Stream<Item = T>>(
        &mut self,
        mut messages: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> Result<Option<Pause>, Status> {
        let most = self.room().min(MOST_BYTES);
        let (out, encoder, frames) = self.parts();
        let side = out.side();
        let mut batch = Batch {
            out,
            bytes: BytesMut::new(),
        };
        let mut pause = None;
        for number in 0..MOST_MESSAGES {
            let message = match messages.as_mut().poll_next(cx) {
                Poll::Ready(Some(message)) => message,
                Poll::Ready(None) => {
                    pause = Some(Pause::End);
                    break;
                }
                Poll::Pending => {
                    pause = Some(Pause::Source);
                    break;
                }
            };
            if number == 1 {
                batch.expect_more(most);
            }
            // What is before it goes out all the same.
            let encoded = frames.encode(&message, encoder, &mut batch.bytes);
            encoded.map_err(|error| refused(error, side))?;
            if batch.bytes.len() >= most {
                break;
            }
        }
        batch.hand_over()?;
        Ok(pause)
    }
}

/// Messages that were taken and not yet handed over, which they are at the latest when it is
/// dropped: also if the source panics.
struct Batch<'a> {
    out: &'a Out,
    bytes: BytesMut,
}

impl Batch<'_> {
    /// There is a second message: perhaps there are many like the first one.
    fn expect_more(&mut self, most: usize) {
        let like_the_first = self.bytes.len().saturating_mul(MOST_MESSAGES - 1);
        self.bytes.reserve(like_the_first.min(most));
    }

    fn hand_over(&mut self) -> Result<(), Status> {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.is_empty() {
            return Ok(());
        }
        self.out.push(bytes.len(), |buffer| {
            // What waits for a peer that does not read holds little more than itself.
            if buffer.capacity() == 0 && bytes.capacity() / 2 <= bytes.len() {
                *buffer = bytes;
            } else {
                buffer.extend_from_slice(&bytes);
            }
            Ok(())
        })
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        // Where nothing more can be sent, the next message finds out why.
        let _ = self.hand_over();
    }
}
