//! The eight negative cases of the interop suite: our client against servers that are wrong on the
//! wire, over TCP. Each test is named as its case.
//!
//! The suite's own server is written in a language version that is gone; these are scripts of what
//! it did. `the_client_of_another_implementation_agrees` lets a foreign client judge them: it runs
//! the program that TRUNKLINE_HTTP2_CLIENT names (grpc-go's `interop/http2`).

mod server;

use std::time::Duration;

use server::{Case, NegativeServer, RESPONSE};
use trunkline::{Channel, Code, Origin, Status};
use trunkline_test_protos::interop::{Payload, SimpleRequest, TestServiceClient};

use crate::world::soon;

/// Bytes in the payload of every request.
const REQUEST: usize = 271_828;

fn client(server: &NegativeServer) -> TestServiceClient {
    TestServiceClient::new(Channel::insecure(&server.address).unwrap())
}

/// The call that all cases are made of.
async fn large_unary(client: &TestServiceClient) -> Result<(), Status> {
    let request = SimpleRequest {
        response_size: RESPONSE as i32,
        payload: Some(Payload {
            body: vec![0; REQUEST],
        }),
    };
    let response = soon(client.unary_call(request)).await?;
    let body = response.into_message().payload.unwrap().body;
    assert_eq!(body.len(), RESPONSE);
    assert!(body.iter().all(|byte| *byte == 0));
    Ok(())
}

#[tokio::test]
async fn goaway() {
    let server = NegativeServer::start(Case::Goaway).await;
    let client = client(&server);
    large_unary(&client).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    large_unary(&client).await.unwrap();
    let calls: Vec<_> = server.seen().iter().map(|seen| seen.calls).collect();
    assert_eq!(calls, [1, 1], "a connection for each call");
}

/// RST_STREAM NO_ERROR instead of the rest of an answer.
async fn fails(case: Case) {
    let server = NegativeServer::start(case).await;
    let client = client(&server);
    let error = large_unary(&client).await.unwrap_err();
    assert_eq!(error.code(), Code::Internal, "{error}");
    assert_eq!(error.origin(), Origin::Transport, "{error}");
    assert!(!error.is_unprocessed(), "{error}");
    assert!(error.to_string().contains("NO_ERROR"), "{error}");
    // It concerns that call alone.
    large_unary(&client).await.unwrap_err();
    assert_eq!(server.seen().len(), 1, "one connection for both");
}

#[tokio::test]
async fn rst_after_header() {
    fails(Case::RstAfterHeader).await;
}

#[tokio::test]
async fn rst_during_data() {
    fails(Case::RstDuringData).await;
}

#[tokio::test]
async fn rst_after_data() {
    fails(Case::RstAfterData).await;
}

#[tokio::test]
async fn ping() {
    let server = NegativeServer::start(Case::Ping).await;
    let client = client(&server);
    large_unary(&client).await.unwrap();
    large_unary(&client).await.unwrap();
    let seen = server.seen();
    // Before, between and after the frames of both sides.
    assert!(seen.len() == 1 && seen[0].pings > 10, "{seen:?}");
}

/// The server checks that there is never a second stream.
async fn keeps_to_the_limit(channel: Channel) {
    let client = TestServiceClient::new(channel);
    large_unary(&client).await.unwrap();
    let calls = (0..15).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { large_unary(&client).await })
    });
    for call in calls.collect::<Vec<_>>() {
        soon(call).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn max_streams() {
    for only_one in [true, false] {
        let server = NegativeServer::start(Case::MaxStreams).await;
        let mut builder = Channel::builder(&server.address).insecure();
        if only_one {
            builder = builder.max_connections(1);
        }
        keeps_to_the_limit(builder.build().unwrap()).await;
        let seen = server.seen();
        let calls: usize = seen.iter().map(|seen| seen.calls).sum();
        assert_eq!(calls, 16, "{seen:?}");
        assert_eq!(seen.len() == 1, only_one, "{seen:?}");
    }
}

/// Sixteen megabytes on the wire for a third of one: all of the padding is given back.
#[tokio::test]
async fn data_frame_padding() {
    let server = NegativeServer::start(Case::DataFramePadding).await;
    large_unary(&client(&server)).await.unwrap();
    assert!(server.seen()[0].frames > RESPONSE / 5);
}

#[tokio::test]
async fn no_df_padding_sanity() {
    let server = NegativeServer::start(Case::NoDfPaddingSanity).await;
    large_unary(&client(&server)).await.unwrap();
    assert!(server.seen()[0].frames > RESPONSE / 5);
}

/// A second opinion of the scripts: grpc-go's client passes the six cases that it has.
#[tokio::test]
#[ignore = "needs grpc-go's client, named by TRUNKLINE_HTTP2_CLIENT"]
async fn the_client_of_another_implementation_agrees() {
    let Some(program) = std::env::var_os("TRUNKLINE_HTTP2_CLIENT") else {
        eprintln!("skipped: TRUNKLINE_HTTP2_CLIENT names no program");
        return;
    };
    for (name, case) in [
        ("goaway", Case::Goaway),
        ("rst_after_header", Case::RstAfterHeader),
        ("rst_during_data", Case::RstDuringData),
        ("rst_after_data", Case::RstAfterData),
        ("ping", Case::Ping),
        ("max_streams", Case::MaxStreams),
    ] {
        let server = NegativeServer::start(case).await;
        let (host, port) = server.address.rsplit_once(':').unwrap();
        let run = tokio::process::Command::new(&program)
            .arg(format!("--server_host={host}"))
            .arg(format!("--server_port={port}"))
            .arg(format!("--test_case={name}"))
            .kill_on_drop(true)
            .output();
        let run = tokio::time::timeout(Duration::from_secs(60), run).await;
        let output = run.expect("done within a minute").unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        eprintln!("{name}: {} {:?}", output.status, server.seen());
        // It asks for UNKNOWN here, and gets INTERNAL of its own library, as we do.
        let internal = case == Case::RstDuringData && said.contains("Internal, want _, Unknown");
        assert!(output.status.success() || internal, "{name}: {said}");
    }
}
