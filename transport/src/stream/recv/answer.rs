//! How a client's half begins and ends: with what the server answers.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use trunkline_core::stats::CallEvent;
use trunkline_core::{Deadline, Metadata, Origin, Stage, Status};

use super::{Phase, RecvHalf};
use crate::http2::Head;
use crate::stream::source::{Source, from_server};
use crate::{Timer, now};

/// How long the body of an answer that is no gRPC is waited for: it is only quoted.
const FOREIGN_PATIENCE: Duration = Duration::from_secs(1);

impl<T> RecvHalf<T> {
    pub(super) fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Source::Response(stream) = &mut self.source else {
            self.phase = Phase::Messages;
            return Poll::Ready(());
        };
        match ready!(stream.poll_head(&mut self.interim, cx)) {
            Ok(Head::Stream(headers, encoding)) => {
                self.answered = true;
                if let Some(tap) = &self.tap {
                    let metadata = &headers;
                    tap.hooks.tell(&CallEvent::HeadersIn { metadata });
                }
                if !headers.is_empty() {
                    self.said.get_or_insert_default().headers = headers;
                }
                self.has_headers = true;
                self.decompress = encoding
                    .and_then(|encoding| stream.decompress(encoding))
                    .map(Box::new);
                self.phase = Phase::Messages;
            }
            Ok(Head::Ended(outcome)) => {
                self.answered = true;
                self.end(outcome);
            }
            Ok(Head::NotGrpc(seen)) => {
                self.answered = true;
                let patience = Timer::new(Some(Deadline::after(now(), FOREIGN_PATIENCE)));
                self.phase = Phase::NotGrpc(Box::new((seen, patience)));
            }
            Err(status) if status.is_unprocessed() && stream.may_restart() => {
                stream.refused();
                self.phase = Phase::Refused(status);
            }
            Err(status) => self.fail(status),
        }
        Poll::Ready(())
    }

    pub(super) fn poll_foreign(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Phase::NotGrpc(foreign) = &mut self.phase else {
            return Poll::Ready(());
        };
        let (seen, patience) = &mut **foreign;
        let enough = match self.source.poll_chunk(cx) {
            Poll::Ready(Ok(Some(chunk))) => seen.push_body(&chunk),
            Poll::Ready(Ok(None) | Err(_)) => true,
            Poll::Pending => {
                ready!(patience.poll_expired(cx));
                true
            }
        };
        if !enough {
            return Poll::Ready(());
        }
        let phase = std::mem::replace(&mut self.phase, Phase::Messages);
        let status = match phase {
            Phase::NotGrpc(foreign) => foreign.0.into_status(),
            _ => return Poll::Ready(()),
        };
        let status = self.source.with_address(status);
        self.fail(status);
        Poll::Ready(())
    }

    pub(super) fn poll_last(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Source::Response(stream) = &mut self.source else {
            return Poll::Ready(());
        };
        match ready!(stream.poll_trailers(cx)) {
            Ok(Some(Ok(trailers))) => match self.frames.finish() {
                Ok(()) => self.end(Ok(trailers)),
                Err(error) => {
                    let status = self.source.broken(&error);
                    self.end(Err(status));
                }
            },
            Ok(Some(Err(status))) => self.end(Err(status)),
            Ok(None) => {
                let status = Status::internal("the stream ended without a grpc-status");
                self.end(Err(status
                    .with_origin(Origin::Transport)
                    .with_stage(Stage::Response)));
            }
            Err(status) => self.fail(status),
        }
        Poll::Ready(())
    }

    /// Client: the call ended with what the server said.
    fn end(&mut self, outcome: Result<Metadata, Status>) {
        let Source::Response(stream) = &mut self.source else {
            return;
        };
        if let Some(tap) = &self.tap {
            let metadata = match &outcome {
                Ok(trailers) => trailers,
                Err(status) => status.metadata(),
            };
            tap.hooks.tell(&CallEvent::TrailersIn { metadata });
        }
        match outcome {
            Ok(trailers) => {
                if !trailers.is_empty() {
                    self.said.get_or_insert_default().trailers = trailers;
                }
                stream.end(|| {
                    Status::cancelled("the server ended the call with OK before it was all sent")
                        .with_origin(Origin::Transport)
                });
                self.phase = Phase::Ended(Ok(()));
            }
            Err(status) => {
                // What the server said stays as it is; what is wrong with its answer names it.
                let status = match status.origin() {
                    Origin::Peer => status,
                    Origin::Transport | Origin::Local => from_server(stream, status),
                };
                stream.end(|| status.clone());
                self.phase = Phase::Ended(Err(status));
            }
        }
    }
}
