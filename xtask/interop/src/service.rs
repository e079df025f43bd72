//! The interop service.

use crate::extra::{Extra, ExtraServiceServer};
use crate::gzip;
use crate::messages::{
    BoolValue, ECHO_INITIAL, ECHO_TRAILING, EchoStatus, Empty, OpenRcaServiceServer,
    ResponseParameters, SimpleRequest, SimpleResponse, StreamingInputCallRequest,
    StreamingInputCallResponse, StreamingOutputCallRequest, StreamingOutputCallResponse,
    TestService, TestServiceServer, code, payload, size, wanted,
};
use crate::orca::{Load, LoadService, REPORT};
use std::sync::Arc;
use std::time::Duration;
use trunkline::server::{
    Receiver, RequestContext, ResponseCompression, Sender, ServerBuilder, ServerKeepalive,
};
use trunkline::{Code, Metadata, Response, Status};

/// More than any case sends.
const MAX_MESSAGE_BYTES: usize = 128 << 20;

/// Answers as the interop test descriptions say.
#[derive(Clone, Debug)]
pub struct Interop {
    id: String,
    load: Arc<Load>,
}

impl Default for Interop {
    fn default() -> Self {
        Self {
            id: format!("trunkline-{}", std::process::id()),
            load: Arc::default(),
        }
    }
}

impl Interop {
    /// Adds all services to a server, and what they need of it.
    pub fn add_to(builder: ServerBuilder) -> ServerBuilder {
        let service = Self::default();
        let load = Arc::clone(&service.load);
        builder
            .compression(ResponseCompression::prefer([gzip::NAME]))
            .compressors(gzip::compressors())
            .keepalive(keepalive())
            .max_receive_message_bytes(MAX_MESSAGE_BYTES)
            .add_service(TestServiceServer::new(service))
            .add_service(ExtraServiceServer::new(Extra))
            .add_service(OpenRcaServiceServer::new(LoadService(load)))
    }
}

/// PINGs as often as may be: every case that is silent for a second shows that the client answers.
/// Clients may send some as they like, so that their keepalive shows in seconds too.
fn keepalive() -> ServerKeepalive {
    let mut keepalive = ServerKeepalive::every(Duration::from_secs(1));
    keepalive.permit_time = Duration::ZERO;
    keepalive.permit_without_calls = true;
    keepalive
}

impl TestService for Interop {
    async fn empty_call(
        &self,
        _cx: &RequestContext,
        _request: Empty,
    ) -> Result<Response<Empty>, Status> {
        Ok(Empty {}.into())
    }

    async fn unary_call(
        &self,
        cx: &RequestContext,
        request: SimpleRequest,
    ) -> Result<Response<SimpleResponse>, Status> {
        asked_for(request.response_status.as_ref())?;
        as_expected(request.expect_compressed, request.arrived_compressed)?;
        let mut reply = Response::new(SimpleResponse {
            payload: payload(request.response_size),
            ..SimpleResponse::default()
        });
        if request.fill_server_id {
            reply.server_id.clone_from(&self.id);
        }
        echo_initial(cx, reply.headers_mut());
        echo_trailing(cx, reply.trailers_mut());
        if let Some(told) = request.orca_per_query_report {
            let report = Load::encode(&told.into());
            reply.trailers_mut().insert_bin(REPORT, report)?;
        }
        if !wanted(request.response_compressed) {
            reply = reply.uncompressed();
        }
        Ok(reply)
    }

    async fn streaming_output_call(
        &self,
        cx: &RequestContext,
        request: StreamingOutputCallRequest,
        mut responses: Sender<StreamingOutputCallResponse>,
    ) -> Result<(), Status> {
        answer(cx, &request.response_parameters, &mut responses).await
    }

    async fn streaming_input_call(
        &self,
        _cx: &RequestContext,
        mut requests: Receiver<StreamingInputCallRequest>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let mut sum = 0;
        while let Some(request) = requests.recv().await? {
            as_expected(request.expect_compressed, request.arrived_compressed)?;
            sum += size(request.payload.as_ref());
        }
        let aggregated_payload_size = i32::try_from(sum)
            .map_err(|_| Status::out_of_range(format!("{sum} bytes do not fit the answer")))?;
        Ok(StreamingInputCallResponse {
            aggregated_payload_size,
        }
        .into())
    }

    async fn full_duplex_call(
        &self,
        cx: &RequestContext,
        mut requests: Receiver<StreamingOutputCallRequest>,
        mut responses: Sender<StreamingOutputCallResponse>,
    ) -> Result<(), Status> {
        responses.with_headers(|headers| echo_initial(cx, headers))?;
        responses.with_trailers(|trailers| echo_trailing(cx, trailers))?;
        let mut turn = None;
        while let Some(request) = requests.recv().await? {
            asked_for(request.response_status.as_ref())?;
            if let Some(told) = request.orca_oob_report {
                if turn.is_none() {
                    // Whoever else tells a load waits until this call has ended.
                    turn = Some(self.load.turn().await);
                }
                self.load.set(told.into());
            }
            answer(cx, &request.response_parameters, &mut responses).await?;
        }
        Ok(())
    }

    async fn half_duplex_call(
        &self,
        cx: &RequestContext,
        mut requests: Receiver<StreamingOutputCallRequest>,
        mut responses: Sender<StreamingOutputCallResponse>,
    ) -> Result<(), Status> {
        let mut all = Vec::new();
        while let Some(request) = requests.recv().await? {
            all.extend(request.response_parameters);
        }
        answer(cx, &all, &mut responses).await
    }
}

/// One response for each of the parameters, after its wait.
async fn answer(
    cx: &RequestContext,
    parameters: &[ResponseParameters],
    responses: &mut Sender<StreamingOutputCallResponse>,
) -> Result<(), Status> {
    for each in parameters {
        if let Ok(micros @ 1..) = u64::try_from(each.interval_us) {
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
        let mut response = StreamingOutputCallResponse {
            payload: payload(each.size),
            ..StreamingOutputCallResponse::default()
        };
        if wanted(each.fill_peer_socket_address) {
            response.peer_socket_address = cx.peer().address().to_string();
        }
        if wanted(each.compressed) {
            responses.send(&response).await?;
        } else {
            responses.send_uncompressed(&response).await?;
        }
    }
    Ok(())
}

/// Refuses a message that came compressed where the client did not say so, or the other way round.
fn as_expected(expected: Option<BoolValue>, arrived: bool) -> Result<(), Status> {
    match expected {
        Some(expected) if expected.value != arrived => Err(Status::invalid_argument(format!(
            "expect_compressed is {}, and the message came with compressed = {arrived}",
            expected.value
        ))),
        _ => Ok(()),
    }
}

/// Ends the call if the client asked for an error.
fn asked_for(status: Option<&EchoStatus>) -> Result<(), Status> {
    match status {
        Some(status) if code(status.code) != Code::Ok => {
            Err(Status::new(code(status.code), status.message.clone()))
        }
        _ => Ok(()),
    }
}

fn echo_initial(cx: &RequestContext, headers: &mut Metadata) {
    if let Some(value) = cx.metadata().get(ECHO_INITIAL) {
        // It came over the wire as a valid value: it can go back.
        let _ = headers.insert(ECHO_INITIAL, value);
    }
}

fn echo_trailing(cx: &RequestContext, trailers: &mut Metadata) {
    if let Some(value) = cx.metadata().get_bin(ECHO_TRAILING) {
        let _ = trailers.insert_bin(ECHO_TRAILING, value);
    }
}
