//! Answers of exactly one message, whatever the request was.

use std::fmt;
use std::task::{Context, Poll, ready};

use trunkline_core::{Metadata, Response, Stage, Status};
use trunkline_transport::stream::RecvHalf;

use super::expiry::Expiry;

/// Reads one message and a clean end, and nothing else.
pub(crate) struct Single<T> {
    half: RecvHalf<T>,
    message: Option<T>,
}

impl<T> Single<T> {
    pub(crate) const fn new(half: RecvHalf<T>) -> Self {
        Self {
            half,
            message: None,
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<T>, Status>> {
        loop {
            match ready!(self.half.poll_message(cx))? {
                Some(message) if self.message.is_none() => self.message = Some(message),
                Some(_) => {
                    let status = cardinality(
                        "the server sent more than the one response message that the method has",
                    );
                    self.half.fail(status.clone());
                    return Poll::Ready(Err(status));
                }
                None => break,
            }
        }
        let Some(message) = self.message.take() else {
            let text = "the server ended the call with OK but without its response message";
            return Poll::Ready(Err(cardinality(text)));
        };
        let (headers, trailers) = (self.half.take_headers(), self.half.take_trailers());
        Poll::Ready(Ok(Response::from_parts(headers, message, trailers)))
    }

    /// What has arrived of an answer that failed: its headers and its message.
    pub(crate) fn remains(&mut self) -> (Metadata, Option<T>) {
        (self.half.take_headers(), self.message.take())
    }

    pub(crate) const fn half(&mut self) -> &mut RecvHalf<T> {
        &mut self.half
    }

    /// The server has begun to answer.
    pub(crate) fn has_head(&self) -> bool {
        self.half.has_head()
    }

    /// The deadline has passed: ends the call here, and says what it was waiting for.
    pub(crate) fn expire(&mut self, expiry: &Expiry) -> Status {
        let what = if self.message.is_some() {
            "the end of the call"
        } else {
            "the response"
        };
        let status = expiry.status(Stage::Response, waiting_for(what, &self.half));
        self.half.fail(status.clone());
        status
    }
}

/// What a call waits for at its receiving half, and what it may have forgotten.
pub(crate) fn waiting_for<T>(what: impl fmt::Display, half: &RecvHalf<T>) -> String {
    let mut text = format!("waiting for {what}");
    if let Some(address) = half.address() {
        text.push_str(&format!(" from {address}"));
    }
    if half.sender_is_open() {
        text.push_str(
            "; its Sender was never finished: finish() tells the server that all was sent",
        );
    }
    text
}

fn cardinality(text: &'static str) -> Status {
    Status::unimplemented(text).with_stage(Stage::Response)
}
