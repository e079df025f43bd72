//! grpc-health-probe: what containers are asked with; its exit codes are what orchestrators act by.

use super::cases::{Answer, Case};
use super::{PLAINTEXT, Question, TLS, Tool};
use crate::peers::{TestCertificates, go};
use std::path::Path;
use std::process::Command;

const GO: go::Tool = go::Tool {
    name: "grpc-health-probe",
    version: "v0.4.62",
    packages: &["github.com/grpc-ecosystem/grpc-health-probe"],
    pins: &[],
    programs: &["grpc-health-probe"],
};

pub(super) const TOOL: Tool = Tool {
    title: "grpc-health-probe v0.4.62",
    install: || Ok(GO.install()?.join("grpc-health-probe")),
    is_installed: || GO.is_installed(),
    command,
    cases: CASES,
    sides: &[PLAINTEXT, TLS],
};

const CASES: &[Case] = &[
    Case::new("the server", &[], Answer::Exactly("status: SERVING")),
    Case::new(
        "a service",
        &["-service=grpc.testing.TestService"],
        Answer::Exactly("status: SERVING"),
    ),
    Case::new(
        "a service that is not serving",
        &["-service=grpc.testing.Sick"],
        Answer::Holds(&["NOT_SERVING"]),
    )
    .code(4),
    Case::new(
        "an unknown service",
        &["-service=no.Such"],
        Answer::Holds(&["code = NotFound", "unknown service"]),
    )
    .code(3),
];

fn command(program: &Path, question: &Question<'_>) -> Result<Command, String> {
    let mut command = Command::new(program);
    command.arg(format!("-addr=127.0.0.1:{}", question.port));
    // Its own is one second, which a busy machine may need.
    command.args(["-connect-timeout=10s", "-rpc-timeout=10s"]);
    if let Some(tls) = question.tls {
        command
            .arg("-tls")
            .arg(format!("-tls-ca-cert={}", tls.ca.display()))
            .arg(format!("-tls-server-name={}", TestCertificates::NAME));
    }
    command.args(question.case.words);
    Ok(command)
}
