//! The two HTTP/2 engines of trunkline: every suite that opens connections runs once on each.

use std::fmt;
use std::process::Command;

/// What trunkline reads to know its engine where a configuration names none.
const VARIABLE: &str = "TRUNKLINE_HTTP2_ENGINE";

/// What chooses one engine on the command line.
const OPTION: &str = "--engine";

/// What speaks HTTP/2 in our programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// The one on the h2 crate.
    H2,
    /// The one written for gRPC.
    Native,
}

impl Engine {
    /// What programs use that are told nothing.
    pub(crate) const USUAL: Self = Self::Native;

    const ALL: [Self; 2] = [Self::Native, Self::H2];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::H2 => "h2",
            Self::Native => "native",
        }
    }

    /// Whatever this command starts of ours runs on this engine.
    pub(crate) fn set(self, command: &mut Command) -> &mut Command {
        command.env(VARIABLE, self.name())
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The engines that a run is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Engines {
    chosen: Option<Engine>,
}

impl Engines {
    /// Takes `--engine NAME` out of the words of a command line.
    ///
    /// Errors: no engine has that name.
    pub(crate) fn take(words: &[String]) -> Result<(Self, Vec<String>), String> {
        let mut left = Vec::new();
        let mut chosen = None;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word != OPTION {
                left.push(word.clone());
                continue;
            }
            let name = words.next().map_or("", String::as_str);
            let found = Engine::ALL.into_iter().find(|engine| engine.name() == name);
            let unknown = || format!("no engine {name:?}; there are h2 and native");
            chosen = Some(found.ok_or_else(unknown)?);
        }
        Ok((Self { chosen }, left))
    }

    /// The chosen one, else both.
    pub(crate) fn each(self) -> Vec<Engine> {
        match self.chosen {
            Some(engine) => vec![engine],
            None => Engine::ALL.to_vec(),
        }
    }

    /// Somebody chose.
    pub(crate) const fn is_chosen(self) -> bool {
        self.chosen.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(words: &[&str]) -> Result<(Engines, Vec<String>), String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        Engines::take(&words)
    }

    #[test]
    fn the_engine_is_taken_from_among_the_other_words() {
        let (engines, left) = take(&["connect", "--engine", "native", "--mode"]).unwrap();
        assert_eq!(engines.each(), [Engine::Native]);
        assert_eq!(left, ["connect", "--mode"]);
        let (engines, left) = take(&["core"]).unwrap();
        assert_eq!(engines.each(), Engine::ALL);
        assert_eq!(left, ["core"]);
        assert!(!engines.is_chosen());
    }

    #[test]
    fn an_unknown_engine_is_told_what_there_is() {
        for words in [&["--engine", "hyper"][..], &["--engine"][..]] {
            assert!(take(words).unwrap_err().contains("native"));
        }
    }
}
