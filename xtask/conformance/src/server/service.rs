//! The judge's service: each request says how it is to be answered.

use super::answers::{self, Stream};
use crate::errors;
use crate::messages::{
    BidiStreamRequest, BidiStreamResponse, ClientStreamRequest, ClientStreamResponse,
    ConformanceService, ServerStreamRequest, ServerStreamResponse, UnaryRequest, UnaryResponse,
};
use prost_types::Any;
use trunkline::server::{Receiver, RequestContext, Sender};
use trunkline::{Response, Status};

#[derive(Clone, Copy, Debug)]
pub(super) struct Conformance;

impl ConformanceService for Conformance {
    async fn unary(
        &self,
        cx: &RequestContext,
        request: UnaryRequest,
    ) -> Result<Response<UnaryResponse>, Status> {
        let info = answers::info(cx, vec![errors::pack(&request)?]);
        let reply = answers::one(request.response_definition, info).await?;
        Ok(reply.map(|payload| UnaryResponse {
            payload: Some(payload),
        }))
    }

    async fn client_stream(
        &self,
        cx: &RequestContext,
        mut requests: Receiver<ClientStreamRequest>,
    ) -> Result<Response<ClientStreamResponse>, Status> {
        let mut definition = None;
        let mut seen = Vec::new();
        while let Some(request) = requests.recv().await? {
            seen.push(errors::pack(&request)?);
            if seen.len() == 1 {
                definition = request.response_definition;
            }
        }
        let reply = answers::one(definition, answers::info(cx, seen)).await?;
        Ok(reply.map(|payload| ClientStreamResponse {
            payload: Some(payload),
        }))
    }

    async fn server_stream(
        &self,
        cx: &RequestContext,
        request: ServerStreamRequest,
        responses: Sender<ServerStreamResponse>,
    ) -> Result<(), Status> {
        let seen = vec![errors::pack(&request)?];
        let mut stream = Stream::begin(request.response_definition, responses)?;
        stream.send_headers().await?;
        stream.finish(cx, seen).await
    }

    async fn bidi_stream(
        &self,
        cx: &RequestContext,
        mut requests: Receiver<BidiStreamRequest>,
        responses: Sender<BidiStreamResponse>,
    ) -> Result<(), Status> {
        let Some(first) = requests.recv().await? else {
            return Ok(());
        };
        let mut seen: Vec<Any> = vec![errors::pack(&first)?];
        let mut stream = Stream::begin(first.response_definition, responses)?;
        if !first.full_duplex {
            while let Some(request) = requests.recv().await? {
                seen.push(errors::pack(&request)?);
            }
            stream.send_headers().await?;
            return stream.finish(cx, seen).await;
        }
        stream.send_headers().await?;
        // One for one, as long as there are both.
        while stream.has_more() {
            stream.answer(cx, std::mem::take(&mut seen)).await?;
            match requests.recv().await? {
                Some(request) => seen.push(errors::pack(&request)?),
                None => break,
            }
        }
        stream.finish(cx, seen).await
    }
}
