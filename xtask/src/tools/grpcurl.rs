//! grpcurl: lists, describes and calls by reflection, v1 where the server has it, else v1alpha.

use super::cases::{Answer, Case};
use super::{Question, TLS, Tool, V1, V1ALPHA};
use crate::peers::TestCertificates;
use crate::peers::go;
use std::path::Path;
use std::process::Command;

const GO: go::Tool = go::Tool {
    name: "grpcurl",
    version: "v1.9.3",
    packages: &["github.com/fullstorydev/grpcurl/cmd/grpcurl"],
    pins: &[],
    programs: &["grpcurl"],
};

pub(super) const TOOL: Tool = Tool {
    title: "grpcurl v1.9.3",
    install: || Ok(GO.install()?.join("grpcurl")),
    is_installed: || GO.is_installed(),
    command,
    cases: CASES,
    sides: &[V1, V1ALPHA, TLS],
};

const CASES: &[Case] = &[
    Case::new(
        "list services",
        &["list"],
        Answer::Exactly(
            "grpc.health.v1.Health grpc.reflection.v1.ServerReflection \
             grpc.reflection.v1alpha.ServerReflection grpc.testing.TestService",
        ),
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
        "describe everything",
        &["describe"],
        Answer::Holds(&[
            "grpc.health.v1.Health is a service:",
            "grpc.reflection.v1.ServerReflection is a service:",
            "grpc.reflection.v1alpha.ServerReflection is a service:",
            "grpc.testing.TestService is a service:",
        ]),
    ),
    Case::new(
        "describe a service",
        &["describe", "grpc.testing.TestService"],
        Answer::Holds(&[
            "grpc.testing.TestService is a service:",
            "rpc EmptyCall ( .grpc.testing.Empty ) returns ( .grpc.testing.Empty );",
            "rpc FullDuplexCall ( stream .grpc.testing.StreamingOutputCallRequest ) \
             returns ( stream .grpc.testing.StreamingOutputCallResponse );",
        ]),
    ),
    Case::new(
        "describe a method",
        &["describe", "grpc.testing.TestService.UnaryCall"],
        Answer::Exactly(
            "grpc.testing.TestService.UnaryCall is a method: rpc UnaryCall \
             ( .grpc.testing.SimpleRequest ) returns ( .grpc.testing.SimpleResponse );",
        ),
    ),
    Case::new(
        "describe a message",
        &["describe", "grpc.testing.Payload"],
        Answer::Exactly(
            "grpc.testing.Payload is a message: \
             message Payload { .grpc.testing.PayloadType type = 1; bytes body = 2; }",
        ),
    ),
    Case::new(
        "describe a field",
        &["describe", "grpc.testing.Payload.body"],
        Answer::Exactly("grpc.testing.Payload.body is a field: bytes body = 2;"),
    ),
    Case::new(
        "describe an enum",
        &["describe", "grpc.testing.PayloadType"],
        Answer::Holds(&["is an enum: enum PayloadType {", "COMPRESSABLE = 0;"]),
    ),
    Case::new(
        "describe what is nested",
        &[
            "describe",
            "grpc.health.v1.HealthCheckResponse.ServingStatus",
        ],
        Answer::Holds(&["is an enum: enum ServingStatus {", "SERVICE_UNKNOWN = 3;"]),
    ),
    Case::new(
        "a template of a message",
        &["-msg-template", "describe", "grpc.testing.Payload"],
        Answer::Holds(&["Message template: { \"type\": \"COMPRESSABLE\", \"body\": \"\" }"]),
    ),
    Case::new(
        "describe what is not there",
        &["describe", "grpc.testing.Nothing"],
        Answer::Holds(&["Symbol not found: grpc.testing.Nothing"]),
    )
    .code(1),
    Case::new(
        "list methods of what is not there",
        &["list", "grpc.testing.Nothing"],
        Answer::Holds(&["Symbol not found: grpc.testing.Nothing"]),
    )
    .code(1),
    Case::new(
        "unary call",
        &["grpc.testing.TestService/EmptyCall"],
        Answer::Exactly("{}"),
    )
    .request("{}"),
    Case::new(
        "unary call with a message",
        &["grpc.testing.TestService/UnaryCall"],
        Answer::Exactly("{ \"payload\": { \"body\": \"AAAA\" } }"),
    )
    .request("{\"responseSize\": 3}"),
    Case::new(
        "server-streaming call",
        &["grpc.testing.TestService/StreamingOutputCall"],
        Answer::Exactly(
            "{ \"payload\": { \"body\": \"AA==\" } } { \"payload\": { \"body\": \"AAA=\" } }",
        ),
    )
    .request("{\"responseParameters\": [{\"size\": 1}, {\"size\": 2}]}"),
    Case::new(
        "client-streaming call",
        &["grpc.testing.TestService/StreamingInputCall"],
        Answer::Exactly("{ \"aggregatedPayloadSize\": 5 }"),
    )
    .request("{\"payload\": {\"body\": \"AAAA\"}} {\"payload\": {\"body\": \"AAA=\"}}"),
    Case::new(
        "bidirectional call",
        &["grpc.testing.TestService/FullDuplexCall"],
        Answer::Exactly(
            "{ \"payload\": { \"body\": \"AA==\" } } { \"payload\": { \"body\": \"AAA=\" } }",
        ),
    )
    .request("{\"responseParameters\": [{\"size\": 1}]} {\"responseParameters\": [{\"size\": 2}]}"),
    Case::new(
        "a call that fails",
        &["grpc.testing.TestService/UnaryCall"],
        Answer::Holds(&["Code: FailedPrecondition", "Message: on purpose"]),
    )
    .request("{\"responseStatus\": {\"code\": 9, \"message\": \"on purpose\"}}")
    // 64 and the number of the code.
    .code(73),
    Case::new(
        "health of the server",
        &["grpc.health.v1.Health/Check"],
        Answer::Exactly("{ \"status\": \"SERVING\" }"),
    ),
    Case::new(
        "health of all services",
        &["grpc.health.v1.Health/List"],
        Answer::Holds(&[
            "\"\": { \"status\": \"SERVING\" }",
            "\"grpc.testing.Sick\": { \"status\": \"NOT_SERVING\" }",
            "\"grpc.testing.TestService\": { \"status\": \"SERVING\" }",
        ]),
    ),
    Case::new(
        "a watch of an unknown service",
        &["-max-time=1", "grpc.health.v1.Health/Watch"],
        Answer::Holds(&[
            "{ \"status\": \"SERVICE_UNKNOWN\" }",
            "Code: DeadlineExceeded",
        ]),
    )
    .request("{\"service\": \"no.Such\"}")
    .code(68),
];

fn command(program: &Path, question: &Question<'_>) -> Result<Command, String> {
    let mut command = Command::new(program);
    match question.tls {
        None => command.arg("-plaintext"),
        Some(tls) => command
            .arg("-cacert")
            .arg(&tls.ca)
            .args(["-authority", TestCertificates::NAME]),
    };
    if let Some(request) = question.case.request {
        command.args(["-d", request]);
    }
    // Options stand before the address.
    let words = question.case.words;
    let options = words.iter().take_while(|word| word.starts_with('-'));
    let (options, asked) = words.split_at(options.count());
    command
        .args(options)
        .arg(format!("127.0.0.1:{}", question.port))
        .args(asked);
    Ok(command)
}
