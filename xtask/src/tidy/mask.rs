//! Rust source with comments and literals blanked out, so that a word found in it is code.
//!
//! Not a parser: it knows comments, strings and characters, and where blocks open and close. Lines and columns stay.

/// The blanked text, and which of its lines are inside `#[cfg(test)]` items.
#[derive(Debug)]
pub(super) struct Masked {
    lines: Vec<String>,
    tests: Vec<bool>,
}

impl Masked {
    pub(super) fn new(text: &str) -> Self {
        let lines: Vec<String> = blank(text).lines().map(str::to_owned).collect();
        let tests = test_lines(&lines);
        Self { lines, tests }
    }

    /// Line number from 1, text, and whether it belongs to a test.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        let lines = self.lines.iter().zip(&self.tests).enumerate();
        lines.map(|(index, (line, &test))| (index + 1, line.as_str(), test))
    }

    /// Whether any line of code has this text.
    pub(super) fn contains(&self, text: &str) -> bool {
        self.lines.iter().any(|line| line.contains(text))
    }
}

fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let rest = chars.get(at..).unwrap_or_default();
        let previous = at
            .checked_sub(1)
            .and_then(|before| chars.get(before))
            .copied();
        let length = literal(rest, previous);
        for &c in rest.iter().take(length.unwrap_or(1)) {
            out.push(if length.is_some() && c != '\n' {
                ' '
            } else {
                c
            });
        }
        at += length.unwrap_or(1);
    }
    out
}

/// The length of the comment or literal that begins here, if one does.
fn literal(rest: &[char], previous: Option<char>) -> Option<usize> {
    match rest {
        ['/', '/', ..] => Some(rest.iter().take_while(|&&c| c != '\n').count()),
        ['/', '*', ..] => Some(block_comment(rest)),
        ['"', ..] => Some(quoted(rest, '"')),
        ['r', '"' | '#', ..] if !previous.is_some_and(is_word) || previous == Some('b') => {
            raw_string(rest)
        }
        // A lifetime is a quote and a word without a closing quote.
        ['\'', '\\', ..] => Some(quoted(rest, '\'')),
        ['\'', _, '\'', ..] => Some(3),
        _ => None,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(pair) = rest.get(at..at + 2) {
        match pair {
            ['/', '*'] => {
                depth += 1;
                at += 2;
            }
            ['*', '/'] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while let Some(&c) = rest.get(at) {
        at += if c == '\\' { 2 } else { 1 };
        if c == quote {
            return at;
        }
    }
    rest.len()
}

fn raw_string(rest: &[char]) -> Option<usize> {
    let hashes = rest.iter().skip(1).take_while(|&&c| c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return None; // r#name, a raw identifier
    }
    let body = 2 + hashes;
    let closes = |at: &usize| {
        let tail = rest.get(*at..).unwrap_or_default();
        tail.first() == Some(&'"')
            && tail
                .iter()
                .skip(1)
                .take(hashes)
                .filter(|&&c| c == '#')
                .count()
                == hashes
    };
    let end = (body..rest.len()).find(closes)?;
    Some(end + 1 + hashes)
}

/// Marks the item below each `#[cfg(test)]`, to its closing brace or semicolon.
fn test_lines(lines: &[String]) -> Vec<bool> {
    let mut marks = vec![false; lines.len()];
    let mut within: Option<Block> = None;
    for (line, mark) in lines.iter().zip(&mut marks) {
        if within.is_none() && line.contains("#[cfg(test)]") {
            within = Some(Block {
                depth: 0,
                opened: false,
            });
        }
        if let Some(block) = &mut within {
            *mark = true;
            let code = line.replace("#[cfg(test)]", "");
            if block.ends_in(&code) {
                within = None;
            }
        }
    }
    marks
}

struct Block {
    depth: usize,
    opened: bool,
}

impl Block {
    fn ends_in(&mut self, line: &str) -> bool {
        for c in line.chars() {
            match c {
                '{' => {
                    self.depth += 1;
                    self.opened = true;
                }
                '}' => self.depth = self.depth.saturating_sub(1),
                ';' if !self.opened => return true,
                _ => {}
            }
        }
        self.opened && self.depth == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_stay() {
        for (text, expected) in [
            ("a // h2::x\nb", "a         \nb"),
            ("a /* x /* y */\n z */ b", "a             \n      b"),
            (r#"f("h2::\" {", 1)"#, r"f(          , 1)"),
            ("let c = '\"'; d", "let c =    ; d"),
            (r"let c = '\''; d", "let c =     ; d"),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
            ("r#\"a \" b\"# c", "           c"),
            ("r#type + 1", "r#type + 1"),
        ] {
            assert_eq!(blank(text), expected, "{text}");
        }
    }

    #[test]
    fn test_modules_are_marked_to_their_closing_brace() {
        let masked =
            Masked::new("fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n");
        let tests: Vec<bool> = masked.lines().map(|(_, _, test)| test).collect();
        assert_eq!(tests, [false, true, true, true, true, false]);
    }

    #[test]
    fn a_test_module_in_its_own_file_is_one_line() {
        let masked = Masked::new("#[cfg(test)]\nmod tests;\nfn c() {}\n");
        let tests: Vec<bool> = masked.lines().map(|(_, _, test)| test).collect();
        assert_eq!(tests, [true, true, false]);
    }
}
