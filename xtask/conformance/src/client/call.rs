//! One call: its method, its options, and its requests.

use super::channels::Channels;
use super::{streams, unary};
use crate::headers::{self, Entry};
use crate::messages::client_compat_request::cancel::CancelTiming;
use crate::messages::{
    ClientCompatRequest, ClientResponseResult, Codec, Compression, ConformanceServiceClient,
    HttpVersion, Protocol,
};
use prost::Name;
use std::fmt::Display;
use std::time::Duration;
use trunkline::Method;
use trunkline::client::{Call, Kind};

/// Why a call could not be made at all.
pub(super) struct Failure(pub(super) String);

impl<E: Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Makes the call and gives what was seen of it.
///
/// Errors: it asks for what this client cannot do.
pub(super) async fn make(
    channels: &Channels,
    request: ClientCompatRequest,
) -> Result<ClientResponseResult, Failure> {
    let form = (request.protocol(), request.http_version(), request.codec());
    if form != (Protocol::Grpc, HttpVersion::HttpVersion2, Codec::Proto) {
        return Err("this client speaks gRPC over HTTP/2 with protobuf alone".into());
    }
    let channel = channels.to(&request)?;
    let client = ConformanceServiceClient::new(channel.clone());
    match request.method() {
        "Unary" => unary::unary(&client, &request).await,
        "ClientStream" => streams::client_stream(&client, &request).await,
        "ServerStream" => streams::server_stream(&client, &request).await,
        "BidiStream" => streams::bidi_stream(&client, &request).await,
        "Unimplemented" => unary::unimplemented(&channel, &request).await,
        other => Err(format!("there is no method {other:?}").into()),
    }
}

/// The call with the options that the judge wants.
///
/// Errors: an encoding that there is no compressor for.
pub(super) fn with_options<'a, M: Method, K: Kind>(
    call: Call<'a, M, K>,
    request: &ClientCompatRequest,
) -> Result<Call<'a, M, K>, Failure> {
    let mut call = call;
    for entry in headers::entries(&request.request_headers) {
        call = match entry {
            Entry::Text(name, value) => call.metadata(name, value),
            Entry::Bytes(name, value) => call.metadata_bin(name, value),
        };
    }
    if let Some(milliseconds) = request.timeout_ms {
        call = call.timeout(Duration::from_millis(milliseconds.into()));
    }
    if let limit @ 1.. = request.message_receive_limit {
        call = call.max_receive_message_bytes(usize::try_from(limit)?);
    }
    let encoding = match request.compression() {
        Compression::Unspecified | Compression::Identity => return Ok(call),
        Compression::Gzip => "gzip",
        Compression::Deflate => "deflate",
        Compression::Zstd => "zstd",
        other @ (Compression::Br | Compression::Snappy) => {
            return Err(format!("there is no compressor for {other:?}").into());
        }
    };
    Ok(call.compression(encoding))
}

/// The requests that the judge wants to be sent.
///
/// Errors: one of another type.
pub(super) fn requests<M: Name + Default>(
    request: &ClientCompatRequest,
) -> Result<Vec<M>, Failure> {
    let all = request.request_messages.iter();
    let all: Result<_, _> = all.map(|any| any.to_msg()).collect();
    Ok(all?)
}

/// The one request.
///
/// Errors: there are none or several.
pub(super) fn request<M: Name + Default>(request: &ClientCompatRequest) -> Result<M, Failure> {
    let mut all = requests(request)?;
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => Ok(only),
        _ => Err("not exactly one request".into()),
    }
}

/// When the call is to be cancelled.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cancel {
    pub(super) before_close_send: bool,
    pub(super) after_close_send: Option<Duration>,
    pub(super) after_responses: Option<usize>,
}

impl Cancel {
    pub(super) fn of(request: &ClientCompatRequest) -> Self {
        let mut cancel = Self::default();
        match request.cancel.and_then(|cancel| cancel.cancel_timing) {
            None => {}
            Some(CancelTiming::BeforeCloseSend(())) => cancel.before_close_send = true,
            Some(CancelTiming::AfterCloseSendMs(milliseconds)) => {
                cancel.after_close_send = Some(Duration::from_millis(milliseconds.into()));
            }
            Some(CancelTiming::AfterNumResponses(count)) => {
                cancel.after_responses = usize::try_from(count).ok();
            }
        }
        cancel
    }
}
