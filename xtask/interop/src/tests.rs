//! Every case against our own server; over sockets, since one tells connections apart by their addresses.

use std::sync::Arc;

use trunkline::Status;
use trunkline::client::Channel;
use trunkline::server::Server;
use trunkline::transport::http2::ServerConfig;

use crate::{Dial, Flags, Interop, Soak, compressors, run_case};

const CASES: [&str; 27] = [
    "empty_unary",
    "large_unary",
    "very_large_request",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
    "client_compressed_unary",
    "client_compressed_unary_noprobe",
    "server_compressed_unary",
    "client_compressed_streaming",
    "client_compressed_streaming_noprobe",
    "server_compressed_streaming",
    "pick_first_unary",
    "orca_per_rpc",
    "orca_oob",
    "rpc_soak",
    "channel_soak",
    "max_concurrent_streams_connection_scaling",
];

#[tokio::test]
async fn our_two_programs_agree_on_every_case() -> Result<(), Status> {
    let mut http2 = ServerConfig::default();
    http2.max_concurrent_streams = 2;
    let server = Interop::add_to(Server::insecure().http2(http2));
    let server = server.bind("127.0.0.1:0").await?;
    let address = server.local_address().to_string();
    let serving = tokio::spawn(server.serve());
    let dial: Dial = Arc::new(move || {
        let builder = Channel::builder(&address).insecure();
        builder.compressors(compressors()).build()
    });
    let soak = Soak::from_flags(&Flags::default()).map_err(Status::internal)?;
    for case in CASES {
        let verdict = run_case(&dial, case, &soak).await;
        verdict.unwrap_or_else(|why| panic!("{case}: {why}"));
    }
    serving.abort();
    Ok(())
}
