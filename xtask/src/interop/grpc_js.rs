//! grpc-js, gRPC in JavaScript: client and server are our scripts, with all cases that it can say.
//!
//! Its client compresses all messages or none, and its server none.

use super::cases;
use super::ours::{call_flags, listen_flags};
use super::peer::{BOTH, Call, Client, Installed, Listen, Peer, Server};
use crate::peers::TestCertificates;
use crate::peers::scripts::{GRPC_JS, node_modules};
use std::path::Path;
use std::process::Command;

pub(super) const PEER: Peer = Peer {
    name: "js",
    suite: "our programs on grpc-js 1.14.7",
    install,
    clients: &[Client {
        variant: "",
        command: client,
        cases: CLIENT_CASES,
    }],
    servers: &[Server {
        variant: "",
        command: server,
        cases: SERVER_CASES,
    }],
    securities: BOTH,
};

/// Those of its client; `trunkline_` begins the names of what the official ones leave open.
const CLIENT_CASES: &[&str] = &[
    "empty_unary",
    "large_unary",
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
    "client_compressed_unary_noprobe",
    "server_compressed_unary",
    "server_compressed_streaming",
    "rpc_soak",
    "channel_soak",
    "client_compressed_unary",
    "client_compressed_streaming",
    "very_large_request",
    "pick_first_unary",
    "trunkline_half_duplex",
    "trunkline_metadata",
    "trunkline_joined_metadata",
    "trunkline_status_messages",
    "trunkline_status_details",
    "trunkline_early_answer",
    "trunkline_first_reply",
    "trunkline_deadlines",
    "trunkline_keepalive",
];

/// Those that its server can answer.
const SERVER_CASES: &[&str] = &[
    "empty_unary",
    "large_unary",
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
    "client_compressed_unary_noprobe",
    "client_compressed_streaming_noprobe",
    "very_large_request",
    "pick_first_unary",
    "rpc_soak",
    "channel_soak",
    "trunkline_metadata",
    "trunkline_status_messages",
    "trunkline_status_details",
    "trunkline_early_answer",
    "trunkline_first_reply",
    "trunkline_deadlines",
    "trunkline_keepalive",
];

fn install() -> Result<Installed, String> {
    Ok(Installed {
        folder: GRPC_JS.install()?,
        certificates: TestCertificates::find(),
    })
}

fn client(folder: &Path, call: &Call<'_>) -> Command {
    let mut command = script(folder, "client.js");
    call_flags(&mut command, call);
    if cases::is_soak(call.case) {
        // A thousand new channels over TLS take it the better part of a minute.
        command.arg("--soak_iterations=200");
    }
    command
}

fn server(folder: &Path, listen: &Listen<'_>) -> Command {
    let mut command = script(folder, "server.js");
    listen_flags(&mut command, listen);
    command
}

fn script(folder: &Path, name: &str) -> Command {
    let mut command = Command::new("node");
    command
        .env("NODE_PATH", node_modules(folder))
        .arg(GRPC_JS.scripts().join(name));
    command
}
