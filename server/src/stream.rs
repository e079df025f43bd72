//! The two halves of a streaming RPC as its handler holds them.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use trunkline_core::{Metadata, Status};
use trunkline_transport::stream::{RecvHalf, SendHalf};

/// Sends the responses of an RPC.
///
/// The RPC ends when its handler returns: with the status that it returned, after all that was
/// sent. Dropping the sender therefore means nothing, and one that outlives the RPC fails.
///
/// It is owned and may be moved to a child started with
/// [`RequestContext::spawn`](crate::RequestContext::spawn), but there is only one:
/// ```compile_fail,E0499
/// async fn two_at_once(mut responses: trunkline_server::Sender<u32>) {
///     let (one, other) = (responses.send(&1), responses.send(&2));
///     one.await.ok();
///     other.await.ok();
/// }
/// ```
/// ```compile_fail,E0599
/// fn no_clone(responses: trunkline_server::Sender<u32>) {
///     let _ = responses.clone();
/// }
/// ```
#[derive(Debug)]
pub struct Sender<T> {
    half: SendHalf<T>,
}

impl<T> Sender<T> {
    pub(crate) const fn new(half: SendHalf<T>) -> Self {
        Self { half }
    }

    /// Sends one message: waits for window, then hands it over whole.
    ///
    /// Errors: RESOURCE_EXHAUSTED over `max_send_message_bytes` (the stream goes on), INTERNAL if
    /// it cannot be encoded, otherwise why the client takes no more; sticky.
    /// Cancel safe: a send that was cancelled has sent nothing.
    pub async fn send(&mut self, message: &T) -> Result<(), Status> {
        self.half.send(message).await
    }

    /// Queues one message without waiting for window; [`flush`](Self::flush) waits for it.
    ///
    /// Errors: those of [`send`](Self::send), and RESOURCE_EXHAUSTED when 4 MiB wait already.
    pub fn feed(&mut self, message: &T) -> Result<(), Status> {
        self.half.start_send(message)
    }

    /// Waits until all that was sent or fed is on its way.
    ///
    /// Errors: why the client takes no more; sticky. Cancel safe.
    pub async fn flush(&mut self) -> Result<(), Status> {
        poll_fn(|cx| self.half.poll_flush(cx)).await
    }

    /// Sends all that a stream gives; what is ready together leaves together.
    ///
    /// Errors: those of [`send`](Self::send). Cancel safe: a message is taken from the stream only
    /// when there is room to send it.
    pub async fn send_all(&mut self, messages: impl Stream<Item = T>) -> Result<(), Status> {
        let mut messages = pin!(messages);
        poll_fn(|cx| {
            loop {
                ready!(self.half.poll_ready(cx))?;
                match messages.as_mut().poll_next(cx) {
                    Poll::Ready(Some(message)) => self.half.start_send(&message)?,
                    Poll::Ready(None) => return self.half.poll_flush(cx),
                    Poll::Pending => return self.half.poll_closed(cx).map(Err),
                }
            }
        })
        .await
    }

    /// Edits the response headers; `None` once they are sent.
    ///
    /// They leave with the first message, or with [`send_headers`](Self::send_headers).
    pub fn with_headers<R>(&mut self, edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        self.half.with_headers(edit)
    }

    /// Sends the response headers now: for a client that waits for them before it goes on.
    ///
    /// Errors: why nothing can be sent; sticky. Cancel safe.
    pub async fn send_headers(&mut self) -> Result<(), Status> {
        self.half.send_headers()
    }

    /// Edits the trailers, which leave with the status; `None` once the RPC has ended.
    pub fn with_trailers<R>(&mut self, edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        self.half.with_trailers(edit)
    }
}

/// Receives the requests of an RPC.
///
/// There is only one, and it takes one message at a time:
/// ```compile_fail,E0499
/// async fn two_at_once(mut requests: trunkline_server::Receiver<u32>) {
///     let (one, other) = (requests.recv(), requests.recv());
///     one.await.ok();
///     other.await.ok();
/// }
/// ```
/// ```compile_fail,E0599
/// fn no_clone(requests: trunkline_server::Receiver<u32>) {
///     let _ = requests.clone();
/// }
/// ```
#[derive(Debug)]
pub struct Receiver<T> {
    half: RecvHalf<T>,
    /// The error was given out as an item of the `Stream`, which ends with it.
    failed: bool,
}

impl<T> Receiver<T> {
    pub(crate) const fn new(half: RecvHalf<T>) -> Self {
        Self {
            half,
            failed: false,
        }
    }

    /// Takes the next request; `None` once the client has half-closed, and only then.
    ///
    /// Shape: one decoded `T`, in send order. Units: the size limit counts the message's bytes.
    /// Errors: RESOURCE_EXHAUSTED over `max_receive_message_bytes`, INTERNAL for a broken frame or
    /// message, CANCELLED when the client is gone or has given up; sticky.
    /// Cancel safe. Source: gRPC over HTTP/2, "Length-Prefixed-Message".
    pub async fn recv(&mut self) -> Result<Option<T>, Status> {
        self.half.recv().await
    }
}

/// The same messages; an error is the last item.
impl<T> Stream for Receiver<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.failed {
            return Poll::Ready(None);
        }
        let message = ready!(self.half.poll_message(cx));
        self.failed = message.is_err();
        Poll::Ready(message.transpose())
    }
}
