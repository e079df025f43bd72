//! Flags as the interop programs of all languages take them: `--name=value`, with one dash or two.

use std::collections::BTreeMap;
use std::str::FromStr;

/// What a command line says. Every flag is known, and given at most once.
#[derive(Clone, Debug, Default)]
pub struct Flags(BTreeMap<&'static str, String>);

impl Flags {
    /// Reads a command line; a flag without a value is `true`.
    ///
    /// Errors: a word that is none of the known flags, or one that came before.
    pub fn parse(
        words: impl IntoIterator<Item = String>,
        known: &[&'static str],
    ) -> Result<Self, String> {
        let mut flags = BTreeMap::new();
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((&word, "true"));
            let bare = name.strip_prefix("--").or_else(|| name.strip_prefix('-'));
            let Some(name) = known.iter().find(|known| bare == Some(**known)) else {
                return Err(format!(
                    "no flag {word:?}; there are --{}",
                    known.join(", --")
                ));
            };
            if flags.insert(*name, value.to_owned()).is_some() {
                return Err(format!("--{name} is given twice"));
            }
        }
        Ok(Self(flags))
    }

    /// The text of a flag, if it is given.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The text of a flag without which nothing can be done.
    ///
    /// Errors: it is not given.
    pub fn required(&self, name: &str) -> Result<&str, String> {
        self.get(name).ok_or_else(|| format!("--{name} is missing"))
    }

    /// A flag's value, or this one.
    ///
    /// Errors: what is given is no such value.
    pub fn value<T: FromStr>(&self, name: &str, default: T) -> Result<T, String> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| format!("--{name} cannot be {text:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Flags;

    fn parse(line: &str) -> Result<Flags, String> {
        let words = line.split_whitespace().map(str::to_owned);
        Flags::parse(words, &["port", "use_tls"])
    }

    #[test]
    fn one_dash_is_as_good_as_two_and_no_value_is_true() -> Result<(), String> {
        let flags = parse("-port=7 --use_tls")?;
        assert_eq!(flags.value("port", 0_u16)?, 7);
        assert!(flags.value("use_tls", false)?);
        assert_eq!(flags.required("port")?, "7");
        Ok(())
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for (line, named) in [
            ("--ports=7", "--ports=7"),
            ("port=7", "port=7"),
            ("--port=1 -port=2", "twice"),
        ] {
            let why = parse(line).unwrap_err();
            assert!(why.contains(named), "{line}: {why}");
        }
        let why = parse("--port=many").and_then(|flags| flags.value("port", 0_u16));
        assert!(why.is_err());
    }
}
