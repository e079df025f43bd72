//! Where a receiving half reads, and how it speaks of it.

use std::task::{Context, Poll};

use bytes::Bytes;
use trunkline_core::{FrameError, Origin, Stage, Status};

use super::Side;
use crate::http2::{RequestBody, ResponseStream, SharedStream};

#[derive(Debug)]
pub(super) enum Source {
    Response(ResponseStream),
    Request(Option<RequestBody>),
    Shared(SharedStream),
}

impl Source {
    pub(super) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Status>> {
        match self {
            Self::Response(stream) => stream.poll_chunk(cx),
            Self::Request(Some(body)) => body.poll_chunk(cx),
            Self::Request(None) => Poll::Ready(Ok(None)),
            Self::Shared(stream) => stream.poll_chunk(cx),
        }
    }

    /// Nothing more will be read, because this side ends the stream.
    pub(super) fn abort(&mut self, status: Status) {
        match self {
            Self::Response(stream) => stream.abort(status),
            Self::Request(_) | Self::Shared(_) => self.release(),
        }
    }

    /// Server: nothing more will be read; what is unread gives its window back.
    pub(super) fn release(&mut self) {
        match self {
            Self::Response(_) => {}
            Self::Request(body) => *body = None,
            Self::Shared(stream) => stream.drop_body(),
        }
    }

    pub(super) fn broken(&self, error: &FrameError) -> Status {
        let what = self.what();
        let text = match error {
            FrameError::TooLarge { size, limit } => format!(
                "{what} of {size} bytes is over the limit of {limit} bytes ({}, receiving; \
                 setting max_receive_message_bytes)",
                self.side()
            ),
            FrameError::Inflated {
                wire,
                limit,
                encoding,
            } => format!(
                "{what} of {wire} bytes in {encoding} has more than {limit} bytes once \
                 decompressed, the limit ({}, receiving; setting max_receive_message_bytes)",
                self.side()
            ),
            FrameError::NoEncoding => format!("{what} {error}"),
            _ => format!("broken {what}: {error}"),
        };
        let origin = match error {
            // Nothing is broken: this side decided.
            FrameError::TooLarge { .. } | FrameError::Inflated { .. } => Origin::Local,
            _ => Origin::Transport,
        };
        Status::new(error.code(), text)
            .with_origin(origin)
            .with_stage(Stage::Message)
            .with_source(error.clone())
    }

    /// Client: says which server a broken answer came from.
    pub(super) fn with_address(&self, status: Status) -> Status {
        match self {
            Self::Response(stream) => from_server(stream, status),
            Self::Request(_) | Self::Shared(_) => status,
        }
    }

    pub(super) const fn side(&self) -> Side {
        match self {
            Self::Response(_) => Side::Client,
            Self::Request(_) | Self::Shared(_) => Side::Server,
        }
    }

    pub(super) const fn what(&self) -> &'static str {
        match self {
            Self::Response(_) => "response message",
            Self::Request(_) | Self::Shared(_) => "request message",
        }
    }
}

/// What is wrong with an answer, and whose it is.
pub(super) fn from_server(stream: &ResponseStream, status: Status) -> Status {
    status.context(format_args!("answer of {}", stream.address()))
}
