//! Calls with one request and one response.

use super::call::{Cancel, Failure, request, with_options};
use super::observed::of_one;
use crate::messages::{
    ClientCompatRequest, ClientResponseResult, ConformanceServiceClient, UnaryRequest,
    UnimplementedRequest, UnimplementedResponse,
};
use std::time::Duration;
use trunkline::{Channel, Method, MethodDescriptor, ProstCodec, Shape, Status};

/// A method that no server has.
struct Unimplemented;

impl Method for Unimplemented {
    type Request = UnimplementedRequest;
    type Response = UnimplementedResponse;
    type Codec = ProstCodec;
    const DESCRIPTOR: &'static MethodDescriptor = &MethodDescriptor::new(
        "connectrpc.conformance.v1.ConformanceService",
        "Unimplemented",
        "/connectrpc.conformance.v1.ConformanceService/Unimplemented",
        Shape::Unary,
    );
}

pub(super) async fn unary(
    client: &ConformanceServiceClient,
    wanted: &ClientCompatRequest,
) -> Result<ClientResponseResult, Failure> {
    let message: UnaryRequest = request(wanted)?;
    let call = with_options(client.unary(message), wanted)?;
    let result = unless_cancelled(call.into_future(), Cancel::of(wanted).after_close_send).await;
    Ok(of_one(
        result.map(|response| response.map(|message| message.payload)),
    ))
}

pub(super) async fn unimplemented(
    channel: &Channel,
    wanted: &ClientCompatRequest,
) -> Result<ClientResponseResult, Failure> {
    let call = channel.unary::<Unimplemented>(request(wanted)?);
    let result = with_options(call, wanted)?.await;
    Ok(of_one(result.map(|response| response.map(|_| None))))
}

/// Waits for the one response of a call, or drops the call after this time.
pub(super) async fn unless_cancelled<T>(
    response: impl Future<Output = Result<T, Status>>,
    after: Option<Duration>,
) -> Result<T, Status> {
    let Some(after) = after else {
        return response.await;
    };
    let bounded = tokio::time::timeout(after, response).await;
    bounded.unwrap_or_else(|_| Err(Status::cancelled("the call was dropped")))
}
