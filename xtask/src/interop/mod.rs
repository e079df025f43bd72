//! `interop`: our programs against grpc-go's, both directions, every case by name.

mod cases;
mod peer;

use crate::outcome::Outcome;
use crate::peers::GrpcGo;
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
    let directions = if self_test {
        vec![Direction {
            name: "grpc-go -> grpc-go",
            client: Client::grpc_go(&grpc_go.client),
            server: Server::grpc_go(&grpc_go.server),
        }]
    } else {
        match ours(&grpc_go) {
            Ok(directions) => directions,
            Err(outcome) => return outcome,
        }
    };
    judge(&directions, &cases)
}

/// Who calls whom.
struct Direction {
    name: &'static str,
    client: Client,
    server: Server,
}

/// Builds our programs and pairs each with its counterpart.
fn ours(grpc_go: &GrpcGo) -> Result<Vec<Direction>, Outcome> {
    let root = workspace::root();
    let mut command = process::cargo();
    command
        .current_dir(&root)
        .args(["build", "--package", PACKAGE, "--bins"]);
    process::run(&mut command, BUILD_BOUND).map_err(Outcome::Failed)?;
    let target = workspace::target_directory(&root.join("Cargo.toml")).map_err(Outcome::Failed)?;
    let programs = target.join("debug");
    Ok(vec![
        Direction {
            name: "grpc-go -> trunkline",
            client: Client::grpc_go(&grpc_go.client),
            server: Server::trunkline(&programs.join("interop-server")),
        },
        Direction {
            name: "trunkline -> grpc-go",
            client: Client::trunkline(&programs.join("interop-client")),
            server: Server::grpc_go(&grpc_go.server),
        },
    ])
}

fn judge(directions: &[Direction], cases: &[&str]) -> Outcome {
    let mut heading = vec!["case"];
    heading.extend(directions.iter().map(|direction| direction.name));
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
