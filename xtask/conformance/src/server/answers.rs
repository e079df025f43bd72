//! What the judge wants to be answered, made into responses.

use crate::messages::conformance_payload::RequestInfo;
use crate::messages::unary_response_definition::Response as Wanted;
use crate::messages::{
    BidiStreamResponse, ConformancePayload, ServerStreamResponse, StreamResponseDefinition,
    UnaryResponseDefinition,
};
use crate::{errors, headers};
use prost_types::Any;
use std::time::{Duration, Instant};
use trunkline::server::{RequestContext, Sender};
use trunkline::{Metadata, Response, Status};

/// What a handler sees of its RPC.
pub(super) fn info(cx: &RequestContext, requests: Vec<Any>) -> RequestInfo {
    let left = cx
        .deadline()
        .map(|deadline| deadline.remaining(Instant::now()));
    RequestInfo {
        request_headers: headers::told(cx.metadata()),
        timeout_ms: left.map(|left| i64::try_from(left.as_millis()).unwrap_or(i64::MAX)),
        requests,
    }
}

/// The one answer of an RPC.
pub(super) async fn one(
    definition: Option<UnaryResponseDefinition>,
    info: RequestInfo,
) -> Result<Response<ConformancePayload>, Status> {
    let definition = definition.unwrap_or_default();
    wait(definition.response_delay_ms).await;
    let data = match definition.response {
        Some(Wanted::Error(error)) => {
            let mut status = errors::status(&error).with_detail(info);
            // Where an RPC with one answer fails, all its metadata goes with the status.
            headers::add(&definition.response_headers, status.metadata_mut())?;
            headers::add(&definition.response_trailers, status.metadata_mut())?;
            return Err(status);
        }
        Some(Wanted::ResponseData(data)) => data,
        None => Vec::new(),
    };
    let mut reply = Response::new(ConformancePayload {
        data,
        request_info: Some(info),
    });
    headers::add(&definition.response_headers, reply.headers_mut())?;
    headers::add(&definition.response_trailers, reply.trailers_mut())?;
    Ok(reply)
}

/// The many answers of an RPC.
pub(super) struct Stream<T> {
    definition: StreamResponseDefinition,
    responses: Sender<T>,
    sent: usize,
}

impl<T: From<ConformancePayload>> Stream<T> {
    /// Sets the metadata; sends nothing.
    pub(super) fn begin(
        definition: Option<StreamResponseDefinition>,
        mut responses: Sender<T>,
    ) -> Result<Self, Status> {
        let definition = definition.unwrap_or_default();
        let add = |from, to: &mut Metadata| headers::add(from, to);
        responses.with_headers(|all| add(&definition.response_headers, all))??;
        responses.with_trailers(|all| add(&definition.response_trailers, all))??;
        Ok(Self {
            definition,
            responses,
            sent: 0,
        })
    }

    /// Sends the headers ahead of the first answer, if there will be one.
    pub(super) async fn send_headers(&mut self) -> Result<(), Status> {
        if self.has_more() {
            self.responses.send_headers().await?;
        }
        Ok(())
    }

    pub(super) fn has_more(&self) -> bool {
        self.sent < self.definition.response_data.len()
    }

    /// Sends the next answer, if there is one, which tells of these requests.
    pub(super) async fn answer(
        &mut self,
        cx: &RequestContext,
        requests: Vec<Any>,
    ) -> Result<(), Status> {
        let Some(data) = self.definition.response_data.get(self.sent) else {
            return Ok(());
        };
        let request_info = if self.sent == 0 {
            Some(info(cx, requests))
        } else if requests.is_empty() {
            None
        } else {
            // What came before the requests has been told already.
            Some(RequestInfo {
                requests,
                ..RequestInfo::default()
            })
        };
        let payload = ConformancePayload {
            data: data.clone(),
            request_info,
        };
        wait(self.definition.response_delay_ms).await;
        self.responses.send(&payload.into()).await?;
        self.sent += 1;
        Ok(())
    }

    /// Sends what is left, and gives the end that is wanted.
    pub(super) async fn finish(
        mut self,
        cx: &RequestContext,
        mut requests: Vec<Any>,
    ) -> Result<(), Status> {
        while self.has_more() {
            self.answer(cx, std::mem::take(&mut requests)).await?;
        }
        let Some(error) = &self.definition.error else {
            return Ok(());
        };
        let status = errors::status(error);
        Err(match self.sent {
            0 => status.with_detail(info(cx, requests)),
            _ => status,
        })
    }
}

async fn wait(milliseconds: u32) {
    if milliseconds > 0 {
        tokio::time::sleep(Duration::from_millis(milliseconds.into())).await;
    }
}

impl From<ConformancePayload> for ServerStreamResponse {
    fn from(payload: ConformancePayload) -> Self {
        Self {
            payload: Some(payload),
        }
    }
}

impl From<ConformancePayload> for BidiStreamResponse {
    fn from(payload: ConformancePayload) -> Self {
        Self {
            payload: Some(payload),
        }
    }
}
