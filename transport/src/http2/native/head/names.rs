//! Names and values that every gRPC message carries: they cost no allocation and no check.

use http::{HeaderName, HeaderValue, header};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");
const GRPC_PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
const GRPC_TRACE: HeaderName = HeaderName::from_static("grpc-trace-bin");
const GRPC_TAGS: HeaderName = HeaderName::from_static("grpc-tags-bin");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The field's name without an allocation, if it is one that gRPC knows.
pub(super) fn known(name: &[u8]) -> Option<HeaderName> {
    Some(match name {
        b"te" => header::TE,
        b"content-type" => header::CONTENT_TYPE,
        b"user-agent" => header::USER_AGENT,
        b"grpc-timeout" => GRPC_TIMEOUT,
        b"grpc-encoding" => GRPC_ENCODING,
        b"grpc-accept-encoding" => GRPC_ACCEPT_ENCODING,
        b"grpc-status" => GRPC_STATUS,
        b"grpc-message" => GRPC_MESSAGE,
        b"grpc-status-details-bin" => GRPC_STATUS_DETAILS,
        b"grpc-previous-rpc-attempts" => GRPC_ATTEMPTS,
        b"grpc-retry-pushback-ms" => GRPC_PUSHBACK,
        b"grpc-trace-bin" => GRPC_TRACE,
        b"grpc-tags-bin" => GRPC_TAGS,
        b"traceparent" => TRACEPARENT,
        b"tracestate" => TRACESTATE,
        _ => return None,
    })
}

const APPLICATION_GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const APPLICATION_GRPC_PROTO: HeaderValue = HeaderValue::from_static("application/grpc+proto");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");
const ZERO: HeaderValue = HeaderValue::from_static("0");
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");
const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// The field's value without an allocation or a copy, if it is one that hardly ever differs.
pub(super) fn known_value(value: &[u8]) -> Option<HeaderValue> {
    Some(match value {
        b"application/grpc" => APPLICATION_GRPC,
        b"application/grpc+proto" => APPLICATION_GRPC_PROTO,
        b"trailers" => TRAILERS,
        b"0" => ZERO,
        b"identity" => IDENTITY,
        b"gzip" => GZIP,
        _ => return None,
    })
}
