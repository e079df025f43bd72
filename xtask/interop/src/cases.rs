//! The cases by name, and those of streams. What is expected is fixed by the interop test descriptions.

use crate::compressed_cases as compressed;
use crate::extra;
use crate::messages::{
    ECHO_INITIAL, ECHO_TRAILING, EchoStatus, ResponseParameters, StreamingInputCallRequest,
    StreamingOutputCallRequest, StreamingOutputCallResponse, TestServiceClient, is, payload, size,
};
use crate::orca_cases;
use crate::soak::{self, Channels, Soak};
use crate::unary_cases as unary;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use trunkline::client::{Channel, ChannelError};
use trunkline::{Code, Status};

pub(crate) const INITIAL_VALUE: &str = "test_initial_metadata_value";
pub(crate) const TRAILING_VALUE: [u8; 3] = [0xab; 3];

/// Request and response sizes of the cases that send four messages.
const REQUEST_SIZES: [i32; 4] = [27_182, 8, 1_828, 45_904];
const RESPONSE_SIZES: [i32; 4] = [31_415, 9, 2_653, 58_979];
const REQUEST_SUM: i32 = 74_922;

/// What a case found wrong.
#[derive(Clone, Debug)]
pub struct Failure(String);

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<ChannelError> for Failure {
    fn from(error: ChannelError) -> Self {
        Self(format!("no channel: {error}"))
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self(format!("unexpected status: {status}"))
    }
}

pub(crate) type Verdict = Result<(), Failure>;

/// Makes a new channel to the server.
pub type Dial = Arc<dyn Fn() -> Result<Channel, ChannelError> + Send + Sync>;

/// Runs one case against the server that `dial` reaches. Its channels need the compressors of [`compressors`](crate::compressors).
///
/// Errors: what was not as expected, or that there is no such case.
pub async fn run_case(dial: &Dial, name: &str, soak: &Soak) -> Verdict {
    let channel = &dial()?;
    let client = &TestServiceClient::new(channel.clone());
    match name {
        "empty_unary" => unary::empty_unary(client).await,
        "large_unary" => unary::large_unary(client).await,
        "very_large_request" => unary::very_large_request(client).await,
        "client_streaming" => client_streaming(client).await,
        "server_streaming" => server_streaming(client).await,
        "ping_pong" => ping_pong(client).await,
        "empty_stream" => empty_stream(client).await,
        "timeout_on_sleeping_server" => timeout_on_sleeping_server(client).await,
        "cancel_after_begin" => cancel_after_begin(client).await,
        "cancel_after_first_response" => cancel_after_first_response(client).await,
        "status_code_and_message" => {
            unary::status_code_and_message(client).await?;
            status_code_and_message(client).await
        }
        "special_status_message" => unary::special_status_message(client).await,
        "custom_metadata" => {
            unary::custom_metadata(client).await?;
            custom_metadata(client).await
        }
        "unimplemented_method" => unary::unimplemented_method(channel).await,
        "unimplemented_service" => unary::unimplemented_service(channel).await,
        "client_compressed_unary" => {
            compressed::client_compressed_unary_probe(client).await?;
            compressed::client_compressed_unary(client).await
        }
        "client_compressed_unary_noprobe" => compressed::client_compressed_unary(client).await,
        "server_compressed_unary" => compressed::server_compressed_unary(client).await,
        "client_compressed_streaming" => {
            compressed::client_compressed_streaming_probe(client).await?;
            compressed::client_compressed_streaming(client).await
        }
        "client_compressed_streaming_noprobe" => {
            compressed::client_compressed_streaming(client).await
        }
        "server_compressed_streaming" => compressed::server_compressed_streaming(client).await,
        "pick_first_unary" => unary::pick_first_unary(client).await,
        "orca_per_rpc" => orca_cases::orca_per_rpc(client).await,
        "orca_oob" => orca_cases::orca_oob(client, channel).await,
        "rpc_soak" => soak::run(dial, soak, Channels::One).await,
        "channel_soak" => soak::run(dial, soak, Channels::Each).await,
        "max_concurrent_streams_connection_scaling" => connection_scaling(client).await,
        other => match extra::run_case(channel, other).await {
            Some(verdict) => verdict,
            None => Err(Failure(format!("no case {other:?}"))),
        },
    }
}

/// Equal, or a failure that names both values.
pub(crate) fn expect<T: PartialEq + fmt::Debug>(what: &str, found: &T, expected: &T) -> Verdict {
    if found == expected {
        Ok(())
    } else {
        Err(Failure(format!(
            "{what}: expected {expected:?}, found {found:?}"
        )))
    }
}

/// An error of this code, or a failure; gives its text.
pub(crate) fn expect_error<T: fmt::Debug>(
    result: Result<T, Status>,
    code: Code,
) -> Result<String, Failure> {
    expect_failure(result, code).map(|status| status.message().to_owned())
}

/// An error of this code, or a failure; gives all of it.
pub(crate) fn expect_failure<T: fmt::Debug>(
    result: Result<T, Status>,
    code: Code,
) -> Result<Status, Failure> {
    match result {
        Err(status) if status.code() == code => Ok(status),
        Err(status) => Err(Failure(format!("expected {code:?}, found {status}"))),
        Ok(value) => Err(Failure(format!("expected {code:?}, found {value:?}"))),
    }
}

fn ask(request_size: i32, response_size: i32) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest {
        response_parameters: vec![ResponseParameters {
            size: response_size,
            ..ResponseParameters::default()
        }],
        payload: payload(request_size),
        ..StreamingOutputCallRequest::default()
    }
}

fn expect_size(found: Option<&StreamingOutputCallResponse>, expected: i32) -> Verdict {
    let found = found.map(|response| size(response.payload.as_ref()));
    expect(
        "size of a response",
        &found,
        &usize::try_from(expected).ok(),
    )
}

async fn client_streaming(client: &TestServiceClient) -> Verdict {
    let requests = REQUEST_SIZES.map(|size| StreamingInputCallRequest {
        payload: payload(size),
        ..StreamingInputCallRequest::default()
    });
    let summary = client.streaming_input_call().upload(requests).await?;
    expect(
        "aggregated_payload_size",
        &summary.aggregated_payload_size,
        &REQUEST_SUM,
    )
}

async fn server_streaming(client: &TestServiceClient) -> Verdict {
    let request = StreamingOutputCallRequest {
        response_parameters: RESPONSE_SIZES
            .map(|size| ResponseParameters {
                size,
                ..ResponseParameters::default()
            })
            .into(),
        ..StreamingOutputCallRequest::default()
    };
    let mut responses = client.streaming_output_call(request).await?;
    for expected in RESPONSE_SIZES {
        expect_size(responses.recv().await?.as_ref(), expected)?;
    }
    expect("after the last response", &responses.recv().await?, &None)
}

async fn ping_pong(client: &TestServiceClient) -> Verdict {
    let (mut requests, mut responses) = client.full_duplex_call().await?;
    for (request, response) in REQUEST_SIZES.into_iter().zip(RESPONSE_SIZES) {
        requests.send(&ask(request, response)).await?;
        expect_size(responses.recv().await?.as_ref(), response)?;
    }
    requests.finish();
    expect("after half-close", &responses.recv().await?, &None)
}

async fn empty_stream(client: &TestServiceClient) -> Verdict {
    let (requests, mut responses) = client.full_duplex_call().await?;
    requests.finish();
    expect("without a request", &responses.recv().await?, &None)
}

async fn timeout_on_sleeping_server(client: &TestServiceClient) -> Verdict {
    let call = async {
        let call = client.full_duplex_call().timeout(Duration::from_millis(1));
        let (mut requests, mut responses) = call.await?;
        requests
            .send(&StreamingOutputCallRequest {
                payload: payload(27_182),
                ..StreamingOutputCallRequest::default()
            })
            .await?;
        responses.recv().await
    };
    expect_error(call.await, Code::DeadlineExceeded).map(drop)
}

async fn cancel_after_begin(client: &TestServiceClient) -> Verdict {
    let (requests, summary) = client.streaming_input_call().await?;
    requests.abort();
    expect_error(summary.await, Code::Cancelled).map(drop)
}

async fn cancel_after_first_response(client: &TestServiceClient) -> Verdict {
    let (mut requests, mut responses) = client.full_duplex_call().await?;
    requests.send(&ask(27_182, 31_415)).await?;
    expect_size(responses.recv().await?.as_ref(), 31_415)?;
    responses.cancel();
    expect_error(responses.recv().await, Code::Cancelled).map(drop)
}

async fn status_code_and_message(client: &TestServiceClient) -> Verdict {
    let (mut requests, mut responses) = client.full_duplex_call().await?;
    let response_status = Some(EchoStatus {
        code: 2,
        message: unary::STATUS_TEXT.to_owned(),
    });
    requests
        .send(&StreamingOutputCallRequest {
            response_status,
            ..StreamingOutputCallRequest::default()
        })
        .await?;
    requests.finish();
    let text = expect_error(responses.recv().await, Code::Unknown)?;
    expect("text of the status", &text.as_str(), &unary::STATUS_TEXT)
}

async fn custom_metadata(client: &TestServiceClient) -> Verdict {
    let call = client
        .full_duplex_call()
        .metadata(ECHO_INITIAL, INITIAL_VALUE)
        .metadata_bin(ECHO_TRAILING, TRAILING_VALUE);
    let (mut requests, mut responses) = call.await?;
    requests.send(&ask(271_828, 314_159)).await?;
    requests.finish();
    let initial = responses
        .headers()
        .await?
        .get(ECHO_INITIAL)
        .map(str::to_owned);
    expect(
        "initial metadata",
        &initial.as_deref(),
        &Some(INITIAL_VALUE),
    )?;
    expect_size(responses.recv().await?.as_ref(), 314_159)?;
    expect("after the last response", &responses.recv().await?, &None)?;
    let trailing = responses.trailers().get_bin(ECHO_TRAILING);
    expect(
        "trailing metadata",
        &trailing.as_deref(),
        &Some(TRAILING_VALUE.as_slice()),
    )
}

/// As many streams as the server allows on a connection, and one more: that one is on a new connection.
async fn connection_scaling(client: &TestServiceClient) -> Verdict {
    let request = StreamingOutputCallRequest {
        response_parameters: vec![ResponseParameters {
            fill_peer_socket_address: is(true),
            ..ResponseParameters::default()
        }],
        ..StreamingOutputCallRequest::default()
    };
    let mut streams = Vec::new();
    let mut addresses = Vec::new();
    for _ in 0..3 {
        let (mut requests, mut responses) = client.full_duplex_call().await?;
        requests.send(&request).await?;
        let found = responses.recv().await?.unwrap_or_default();
        addresses.push(found.peer_socket_address);
        streams.push((requests, responses));
    }
    let [first, second, third] = addresses.as_slice() else {
        return Err(Failure::new("no three answers"));
    };
    expect("whether there are addresses", &first.is_empty(), &false)?;
    expect("address of the second stream", second, first)?;
    if third == first {
        return Err(Failure::new(format!("the third stream is at {third} too")));
    }
    for (requests, mut responses) in streams {
        requests.finish();
        expect("after half-close", &responses.recv().await?, &None)?;
    }
    Ok(())
}
