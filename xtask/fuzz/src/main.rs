//! One target under the driver for stable Rust. `cargo xtask fuzz` starts it and says more.
#![expect(
    clippy::print_stdout,
    reason = "a command-line tool: the screen is its output"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use trunkline_fuzz::{Settings, TARGETS, Target, drive, find, run};

const USAGE: &str = "trunkline-fuzz list
trunkline-fuzz TARGET --replay FILE...
trunkline-fuzz TARGET [--seconds N] [--executions N] [--seed N] [--corpus FOLDER] [--findings FOLDER] [--trace FILE]";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match act(&words) {
        Ok(code) => code,
        Err(why) => {
            println!("{why}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn act(words: &[String]) -> Result<ExitCode, String> {
    let (name, rest) = words.split_first().ok_or("which target?")?;
    if name == "list" {
        for target in TARGETS {
            println!("{}\t{}", target.name, target.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let target = find(name).ok_or_else(|| format!("no target {name:?}"))?;
    if let Some((first, files)) = rest.split_first()
        && first == "--replay"
    {
        return replay(target, files);
    }
    let mut settings = Settings {
        seed: 0,
        time: Duration::from_secs(10),
        executions: u64::MAX,
        corpus: Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(target.name),
        trace: None,
    };
    let mut findings = std::env::temp_dir();
    let mut pairs = rest.chunks_exact(2);
    for pair in pairs.by_ref() {
        let [option, value] = pair else { continue };
        let number = || {
            value
                .parse::<u64>()
                .map_err(|_| format!("{option} {value}: no number"))
        };
        match option.as_str() {
            "--seconds" => settings.time = Duration::from_secs(number()?),
            "--executions" => settings.executions = number()?,
            "--seed" => settings.seed = number()?,
            "--corpus" => settings.corpus = value.into(),
            "--findings" => findings = value.into(),
            "--trace" => settings.trace = Some(value.into()),
            _ => return Err(format!("no option {option:?}")),
        }
    }
    if let [odd, ..] = pairs.remainder() {
        return Err(format!("{odd:?} without a value"));
    }
    Ok(fuzz(target, &settings, &findings))
}

fn fuzz(target: &'static Target, settings: &Settings, findings: &Path) -> ExitCode {
    let outcome = drive(target, settings);
    println!(
        "executions {} milliseconds {}",
        outcome.executions,
        outcome.time.as_millis()
    );
    let Some((input, failure)) = outcome.finding else {
        return ExitCode::SUCCESS;
    };
    println!("{}, seed {}: {failure}", target.name, settings.seed);
    let file = findings.join(format!("{}-seed-{}", target.name, settings.seed));
    match std::fs::create_dir_all(findings).and_then(|()| std::fs::write(&file, &input)) {
        Ok(()) => println!("finding {}", file.display()),
        Err(error) => println!("{}: {error}", file.display()),
    }
    println!("the input, {} bytes: {}", input.len(), input.escape_ascii());
    ExitCode::FAILURE
}

fn replay(target: &Target, files: &[String]) -> Result<ExitCode, String> {
    if files.is_empty() {
        return Err("which file?".to_owned());
    }
    let mut code = ExitCode::SUCCESS;
    for file in files.iter().map(PathBuf::from) {
        let input = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        match run(target, &input) {
            Ok(()) => println!("{}: passes", file.display()),
            Err(failure) => {
                println!("{}: {failure}", file.display());
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
