//! What to measure: cells, rounds and sides, from the command line.

/// One load: how large, over how many connections, how many calls in flight on each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) payload_bytes: usize,
    pub(super) connections: usize,
    pub(super) in_flight: usize,
}

impl Cell {
    /// `64-c8-s10`: 64 bytes, 8 connections, 10 calls in flight on each.
    pub(super) fn name(&self) -> String {
        format!(
            "{}-c{}-s{}",
            self.payload_bytes, self.connections, self.in_flight
        )
    }

    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('-');
        let cell = Self {
            payload_bytes: parts.next()?.parse().ok()?,
            connections: parts.next()?.strip_prefix('c')?.parse().ok()?,
            in_flight: parts.next()?.strip_prefix('s')?.parse().ok()?,
        };
        let is_whole = parts.next().is_none() && cell.connections > 0 && cell.in_flight > 0;
        is_whole.then_some(cell)
    }
}

/// Whose CPU time is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    Client,
}

impl Side {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// One run of the benchmark.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Options {
    pub(super) rounds: usize,
    /// Measured, after a third of it as warm-up.
    pub(super) seconds: f64,
    pub(super) cells: Vec<Cell>,
    pub(super) sides: Vec<Side>,
    /// One thread on each side, each on a CPU of its own, instead of tokio's default.
    pub(super) single_thread: bool,
    /// Only shows that everything runs: nothing is saved.
    pub(super) smoke: bool,
}

impl Default for Options {
    fn default() -> Self {
        let mut cells = Vec::new();
        for payload_bytes in [64, 1_024] {
            for connections in [1, 8] {
                for in_flight in [10, 100] {
                    cells.push(Cell {
                        payload_bytes,
                        connections,
                        in_flight,
                    });
                }
            }
        }
        // Five rounds of a second: ratios of two such runs differ by 2 to 5 % on one thread, more on many.
        Self {
            rounds: 5,
            seconds: 1.0,
            cells,
            sides: vec![Side::Server, Side::Client],
            single_thread: false,
            smoke: false,
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
                "--st" => options.single_thread = true,
                "--rounds" => options.rounds = number(word, value()?)?,
                "--seconds" => options.seconds = number(word, value()?)?,
                "--cells" => options.cells = cells(value()?)?,
                "--side" => options.sides = vec![side(value()?)?],
                unknown => return Err(format!("bench has no option {unknown}")),
            }
        }
        if options.rounds == 0 || options.seconds <= 0.0 {
            return Err("nothing to measure".to_owned());
        }
        Ok(options)
    }

    fn make_smoke(&mut self) {
        self.smoke = true;
        self.rounds = 1;
        self.seconds = 0.5;
        self.cells = vec![Cell {
            payload_bytes: 64,
            connections: 1,
            in_flight: 10,
        }];
    }
}

fn number<T: std::str::FromStr>(option: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{option} {text}: not a number"))
}

fn cells(list: &str) -> Result<Vec<Cell>, String> {
    let cell = |name| {
        Cell::parse(name).ok_or_else(|| format!("{name:?} is no cell; one is called 64-c8-s10"))
    };
    list.split(',').map(cell).collect()
}

fn side(name: &str) -> Result<Side, String> {
    let sides = [Side::Server, Side::Client];
    let found = sides.into_iter().find(|side| side.name() == name);
    found.ok_or_else(|| format!("{name:?} is no side: server or client"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn without_words_all_eight_cells_run_on_both_sides() {
        let options = parse("").unwrap();
        assert_eq!(options.cells.len(), 8);
        assert_eq!(options.sides.len(), 2);
    }

    #[test]
    fn cells_go_by_their_names() {
        let options =
            parse("--cells 64-c8-s10,1024-c1-s100 --rounds 2 --seconds 0.5 --side client --st")
                .unwrap();
        let names: Vec<String> = options.cells.iter().map(Cell::name).collect();
        assert_eq!(names, ["64-c8-s10", "1024-c1-s100"]);
        assert_eq!(
            (options.rounds, options.sides, options.single_thread),
            (2, vec![Side::Client], true)
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "--cells 64",
            "--cells 64-c0-s1",
            "--rounds x",
            "--rounds",
            "--rounds 0",
            "--side both",
            "--fast",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
