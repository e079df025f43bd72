//! The cases of compressed messages. Both sides see by the mark of our gzip whether a message came compressed.

use crate::cases::{Verdict, expect, expect_error};
use crate::gzip;
use crate::messages::{
    ResponseParameters, SimpleRequest, StreamingInputCallRequest, StreamingOutputCallRequest,
    TestServiceClient, is, payload, size,
};
use trunkline::Code;

const REQUEST_SIZE: i32 = 271_828;
const RESPONSE_SIZE: i32 = 314_159;

fn large() -> SimpleRequest {
    SimpleRequest {
        response_size: RESPONSE_SIZE,
        payload: payload(REQUEST_SIZE),
        ..SimpleRequest::default()
    }
}

/// A server that does not look at the flags of messages would pass the rest of the case with any.
pub(crate) async fn client_compressed_unary_probe(client: &TestServiceClient) -> Verdict {
    let request = SimpleRequest {
        expect_compressed: is(true),
        ..large()
    };
    let probe = client.unary_call(request).await;
    expect_error(probe, Code::InvalidArgument).map(drop)
}

pub(crate) async fn client_compressed_unary(client: &TestServiceClient) -> Verdict {
    for compressed in [true, false] {
        let request = SimpleRequest {
            expect_compressed: is(compressed),
            ..large()
        };
        let encoding = if compressed { gzip::NAME } else { "identity" };
        let reply = client.unary_call(request).compression(encoding).await?;
        expect("size", &size(reply.payload.as_ref()), &314_159)?;
    }
    Ok(())
}

pub(crate) async fn server_compressed_unary(client: &TestServiceClient) -> Verdict {
    for compressed in [true, false] {
        let request = SimpleRequest {
            response_compressed: is(compressed),
            ..large()
        };
        let reply = client.unary_call(request).await?;
        let came = reply.arrived_compressed;
        expect("whether it came compressed", &came, &compressed)?;
        expect("size", &size(reply.payload.as_ref()), &314_159)?;
    }
    Ok(())
}

fn part(bytes: i32, compressed: bool) -> StreamingInputCallRequest {
    StreamingInputCallRequest {
        payload: payload(bytes),
        expect_compressed: is(compressed),
        ..StreamingInputCallRequest::default()
    }
}

pub(crate) async fn client_compressed_streaming_probe(client: &TestServiceClient) -> Verdict {
    let call = client.streaming_input_call().compression(gzip::NAME);
    let (mut requests, summary) = call.await?;
    requests.send_uncompressed(&part(27_182, true)).await?;
    requests.finish();
    expect_error(summary.await, Code::InvalidArgument).map(drop)
}

pub(crate) async fn client_compressed_streaming(client: &TestServiceClient) -> Verdict {
    let call = client.streaming_input_call().compression(gzip::NAME);
    let (mut requests, summary) = call.await?;
    requests.send(&part(27_182, true)).await?;
    requests.send_uncompressed(&part(45_904, false)).await?;
    requests.finish();
    let sum = summary.await?.aggregated_payload_size;
    expect("aggregated_payload_size", &sum, &73_086)
}

pub(crate) async fn server_compressed_streaming(client: &TestServiceClient) -> Verdict {
    let wanted = [(31_415, true), (92_653, false)];
    let request = StreamingOutputCallRequest {
        response_parameters: wanted
            .map(|(size, compressed)| ResponseParameters {
                size,
                compressed: is(compressed),
                ..ResponseParameters::default()
            })
            .into(),
        ..StreamingOutputCallRequest::default()
    };
    let mut responses = client.streaming_output_call(request).await?;
    for (bytes, compressed) in wanted {
        let found = responses.recv().await?.unwrap_or_default();
        let came = found.arrived_compressed;
        expect("whether it came compressed", &came, &compressed)?;
        let found = size(found.payload.as_ref());
        expect(
            "size of a response",
            &found,
            &usize::try_from(bytes).unwrap_or_default(),
        )?;
    }
    expect("after the last response", &responses.recv().await?, &None)
}
