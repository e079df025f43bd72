//! What to measure, from the command line.

use super::cell::{Cell, Kind};
use super::cells::CELLS;

/// One run of the benchmark.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Options {
    pub(super) rounds: usize,
    /// Measured, after a third of it as warm-up.
    pub(super) seconds: f64,
    pub(super) cells: Vec<Cell>,
    /// Of these, those that are there; all when it is empty.
    pub(super) libraries: Vec<String>,
    /// Shorter, fewer, and not for the record.
    pub(super) is_quick: bool,
    /// Only shows that everything runs: nothing is saved.
    pub(super) is_smoke: bool,
}

impl Default for Options {
    fn default() -> Self {
        // Five rounds of that: all cells take less than half an hour, and ratios of two runs differ by 2 to 5 % on one thread,
        // more on many.
        Self {
            rounds: 5,
            seconds: 0.8,
            cells: CELLS.to_vec(),
            libraries: Vec::new(),
            is_quick: false,
            is_smoke: false,
        }
    }
}

impl Options {
    pub(super) fn parse(words: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} has no value"));
            match word.as_str() {
                "--smoke" => options.make_smoke(),
                "--quick" => options.make_quick(),
                "--rounds" => options.rounds = number(word, value()?)?,
                "--seconds" => options.seconds = number(word, value()?)?,
                "--cell" => options.cells = named(value()?)?,
                "--only" => options.cells = holding(value()?)?,
                "--library" => {
                    options.libraries = value()?.split(',').map(str::to_owned).collect();
                }
                unknown => return Err(format!("bench has no option {unknown}")),
            }
        }
        if options.rounds == 0 || options.seconds <= 0.0 {
            return Err("nothing to measure".to_owned());
        }
        Ok(options)
    }

    /// Whether a library takes part.
    pub(super) fn wants(&self, library: &str) -> bool {
        self.libraries.is_empty() || self.libraries.iter().any(|wanted| wanted == library)
    }

    /// Whether the cells may be recorded: with every library, and measured for long enough.
    pub(super) fn is_full(&self) -> bool {
        let usual = Self::default();
        !self.is_quick
            && self.libraries.is_empty()
            && self.rounds >= usual.rounds
            && self.seconds >= usual.seconds
    }

    /// The rounds of a cell. What does not depend on time is the same in each.
    pub(super) fn rounds_of(&self, cell: &Cell) -> usize {
        match cell.kind {
            Kind::Timed(..) => self.rounds,
            Kind::Unread
            | Kind::Idle {
                gives_back: false, ..
            } => self.rounds.min(3),
            Kind::Idle { .. } | Kind::Link | Kind::Counts(_) => 1,
        }
    }

    fn make_smoke(&mut self) {
        self.make_quick();
        self.is_smoke = true;
        self.rounds = 1;
        self.seconds = 0.3;
    }

    fn make_quick(&mut self) {
        self.is_quick = true;
        self.rounds = 3;
        self.seconds = 0.4;
        self.cells.retain(|cell| cell.is_quick);
    }
}

fn number<T: std::str::FromStr>(option: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{option} {text}: not a number"))
}

fn named(list: &str) -> Result<Vec<Cell>, String> {
    let find = |name: &str| {
        let found = CELLS.iter().find(|cell| cell.name == name);
        let all = || CELLS.iter().map(|cell| cell.name).collect::<Vec<_>>();
        found
            .copied()
            .ok_or_else(|| format!("no cell is called {name:?}; there are {}", all().join(", ")))
    };
    list.split(',').map(find).collect()
}

fn holding(part: &str) -> Result<Vec<Cell>, String> {
    let holds = |cell: &&Cell| cell.name.contains(part);
    let found: Vec<Cell> = CELLS.iter().filter(holds).copied().collect();
    if found.is_empty() {
        return Err(format!("no cell has {part:?} in its name"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn without_words_everything_runs() {
        let options = parse("").unwrap();
        assert_eq!(options.cells.len(), CELLS.len());
        assert!(options.wants("tonic") && options.rounds >= 5);
    }

    #[test]
    fn cells_go_by_their_names_or_parts_of_them() {
        let options =
            parse("--cell link,unread --rounds 2 --seconds 0.5 --library tonic,h2").unwrap();
        let names: Vec<&str> = options.cells.iter().map(|cell| cell.name).collect();
        assert_eq!(names, ["link", "unread"]);
        assert!(options.wants("h2") && !options.wants("trunkline"));
        assert!(parse("--only ping-pong").unwrap().cells.len() >= 2);
    }

    #[test]
    fn only_what_is_measured_in_full_may_be_recorded() {
        for line in ["", "--cell link", "--rounds 9"] {
            assert!(parse(line).unwrap().is_full(), "{line}");
        }
        for line in ["--quick", "--library tonic", "--rounds 2", "--seconds 0.1"] {
            assert!(!parse(line).unwrap().is_full(), "{line}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "--cell 64",
            "--only nothing-like-it",
            "--rounds x",
            "--rounds",
            "--rounds 0",
            "--fast",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
