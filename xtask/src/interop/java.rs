//! grpc-java: its interop client over netty and over okhttp, and its server, which is netty's.

use super::cases::{self, SOAK_FLAGS};
use super::peer::{BOTH, Call, Client, Installed, Listen, Peer, Server};
use super::running::Running;
use crate::peers::{GrpcJava, TestCertificates};
use crate::process;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(super) const PEER: Peer = Peer {
    name: "java",
    suite: "grpc-java interop 1.79.0 on 1.82.2",
    install,
    clients: &[
        Client {
            variant: "netty",
            command: netty,
            cases: CLIENT_CASES,
        },
        Client {
            variant: "okhttp",
            command: okhttp,
            cases: CLIENT_CASES,
        },
    ],
    servers: &[Server {
        variant: "",
        command: server,
        cases: SERVER_CASES,
    }],
    securities: BOTH,
};

/// All that its client has but those of HTTP caches and of Google's credentials.
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
    "client_compressed_unary",
    "client_compressed_unary_noprobe",
    "server_compressed_unary",
    "client_compressed_streaming",
    "client_compressed_streaming_noprobe",
    "server_compressed_streaming",
    "very_large_request",
    "pick_first_unary",
    "orca_per_rpc",
    "orca_oob",
    "rpc_soak",
    "channel_soak",
];

/// Those that its server can answer: it has no id, does not look whether a request came compressed, and compresses no
/// responses of streams.
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
    "server_compressed_unary",
    "client_compressed_streaming_noprobe",
    "very_large_request",
    "orca_per_rpc",
    "orca_oob",
    "rpc_soak",
    "channel_soak",
];

const ARCHIVE_BOUND: Duration = Duration::from_secs(60);

fn install() -> Result<Installed, String> {
    let peer = GrpcJava::install()?;
    let certificates = peer.certificates();
    if let Ok(certificates) = &certificates {
        for variant in ["netty", "okhttp"] {
            if !archive(&peer.folder, variant).is_file() {
                // Without it every case takes half a second more, and passes all the same.
                let _ = write_archive(&peer.folder, variant, certificates);
            }
        }
    }
    Ok(Installed {
        certificates,
        folder: peer.folder,
    })
}

/// What a client's classes look like once they are loaded: loading them is most of what a case takes.
fn archive(folder: &Path, variant: &str) -> PathBuf {
    folder.join(format!("{variant}.jsa"))
}

/// Has a client write it at the end of a case.
fn write_archive(
    folder: &Path,
    variant: &str,
    certificates: &TestCertificates,
) -> Result<(), String> {
    let server = Running::start((server, folder), Some(certificates), None)?;
    let unfinished = folder.join(format!("{variant}-{}.part", std::process::id()));
    let mut command = java();
    command.arg(format!("-XX:ArchiveClassesAtExit={}", unfinished.display()));
    let call = Call {
        port: server.port(),
        case: "large_unary",
        tls: Some(certificates),
    };
    arguments(&mut command, folder, variant, &call);
    process::capture(&mut command, ARCHIVE_BOUND).map_err(|error| error.to_string())?;
    std::fs::rename(&unfinished, archive(folder, variant)).map_err(|error| error.to_string())
}

/// A machine that starts fast.
fn java() -> Command {
    let mut command = Command::new("java");
    command.args([
        "-XX:+IgnoreUnrecognizedVMOptions",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Xshare:auto",
    ]);
    command
}

fn program(command: &mut Command, folder: &Path, name: &str) {
    command
        .arg("-cp")
        .arg(folder.join("lib").join("*"))
        .arg(format!("io.grpc.testing.integration.{name}"));
}

fn netty(folder: &Path, call: &Call<'_>) -> Command {
    client(folder, "netty", call)
}

fn okhttp(folder: &Path, call: &Call<'_>) -> Command {
    client(folder, "okhttp", call)
}

fn client(folder: &Path, variant: &str, call: &Call<'_>) -> Command {
    let mut command = java();
    let archive = archive(folder, variant);
    command.arg(format!("-XX:SharedArchiveFile={}", archive.display()));
    arguments(&mut command, folder, variant, call);
    command
}

fn arguments(command: &mut Command, folder: &Path, variant: &str, call: &Call<'_>) {
    program(command, folder, "TestServiceClient");
    command
        .arg(format!("--use_okhttp={}", variant == "okhttp"))
        .arg("--server_host=127.0.0.1")
        .arg(format!("--server_port={}", call.port))
        .arg(format!("--test_case={}", call.case))
        .arg(format!("--use_tls={}", call.tls.is_some()));
    if cases::is_soak(call.case) {
        command.args(SOAK_FLAGS.map(|flag| format!("--{flag}")));
    }
    if call.case.starts_with("orca_") {
        command.arg(format!("--{}", cases::ORCA_POLICY));
    }
    if call.tls.is_some() {
        let name = TestCertificates::NAME;
        // It has the certificate of its authority in itself.
        command
            .arg("--use_test_ca=true")
            .arg(format!("--server_host_override={name}"));
    }
}

/// It has its certificate in itself.
fn server(folder: &Path, listen: &Listen<'_>) -> Command {
    let mut command = java();
    program(&mut command, folder, "TestServiceServer");
    command
        .arg(format!("--port={}", listen.port))
        .arg(format!("--use_tls={}", listen.tls.is_some()));
    command
}
