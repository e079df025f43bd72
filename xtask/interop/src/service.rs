//! The interop service.

use crate::extra::{Extra, ExtraServiceServer};
use crate::messages::{
    BoolValue, ECHO_INITIAL, ECHO_TRAILING, EchoStatus, Empty, ResponseParameters, SimpleRequest,
    SimpleResponse, StreamingInputCallRequest, StreamingInputCallResponse,
    StreamingOutputCallRequest, StreamingOutputCallResponse, TestService, TestServiceServer, code,
    payload, size,
};
use std::time::Duration;
use trunkline::server::{
    Receiver, RequestContext, ResponseCompression, Sender, Server, ServerKeepalive,
};
use trunkline::tls::ServerTls;
use trunkline::{Code, Metadata, Response, Status};

/// Answers as the interop test descriptions say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interop;

impl Interop {
    /// Serves on a TCP address until the process ends: over TLS, or without one in plaintext.
    ///
    /// Errors: the address cannot be bound.
    pub async fn serve(address: &str, tls: Option<ServerTls>) -> Result<(), Status> {
        let builder = match tls {
            Some(tls) => Server::builder().credentials(tls),
            None => Server::insecure(),
        };
        let server = builder
            .compression(ResponseCompression::prefer(["gzip"]))
            // As often as may be: every case that is silent for a second shows that the client answers.
            .keepalive(ServerKeepalive::every(Duration::from_secs(1)))
            .add_service(TestServiceServer::new(Self))
            .add_service(ExtraServiceServer::new(Extra))
            .bind(address)
            .await?;
        server.serve().await
    }
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
        wanted(request.response_status.as_ref())?;
        let payload = payload(request.response_size);
        let mut reply = Response::new(SimpleResponse {
            payload,
            ..SimpleResponse::default()
        });
        echo_initial(cx, reply.headers_mut());
        echo_trailing(cx, reply.trailers_mut());
        if refused(request.response_compressed) {
            reply = reply.uncompressed();
        }
        Ok(reply)
    }

    async fn streaming_output_call(
        &self,
        _cx: &RequestContext,
        request: StreamingOutputCallRequest,
        mut responses: Sender<StreamingOutputCallResponse>,
    ) -> Result<(), Status> {
        answer(&request.response_parameters, &mut responses).await
    }

    async fn streaming_input_call(
        &self,
        _cx: &RequestContext,
        mut requests: Receiver<StreamingInputCallRequest>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let mut sum = 0;
        while let Some(request) = requests.recv().await? {
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
        while let Some(request) = requests.recv().await? {
            wanted(request.response_status.as_ref())?;
            answer(&request.response_parameters, &mut responses).await?;
        }
        Ok(())
    }

    async fn half_duplex_call(
        &self,
        _cx: &RequestContext,
        mut requests: Receiver<StreamingOutputCallRequest>,
        mut responses: Sender<StreamingOutputCallResponse>,
    ) -> Result<(), Status> {
        let mut all = Vec::new();
        while let Some(request) = requests.recv().await? {
            all.extend(request.response_parameters);
        }
        answer(&all, &mut responses).await
    }
}

/// One response for each of the parameters, after its wait.
async fn answer(
    parameters: &[ResponseParameters],
    responses: &mut Sender<StreamingOutputCallResponse>,
) -> Result<(), Status> {
    for wanted in parameters {
        if let Ok(micros @ 1..) = u64::try_from(wanted.interval_us) {
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
        let response = StreamingOutputCallResponse {
            payload: payload(wanted.size),
        };
        if refused(wanted.compressed) {
            responses.send_uncompressed(&response).await?;
        } else {
            responses.send(&response).await?;
        }
    }
    Ok(())
}

/// Whether the client wants this response as it is.
fn refused(compressed: Option<BoolValue>) -> bool {
    compressed.is_some_and(|compressed| !compressed.value)
}

/// Ends the call if the client asked for an error.
fn wanted(status: Option<&EchoStatus>) -> Result<(), Status> {
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
