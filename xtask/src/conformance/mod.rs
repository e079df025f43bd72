//! `conformance`: our programs before judges that others wrote, side by side, every case by name.

mod connect;
mod h2spec;
mod negative;
mod transcript;

use crate::engines::Engines;
use crate::outcome::Outcome;
use crate::suites::Run;

/// One judge. Where the command line has an option that it does not know, it is left out.
struct Suite {
    name: &'static str,
    options: &'static [&'static str],
    run: fn(&Wanted, &mut Run),
}

/// In the order of the report.
const SUITES: &[Suite] = &[
    Suite {
        name: "connect",
        options: &["--config", "--mode", "--run"],
        run: connect::run,
    },
    Suite {
        name: "h2spec",
        options: &[],
        run: |wanted, run| h2spec::add_to(wanted.engines, run),
    },
    Suite {
        name: "negative",
        options: &[],
        run: |wanted, run| negative::add_to(wanted.engines, run),
    },
];

pub(crate) fn run(arguments: &[String]) -> Outcome {
    let wanted = match Wanted::of(arguments) {
        Ok(wanted) => wanted,
        Err(why) => return Outcome::Failed(why),
    };
    let mut run = Run::new("conformance").partial(!arguments.is_empty());
    for suite in SUITES.iter().filter(|suite| wanted.includes(suite)) {
        (suite.run)(&wanted, &mut run);
    }
    run.finish()
}

/// A line for each judge: there or not, and what brings it.
pub(crate) fn describe() -> Vec<String> {
    vec![connect::describe(), h2spec::describe()]
}

/// What the command line asks for.
#[derive(Debug, Default)]
struct Wanted {
    /// All if empty.
    suites: Vec<String>,
    engines: Engines,
    /// Options and their values.
    options: Vec<(String, String)>,
}

impl Wanted {
    fn of(arguments: &[String]) -> Result<Self, String> {
        let (engines, words) = Engines::take(arguments)?;
        let mut wanted = Self {
            engines,
            ..Self::default()
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let known = |suite: &Suite| suite.options.contains(&word.as_str());
            if SUITES.iter().any(known) {
                let value = words
                    .next()
                    .ok_or_else(|| format!("{word} wants a value"))?;
                wanted.options.push((word.clone(), value.clone()));
            } else if SUITES.iter().any(|suite| suite.name == word) {
                wanted.suites.push(word.clone());
            } else {
                let suites: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
                return Err(format!(
                    "no suite or option {word:?}; the suites are {}",
                    suites.join(", ")
                ));
            }
        }
        Ok(wanted)
    }

    /// The value of an option, the last one if it was given twice.
    fn option(&self, name: &str) -> Option<&str> {
        let mut given = self.options.iter().rev();
        given
            .find(|(option, _)| option == name)
            .map(|(_, value)| value.as_str())
    }

    fn includes(&self, suite: &Suite) -> bool {
        let named = self.suites.is_empty() || self.suites.iter().any(|name| name == suite.name);
        let mut options = self.options.iter();
        named && options.all(|(option, _)| suite.options.contains(&option.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(words: &[&str]) -> Result<Wanted, String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        Wanted::of(&words)
    }

    #[test]
    fn an_option_leaves_the_suites_out_that_do_not_know_it() {
        let other = Suite {
            name: "other",
            options: &["--mode"],
            run: |_, _| (),
        };
        let all = wanted(&[]).unwrap();
        assert!(all.includes(&SUITES[0]) && all.includes(&other));
        let both = wanted(&["--mode", "client"]).unwrap();
        assert!(both.includes(&SUITES[0]) && both.includes(&other));
        let one = wanted(&["--mode", "client", "--config", "C"]).unwrap();
        assert!(one.includes(&SUITES[0]) && !one.includes(&other));
        assert_eq!(one.option("--config"), Some("C"));
        let named = wanted(&["connect"]).unwrap();
        assert!(named.includes(&SUITES[0]) && !named.includes(&other));
    }

    #[test]
    fn an_unknown_word_is_told_what_there_is() {
        assert!(wanted(&["conect"]).unwrap_err().contains("connect"));
        assert!(wanted(&["--run"]).unwrap_err().contains("--run"));
    }
}
