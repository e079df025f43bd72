//! One RPC as the glue between protocol and handler sees it: messages in, an outcome out.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use pin_project_lite::pin_project;
use trunkline_core::{FrameEncoder, FrameError, Metadata, Method, Response, Stage, Status};
use trunkline_transport::http2::{RequestBody, SharedStream};
use trunkline_transport::stream::{
    Compress, Compressed, Framed, MessageHooks, RecvHalf, SendHalf, Work,
};

use crate::compression::RpcCompression;
use crate::stream::{Receiver, Sender};

/// Flag and length in front of a message.
const PREFIX_BYTES: usize = 5;

/// An RPC whose requests have not been read. Generated code turns it into an [`Outcome`].
pub struct Incoming<M: Method> {
    requests: Requests,
    codec: M::Codec,
    limits: MessageLimits,
    compression: RpcCompression,
    hooks: Option<MessageHooks>,
}

/// Where the requests are read.
pub(super) enum Requests {
    /// Unary: nothing is shared with the sending side, which the runner keeps.
    Body(RequestBody),
    Shared(SharedStream),
}

/// How large messages may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageLimits {
    pub(super) receive_bytes: usize,
    pub(super) send_bytes: usize,
}

impl<M: Method> Incoming<M> {
    pub(super) const fn new(
        requests: Requests,
        codec: M::Codec,
        limits: MessageLimits,
        compression: RpcCompression,
        hooks: Option<MessageHooks>,
    ) -> Self {
        Self {
            requests,
            codec,
            limits,
            compression,
            hooks,
        }
    }

    /// Lets what `edit` makes of those that do now look at the messages.
    pub(super) fn hooked(
        mut self,
        edit: impl FnOnce(Option<MessageHooks>) -> MessageHooks,
    ) -> Self {
        self.hooks = Some(edit(self.hooks));
        self
    }

    /// Takes the only request of a method that is sent exactly one.
    ///
    /// Errors: no message or more than one is UNIMPLEMENTED; one that cannot be read is what
    /// [`Receiver::recv`] would say.
    pub fn only(self) -> Only<M> {
        let (requests, respond) = self.open();
        Only {
            requests: Box::new(requests),
            respond: Some(respond),
            request: None,
        }
    }

    /// The requests as a stream, for a method that answers once.
    #[must_use]
    pub fn requests(self) -> (Receiver<M::Request>, Respond<M>) {
        let (requests, respond) = self.open();
        (Receiver::new(requests), respond)
    }

    /// Both streams.
    ///
    /// # Panics
    /// When the method's descriptor says `Shape::Unary`.
    #[must_use]
    pub fn split(self) -> (Receiver<M::Request>, Sender<M::Response>, Rest) {
        let (requests, respond) = self.requests();
        let (responses, rest) = respond.responses();
        (requests, responses, rest)
    }

    #[inline]
    fn open(self) -> (RecvHalf<M::Request>, Respond<M>) {
        let decoder = Box::new(self.codec.clone());
        let limit = self.limits.receive_bytes;
        let (mut requests, stream) = match self.requests {
            Requests::Body(body) => (RecvHalf::server(body, decoder, limit), None),
            Requests::Shared(stream) => (
                RecvHalf::server_shared(stream.clone(), decoder, limit),
                Some(stream),
            ),
        };
        if let Some(decompress) = self.compression.decompress {
            requests = requests.decompressing(Some(decompress));
        }
        if let Some(hooks) = &self.hooks {
            requests.set_hooks(Some(hooks.clone()));
        }
        let respond = Respond {
            stream,
            codec: self.codec,
            send_bytes: self.limits.send_bytes,
            compress: self.compression.compress,
            hooks: self.hooks,
        };
        (requests, respond)
    }
}

/// An RPC whose requests are read, or being read; what is left is to answer it.
pub struct Respond<M: Method> {
    stream: Option<SharedStream>,
    codec: M::Codec,
    send_bytes: usize,
    compress: Option<Box<Compress>>,
    hooks: Option<MessageHooks>,
}

impl<M: Method> Respond<M> {
    /// Runs the handler of a method that answers with one message.
    pub const fn reply<F>(self, handler: F) -> Reply<M, F>
    where
        F: Future<Output = Result<Response<M::Response>, Status>>,
    {
        Reply {
            step: Step::Handler {
                handler,
                respond: self,
            },
        }
    }

    /// The responses as a stream.
    ///
    /// # Panics
    /// When the method's descriptor says `Shape::Unary`: only the runner can answer it then.
    #[must_use]
    pub fn responses(self) -> (Sender<M::Response>, Rest) {
        let Some(stream) = self.stream else {
            panic!(
                "{} is unary and cannot stream responses",
                M::DESCRIPTOR.path
            );
        };
        let half = SendHalf::server(stream, Box::new(self.codec), self.send_bytes)
            .compressing(self.compress)
            .with_hooks(self.hooks);
        (Sender::new(half), Rest { _private: () })
    }

    /// Encodes a response and compresses it, or lets that be done elsewhere.
    fn encode(&self, response: Response<M::Response>) -> Result<Encoded, Status> {
        let compress = self.compress.as_deref();
        let compress = compress.filter(|_| !response.is_uncompressed());
        let (headers, message, trailers) = response.into_parts();
        if let Some(hooks) = &self.hooks {
            hooks.sending(&message)?;
        }
        let mut frame = BytesMut::new();
        let mut encoder = FrameEncoder::new(self.send_bytes);
        let encoded = encoder.encode(&message, &self.codec, &mut frame);
        encoded.map_err(encode_error)?;
        let mut frame = frame.freeze();
        let message_bytes = frame.len().saturating_sub(PREFIX_BYTES);
        if let Some(compress) = compress {
            match compress.start(frame) {
                Compressed::Done(framed) => frame = framed.map_err(encode_error)?.frame,
                Compressed::Later(work) => {
                    return Ok(Encoded::Later(Box::new(Large {
                        work,
                        headers,
                        trailers,
                    })));
                }
            }
        }
        Ok(Encoded::Done(EncodedReply {
            headers,
            message_bytes,
            frame,
            trailers,
        }))
    }
}

/// A response, encoded or about to be.
enum Encoded {
    Done(EncodedReply),
    Later(Box<Large>),
}

/// A response whose message is being compressed.
struct Large {
    work: Work<Framed>,
    headers: Metadata,
    trailers: Metadata,
}

/// What is left of an RPC once its halves are with the handler.
#[derive(Debug)]
pub struct Rest {
    _private: (),
}

impl Rest {
    /// Runs the handler of a method that answers through a [`Sender`].
    pub const fn finish<F>(self, handler: F) -> Finish<F>
    where
        F: Future<Output = Result<(), Status>>,
    {
        Finish {
            handler: Some(handler),
        }
    }
}

/// How an RPC ended, as far as its handler knows. The RPC's task makes the answer of it.
pub struct Outcome(pub(super) Result<Success, Status>);

/// What there is to send after a handler returned Ok.
pub(super) enum Success {
    Message(EncodedReply),
    /// The messages went out through a `Sender`; these trailers go with those that it has set.
    Streamed(Metadata),
}

/// A response, encoded.
pub(super) struct EncodedReply {
    pub(super) headers: Metadata,
    /// How large the message is before compression.
    pub(super) message_bytes: usize,
    pub(super) frame: Bytes,
    pub(super) trailers: Metadata,
}

impl Outcome {
    const fn message(reply: EncodedReply) -> Self {
        Self(Ok(Success::Message(reply)))
    }
}

/// The RPC fails with this status.
impl From<Status> for Outcome {
    fn from(status: Status) -> Self {
        Self(Err(status))
    }
}

pin_project! {
    /// The future of [`Incoming::only`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Only<M: Method> {
        // Boxed: the task of an RPC is allocated faster if it has less than a KiB.
        requests: Box<RecvHalf<M::Request>>,
        respond: Option<Respond<M>>,
        request: Option<M::Request>,
    }
}

impl<M: Method> Future for Only<M> {
    type Output = Result<(M::Request, Respond<M>), Outcome>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        loop {
            let next = ready!(this.requests.poll_message(cx))?;
            match (next, this.request.take()) {
                (Some(first), None) => *this.request = Some(first),
                (Some(_), Some(_)) => return Poll::Ready(Err(wrong_number("a second one came"))),
                (None, None) => return Poll::Ready(Err(wrong_number("none came"))),
                (None, Some(only)) => match this.respond.take() {
                    Some(respond) => return Poll::Ready(Ok((only, respond))),
                    None => return Poll::Ready(Err(wrong_number("it was already taken"))),
                },
            }
        }
    }
}

pin_project! {
    /// The future of [`Respond::reply`]: the handler, and then its response, encoded.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Reply<M: Method, F> {
        #[pin]
        step: Step<M, F>,
    }
}

pin_project! {
    /// How far a reply is. The handler is gone as soon as it is done, as in an `async fn`: what it
    /// has captured must not live on while the RPC waits for its children. They may wait for its end.
    #[project = StepMut]
    enum Step<M: Method, F> {
        Handler { #[pin] handler: F, respond: Respond<M> },
        Compressing { large: Box<Large> },
        Done,
    }
}

impl<M, F> Future for Reply<M, F>
where
    M: Method,
    F: Future<Output = Result<Response<M::Response>, Status>>,
{
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let mut step = self.as_mut().project().step;
        if let StepMut::Handler { handler, respond } = step.as_mut().project() {
            let encoded = ready!(handler.poll(cx)).and_then(|response| respond.encode(response));
            let outcome = match encoded {
                Ok(Encoded::Later(large)) => {
                    step.set(Step::Compressing { large });
                    return self.poll(cx);
                }
                Ok(Encoded::Done(reply)) => Outcome::message(reply),
                Err(status) => Outcome(Err(status)),
            };
            step.set(Step::Done);
            return Poll::Ready(outcome);
        }
        let StepMut::Compressing { large } = step.project() else {
            return Poll::Pending;
        };
        let framed = ready!(Pin::new(&mut large.work).poll(cx));
        Poll::Ready(match framed {
            Ok(framed) => Outcome::message(EncodedReply {
                headers: std::mem::take(&mut large.headers),
                message_bytes: framed.size.bytes,
                frame: framed.frame,
                trailers: std::mem::take(&mut large.trailers),
            }),
            Err(error) => Outcome(Err(encode_error(error))),
        })
    }
}

pin_project! {
    /// The future of [`Rest::finish`]: the handler.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Finish<F> {
        // Gone as soon as it is done, as that of a `Reply`.
        #[pin]
        handler: Option<F>,
    }
}

impl<F: Future<Output = Result<(), Status>>> Future for Finish<F> {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let mut this = self.project();
        let Some(handler) = this.handler.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let result = ready!(handler.poll(cx));
        this.handler.set(None);
        Poll::Ready(Outcome(result.map(|()| Success::Streamed(Metadata::new()))))
    }
}

fn wrong_number(what: &str) -> Outcome {
    let text = format!("exactly one request message was expected, {what}");
    Outcome::from(Status::unimplemented(text).with_stage(Stage::Request))
}

fn encode_error(error: FrameError) -> Status {
    let text = match &error {
        FrameError::TooLarge { .. } => {
            format!("response {error} (server, sending; setting max_send_message_bytes)")
        }
        other => format!("response {other}"),
    };
    Status::new(error.code(), text)
        .with_stage(Stage::Message)
        .with_source(error)
}

impl<M: Method> fmt::Debug for Incoming<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug::<M>(f, "Incoming")
    }
}

impl<M: Method> fmt::Debug for Only<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug::<M>(f, "Only")
    }
}

impl<M: Method> fmt::Debug for Respond<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug::<M>(f, "Respond")
    }
}

impl<M: Method, F> fmt::Debug for Reply<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug::<M>(f, "Reply")
    }
}

impl<F> fmt::Debug for Finish<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finish").finish_non_exhaustive()
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(_) => f.write_str("Outcome(Ok)"),
            Err(status) => f.debug_tuple("Outcome").field(status).finish(),
        }
    }
}

fn debug<M: Method>(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    f.debug_tuple(name).field(&M::DESCRIPTOR.path).finish()
}
