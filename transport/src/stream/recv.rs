//! The receiving half.

mod answer;

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use trunkline_core::protocol::NotGrpc;
use trunkline_core::stats::MessageSize;
use trunkline_core::{
    CodecError, Decoder, FrameDecoder, FrameError, Metadata, Payload, Stage, Status,
};

use super::Decompress;
use super::hook::{MessageHooks, Tap};
use super::source::Source;
use crate::Timer;
use crate::http2::{
    ClientConnection, Interim, Permit, RequestBody, RequestHead, ResponseStream, SharedStream,
};

/// The receiving half of a stream of `T`s.
///
/// Messages come out in the order they were sent. The end is told once and for all: a client's
/// half ends cleanly only with `grpc-status: 0`, a server's only with END_STREAM between two
/// messages; a cut stream is always an error, and errors are sticky.
pub struct RecvHalf<T> {
    source: Source,
    phase: Phase,
    frames: FrameDecoder,
    decoder: Box<dyn Decoder<T>>,
    /// Only where the head names an encoding.
    decompress: Option<Box<Decompress>>,
    /// Client: what the answer said beside its messages, if anything.
    said: Option<Box<Said>>,
    answered: bool,
    /// Client: the answer began with headers, which are here.
    has_headers: bool,
    /// Client: what came before it.
    interim: Interim,
    /// Those who look at the messages; most halves have none.
    tap: Option<Box<Tap<T>>>,
}

/// Headers and trailers of an answer. Most have none to tell of.
#[derive(Debug, Default)]
struct Said {
    headers: Metadata,
    trailers: Metadata,
}

static NONE: Metadata = Metadata::new();

#[derive(Debug)]
enum Phase {
    /// Client: before the response headers.
    Head,
    /// Client: something else than gRPC answered; the beginning of its body is quoted.
    NotGrpc(Box<(NotGrpc, Timer)>),
    Messages,
    /// Client: after the last message.
    Trailers,
    /// Client: surely not processed, so that the call may be put on another stream.
    Refused(Status),
    /// Cancelled by this side; what had arrived is still read.
    Remains(Status),
    Ended(Result<(), Status>),
}

impl<T> RecvHalf<T> {
    /// A client's half.
    #[must_use]
    pub fn client(stream: ResponseStream, decoder: Box<dyn Decoder<T>>) -> Self {
        let limit = stream.max_receive_bytes();
        Self::new(Source::Response(stream), Phase::Head, decoder, limit)
    }

    /// Client: how long the call may take at the most, which the caller sees to. Without it the
    /// call fails after 100 interim (1xx) responses, which could go on for ever.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Option<Duration>) -> Self {
        if timeout.is_some() {
            self.interim = Interim::uncounted();
        }
        self
    }

    /// A server's half of an RPC that takes one message. Larger ones than `max_receive_bytes`
    /// are refused.
    #[must_use]
    pub fn server(
        body: RequestBody,
        decoder: Box<dyn Decoder<T>>,
        max_receive_bytes: usize,
    ) -> Self {
        let source = Source::Request(Some(body));
        Self::new(source, Phase::Messages, decoder, max_receive_bytes)
    }

    /// A server's half of a streaming RPC. Larger messages than `max_receive_bytes` are refused.
    #[must_use]
    pub fn server_shared(
        stream: SharedStream,
        decoder: Box<dyn Decoder<T>>,
        max_receive_bytes: usize,
    ) -> Self {
        let source = Source::Shared(stream);
        Self::new(source, Phase::Messages, decoder, max_receive_bytes)
    }

    fn new(source: Source, phase: Phase, decoder: Box<dyn Decoder<T>>, limit: usize) -> Self {
        Self {
            source,
            phase,
            frames: FrameDecoder::new(limit),
            decoder,
            decompress: None,
            said: None,
            answered: false,
            has_headers: false,
            interim: Interim::default(),
            tap: None,
        }
    }

    /// A server's half whose messages may be compressed.
    #[inline]
    #[must_use]
    pub fn decompressing(mut self, decompress: Option<Box<Decompress>>) -> Self {
        self.decompress = decompress;
        self
    }

    /// Lets these look at the messages that are received from now on.
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
        self.tap = hooks.map(Tap::new);
    }

    /// Takes the next message; `None` after a clean end.
    ///
    /// Errors: RESOURCE_EXHAUSTED over the size limit, INTERNAL for a broken frame or message,
    /// otherwise the peer's status or what became of the stream; sticky.
    pub fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>, Status>> {
        let coop = ready!(tokio::task::coop::poll_proceed(cx));
        let polled = self.poll_uncounted(cx);
        if polled.is_ready() {
            coop.made_progress();
        }
        polled
    }

    /// The next message, if it has arrived and there is nothing to be done with it but to decode it.
    #[inline]
    fn next_plain(&mut self) -> Option<Result<T, Status>> {
        let is_read = matches!(self.phase, Phase::Messages | Phase::Remains(_));
        let is_plain = self.tap.is_none() && self.decompress.is_none();
        if !is_read || !is_plain {
            return None;
        }
        let decoder = &*self.decoder;
        let decoded = self.frames.pop_plain(|it| decoder.decode_lent(it))?;
        Some(decoded.map_err(|error| self.undecodable(error)))
    }

    fn poll_uncounted(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>, Status>> {
        loop {
            match &mut self.phase {
                Phase::Ended(Ok(())) => return Poll::Ready(Ok(None)),
                Phase::Ended(Err(status)) | Phase::Refused(status) => {
                    return Poll::Ready(Err(status.clone()));
                }
                Phase::Head => ready!(self.poll_first(cx)),
                Phase::NotGrpc(_) => ready!(self.poll_foreign(cx)),
                Phase::Trailers => ready!(self.poll_last(cx)),
                Phase::Messages | Phase::Remains(_) => {
                    if let Some(message) = self.next_plain() {
                        return Poll::Ready(message.map(Some));
                    }
                    match ready!(self.poll_payload(cx)) {
                        Ok(Some((message, size))) => {
                            return Poll::Ready(self.decode(message, size).map(Some));
                        }
                        Err(error) => {
                            let status = self.source.with_address(self.source.broken(&error));
                            self.fail(status);
                        }
                        Ok(None) => ready!(self.poll_more(cx)),
                    }
                }
            }
        }
    }

    /// Takes the next message; `None` after a clean end. Cancel safe.
    ///
    /// # Errors
    /// As [`poll_message`](Self::poll_message).
    pub async fn recv(&mut self) -> Result<Option<T>, Status> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    /// Client: ready once the server has answered: with headers, or with a status alone.
    ///
    /// Errors: why there will be no headers; sticky.
    pub fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        loop {
            match &self.phase {
                Phase::Head => ready!(self.poll_first(cx)),
                Phase::NotGrpc(_) => ready!(self.poll_foreign(cx)),
                Phase::Ended(Err(status)) | Phase::Refused(status) => {
                    return Poll::Ready(Err(status.clone()));
                }
                Phase::Messages | Phase::Trailers | Phase::Remains(_) | Phase::Ended(Ok(())) => {
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    /// Client: true after an error of a streaming call that was surely not processed and can be
    /// put on another stream by [`restart`](Self::restart). Until then its sending half goes on
    /// as if nothing had happened. [`fail`](Self::fail) ends the call instead.
    #[must_use]
    pub const fn may_restart(&self) -> bool {
        matches!(self.phase, Phase::Refused(_))
    }

    /// Client: puts the call on a new stream, with all that was sent so far. Possible once, before
    /// the first answer, for at most 256 KiB of messages.
    ///
    /// Source: gRFC A6, "Transparent Retries".
    ///
    /// # Errors
    /// Why no stream could be opened; the call may be restarted elsewhere.
    pub fn restart(
        &mut self,
        connection: &ClientConnection,
        permit: Permit,
        head: &RequestHead<'_>,
    ) -> Result<(), Status> {
        if let (Source::Response(stream), Phase::Refused(_)) = (&mut self.source, &self.phase) {
            connection.restart_streaming(permit, head, stream)?;
            self.phase = Phase::Head;
        }
        Ok(())
    }

    /// Client: the response headers, once there are any.
    #[must_use]
    pub const fn headers(&self) -> &Metadata {
        match &self.said {
            Some(said) => &said.headers,
            None => &NONE,
        }
    }

    /// Client: the trailers, after a clean end.
    #[must_use]
    pub const fn trailers(&self) -> &Metadata {
        match &self.said {
            Some(said) => &said.trailers,
            None => &NONE,
        }
    }

    /// Client: takes the response headers out.
    #[must_use]
    pub fn take_headers(&mut self) -> Metadata {
        let said = self.said.as_deref_mut();
        said.map_or_else(Metadata::new, |said| std::mem::take(&mut said.headers))
    }

    /// Client: takes the trailers out.
    #[must_use]
    pub fn take_trailers(&mut self) -> Metadata {
        let said = self.said.as_deref_mut();
        said.map_or_else(Metadata::new, |said| std::mem::take(&mut said.trailers))
    }

    /// Client: puts others in the place of the response headers and the trailers, once the call has
    /// ended.
    pub fn set_metadata(&mut self, headers: Metadata, trailers: Metadata) {
        self.said = Some(Box::new(Said { headers, trailers }));
    }

    /// Client: true once there are response headers, also if the call has failed after them. An
    /// answer that is a status alone has none.
    #[must_use]
    pub const fn has_headers(&self) -> bool {
        self.has_headers
    }

    /// Client: true once the server has answered anything, so that the call was processed.
    #[must_use]
    pub const fn has_head(&self) -> bool {
        self.answered
    }

    /// Client: true while the call's sending half is neither finished nor gone.
    #[must_use]
    pub fn sender_is_open(&self) -> bool {
        match &self.source {
            Source::Response(stream) => stream.sender_is_open(),
            Source::Request(_) | Source::Shared(_) => false,
        }
    }

    /// Client: the address of the server that the call went to.
    #[must_use]
    pub fn address(&self) -> Option<&crate::Address> {
        match &self.source {
            Source::Response(stream) => Some(stream.address()),
            Source::Request(_) | Source::Shared(_) => None,
        }
    }

    /// Client: whether the deadline has passed that the stream was started with.
    ///
    /// `None` where its connection does not watch that, so that whoever reads needs a timer; also
    /// while a message is being decompressed, which may outlast the stream. Otherwise the task
    /// that was told `Pending` is woken when this becomes true.
    #[must_use]
    pub fn has_expired(&self) -> Option<bool> {
        match &self.source {
            Source::Response(_) if self.is_decompressing() => None,
            Source::Response(stream) => stream.has_expired(),
            Source::Request(_) | Source::Shared(_) => None,
        }
    }

    /// True once the stream has ended, cleanly or not.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// Ends the stream from this side, at once: a client's call is reset with CANCEL, and both
    /// halves fail with `status` from then on. What had arrived is dropped. After the end it
    /// changes nothing.
    pub fn fail(&mut self, status: Status) {
        if self.is_ended() {
            return;
        }
        // A server that has begun to answer has processed the call, whatever it says later.
        let status = match status.is_unprocessed() && self.answered {
            true => status.with_unprocessed(false),
            false => status,
        };
        self.phase = Phase::Ended(Err(status.clone()));
        self.decompress = None;
        self.source.abort(status);
    }

    /// Client: resets the call with CANCEL; what had arrived is still read, then comes `status`.
    /// After the end it changes nothing.
    pub fn cancel(&mut self, status: Status) {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            match &self.phase {
                Phase::Ended(_) | Phase::Remains(_) => return,
                Phase::Refused(_) => return self.fail(status),
                Phase::Head | Phase::NotGrpc(_) => {
                    // Nothing that could be read has arrived, unless the head just did.
                    if self.poll_head(&mut cx).is_pending() {
                        return self.fail(status);
                    }
                }
                Phase::Trailers => {
                    if self.poll_last(&mut cx).is_pending() {
                        return self.remain(status);
                    }
                }
                Phase::Messages => match self.source.poll_chunk(&mut cx) {
                    Poll::Ready(Ok(Some(chunk))) => self.frames.push(chunk),
                    Poll::Ready(Ok(None)) => return,
                    Poll::Ready(Err(_)) | Poll::Pending => return self.remain(status),
                },
            }
        }
    }

    fn is_decompressing(&self) -> bool {
        self.decompress.as_deref().is_some_and(Decompress::is_busy)
    }

    fn remain(&mut self, status: Status) {
        self.source.abort(status.clone());
        self.phase = Phase::Remains(status);
    }

    /// The next message that has arrived, decompressed, and its sizes; `None` if none has.
    fn poll_payload(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<(Payload, MessageSize)>, FrameError>> {
        let done = match &mut self.decompress {
            Some(decompress) if decompress.is_busy() => ready!(decompress.poll(cx)),
            decompress => {
                if self.frames.is_empty() {
                    return Poll::Ready(Ok(None));
                }
                let Some(frame) = self.frames.pop()? else {
                    return Poll::Ready(Ok(None));
                };
                let bytes = frame.payload.len();
                if !frame.compressed {
                    let size = MessageSize::new(bytes, bytes);
                    return Poll::Ready(Ok(Some((frame.payload, size))));
                }
                let Some(decompress) = decompress else {
                    return Poll::Ready(Err(FrameError::NoEncoding));
                };
                match decompress.start(frame.payload, self.frames.max_message_bytes()) {
                    Some(done) => done,
                    None => ready!(decompress.poll(cx)),
                }
            }
        };
        let (message, wire_bytes) = done?;
        let size = MessageSize::new(message.len(), wire_bytes);
        Poll::Ready(Ok(Some((message, size))))
    }

    /// Gets the next chunk, or finds the end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Phase::Remains(status) = &self.phase {
            self.phase = Phase::Ended(Err(status.clone()));
            return Poll::Ready(());
        }
        match ready!(self.source.poll_chunk(cx)) {
            Ok(Some(chunk)) => self.frames.push(chunk),
            Ok(None) if matches!(self.source, Source::Response(_)) => self.phase = Phase::Trailers,
            Ok(None) => match self.frames.finish() {
                Ok(()) => {
                    self.phase = Phase::Ended(Ok(()));
                    self.source.release();
                }
                Err(error) => {
                    let status = self.source.broken(&error);
                    self.fail(status);
                }
            },
            Err(status) => self.fail(status),
        }
        Poll::Ready(())
    }

    fn decode(&mut self, message: Payload, size: MessageSize) -> Result<T, Status> {
        let decoded = self.decoder.decode(message);
        let mut message = decoded.map_err(|error| self.undecodable(error))?;
        if let Some(tap) = &self.tap
            && let Err(status) = tap.received(&mut message, size)
        {
            self.fail(status.clone());
            return Err(status);
        }
        Ok(message)
    }

    #[cold]
    fn undecodable(&mut self, error: CodecError) -> Status {
        let text = format!("{} cannot be decoded: {error}", self.source.what());
        let status = Status::internal(text).with_source(error);
        let status = self.source.with_address(status.with_stage(Stage::Message));
        self.fail(status.clone());
        status
    }
}

impl<T> Drop for RecvHalf<T> {
    /// A client's stream cancels by itself; a server's gives up what it has not read.
    fn drop(&mut self) {
        self.source.release();
    }
}

impl<T> fmt::Debug for RecvHalf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvHalf")
            .field("side", &self.source.side())
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
