//! `cargo xtask <subcommand>`: everything this repository can do to itself.
#![expect(
    clippy::print_stdout,
    reason = "a command-line tool: the screen is its output"
)]

mod bench;
mod ci;
mod codegen;
mod conformance;
mod consumers;
mod deny;
mod docs;
mod engines;
mod features;
mod fuzz;
mod interop;
mod lint;
mod outcome;
mod package;
mod peers;
mod plugin;
mod process;
mod report;
mod soak;
mod suites;
mod test;
mod tidy;
mod tools;
mod workspace;

use outcome::Outcome;
use std::process::ExitCode;

/// One subcommand: what to type, what it does, the function that does it.
struct Subcommand {
    name: &'static str,
    arguments: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Outcome,
}

const SUBCOMMANDS: &[Subcommand] = &[
    Subcommand {
        name: "test",
        arguments: "[--engine h2|native] [crate | filter]...",
        about: "unit, integration and doc tests, on both HTTP/2 engines; needs nothing but Rust",
        run: test::run,
    },
    Subcommand {
        name: "ci",
        arguments: "",
        about: "every gate but the tests, in order, with a summary",
        run: ci::run,
    },
    Subcommand {
        name: "fmt",
        arguments: "",
        about: "rustfmt finds nothing to change",
        run: lint::format,
    },
    Subcommand {
        name: "clippy",
        arguments: "",
        about: "clippy on every target, warnings are errors",
        run: lint::clippy,
    },
    Subcommand {
        name: "features",
        arguments: "",
        about: "every crate without its features, with those that users pick, with all: no warning",
        run: features::run,
    },
    Subcommand {
        name: "tidy",
        arguments: "",
        about: "layering, file sizes, lint inheritance and the other house rules",
        run: tidy::run,
    },
    Subcommand {
        name: "docs",
        arguments: "",
        about: "API documentation, warnings are errors",
        run: docs::run,
    },
    Subcommand {
        name: "deny",
        arguments: "",
        about: "banned and doubled crates, licences, sources, advisories",
        run: deny::run,
    },
    Subcommand {
        name: "package",
        arguments: "",
        about: "every crate packages: source, README and licences, nothing else; and builds from there",
        run: package::run,
    },
    Subcommand {
        name: "consumers",
        arguments: "",
        about: "programs with one crate of ours each: their trees, built without protoc, cmake and C++, and run",
        run: consumers::run,
    },
    Subcommand {
        name: "conformance",
        arguments: "[suite]... [--engine h2|native] [--config C|D] [--mode server|client] [--run PATTERN]",
        about: "both sides before judges that others wrote",
        run: conformance::run,
    },
    Subcommand {
        name: "interop",
        arguments: "[--peer NAME]... [--engine h2|native] [--self-test] [case]...",
        about: "both sides against the interop programs of others",
        run: interop::run,
    },
    Subcommand {
        name: "codegen",
        arguments: "[--check]",
        about: "writes the checked-in code of the standard services anew, or only compares",
        run: codegen::run,
    },
    Subcommand {
        name: "tools",
        arguments: "[--engine h2|native]",
        about: "grpcurl, grpc-health-probe and evans ask a server of ours",
        run: tools::run,
    },
    Subcommand {
        name: "fuzz",
        arguments: "[target]... [--seconds N] [--seed N] [--smoke] [--stable]; <target> --replay FILE",
        about: "the fuzz targets, under libFuzzer where a nightly toolchain is",
        run: fuzz::run,
    },
    Subcommand {
        name: "plugin",
        arguments: "",
        about: "protoc and buf run our plugin and write what a build script writes",
        run: plugin::run,
    },
    Subcommand {
        name: "soak",
        arguments: "[--engine h2|native] [--minutes N]",
        about: "the tests that every day are scaled down, in full",
        run: soak::run,
    },
    Subcommand {
        name: "record",
        arguments: "",
        about: "what the last runs of the suites found goes into docs/ and the README",
        run: suites::record,
    },
    Subcommand {
        name: "bench",
        arguments: "[--quick] [--cell a,b] [--only PART] [--library a,b] [--rounds N] [--seconds S] [--smoke]",
        about: "beside bare h2, tonic, connectrpc and grpc-go: CPU, latency, memory, counts",
        run: bench::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        usage();
        return ExitCode::FAILURE;
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        usage();
        return ExitCode::SUCCESS;
    }
    let Some(subcommand) = SUBCOMMANDS.iter().find(|known| known.name == name) else {
        println!("no subcommand {name:?}\n");
        usage();
        return ExitCode::FAILURE;
    };
    match (subcommand.run)(rest) {
        Outcome::Passed => ExitCode::SUCCESS,
        Outcome::Skipped(why) => {
            println!("{name}: skipped: {why}");
            ExitCode::SUCCESS
        }
        Outcome::Failed(why) => {
            println!("{name}: FAILED: {why}");
            ExitCode::FAILURE
        }
    }
}

fn usage() {
    println!("cargo xtask <subcommand>\n");
    for known in SUBCOMMANDS {
        println!("  {:<8} {}", known.name, known.about);
        if !known.arguments.is_empty() {
            println!("           {}", known.arguments);
        }
    }
    println!(
        "\nThe two you need: `cargo xtask test`, and `cargo xtask ci` before a change is sent."
    );
}
