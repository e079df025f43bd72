//! Calls that send one message: it is kept, so that a call which surely was not processed goes out
//! once more.

use std::borrow::Borrow;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use trunkline_core::{Codec, FrameEncoder, FrameError, Method, Stage, Status};
use trunkline_transport::stream::RecvHalf;

use super::opening::Opening;
use super::options::Options;
use crate::channel::ChannelRef;
use crate::interceptor::CallContext;

/// A call with one request, which is `R`: the message, or a share of it where interceptors may start
/// the call more than once.
pub(crate) struct OneRequest<'a, M: Method, R = <M as Method>::Request> {
    pub(crate) opening: Opening<'a>,
    request: R,
    codec: M::Codec,
    replayed: bool,
    method: PhantomData<fn() -> M>,
}

impl<'a, M: Method> OneRequest<'a, M> {
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
    const fn opened_by(opening: Opening<'a>, request: R, codec: M::Codec) -> Self {
        Self {
            opening,
            request,
            codec,
            replayed: false,
            method: PhantomData,
        }
    }

    /// Ready once the request is on its way; polled again, it sends the same request once more.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<RecvHalf<M::Response>, Status>> {
        let (request, codec) = (self.request.borrow(), &self.codec);
        self.opening.poll(cx, |start| {
            let frame = encode::<M>(request, codec, start.max_send_bytes)?;
            let (connection, permit) = (start.connection, start.permit);
            let stream =
                connection.start_single(permit, &start.head, frame, start.max_receive_bytes)?;
            Ok(RecvHalf::client(stream, Box::new(codec.clone())))
        })
    }

    /// Whether the call that ended like this may go out again: surely not processed, no answer
    /// seen, and only once. True uses the one time up.
    pub(crate) fn may_replay(&mut self, why: &Status, has_head: bool) -> bool {
        let replay = why.is_unprocessed() && !has_head && !self.replayed;
        if replay {
            self.replayed = true;
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
