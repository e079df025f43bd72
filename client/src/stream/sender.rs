//! The half that sends.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use trunkline_core::{Stage, Status};
use trunkline_transport::stream::{Framed, Pause, SendHalf, Work};

use crate::call::{Expiry, IntoMessages, Opening};

/// The sending half of a call with many requests.
///
/// It is `Send` and `'static`, so it may live in another task than the receiving half. Sending
/// takes `&mut self` and there is no `Clone`: two concurrent senders on one stream do not compile.
/// ```compile_fail,E0499
/// async fn two_at_once(sender: &mut trunkline_client::Sender<u32>) {
///     let (one, other) = (sender.send(&1), sender.send(&2));
///     let _ = (one.await, other.await);
/// }
/// ```
/// ```compile_fail,E0599
/// fn second_half(sender: trunkline_client::Sender<u32>) -> trunkline_client::Sender<u32> {
///     sender.clone()
/// }
/// ```
/// ```compile_fail,E0382
/// async fn after_the_end(mut sender: trunkline_client::Sender<u32>) {
///     sender.finish();
///     let _ = sender.send(&1).await;
/// }
/// ```
/// **Dropping it without [`finish`](Self::finish) cancels the call**: an early `?` in the code that
/// sends must never look like a complete upload.
#[must_use = "dropping the sender without finish() cancels the call"]
pub struct Sender<T> {
    half: SendHalf<T>,
    expiry: Expiry,
    path: &'static str,
}

impl<T> Sender<T> {
    pub(crate) fn new(half: SendHalf<T>, opening: &Opening<'_>) -> Self {
        Self {
            half,
            expiry: opening.expiry.again(),
            path: opening.method.path,
        }
    }

    /// For those who watch the end of the call by themselves.
    pub(crate) fn into_half(self) -> SendHalf<T> {
        self.half
    }

    /// Waits until the server's window has room, then hands the message over whole.
    ///
    /// Errors: RESOURCE_EXHAUSTED for a message over the limit, after which the stream goes on;
    /// DEADLINE_EXCEEDED; otherwise why the call has ended, sticky. The receiving half, or the
    /// summary, knows the server's answer.
    /// Cancel safe: a `send` that was cancelled has sent nothing.
    pub async fn send(&mut self, message: &T) -> Result<(), Status> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.send_ready(message).await
    }

    /// Sends a message as [`send`](Self::send) does, and does not compress it: for one that holds a
    /// secret beside what a stranger chose, whose compressed size would tell of the secret.
    pub async fn send_uncompressed(&mut self, message: &T) -> Result<(), Status> {
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.feed_uncompressed(message)
    }

    /// Takes a message without waiting for window. Where requests are compressed, that is done
    /// here; for large messages use [`send`](Self::send), which lets another thread do it.
    ///
    /// For senders that know their peer keeps up, or call [`flush`](Self::flush) now and then:
    /// more than 4 MiB may not wait.
    ///
    /// Errors: those of [`send`](Self::send), and RESOURCE_EXHAUSTED when too much waits already.
    pub fn feed(&mut self, message: &T) -> Result<(), Status> {
        self.in_time()?;
        self.half
            .start_send(message)
            .map_err(|why| self.expiry.edge(why, self.path))
    }

    /// Takes a message as [`feed`](Self::feed) does, and does not compress it.
    pub fn feed_uncompressed(&mut self, message: &T) -> Result<(), Status> {
        self.in_time()?;
        self.half
            .start_send_uncompressed(message)
            .map_err(|why| self.expiry.edge(why, self.path))
    }

    /// Waits until everything taken so far has been handed to the connection.
    ///
    /// Errors: those of [`send`](Self::send). Cancel safe.
    pub async fn flush(&mut self) -> Result<(), Status> {
        poll_fn(|cx| {
            self.in_time()?;
            let polled = self.half.poll_flush(cx);
            self.bound(polled, cx)
        })
        .await
    }

    /// Sends every message of a stream or of anything iterable; messages that are ready together
    /// travel together. It does not [`finish`](Self::finish).
    ///
    /// Errors: those of [`send`](Self::send). Cancel safe: a message is taken from the stream only
    /// when there is room to send it; a large one that was still being compressed is not sent.
    pub async fn send_all<Role>(
        &mut self,
        messages: impl IntoMessages<T, Role>,
    ) -> Result<(), Status> {
        let mut messages = pin!(messages.into_messages());
        loop {
            let sent = poll_fn(|cx| {
                self.in_time()?;
                let paused = self.half.poll_send_many(messages.as_mut(), cx);
                let paused = paused.map_err(|why| self.expiry.edge(why, self.path));
                let closed = match paused {
                    Poll::Ready(Ok(Pause::Source)) => self.half.poll_closed(cx),
                    Poll::Ready(paused) => return Poll::Ready(paused),
                    Poll::Pending => Poll::Pending,
                };
                match closed {
                    Poll::Ready(why) => Poll::Ready(Err(self.expiry.edge(why, self.path))),
                    Poll::Pending => self.bound(Poll::Pending, cx).map_ok(|()| Pause::End),
                }
            });
            match sent.await? {
                Pause::Compressing(work) => self.send_compressed(work).await?,
                Pause::Source | Pause::End => return Ok(()),
            }
        }
    }

    /// Tells the server that all was sent. The only clean end of this half.
    ///
    /// It cannot fail: what goes wrong from here on comes out at the receiving half.
    pub fn finish(mut self) {
        self.half.half_close();
    }

    /// Cancels the call on purpose; the receiving half says so.
    pub fn abort(mut self) {
        self.half
            .abort(Status::cancelled("aborted by Sender::abort()"));
    }

    /// Sends a message for which there is window.
    async fn send_ready(&mut self, message: &T) -> Result<(), Status> {
        self.in_time()?;
        let begun = self.half.begin_send(message);
        let begun = begun.map_err(|why| self.expiry.edge(why, self.path))?;
        match begun {
            Some(work) => self.send_compressed(work).await,
            None => Ok(()),
        }
    }

    async fn send_compressed(&mut self, mut work: Work<Framed>) -> Result<(), Status> {
        let framed = poll_fn(|cx| match Pin::new(&mut work).poll(cx) {
            Poll::Ready(framed) => Poll::Ready(Ok(framed)),
            Poll::Pending => {
                ready!(self.expiry.poll(cx));
                Poll::Ready(Err(self.expired()))
            }
        });
        let framed = framed.await?;
        let sent = self.half.finish_send(framed);
        sent.map_err(|why| self.expiry.edge(why, self.path))
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.in_time()?;
        let polled = self.half.poll_ready(cx);
        self.bound(polled, cx)
    }

    /// Fails once the deadline has passed: a sender that never has to wait would never meet it.
    fn in_time(&mut self) -> Result<(), Status> {
        if self.expiry.is_over() {
            return Err(self.expired());
        }
        Ok(())
    }

    /// Ends the whole call, unless it has ended already: then why it did stands.
    fn expired(&mut self) -> Status {
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(why) = self.half.poll_closed(&mut cx) {
            return self.expiry.edge(why, self.path);
        }
        let doing = "waiting to send; the call was not finished";
        let why = self.expiry.status(Stage::Request, doing);
        self.half.abort(why.clone());
        why.with_method(self.path)
    }

    /// Bounds what is pending by the deadline, which ends the whole call.
    fn bound(
        &mut self,
        polled: Poll<Result<(), Status>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Status>> {
        match polled {
            Poll::Ready(result) => {
                Poll::Ready(result.map_err(|why| self.expiry.edge(why, self.path)))
            }
            Poll::Pending => {
                ready!(self.expiry.poll(cx));
                Poll::Ready(Err(self.expired()))
            }
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("method", &self.path)
            .finish_non_exhaustive()
    }
}
