//! grpc-go: its interop client and server, with the cases of its own CI.
//!
//! Its client has no cases of compressed messages, and its server does not look at what they ask for.

use super::cases::{self, SOAK_FLAGS};
use super::peer::{BOTH, Call, Client, Installed, Listen, Peer, Server};
use crate::peers::{GrpcGo, TestCertificates};
use std::path::Path;
use std::process::Command;

pub(super) const PEER: Peer = Peer {
    name: "go",
    suite: "grpc-go interop v1.83.1",
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

/// Those of its CI, and one more that its client has.
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
    "pick_first_unary",
    "orca_per_rpc",
    "orca_oob",
    "rpc_soak",
    "channel_soak",
];

/// Those of its CI. Its server has no id, which `pick_first_unary` needs.
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
    "orca_per_rpc",
    "orca_oob",
    "rpc_soak",
    "channel_soak",
];

fn install() -> Result<Installed, String> {
    Ok(Installed {
        folder: GrpcGo::install()?.folder,
        certificates: TestCertificates::find(),
    })
}

fn client(folder: &Path, call: &Call<'_>) -> Command {
    let mut command = Command::new(folder.join("client"));
    command
        .arg("-server_host=127.0.0.1")
        .arg(format!("-server_port={}", call.port))
        .arg(format!("-test_case={}", call.case));
    if cases::is_soak(call.case) {
        command.args(SOAK_FLAGS.map(|flag| format!("-{flag}")));
    }
    if call.case.starts_with("orca_") {
        command.arg(format!("-{}", cases::ORCA_POLICY));
    }
    if let Some(tls) = call.tls {
        let name = TestCertificates::NAME;
        command
            .args(["-use_tls", "-use_test_ca"])
            .arg(format!("-ca_file={}", tls.ca.display()))
            .arg(format!("-server_host_override={name}"));
    }
    command
}

fn server(folder: &Path, listen: &Listen<'_>) -> Command {
    let mut command = Command::new(folder.join("server"));
    command.arg(format!("-port={}", listen.port));
    if let Some(tls) = listen.tls {
        command
            .arg("-use_tls")
            .arg(format!("-tls_cert_file={}", tls.chain.display()))
            .arg(format!("-tls_key_file={}", tls.key.display()));
    }
    command
}
