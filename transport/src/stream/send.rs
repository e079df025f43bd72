//! The sending half.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use trunkline_core::stats::{CallEvent, MessageSize};
use trunkline_core::{Encoder, FrameEncoder, FrameError, Metadata, Origin, Stage, Status};

use super::hook::{MessageHooks, Tap};
use super::{Compress, Compressed, Framed, Side, Work};
use crate::http2::{RequestStream, SharedStream};
use crate::now;

/// Bytes that a sender may be ahead of the stream's window. More than one DATA frame, so that
/// small messages are merged; little enough that a stream at rest holds almost nothing.
const HIGH_WATER: usize = 32 * 1024;

/// Flag and length in front of a message.
const PREFIX_BYTES: usize = 5;

/// Bytes that may be fed without ever waiting for window.
const FEED_LIMIT: usize = 4 * 1024 * 1024;

/// The sending half of a stream of `T`s.
///
/// Messages leave in send order. Small ones that are sent before the connection's task comes
/// round to them share a DATA frame, so many are cheap and one is prompt.
///
/// Dropped before [`half_close`](Self::half_close), a client's half cancels the call; a server's
/// half has no such meaning, for the RPC ends with its handler.
pub struct SendHalf<T> {
    out: Out,
    encoder: Box<dyn Encoder<T>>,
    frames: FrameEncoder,
    /// Only where the head names an encoding.
    compress: Option<Box<Compress>>,
    /// Those who look at the messages; most halves have none.
    tap: Option<Box<Tap<T>>>,
}

#[derive(Debug)]
pub(super) enum Out {
    Client(RequestStream),
    Server(SharedStream),
}

impl<T> SendHalf<T> {
    /// A client's half. Messages over `max_send_bytes` are refused before they are sent.
    #[must_use]
    pub fn client(
        stream: RequestStream,
        encoder: Box<dyn Encoder<T>>,
        max_send_bytes: usize,
    ) -> Self {
        Self::new(Out::Client(stream), encoder, max_send_bytes)
    }

    /// A server's half. Messages over `max_send_bytes` are refused before they are sent.
    #[must_use]
    pub fn server(
        stream: SharedStream,
        encoder: Box<dyn Encoder<T>>,
        max_send_bytes: usize,
    ) -> Self {
        Self::new(Out::Server(stream), encoder, max_send_bytes)
    }

    const fn new(out: Out, encoder: Box<dyn Encoder<T>>, max_send_bytes: usize) -> Self {
        let frames = FrameEncoder::new(max_send_bytes);
        Self {
            out,
            encoder,
            frames,
            compress: None,
            tap: None,
        }
    }

    /// The same half, which compresses its messages. The stream's head has to say with what.
    #[must_use]
    pub fn compressing(mut self, compress: Option<Box<Compress>>) -> Self {
        self.compress = compress;
        self
    }

    /// Lets these look at the messages that are sent from now on.
    #[must_use]
    pub fn with_hooks(mut self, hooks: Option<MessageHooks>) -> Self
    where
        T: 'static,
    {
        self.set_hooks(hooks);
        self
    }

    /// As [`with_hooks`](Self::with_hooks), for a half that is in use already.
    pub fn set_hooks(&mut self, hooks: Option<MessageHooks>)
    where
        T: 'static,
    {
        let told_headers = self.tap.as_ref().is_some_and(|tap| tap.told_headers);
        self.tap = hooks.map(Tap::new);
        if let Some(tap) = &mut self.tap {
            tap.told_headers = told_headers;
        }
    }

    /// Ready when the next message need not wait for the stream's window.
    ///
    /// Errors: why nothing more can be sent; sticky.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.poll_below(HIGH_WATER, cx)
    }

    /// Takes a message without waiting for window. One that is to be compressed is so at once,
    /// here, however large it is.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED if the message is over the limit, or 4 MiB wait already (the message is
    /// not taken, the stream goes on); INTERNAL if it cannot be encoded; otherwise why nothing
    /// more can be sent, sticky.
    pub fn start_send(&mut self, message: &T) -> Result<(), Status> {
        match self.compress_for(message) {
            None => self.start_send_uncompressed(message),
            Some(compress) => {
                let frame = self.encode(message)?;
                self.finish_send(compress.frame(frame))
            }
        }
    }

    /// Takes a message as [`start_send`](Self::start_send) does, and never compresses it.
    ///
    /// # Errors
    /// As [`start_send`](Self::start_send).
    pub fn start_send_uncompressed(&mut self, message: &T) -> Result<(), Status> {
        self.check_waiting()?;
        if let Some(tap) = &self.tap {
            tap.sending(message)?;
            return self.push_told(message);
        }
        self.push(message).map(|_size| ())
    }

    /// Takes a message as [`start_send`](Self::start_send) does, unless it is large and to be
    /// compressed: then it gives that work, whose result is for [`finish_send`](Self::finish_send).
    /// Until then the message is not sent, and no other may be.
    ///
    /// # Errors
    /// As [`start_send`](Self::start_send).
    pub fn begin_send(&mut self, message: &T) -> Result<Option<Work<Framed>>, Status> {
        let Some(compress) = self.compress_for(message) else {
            return self.start_send_uncompressed(message).map(|()| None);
        };
        let frame = self.encode(message)?;
        match compress.start(frame) {
            Compressed::Later(work) => Ok(Some(work)),
            Compressed::Done(framed) => self.finish_send(framed).map(|()| None),
        }
    }

    /// Takes the message that [`begin_send`](Self::begin_send) has let be compressed.
    ///
    /// # Errors
    /// INTERNAL if it could not be compressed; otherwise why nothing more can be sent, sticky.
    pub fn finish_send(&mut self, framed: Result<Framed, FrameError>) -> Result<(), Status> {
        let Framed { frame, size } = framed.map_err(|error| refused(error, self.out.side()))?;
        let headers = self.untold_headers();
        match &self.out {
            Out::Client(stream) => stream.push_frame(frame),
            Out::Server(stream) => stream.push_frame(frame),
        }?;
        self.tell_headers(headers.as_ref());
        if let Some(tap) = &self.tap {
            tap.hooks.sent(size);
        }
        Ok(())
    }

    /// How this message is compressed, if it is.
    fn compress_for(&self, message: &T) -> Option<Compress> {
        let compress = self.compress.as_deref()?;
        let wanted = compress.wants(self.encoder.encoded_len(message));
        wanted.then(|| compress.clone())
    }

    /// The message in its frame, in a buffer of its own: for one that is compressed.
    fn encode(&mut self, message: &T) -> Result<Bytes, Status> {
        self.check_waiting()?;
        if let Some(tap) = &self.tap {
            tap.sending(message)?;
        }
        let mut frame = BytesMut::new();
        let encoder = self.encoder.as_ref();
        match self.frames.encode(message, encoder, &mut frame) {
            Ok(()) => Ok(frame.freeze()),
            Err(error) => Err(refused(error, self.out.side())),
        }
    }

    fn check_waiting(&self) -> Result<(), Status> {
        if self.waiting() > FEED_LIMIT {
            return Err(Status::resource_exhausted(format!(
                "more than {FEED_LIMIT} bytes were fed and wait for the peer's window: flush \
                 before feeding more"
            )));
        }
        Ok(())
    }

    /// Encodes a message and hands it over; how many bytes it is.
    fn push(&mut self, message: &T) -> Result<usize, Status> {
        let Self {
            out,
            encoder,
            frames,
            ..
        } = self;
        let side = out.side();
        let encoder = encoder.as_ref();
        let mut written = 0;
        let write = |buffer: &mut BytesMut| {
            let before = buffer.len();
            frames
                .encode(message, encoder, buffer)
                .map_err(|error| refused(error, side))?;
            written = buffer.len().saturating_sub(before + PREFIX_BYTES);
            Ok(())
        };
        out.push(encoder.encoded_len(message), false, write)?;
        Ok(written)
    }

    /// Nobody looks at the messages, and none is compressed.
    pub(super) const fn is_plain(&self) -> bool {
        self.compress.is_none() && self.tap.is_none()
    }

    pub(super) fn parts(&mut self) -> (&Out, &dyn Encoder<T>, &mut FrameEncoder) {
        (&self.out, &*self.encoder, &mut self.frames)
    }

    /// Hands a message over, and tells those who measure.
    fn push_told(&mut self, message: &T) -> Result<(), Status> {
        let headers = self.untold_headers();
        let bytes = self.push(message)?;
        self.tell_headers(headers.as_ref());
        if let Some(tap) = &self.tap {
            tap.hooks.sent(MessageSize::new(bytes, bytes));
        }
        Ok(())
    }

    /// Server: the response headers, if those who measure have to be told of them.
    fn untold_headers(&self) -> Option<Metadata> {
        let tap = self.tap.as_ref()?;
        let is_told = tap.told_headers || tap.hooks.stats().is_none();
        match &self.out {
            Out::Server(stream) if !is_told => stream.headers(),
            Out::Server(_) | Out::Client(_) => None,
        }
    }

    /// Server: the response headers are on their way.
    fn tell_headers(&mut self, headers: Option<&Metadata>) {
        let (Some(tap), Some(metadata)) = (&mut self.tap, headers) else {
            return;
        };
        if let Some(stats) = tap.hooks.stats() {
            stats.tell(&CallEvent::HeadersOut { metadata }, now());
        }
        tap.told_headers = true;
    }

    /// Ready when all that was taken has been handed to the connection.
    ///
    /// Errors: why nothing more can be sent; sticky.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.poll_below(1, cx)
    }

    /// Ready once nothing more can be sent, and why: for a sender that waits for its own source.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        match &self.out {
            Out::Client(stream) => stream.poll_closed(cx),
            Out::Server(stream) => stream.poll_closed(cx),
        }
    }

    /// Waits for window, then hands the message over whole.
    ///
    /// Cancel safe: a send that was cancelled has sent nothing.
    ///
    /// # Errors
    /// As [`start_send`](Self::start_send).
    pub fn send(&mut self, message: &T) -> impl Future<Output = Result<(), Status>> {
        // By hand: it is the largest of what most handlers of streams ever wait for, and each holds
        // the room for it all the time.
        let mut begun: Option<Box<Work<Framed>>> = None;
        poll_fn(move |cx| {
            let work = match &mut begun {
                Some(work) => work,
                begun => {
                    ready!(self.poll_ready(cx))?;
                    if self.is_plain() {
                        return Poll::Ready(self.push(message).map(|_size| ()));
                    }
                    match self.begin_send(message)? {
                        None => return Poll::Ready(Ok(())),
                        Some(work) => begun.insert(Box::new(work)),
                    }
                }
            };
            let framed = ready!(Pin::new(&mut **work).poll(cx));
            Poll::Ready(self.finish_send(framed))
        })
    }

    /// Client: END_STREAM behind all that was sent. Failures come out at the receiving half.
    pub fn half_close(&mut self) {
        if let Out::Client(stream) = &self.out {
            stream.half_close();
        }
    }

    /// Client: cancels the call; the receiving half then fails with `status`.
    pub fn abort(&mut self, status: Status) {
        if let Out::Client(stream) = &self.out {
            stream.abort(status);
        }
    }

    /// Server: edits the response headers, which are sent even if the RPC fails without a message;
    /// `None` once they are sent.
    pub fn with_headers<R>(&mut self, edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        match &self.out {
            Out::Server(stream) => stream.with_headers(edit),
            Out::Client(_) => None,
        }
    }

    /// Server: edits the trailers; `None` once the RPC has ended.
    pub fn with_trailers<R>(&mut self, edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        match &self.out {
            Out::Server(stream) => stream.with_trailers(edit),
            Out::Client(_) => None,
        }
    }

    /// Server: sends the response headers now instead of with the first message.
    ///
    /// # Errors
    /// Why nothing can be sent; sticky.
    pub fn send_headers(&mut self) -> Result<(), Status> {
        let headers = self.untold_headers();
        match &self.out {
            Out::Server(stream) => stream.send_headers()?,
            Out::Client(_) => {}
        }
        self.tell_headers(headers.as_ref());
        Ok(())
    }

    /// Bytes that may be taken until a sender has to wait.
    pub(super) fn room(&self) -> usize {
        match &self.out {
            Out::Client(stream) => stream.room_below(HIGH_WATER),
            Out::Server(stream) => stream.room_below(HIGH_WATER),
        }
    }

    fn waiting(&self) -> usize {
        match &self.out {
            Out::Client(stream) => stream.waiting(),
            Out::Server(stream) => stream.waiting(),
        }
    }

    fn poll_below(&self, below: usize, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // A sender that is never held up must still let its neighbours run.
        let coop = ready!(tokio::task::coop::poll_proceed(cx));
        let polled = match &self.out {
            Out::Client(stream) => stream.poll_below(below, cx),
            Out::Server(stream) => stream.poll_below(below, cx),
        };
        if polled.is_ready() {
            coop.made_progress();
        }
        polled
    }
}

impl Out {
    /// Takes about `size` bytes, which `write` appends; if it `goes_on`, many more are about to
    /// follow.
    #[inline]
    pub(super) fn push(
        &self,
        size: usize,
        goes_on: bool,
        write: impl FnOnce(&mut BytesMut) -> Result<(), Status>,
    ) -> Result<(), Status> {
        match self {
            Self::Client(stream) => stream.push(size, goes_on, write),
            Self::Server(stream) => stream.push(size, goes_on, write),
        }
    }

    pub(super) const fn side(&self) -> Side {
        match self {
            Self::Client(_) => Side::Client,
            Self::Server(_) => Side::Server,
        }
    }
}

impl<T> fmt::Debug for SendHalf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendHalf")
            .field("side", &self.out.side())
            .finish_non_exhaustive()
    }
}

pub(super) fn refused(error: FrameError, side: Side) -> Status {
    let text = match &error {
        FrameError::TooLarge { .. } => {
            format!("{error} ({side}, sending; setting max_send_message_bytes)")
        }
        _ => error.to_string(),
    };
    Status::new(error.code(), text)
        .with_origin(Origin::Local)
        .with_stage(Stage::Message)
        .with_source(error)
}
