//! The cases of compressed messages. grpc-go's programs have none of them, so they run against our own server.
//!
//! Those that probe whether a server looks at the flag of a request are left out: handlers do not see it.

use crate::cases::{Verdict, expect};
use crate::messages::{
    BoolValue, ResponseParameters, SimpleRequest, StreamingInputCallRequest,
    StreamingOutputCallRequest, TestServiceClient, payload, size,
};

const ENCODING: &str = "gzip";
const REQUEST_SIZE: i32 = 271_828;
const RESPONSE_SIZE: i32 = 314_159;

fn is(value: bool) -> Option<BoolValue> {
    Some(BoolValue { value })
}

pub(crate) async fn client_compressed_unary(client: &TestServiceClient) -> Verdict {
    for compressed in [true, false] {
        let request = SimpleRequest {
            expect_compressed: is(compressed),
            response_size: RESPONSE_SIZE,
            payload: payload(REQUEST_SIZE),
            ..SimpleRequest::default()
        };
        let encoding = if compressed { ENCODING } else { "identity" };
        let reply = client.unary_call(request).compression(encoding).await?;
        expect("size", &size(reply.payload.as_ref()), &314_159)?;
    }
    Ok(())
}

pub(crate) async fn server_compressed_unary(client: &TestServiceClient) -> Verdict {
    for compressed in [true, false] {
        let request = SimpleRequest {
            response_compressed: is(compressed),
            response_size: RESPONSE_SIZE,
            payload: payload(REQUEST_SIZE),
            ..SimpleRequest::default()
        };
        let reply = client.unary_call(request).await?;
        expect("size", &size(reply.payload.as_ref()), &314_159)?;
    }
    Ok(())
}

pub(crate) async fn client_compressed_streaming(client: &TestServiceClient) -> Verdict {
    let request = |bytes, compressed| StreamingInputCallRequest {
        payload: payload(bytes),
        expect_compressed: is(compressed),
    };
    let call = client.streaming_input_call().compression(ENCODING);
    let (mut requests, summary) = call.await?;
    requests.send(&request(27_182, true)).await?;
    requests.send_uncompressed(&request(45_904, false)).await?;
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
    for (bytes, _) in wanted {
        let found = responses.recv().await?;
        let found = found.map(|each| size(each.payload.as_ref()));
        expect("size of a response", &found, &usize::try_from(bytes).ok())?;
    }
    expect("after the last response", &responses.recv().await?, &None)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    use trunkline::server::{ResponseCompression, Server};
    use trunkline::stats::{CallEvent, CallInfo, StatsHandler};
    use trunkline::transport::memory;
    use trunkline::{Channel, Status};

    use crate::messages::TestServiceServer;
    use crate::service::Interop;

    /// Notes of each message which way it goes and whether it is compressed on the wire.
    #[derive(Clone, Default)]
    struct Flags(Arc<Mutex<Vec<(&'static str, bool)>>>);

    impl StatsHandler for Flags {
        fn call(&self, _: &CallInfo, event: &CallEvent<'_>, _: Instant) {
            let (way, size) = match event {
                CallEvent::MessageIn(size) => ("in", size),
                CallEvent::MessageOut(size) => ("out", size),
                _ => return,
            };
            let compressed = size.wire_bytes < size.bytes;
            self.0.lock().unwrap().push((way, compressed));
        }
    }

    #[tokio::test]
    async fn each_message_is_compressed_as_it_was_asked_for() -> Result<(), Status> {
        let flags = Flags::default();
        let (connector, listener) = memory::pair("interop");
        let server = Server::insecure()
            .compression(ResponseCompression::prefer(["gzip"]))
            .stats_handler(flags.clone())
            .add_service(TestServiceServer::new(Interop))
            .listen(listener)?;
        let serving = tokio::spawn(server.serve());
        let channel = Channel::builder("memory:interop")
            .insecure()
            .connector(connector)
            .build()?;
        for (case, expected) in [
            (
                "client_compressed_unary_noprobe",
                vec![("in", true), ("out", true), ("in", false), ("out", true)],
            ),
            (
                "server_compressed_unary",
                vec![("in", false), ("out", true), ("in", false), ("out", false)],
            ),
            (
                "client_compressed_streaming_noprobe",
                vec![("in", true), ("in", false), ("out", false)],
            ),
            (
                "server_compressed_streaming",
                vec![("in", false), ("out", true), ("out", false)],
            ),
        ] {
            crate::run_case(&channel, case)
                .await
                .unwrap_or_else(|why| panic!("{case}: {why}"));
            assert_eq!(
                std::mem::take(&mut *flags.0.lock().unwrap()),
                expected,
                "{case}"
            );
        }
        serving.abort();
        Ok(())
    }
}
