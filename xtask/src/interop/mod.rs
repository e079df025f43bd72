//! `interop`: our programs against grpc-go's, both directions, in plaintext and over TLS, every case by name.

mod cases;
mod peer;

use crate::outcome::Outcome;
use crate::peers::{GrpcGo, TestCertificates};
use crate::report::Table;
use crate::{process, workspace};
use cases::{CASES, Verdict};
use peer::{Client, Server};
use std::time::Duration;

/// The package with our two programs; its folder is `xtask/interop`.
const PACKAGE: &str = "trunkline-interop";

const BUILD_BOUND: Duration = Duration::from_secs(1_200);

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let self_test = arguments.iter().any(|word| word == "--self-test");
    let names: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with("--"))
        .collect();
    if let Some(unknown) = names.iter().find(|name| !CASES.contains(name)) {
        return Outcome::Failed(format!(
            "no case {unknown:?}; there are {}",
            CASES.join(", ")
        ));
    }
    let cases: Vec<&str> = CASES
        .iter()
        .copied()
        .filter(|case| names.is_empty() || names.contains(case))
        .collect();
    let grpc_go = match GrpcGo::install() {
        Ok(programs) => programs,
        Err(why) => return Outcome::missing_tool(why),
    };
    let certificates = TestCertificates::find();
    let mut securities = vec![None];
    securities.extend(certificates.as_ref().ok().map(Some));
    let directions = if self_test {
        itself(&grpc_go, &securities)
    } else {
        match ours(&grpc_go, &securities) {
            Ok(directions) => directions,
            Err(outcome) => return outcome,
        }
    };
    match (judge(&directions, &cases), &certificates) {
        (Outcome::Passed, Err(why)) => Outcome::missing_tool(format!("nothing over TLS: {why}")),
        (outcome, _) => outcome,
    }
}

/// Who calls whom.
struct Direction<'a> {
    name: String,
    client: Client<'a>,
    server: Server<'a>,
}

/// In plaintext, or with these certificates.
type Security<'a> = Option<&'a TestCertificates>;

fn named(direction: &str, security: Security<'_>) -> String {
    let over = security.map_or("", |_| ", TLS");
    format!("{direction}{over}")
}

/// grpc-go with itself: what fails there is not ours.
fn itself<'a>(grpc_go: &GrpcGo, securities: &[Security<'a>]) -> Vec<Direction<'a>> {
    let each = securities.iter().map(|&security| Direction {
        name: named("grpc-go -> grpc-go", security),
        client: Client::grpc_go(&grpc_go.client, security),
        server: Server::grpc_go(&grpc_go.server, security),
    });
    each.collect()
}

/// Builds our programs and pairs each with its counterpart.
fn ours<'a>(grpc_go: &GrpcGo, securities: &[Security<'a>]) -> Result<Vec<Direction<'a>>, Outcome> {
    let root = workspace::root();
    let mut command = process::cargo();
    command
        .current_dir(&root)
        .args(["build", "--package", PACKAGE, "--bins"]);
    process::run(&mut command, BUILD_BOUND).map_err(Outcome::Failed)?;
    let target = workspace::target_directory(&root.join("Cargo.toml")).map_err(Outcome::Failed)?;
    let programs = target.join("debug");
    let pairs = securities.iter().flat_map(|&security| {
        [
            Direction {
                name: named("grpc-go -> trunkline", security),
                client: Client::grpc_go(&grpc_go.client, security),
                server: Server::trunkline(&programs.join("interop-server"), security),
            },
            Direction {
                name: named("trunkline -> grpc-go", security),
                client: Client::trunkline(&programs.join("interop-client"), security),
                server: Server::grpc_go(&grpc_go.server, security),
            },
        ]
    });
    Ok(pairs.collect())
}

fn judge(directions: &[Direction<'_>], cases: &[&str]) -> Outcome {
    let mut heading = vec!["case"];
    heading.extend(directions.iter().map(|direction| direction.name.as_str()));
    let mut table = Table::new(&heading);
    let mut rows: Vec<Vec<String>> = cases.iter().map(|&case| vec![case.to_owned()]).collect();
    let mut failed = 0;
    for direction in directions {
        let verdicts = cases::run(&direction.client, &direction.server, cases);
        for (row, (case, verdict)) in rows.iter_mut().zip(cases.iter().zip(verdicts)) {
            match verdict {
                Verdict::Pass(time) => row.push(format!("PASS {:>5} ms", time.as_millis())),
                Verdict::Fail(why) => {
                    failed += 1;
                    row.push("FAIL".to_owned());
                    println!("-- {case}, {}: {why}", direction.name);
                }
            }
        }
    }
    for row in rows {
        table.row(row);
    }
    println!("\n{}", table.render());
    if failed == 0 {
        Outcome::Passed
    } else {
        Outcome::Failed(format!("{failed} cases failed"))
    }
}
