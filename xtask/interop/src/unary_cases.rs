//! The cases of one request and one response.

use crate::cases::{INITIAL_VALUE, TRAILING_VALUE, Verdict, expect, expect_error};
use crate::messages::{
    ECHO_INITIAL, ECHO_TRAILING, EchoStatus, Empty, SimpleRequest, TestServiceClient,
    UnimplementedServiceClient, payload, size,
};
use trunkline::client::Channel;
use trunkline::{Code, Method, MethodDescriptor, ProstCodec, Shape};

pub(crate) const STATUS_TEXT: &str = "test status message";
const SPECIAL_TEXT: &str =
    "\t\ntest with whitespace\r\nand Unicode BMP \u{263A} and non-BMP \u{1F608}\t\n";

const LARGE_REQUEST: i32 = 271_828;
const LARGE_RESPONSE: i32 = 314_159;

pub(crate) async fn empty_unary(client: &TestServiceClient) -> Verdict {
    client.empty_call(Empty {}).await?;
    Ok(())
}

pub(crate) async fn large_unary(client: &TestServiceClient) -> Verdict {
    let reply = client.unary_call(large()).await?;
    expect(
        "size of the response",
        &size(reply.payload.as_ref()),
        &314_159,
    )
}

/// More than any server takes by default, and not more than those of the interop cases do.
pub(crate) async fn very_large_request(client: &TestServiceClient) -> Verdict {
    let request = SimpleRequest {
        response_size: 10,
        payload: payload(10 << 20),
        ..SimpleRequest::default()
    };
    let reply = client.unary_call(request).await?;
    expect("size of the response", &size(reply.payload.as_ref()), &10)
}

/// All calls are answered by one server.
pub(crate) async fn pick_first_unary(client: &TestServiceClient) -> Verdict {
    let mut first = None;
    for _ in 0..100 {
        let request = SimpleRequest {
            response_size: 1,
            payload: payload(1),
            fill_server_id: true,
            ..SimpleRequest::default()
        };
        let id = client.unary_call(request).await?.into_message().server_id;
        expect("whether the server has an id", &id.is_empty(), &false)?;
        let first = first.get_or_insert_with(|| id.clone());
        expect("id of the server", &id, first)?;
    }
    Ok(())
}

pub(crate) async fn custom_metadata(client: &TestServiceClient) -> Verdict {
    let call = client
        .unary_call(large())
        .metadata(ECHO_INITIAL, INITIAL_VALUE)
        .metadata_bin(ECHO_TRAILING, TRAILING_VALUE);
    let reply = call.await?;
    expect(
        "initial metadata",
        &reply.headers().get(ECHO_INITIAL),
        &Some(INITIAL_VALUE),
    )?;
    let trailing = reply.trailers().get_bin(ECHO_TRAILING);
    expect(
        "trailing metadata",
        &trailing.as_deref(),
        &Some(TRAILING_VALUE.as_slice()),
    )
}

pub(crate) async fn status_code_and_message(client: &TestServiceClient) -> Verdict {
    echo_status(client, STATUS_TEXT).await
}

pub(crate) async fn special_status_message(client: &TestServiceClient) -> Verdict {
    echo_status(client, SPECIAL_TEXT).await
}

/// Nobody has this method, so that nothing is generated for it either.
struct UnimplementedCall;

impl Method for UnimplementedCall {
    type Request = Empty;
    type Response = Empty;
    type Codec = ProstCodec;
    const DESCRIPTOR: &'static MethodDescriptor = &MethodDescriptor::new(
        "grpc.testing.TestService",
        "UnimplementedCall",
        "/grpc.testing.TestService/UnimplementedCall",
        Shape::Unary,
    );
}

pub(crate) async fn unimplemented_method(channel: &Channel) -> Verdict {
    let result = channel.unary::<UnimplementedCall>(Empty {}).await;
    expect_error(result, Code::Unimplemented).map(drop)
}

pub(crate) async fn unimplemented_service(channel: &Channel) -> Verdict {
    let client = UnimplementedServiceClient::new(channel.clone());
    expect_error(
        client.unimplemented_call(Empty {}).await,
        Code::Unimplemented,
    )
    .map(drop)
}

fn large() -> SimpleRequest {
    SimpleRequest {
        response_size: LARGE_RESPONSE,
        payload: payload(LARGE_REQUEST),
        ..SimpleRequest::default()
    }
}

async fn echo_status(client: &TestServiceClient, text: &str) -> Verdict {
    let response_status = Some(EchoStatus {
        code: 2,
        message: text.to_owned(),
    });
    let result = client
        .unary_call(SimpleRequest {
            response_status,
            ..SimpleRequest::default()
        })
        .await;
    let found = expect_error(result, Code::Unknown)?;
    expect("text of the status", &found.as_str(), &text)
}
