//! A server's stream: what answers one RPC, and what it receives, untyped.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use h2::Reason;
use h2::server::SendResponse;
use trunkline_core::protocol::{write_response_head, write_trailers, write_trailers_only};
use trunkline_core::{Metadata, Stage, Status};

use super::body::Body;
use super::cell::{StreamCell, gone};
use super::error::stream_error;
use super::fields::{self, Fields, send_chunk};
use super::link::Link;
use crate::http2::{Finished, ResponseForm};

/// Fields of a response head or of trailers without metadata.
const TYPICAL_FIELDS: usize = 2;

/// The receiving side of an RPC whose request is one message.
#[derive(Debug)]
pub(crate) struct RequestBody {
    body: Body,
    link: Arc<Link>,
}

impl RequestBody {
    pub(super) const fn new(body: Body, link: Arc<Link>) -> Self {
        Self { body, link }
    }

    pub(crate) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Status>> {
        let chunk = self.body.poll_chunk(&self.link, cx);
        chunk.map_err(|error| request_error(&error, &self.link))
    }
}

/// The sending side of an RPC that is answered by one message, owned by the RPC's task alone.
///
/// Dropped without an answer it resets the stream with INTERNAL_ERROR.
#[derive(Debug)]
pub(crate) struct Responder {
    respond: Option<SendResponse<Bytes>>,
    link: Arc<Link>,
}

impl Responder {
    pub(super) const fn new(respond: SendResponse<Bytes>, link: Arc<Link>) -> Self {
        Self {
            respond: Some(respond),
            link,
        }
    }

    pub(crate) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        match &mut self.respond {
            Some(respond) => respond
                .poll_reset(cx)
                .map(|reason| gone(reason, &self.link)),
            None => Poll::Pending,
        }
    }

    pub(crate) fn reply(
        mut self,
        form: &ResponseForm,
        headers: &Metadata,
        frame: Bytes,
        trailers: &Metadata,
    ) {
        let Some(mut respond) = self.respond.take() else {
            return;
        };
        let mut head = Fields::with_capacity(TYPICAL_FIELDS + headers.len());
        let encoding = form.encoding.as_ref();
        write_response_head(&mut head.sink(), form.subtype, encoding, headers);
        let Ok(mut send) = respond.send_response(fields::response(head), false) else {
            return;
        };
        if send_chunk(&mut send, frame, false).is_err() {
            return;
        }
        let mut last = Fields::with_capacity(TYPICAL_FIELDS + trailers.len());
        write_trailers(&mut last.sink(), Ok(trailers));
        let _ = send.send_trailers(last.into_map());
    }

    pub(crate) fn fail(mut self, status: &Status) {
        let Some(mut respond) = self.respond.take() else {
            return;
        };
        let mut fields = Fields::with_capacity(TYPICAL_FIELDS * 2);
        write_trailers_only(&mut fields.sink(), status);
        let _ = respond.send_response(fields::response(fields), true);
    }

    #[must_use]
    pub(crate) fn share(mut self, body: RequestBody, form: ResponseForm) -> SharedStream {
        let RequestBody { body, link } = body;
        SharedStream(match self.respond.take() {
            Some(respond) => StreamCell::server(respond, form, body, link),
            None => StreamCell::ended(link),
        })
    }

    /// The reset of a dropped one, and a stream that has ended with it.
    pub(in crate::http2) fn give_up(self) -> SharedStream {
        SharedStream(StreamCell::ended(Arc::clone(&self.link)))
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if let Some(mut respond) = self.respond.take() {
            respond.send_reset(Reason::INTERNAL_ERROR);
        }
    }
}

/// A server's streaming RPC, as its runner and its two halves share it.
#[derive(Clone, Debug)]
pub(crate) struct SharedStream(Arc<StreamCell>);

impl SharedStream {
    pub(crate) fn poll_reset(&self, cx: &mut Context<'_>) -> Poll<Status> {
        self.0.poll_reset(cx)
    }

    pub(crate) fn reply(&self, headers: Metadata, frame: Bytes, trailers: &Metadata) {
        self.0.with_headers(|all| all.extend(headers));
        self.0.push_encoded(frame);
        self.0.finish(Ok(trailers));
    }

    pub(crate) fn add_headers(&self, headers: Metadata) {
        if !headers.is_empty() {
            self.0.with_headers(|all| all.extend(headers));
        }
    }

    #[must_use]
    pub(crate) fn trailers(&self) -> Metadata {
        let trailers = self.0.with_trailers(|trailers| trailers.clone());
        trailers.unwrap_or_default()
    }

    #[must_use]
    pub(crate) fn take_trailers(&self) -> Metadata {
        self.0.with_trailers(std::mem::take).unwrap_or_default()
    }

    pub(crate) fn finish(&self, outcome: Result<&Metadata, &Status>) {
        self.0.finish(outcome);
    }

    pub(crate) fn finish_now(&self, status: &Status) -> Finished {
        self.0.finish_now(status)
    }

    pub(crate) fn finish_last(&self, status: &Status) -> Finished {
        self.0.finish_last(status)
    }

    #[must_use]
    pub(crate) fn is_finished(&self) -> bool {
        self.0.has_ended()
    }

    pub(crate) fn push(
        &self,
        size: usize,
        write: impl FnOnce(&mut BytesMut) -> Result<(), Status>,
    ) -> Result<(), Status> {
        self.0.push(size, write)
    }

    pub(crate) fn push_frame(&self, frame: Bytes) -> Result<(), Status> {
        self.0.push_frame(frame)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.0.waiting()
    }

    pub(crate) fn poll_below(
        &self,
        below: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Status>> {
        self.0.poll_below(below, cx)
    }

    pub(crate) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Status> {
        self.0.poll_closed(cx)
    }

    pub(crate) fn headers(&self) -> Option<Metadata> {
        self.0.with_headers(|headers| headers.clone())
    }

    pub(crate) fn with_headers<R>(&self, edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        self.0.with_own_headers(edit)
    }

    pub(crate) fn with_trailers<R>(&self, edit: impl FnOnce(&mut Metadata) -> R) -> Option<R> {
        self.0.with_trailers(edit)
    }

    pub(crate) fn send_headers(&self) -> Result<(), Status> {
        self.0.send_headers()
    }

    pub(crate) fn poll_chunk(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Status>> {
        let link = self.0.link();
        let polled = self.0.with_body(|body| body.poll_chunk(link, cx));
        match polled {
            Some(Poll::Ready(Ok(chunk))) => Poll::Ready(Ok(chunk)),
            Some(Poll::Ready(Err(error))) => Poll::Ready(Err(request_error(&error, link))),
            Some(Poll::Pending) | None => self.0.poll_local(cx).map(Err),
        }
    }

    pub(crate) fn drop_body(&self) {
        self.0.drop_body();
    }
}

/// Why the request stream broke, as the handler sees it: the client cancelled, or it is gone.
fn request_error(error: &h2::Error, link: &Link) -> Status {
    if error.is_reset() && error.is_remote() {
        return gone(Ok(error.reason().unwrap_or(Reason::CANCEL)), link);
    }
    let lost = stream_error(error, link, Stage::Request);
    Status::cancelled(lost.message().to_owned())
        .with_origin(lost.origin())
        .with_stage(Stage::Request)
}
