//! The extra service.

use super::messages::{
    Chunk, DeadlineReply, DeadlineRequest, EarlyRequest, ExtraService, FailRequest, Nothing,
};
use crate::messages::code;
use std::time::{Duration, Instant};
use trunkline::server::{Receiver, RequestContext, Sender};
use trunkline::{Code, Metadata, MetadataValue, Response, Status};

/// What is named so is sent back.
pub(super) const EXTRA: &str = "x-extra-";

/// The name of the one detail.
pub(super) const CHUNK: &str = "trunkline.interop.Chunk";

/// The extra service; each method shows one thing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extra;

impl ExtraService for Extra {
    async fn fail(
        &self,
        _cx: &RequestContext,
        request: FailRequest,
    ) -> Result<Response<Nothing>, Status> {
        let status = Status::new(code(request.code), request.message);
        match usize::try_from(request.detail_bytes) {
            Ok(bytes @ 1..) => {
                let body = vec![0; bytes];
                Err(status.with_detail_named(CHUNK, &Chunk { body }))
            }
            _ => Err(status),
        }
    }

    async fn echo(
        &self,
        cx: &RequestContext,
        _request: Nothing,
    ) -> Result<Response<Nothing>, Status> {
        let mut reply = Response::new(Nothing {});
        *reply.headers_mut() = extra(cx.metadata())?;
        *reply.trailers_mut() = extra(cx.metadata())?;
        Ok(reply)
    }

    async fn deadline(
        &self,
        cx: &RequestContext,
        request: DeadlineRequest,
    ) -> Result<Response<DeadlineReply>, Status> {
        let left_ms = cx.deadline().map_or(-1, |deadline| {
            let left = deadline.remaining(Instant::now());
            i64::try_from(left.as_millis()).unwrap_or(i64::MAX)
        });
        let wait_ms = u64::try_from(request.wait_ms).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        Ok(DeadlineReply { left_ms }.into())
    }

    async fn answer_early(
        &self,
        _cx: &RequestContext,
        mut requests: Receiver<EarlyRequest>,
    ) -> Result<Response<Nothing>, Status> {
        let first = requests.recv().await?.unwrap_or_default();
        match code(first.code) {
            Code::Ok => Ok(Nothing {}.into()),
            code => Err(Status::new(code, "that is enough")),
        }
    }

    async fn converse(
        &self,
        _cx: &RequestContext,
        mut requests: Receiver<Chunk>,
        mut responses: Sender<Chunk>,
    ) -> Result<(), Status> {
        while let Some(chunk) = requests.recv().await? {
            responses.send(&chunk).await?;
        }
        Ok(())
    }
}

/// What of the metadata is to go back.
fn extra(metadata: &Metadata) -> Result<Metadata, Status> {
    let mut back = Metadata::new();
    for (key, value) in metadata.iter().filter(|(key, _)| key.starts_with(EXTRA)) {
        match value {
            MetadataValue::Ascii(text) => back.append(key, text)?,
            MetadataValue::Binary(bytes) => back.append_bin(key, bytes)?,
        }
    }
    Ok(back)
}
