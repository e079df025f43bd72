//! `fuzz`: the targets of `trunkline-fuzz` under libFuzzer where a nightly toolchain is, else under the driver for
//! stable Rust; which one it was is said.

mod libfuzzer;
mod oracle;
mod stable;

use crate::outcome::Outcome;
use crate::report::Table;
use crate::suites::{Row, Run};
use crate::{process, workspace};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// The package of the targets; its folder is `xtask/fuzz`.
const PACKAGE: &str = "trunkline-fuzz";

const BUILD_BOUND: Duration = Duration::from_secs(1_800);

/// What a process under test may have of address space, in KiB: less than the 4 GiB that a prefix can claim.
const ADDRESS_SPACE_KIB: u64 = 4 << 20;

/// For each target, unless the command line says otherwise.
const SECONDS: u64 = 30;
const SMOKE_SECONDS: u64 = 2;

/// A gate looks at the same inputs wherever it runs; a fast machine is not to find what a slow one did not.
const SMOKE_EXECUTIONS: u64 = 1_000;

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let options = match Options::parse(arguments) {
        Ok(options) => options,
        Err(why) => return Outcome::Failed(why),
    };
    match prepare(&options) {
        Ok(Prepared::Fuzz(targets, driver)) => fuzz(&options, &targets, &driver),
        Ok(Prepared::Replayed) => Outcome::Passed,
        Err(why) => Outcome::Failed(why),
    }
}

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    targets: Vec<String>,
    seconds: Option<u64>,
    seed: Option<u64>,
    replay: Option<PathBuf>,
    /// A few seconds of each, the same inputs every time.
    smoke: bool,
    /// The driver for stable Rust even where libFuzzer could be had.
    stable: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut value = || {
                let next = words.next();
                next.ok_or_else(|| format!("{word} needs a value"))
            };
            let number = |text: &String| {
                let number = text.parse::<u64>();
                number.map_err(|_| format!("{word} {text}: no number"))
            };
            match word.as_str() {
                "--smoke" => options.smoke = true,
                "--stable" => options.stable = true,
                "--seconds" => options.seconds = Some(number(value()?)?),
                "--seed" => options.seed = Some(number(value()?)?),
                "--replay" => options.replay = Some(value()?.into()),
                other if other.starts_with("--") => return Err(format!("fuzz has no {other}")),
                name => options.targets.push(name.to_owned()),
            }
        }
        Ok(options)
    }

    fn time(&self) -> Duration {
        let default = if self.smoke { SMOKE_SECONDS } else { SECONDS };
        Duration::from_secs(self.seconds.unwrap_or(default))
    }

    /// Another one each time, but for a gate: that fails for what was changed, not by chance.
    fn seed(&self) -> u64 {
        let now = || {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            since.map_or(0, |since| since.as_secs())
        };
        self.seed
            .unwrap_or_else(|| if self.smoke { 0 } else { now() })
    }
}

enum Prepared {
    Fuzz(Vec<String>, Driver),
    Replayed,
}

/// Who runs the targets.
enum Driver {
    Stable(stable::Driver),
    LibFuzzer(libfuzzer::Driver),
}

/// Builds what is needed.
fn prepare(options: &Options) -> Result<Prepared, String> {
    let root = workspace::root();
    let mut command = process::cargo();
    command
        .current_dir(&root)
        .args(["build", "--package", PACKAGE]);
    process::run(&mut command, BUILD_BOUND)?;
    let target = workspace::target_directory(&root.join("Cargo.toml"))?;
    let program = target.join("debug").join(PACKAGE);
    let all = names(&program)?;
    if let Some(unknown) = options.targets.iter().find(|name| !all.contains(name)) {
        return Err(format!(
            "no target {unknown:?}; there are {}",
            all.join(", ")
        ));
    }
    if let Some(file) = &options.replay {
        let [name] = options.targets.as_slice() else {
            return Err("--replay needs the name of the target before it".to_owned());
        };
        let mut command = Command::new(&program);
        command.arg(name).arg("--replay").arg(file);
        process::run(&mut command, options.time() + BUILD_BOUND)?;
        return Ok(Prepared::Replayed);
    }
    let chosen = if options.targets.is_empty() {
        all
    } else {
        options.targets.clone()
    };
    let stable = |why: &str| {
        println!(
            "driver: seeded mutation on stable Rust ({why}), seed {}",
            options.seed()
        );
        Driver::Stable(stable::Driver {
            program: program.clone(),
            seed: options.seed(),
            executions: if options.smoke {
                SMOKE_EXECUTIONS
            } else {
                u64::MAX
            },
        })
    };
    let driver = if options.smoke {
        stable("--smoke")
    } else if options.stable {
        stable("--stable")
    } else {
        match libfuzzer::Driver::prepare(&root, &target) {
            Ok(driver) => {
                println!("driver: libFuzzer, guided by coverage");
                Driver::LibFuzzer(driver)
            }
            Err(why) => stable(&why),
        }
    };
    Ok(Prepared::Fuzz(chosen, driver))
}

fn names(program: &Path) -> Result<Vec<String>, String> {
    let listed = process::capture(Command::new(program).arg("list"), Duration::from_secs(30));
    let listed = listed.map_err(|error| format!("{}: {error}", program.display()))?;
    let lines = listed.stdout.lines();
    let names: Vec<String> = lines
        .filter_map(|line| Some(line.split('\t').next()?.to_owned()))
        .collect();
    if names.is_empty() {
        return Err(format!(
            "{} lists no targets: {}",
            program.display(),
            listed.ending()
        ));
    }
    Ok(names)
}

/// What one target came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    executions: u64,
    time: Duration,
    /// Places in the code that were reached, as the driver counts them.
    coverage: Option<u64>,
    /// How it failed, with the way to see it again.
    failure: Option<String>,
}

impl Report {
    /// A target that got no input has not passed.
    fn unless_idle(mut self) -> Self {
        if self.executions == 0 && self.failure.is_none() {
            self.failure = Some("no input was tried".to_owned());
        }
        self
    }
}

fn fuzz(options: &Options, targets: &[String], driver: &Driver) -> Outcome {
    let suite = match driver {
        Driver::Stable(_) => "own fuzz targets, seeded mutation",
        Driver::LibFuzzer(_) => "own fuzz targets, libFuzzer",
    };
    let mut row = Row::new(suite, "all crates");
    let mut table = Table::new(&[
        "target",
        "executions",
        "per second",
        "places reached",
        "seconds",
    ]);
    let mut executions = 0;
    let is_whole = options.targets.is_empty();
    let names = targets.iter().map(String::as_str);
    for name in names.chain(is_whole.then_some(oracle::NAME)) {
        let report = match driver {
            _ if name == oracle::NAME => oracle::run(),
            Driver::Stable(driver) => driver.run(name, options.time()),
            Driver::LibFuzzer(driver) => driver.run(name, options.time()),
        };
        let report = report.unless_idle();
        let seconds = report.time.as_secs_f64();
        let rate = u128::from(report.executions) * 1_000 / report.time.as_millis().max(1);
        println!("{name}: {} executions in {seconds:.1} s", report.executions);
        table.row(vec![
            name.to_owned(),
            report.executions.to_string(),
            rate.to_string(),
            report
                .coverage
                .map_or_else(|| "-".to_owned(), |count| count.to_string()),
            format!("{seconds:.1}"),
        ]);
        executions += report.executions;
        row.case(name, report.time, report.failure);
    }
    println!("\n{}", table.render());
    let row = if is_whole {
        row.expecting(targets.len() + 1)
    } else {
        row.partial()
    };
    let mut run = Run::new("fuzz");
    run.add(row.remark(format!("{executions} executions")));
    run.finish()
}

/// `program` with a bound to its memory, where there is a shell that knows how.
fn bounded(program: &Path) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit -v {ADDRESS_SPACE_KIB}; exec \"$0\" \"$@\"");
    command.arg("-c").arg(script).arg(program);
    command
}

/// Where inputs go that failed.
fn findings() -> Result<PathBuf, String> {
    let root = workspace::root();
    let target = workspace::target_directory(&root.join("Cargo.toml"))?;
    let folder = target.join("fuzz/findings");
    let made = std::fs::create_dir_all(&folder);
    made.map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// The way to see a finding again.
fn replay(name: &str, file: &Path) -> String {
    format!("cargo xtask fuzz {name} --replay {}", file.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        Options::parse(&words)
    }

    #[test]
    fn words_are_targets_and_options_have_values() {
        let options = parse(&["frames", "--seconds", "7", "--seed", "3", "--stable"]).unwrap();
        assert_eq!(options.targets, ["frames"]);
        assert_eq!(
            (options.time(), options.seed()),
            (Duration::from_secs(7), 3)
        );
        assert!(options.stable && !options.smoke);
        assert!(parse(&["--seconds"]).is_err());
        assert!(parse(&["--seconds", "x"]).is_err());
        assert!(parse(&["--fast"]).is_err());
    }

    #[test]
    fn a_target_without_input_has_not_passed() {
        assert!(Report::default().unless_idle().failure.is_some());
        let executions = 1;
        let tried = Report {
            executions,
            ..Report::default()
        };
        assert_eq!(tried.unless_idle().failure, None);
    }

    #[test]
    fn a_gate_tries_the_same_inputs_every_time() {
        let options = parse(&["--smoke"]).unwrap();
        assert_eq!(
            (options.seed(), options.time()),
            (0, Duration::from_secs(2))
        );
    }
}
