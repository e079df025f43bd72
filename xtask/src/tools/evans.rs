//! evans: lists, describes and calls by reflection, of which it knows v1alpha alone.

use super::cases::{Answer, Case};
use super::{Question, TLS, Tool, V1ALPHA};
use crate::peers::{TestCertificates, go};
use crate::workspace;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const GO: go::Tool = go::Tool {
    name: "evans",
    version: "v0.10.11",
    packages: &["github.com/ktr0731/evans"],
    // Built as a dependency of a module of ours: on its own, Go asks for a list of its versions, which not every
    // module proxy has.
    pins: &[("github.com/ktr0731/evans", "v0.10.11")],
    programs: &["evans"],
};

pub(super) const TOOL: Tool = Tool {
    title: "evans v0.10.11",
    install: || Ok(GO.install()?.join("evans")),
    is_installed: || GO.is_installed(),
    command,
    cases: CASES,
    sides: &[V1ALPHA, TLS],
};

const CASES: &[Case] = &[
    Case::new(
        "list services",
        &["list"],
        Answer::Holds(&[
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
            "grpc.testing.TestService",
        ]),
    ),
    Case::new(
        "list methods",
        &["list", "grpc.testing.TestService"],
        Answer::Holds(&[
            "grpc.testing.TestService.EmptyCall",
            "grpc.testing.TestService.FullDuplexCall",
            "grpc.testing.TestService.UnaryCall",
        ]),
    ),
    Case::new(
        "describe a message",
        &["desc", "grpc.testing.Payload"],
        Answer::Exactly(
            "grpc.testing.Payload: \
             message Payload { .grpc.testing.PayloadType type = 1; bytes body = 2; }",
        ),
    ),
    Case::new(
        "describe a service",
        &["desc", "grpc.health.v1.Health"],
        Answer::Holds(&["service Health {", "rpc Watch"]),
    ),
    Case::new(
        "describe what is not there",
        &["desc", "grpc.testing.Nothing"],
        Answer::Holds(&["grpc.testing.Nothing"]),
    )
    .code(1),
    Case::new(
        "unary call",
        &["call", "grpc.testing.TestService.UnaryCall"],
        Answer::Exactly("{ \"payload\": { \"body\": \"AAAA\" } }"),
    )
    .request("{\"response_size\": 3}"),
    Case::new(
        "server-streaming call",
        &["call", "grpc.testing.TestService.StreamingOutputCall"],
        Answer::Exactly(
            "{ \"payload\": { \"body\": \"AA==\" } } { \"payload\": { \"body\": \"AAA=\" } }",
        ),
    )
    .request("{\"response_parameters\": [{\"size\": 1}, {\"size\": 2}]}"),
    Case::new(
        "client-streaming call",
        &["call", "grpc.testing.TestService.StreamingInputCall"],
        Answer::Exactly("{ \"aggregatedPayloadSize\": 5 }"),
    )
    .request("{\"payload\": {\"body\": \"AAAA\"}} {\"payload\": {\"body\": \"AAA=\"}}"),
    Case::new(
        "health of a service",
        &["call", "grpc.health.v1.Health.Check"],
        Answer::Exactly("{ \"status\": \"NOT_SERVING\" }"),
    )
    .request("{\"service\": \"grpc.testing.Sick\"}"),
];

fn command(program: &Path, question: &Question<'_>) -> Result<Command, String> {
    let mut command = Command::new(program);
    command
        .args(["--host", "127.0.0.1", "--port"])
        .arg(question.port.to_string());
    if let Some(tls) = question.tls {
        command
            .args(["--tls", "--servername", TestCertificates::NAME, "--cacert"])
            .arg(&tls.ca);
    }
    command.args(["--reflection", "cli"]);
    command.args(question.case.words);
    if let Some(request) = question.case.request {
        command.arg("--file").arg(written(request)?);
    }
    Ok(command)
}

/// It takes requests from a file, which is for one question at a time.
fn written(request: &str) -> Result<PathBuf, String> {
    let target = workspace::target_directory(&workspace::root().join("Cargo.toml"))?;
    let folder = target.join("suites");
    let file = folder.join("evans-request.json");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&file, request))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}
