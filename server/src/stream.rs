//! The two halves of a streaming RPC as its handler holds them.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use futures_core::Stream;
use trunkline_core::{Metadata, MetadataError, Stage, Status};
use trunkline_transport::stream::{Framed, Pause, RecvHalf, SendHalf, Work};

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
    /// In a box, as that of a [`Receiver`].
    half: Box<SendHalf<T>>,
}

impl<T> Sender<T> {
    pub(crate) fn new(half: SendHalf<T>) -> Self {
        Self {
            half: Box::new(half),
        }
    }

    /// Sends one message: waits for window, then hands it over whole.
    ///
    /// Errors: RESOURCE_EXHAUSTED over `max_send_message_bytes` (the stream goes on), INTERNAL if
    /// it cannot be encoded, otherwise why the client takes no more; sticky.
    /// Cancel safe: a send that was cancelled has sent nothing.
    pub fn send(&mut self, message: &T) -> impl Future<Output = Result<(), Status>> {
        self.half.send(message)
    }

    /// Sends a message as [`send`](Self::send) does, and does not compress it: for one that holds a
    /// secret beside what a stranger chose, whose compressed size would tell of the secret.
    pub async fn send_uncompressed(&mut self, message: &T) -> Result<(), Status> {
        poll_fn(|cx| self.half.poll_ready(cx)).await?;
        self.half.start_send_uncompressed(message)
    }

    /// Queues one message without waiting for window; [`flush`](Self::flush) waits for it. Where
    /// responses are compressed, that is done here; for large messages use [`send`](Self::send),
    /// which lets another thread do it.
    ///
    /// Errors: those of [`send`](Self::send), and RESOURCE_EXHAUSTED when 4 MiB wait already.
    pub fn feed(&mut self, message: &T) -> Result<(), Status> {
        self.half.start_send(message)
    }

    /// Queues a message as [`feed`](Self::feed) does, and does not compress it.
    pub fn feed_uncompressed(&mut self, message: &T) -> Result<(), Status> {
        self.half.start_send_uncompressed(message)
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
    /// when there is room to send it; a large one that was still being compressed is not sent.
    pub async fn send_all(&mut self, messages: impl Stream<Item = T>) -> Result<(), Status> {
        let mut messages = pin!(messages);
        let mut compressing: Option<Work<Framed>> = None;
        let mut ended = false;
        poll_fn(|cx| {
            loop {
                if ended {
                    return self.half.poll_flush(cx);
                }
                if let Some(work) = &mut compressing {
                    let framed = ready!(Pin::new(work).poll(cx));
                    compressing = None;
                    self.half.finish_send(framed)?;
                }
                match ready!(self.half.poll_send_many(messages.as_mut(), cx))? {
                    Pause::Compressing(work) => compressing = Some(work),
                    Pause::End => ended = true,
                    Pause::Source => return self.half.poll_closed(cx).map(Err),
                }
            }
        })
        .await
    }

    /// Sets a response header. Headers leave with the first message, or with
    /// [`send_headers`](Self::send_headers), and at the latest in front of the status.
    ///
    /// ```
    /// # use trunkline_core::Status;
    /// # use trunkline_server::Sender;
    /// # async fn example(mut responses: Sender<u32>) -> Result<(), Status> {
    /// responses.insert_header("served-by", "blue")?;
    /// responses.send(&1).await?;
    /// responses.insert_trailer("sent", "1")?;
    /// # Ok(()) }
    /// ```
    ///
    /// Errors, all of which name the key: INTERNAL for a key or value that cannot be sent, INTERNAL
    /// when the headers are sent already, otherwise why the RPC has ended.
    pub fn insert_header(&mut self, key: &str, value: &str) -> Result<(), Status> {
        let edited = self.with_headers(|headers| headers.insert(key, value));
        set("response header", key, edited)
    }

    /// Sets a response header of any bytes; its key ends in `-bin`.
    ///
    /// Errors: those of [`insert_header`](Self::insert_header).
    pub fn insert_header_bin(&mut self, key: &str, value: impl AsRef<[u8]>) -> Result<(), Status> {
        let edited = self.with_headers(|headers| headers.insert_bin(key, value));
        set("response header", key, edited)
    }

    /// Edits the response headers as a whole: to append, to remove, to take over many.
    ///
    /// Errors: INTERNAL when they are sent already, otherwise why the RPC has ended.
    pub fn with_headers<R>(&mut self, edit: impl FnOnce(&mut Metadata) -> R) -> Result<R, Status> {
        let edited = self.half.with_headers(edit);
        edited.ok_or_else(|| self.too_late("the response headers are already sent"))
    }

    /// Sends the response headers now: for a client that waits for them before it goes on.
    ///
    /// Errors: why nothing can be sent; sticky. Cancel safe.
    pub async fn send_headers(&mut self) -> Result<(), Status> {
        self.half.send_headers()
    }

    /// Sets a trailer. Trailers leave with the status, whatever it is.
    ///
    /// Errors, all of which name the key: INTERNAL for a key or value that cannot be sent,
    /// otherwise why the RPC has ended.
    pub fn insert_trailer(&mut self, key: &str, value: &str) -> Result<(), Status> {
        let edited = self.with_trailers(|trailers| trailers.insert(key, value));
        set("trailer", key, edited)
    }

    /// Sets a trailer of any bytes; its key ends in `-bin`.
    ///
    /// Errors: those of [`insert_trailer`](Self::insert_trailer).
    pub fn insert_trailer_bin(&mut self, key: &str, value: impl AsRef<[u8]>) -> Result<(), Status> {
        let edited = self.with_trailers(|trailers| trailers.insert_bin(key, value));
        set("trailer", key, edited)
    }

    /// Edits the trailers as a whole: to append, to remove, to take over many.
    ///
    /// Errors: why the RPC has ended.
    pub fn with_trailers<R>(&mut self, edit: impl FnOnce(&mut Metadata) -> R) -> Result<R, Status> {
        let edited = self.half.with_trailers(edit);
        edited.ok_or_else(|| self.too_late("the trailers are already sent"))
    }

    /// Why there is nothing left to edit.
    fn too_late(&mut self, sent: &'static str) -> Status {
        match self
            .half
            .poll_closed(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(why) => why,
            Poll::Pending => Status::internal(sent).with_stage(Stage::Handler),
        }
    }
}

/// The outcome of setting one entry, naming it.
fn set(
    what: &str,
    key: &str,
    edited: Result<Result<(), MetadataError>, Status>,
) -> Result<(), Status> {
    let fault = match edited {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(fault)) => Status::from(fault).with_stage(Stage::Handler).context(what),
        Err(late) => late.context(format_args!("{what} {key:?}")),
    };
    Err(fault)
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
    /// In a box: a handler's future has its arguments twice, as they came and as they are used.
    half: Box<RecvHalf<T>>,
    /// The error was given out as an item of the `Stream`, which ends with it.
    failed: bool,
}

impl<T> Receiver<T> {
    pub(crate) fn new(half: RecvHalf<T>) -> Self {
        Self {
            half: Box::new(half),
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
