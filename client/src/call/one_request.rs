//! Calls that send one message: it is kept, so that a call which surely was not processed goes out
//! once more.

use std::borrow::Borrow;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use trunkline_core::stats::MessageSize;
use trunkline_core::{Codec, FrameEncoder, FrameError, Method, Stage, Status};
use trunkline_transport::Address;
use trunkline_transport::stream::{Compressed, RecvHalf};

use super::opening::Opening;
use super::options::Options;
use crate::channel::ChannelRef;
use crate::interceptor::CallContext;

/// Flag and length in front of a message.
const PREFIX_BYTES: usize = 5;

/// A call with one request, which is `R`: the message, or a share of it where interceptors may start
/// the call more than once.
pub(crate) struct OneRequest<'a, M: Method, R = <M as Method>::Request> {
    pub(crate) opening: Opening<'a>,
    request: R,
    codec: M::Codec,
    /// The request as it goes out, and goes out again, if it is to be compressed.
    compressed: Option<Box<Compressed>>,
    replayed: bool,
    method: PhantomData<fn() -> M>,
}

impl<'a, M: Method> OneRequest<'a, M> {
    #[inline]
    pub(crate) fn new(channel: ChannelRef<'a>, request: M::Request, options: Options) -> Self {
        let codec = M::Codec::default();
        let opening = Opening::new(channel, M::DESCRIPTOR, codec.subtype(), options);
        Self::opened_by(opening, request, codec)
    }
}

impl<M: Method> OneRequest<'static, M, Arc<M::Request>> {
    /// The same call as the interceptors have left it.
    pub(crate) fn beneath(request: Arc<M::Request>, call: CallContext) -> Self {
        let codec = M::Codec::default();
        let opening = call.into_opening(codec.subtype());
        Self::opened_by(opening, request, codec)
    }
}

impl<'a, M: Method, R: Borrow<M::Request>> OneRequest<'a, M, R> {
    #[inline]
    const fn opened_by(opening: Opening<'a>, request: R, codec: M::Codec) -> Self {
        Self {
            opening,
            request,
            codec,
            compressed: None,
            replayed: false,
            method: PhantomData,
        }
    }

    /// Ready once the request is on its way; polled again, it sends the same request once more.
    ///
    /// `put` gets the receiving half and says what comes out: nothing, where it puts the half in
    /// its place, which saves moving it through the results of all that is called here.
    pub(crate) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut put: impl FnMut(RecvHalf<M::Response>) -> T,
    ) -> Poll<Result<T, Status>> {
        if self.opening.compresses() {
            ready!(self.poll_compressed(cx))?;
        }
        let (request, codec) = (self.request.borrow(), &self.codec);
        let compressed = self.compressed.as_deref();
        let mut size = MessageSize::new(0, 0);
        let opened = self.opening.poll(cx, |start| {
            let frame = match compressed {
                Some(Compressed::Done(Ok(framed))) => {
                    size = framed.size;
                    framed.frame.clone()
                }
                _ => {
                    let frame = encode::<M>(request, codec, start.max_send_bytes)?;
                    let bytes = frame.len().saturating_sub(PREFIX_BYTES);
                    size = MessageSize::new(bytes, bytes);
                    frame
                }
            };
            let stream = start.connection.start_single_until(
                start.permit,
                &start.head,
                frame,
                start.max_receive_bytes,
                start.deadline,
            )?;
            let half = RecvHalf::client(stream, Box::new(codec.clone()));
            let mut half = half.with_timeout(start.head.timeout);
            if let Some(hooks) = start.hooks {
                half.set_hooks(Some(hooks.clone()));
            }
            Ok(put(half))
        });
        if let (Poll::Ready(Ok(_)), Some(watch)) = (&opened, self.opening.watch()) {
            watch.sent(size);
        }
        opened
    }

    /// Shows the request to the hooks, before it is sent for the first time.
    ///
    /// Errors: a hook refuses it.
    pub(crate) fn show(&mut self) -> Result<(), Status> {
        match self.opening.watch() {
            Some(watch) => watch.hooks().sending(self.request.borrow()),
            None => Ok(()),
        }
    }

    /// Ready once the request is compressed, which is done once, whatever becomes of its stream.
    fn poll_compressed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.opening.begin_once()?;
        loop {
            match self.compressed.as_deref_mut() {
                None => {
                    let Some(compress) = self.opening.compress() else {
                        return Poll::Ready(Ok(()));
                    };
                    let limit = self.opening.max_send();
                    let frame = encode::<M>(self.request.borrow(), &self.codec, limit)?;
                    self.compressed = Some(Box::new(compress.start(frame)));
                }
                Some(Compressed::Done(Ok(_))) => return Poll::Ready(Ok(())),
                Some(Compressed::Done(Err(error))) => {
                    return Poll::Ready(Err(encode_error(error.clone())));
                }
                Some(Compressed::Later(work)) => match Pin::new(work).poll(cx) {
                    Poll::Ready(done) => self.compressed = Some(Box::new(Compressed::Done(done))),
                    Poll::Pending => {
                        let expiry = &mut self.opening.expiry;
                        ready!(expiry.poll(cx));
                        let doing = "the request was still being compressed";
                        return Poll::Ready(Err(expiry.status(Stage::Message, doing)));
                    }
                },
            }
        }
    }

    /// Whether the call that ended like this may go out again: surely not processed, no answer
    /// seen, only once, and not if the channel says no. True uses the one time up.
    pub(crate) fn may_replay(
        &mut self,
        why: &Status,
        has_head: bool,
        at: Option<&Address>,
    ) -> bool {
        let may = !self.replayed && self.opening.may_repeat();
        let replay = may && why.is_unprocessed() && !has_head;
        if replay {
            self.replayed = true;
            self.opening.tried(why, at);
            let method = self.opening.method.path;
            tracing::debug!(
                method,
                reason = why.message(),
                "not processed, sending it again"
            );
        }
        replay
    }

    pub(crate) fn into_owned(self) -> OneRequest<'static, M, R> {
        OneRequest {
            opening: self.opening.into_owned(),
            request: self.request,
            codec: self.codec,
            compressed: self.compressed,
            replayed: self.replayed,
            method: PhantomData,
        }
    }
}

/// One message in one exactly sized buffer.
fn encode<M: Method>(
    request: &M::Request,
    codec: &M::Codec,
    max_send_bytes: usize,
) -> Result<Bytes, Status> {
    let mut buffer = BytesMut::new();
    match FrameEncoder::new(max_send_bytes).encode(request, codec, &mut buffer) {
        Ok(()) => Ok(buffer.freeze()),
        Err(error) => Err(encode_error(error)),
    }
}

fn encode_error(error: FrameError) -> Status {
    let text = match &error {
        FrameError::TooLarge { .. } => {
            format!("request {error} (client, sending; setting max_send_message_bytes)")
        }
        _ => format!("request {error}"),
    };
    Status::new(error.code(), text)
        .with_stage(Stage::Message)
        .with_source(error)
}
