//! Calls that send one message: it is kept, so that a call which surely was not processed goes out
//! once more.

use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use trunkline_core::{Codec, FrameEncoder, FrameError, Method, Stage, Status};
use trunkline_transport::stream::RecvHalf;

use super::opening::Opening;
use super::options::Options;
use crate::channel::ChannelRef;

pub(crate) struct OneRequest<'a, M: Method> {
    pub(crate) opening: Opening<'a>,
    request: M::Request,
    codec: M::Codec,
    replayed: bool,
}

impl<'a, M: Method> OneRequest<'a, M> {
    pub(crate) fn new(channel: ChannelRef<'a>, request: M::Request, options: Options) -> Self {
        let codec = M::Codec::default();
        Self {
            opening: Opening::new(channel, M::DESCRIPTOR, codec.subtype(), options),
            request,
            codec,
            replayed: false,
        }
    }

    /// Ready once the request is on its way; polled again, it sends the same request once more.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<RecvHalf<M::Response>, Status>> {
        let (request, codec) = (&self.request, &self.codec);
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

    pub(crate) fn into_owned(self) -> OneRequest<'static, M> {
        OneRequest {
            opening: self.opening.into_owned(),
            request: self.request,
            codec: self.codec,
            replayed: self.replayed,
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
