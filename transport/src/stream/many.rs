//! Messages that are ready together are handed over together.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures_core::Stream;
use trunkline_core::{Status, buffer_for, reuse_buffer};

use super::send::{Out, refused};
use super::{Framed, SendHalf, Work};
use crate::now;

/// Messages that are taken from a source before they are handed over: enough that what each costs
/// is its own encoding.
const MOST_MESSAGES: usize = 32;

/// Bytes of the same: a DATA frame's worth.
const MOST_BYTES: usize = 16 * 1024;

/// A batch of as many messages as there may be, which is no larger than this, is one of many: the
/// connection may wait a moment for the next ones, instead of writing each batch by itself.
const SMALL_BYTES: usize = MOST_BYTES / 2;

/// Time that may pass from the second message of a batch on: a source that works for each of them
/// holds none back for long.
const MOST_TIME: Duration = Duration::from_millis(1);

/// The clock is read for every so many messages, and for the first time early: a source that is
/// slow has mostly been so from its first message on.
const LOOK_EVERY: usize = 4;
const FIRST_LOOK: usize = 2;

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

/// Why a batch ends.
enum End {
    /// It has as many messages or bytes as it may have.
    Full,
    /// Its messages took long to make.
    Slow,
    Paused(Pause),
}

impl<T> SendHalf<T> {
    /// Takes the messages of a source as long as it has some and the stream has room. What was
    /// taken is handed over before this returns, however it does. If the source works long for its
    /// messages they are handed over earlier, and the task lets others run: the connection too may
    /// live on this thread.
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
            match taken? {
                End::Full => {}
                End::Slow => ready!(pin!(tokio::task::yield_now()).poll(cx)),
                End::Paused(pause) => return Poll::Ready(Ok(pause)),
            }
        }
    }

    /// For messages that are looked at, or may be compressed.
    fn take_one<S: Stream<Item = T>>(
        &mut self,
        messages: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> Result<End, Status> {
        Ok(match messages.poll_next(cx) {
            Poll::Ready(Some(message)) => match self.begin_send(&message)? {
                Some(work) => End::Paused(Pause::Compressing(work)),
                None => End::Full,
            },
            Poll::Ready(None) => End::Paused(Pause::End),
            Poll::Pending => End::Paused(Pause::Source),
        })
    }

    fn take_many<S: Stream<Item = T>>(
        &mut self,
        mut messages: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> Result<End, Status> {
        let most = self.room().min(MOST_BYTES);
        let (out, encoder, frames) = self.parts();
        let side = out.side();
        let mut batch = Batch {
            out,
            bytes: BytesMut::new(),
            until: None,
            goes_on: false,
        };
        let mut end = End::Full;
        for number in 0..MOST_MESSAGES {
            let message = match messages.as_mut().poll_next(cx) {
                Poll::Ready(Some(message)) => message,
                Poll::Ready(None) => {
                    end = End::Paused(Pause::End);
                    break;
                }
                Poll::Pending => {
                    end = End::Paused(Pause::Source);
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
            batch.goes_on = number + 1 == MOST_MESSAGES && batch.bytes.len() <= SMALL_BYTES;
            if number % LOOK_EVERY == FIRST_LOOK && batch.is_slow() {
                end = End::Slow;
                break;
            }
        }
        batch.hand_over()?;
        Ok(end)
    }
}

/// Messages that were taken and not yet handed over, which they are at the latest when it is
/// dropped: also if the source panics.
struct Batch<'a> {
    out: &'a Out,
    bytes: BytesMut,
    /// When it is handed over at the latest; known from its second message on. Most batches have one
    /// message, and read no clock.
    until: Option<Instant>,
    /// Many more are about to follow.
    goes_on: bool,
}

impl Batch<'_> {
    /// There is a second message: perhaps there are many like the first one.
    fn expect_more(&mut self, most: usize) {
        self.until = now().checked_add(MOST_TIME);
        let like_the_first = self.bytes.len().saturating_mul(MOST_MESSAGES - 1);
        let mut bytes = buffer_for(self.bytes.len() + like_the_first.min(most));
        bytes.extend_from_slice(&self.bytes);
        let first = std::mem::replace(&mut self.bytes, bytes);
        reuse_buffer(first.freeze());
    }

    fn is_slow(&self) -> bool {
        self.until.is_some_and(|until| now() >= until)
    }

    fn hand_over(&mut self) -> Result<(), Status> {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.is_empty() {
            return Ok(());
        }
        self.out.push(bytes.len(), self.goes_on, |buffer| {
            // What waits for a peer that does not read holds little more than itself.
            if buffer.capacity() == 0 && bytes.capacity() / 2 <= bytes.len() {
                *buffer = bytes;
            } else {
                buffer.extend_from_slice(&bytes);
                reuse_buffer(bytes.freeze());
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
