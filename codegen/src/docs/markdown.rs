//! Plain text to Markdown that no lint of rustdoc, rustc or clippy objects to and that holds no doc test.

/// Turns the raw text of a comment into lines to stand behind `///`; empty for an empty comment.
///
/// 1. Control and text-direction characters go (rustc denies the latter), tabs become spaces, the
///    indentation that all lines share goes.
/// 2. A fenced block keeps its fence but says `text`; indented lines after a blank one, which Markdown
///    takes for code, are put into such a fence.
/// 3. In all other lines `<`, `>`, `[` and `]` are escaped unless they are in a code span or belong to
///    a link with an http address.
pub(crate) fn safe_lines(comment: &str) -> Vec<String> {
    let mut state = State::default();
    for line in unindented(comment) {
        state.line(&line);
    }
    state.finish()
}

fn unindented(comment: &str) -> Vec<String> {
    let lines: Vec<String> = comment.lines().map(clean).collect();
    let shared = lines
        .iter()
        .filter(|line| !line.is_empty())
        .map(|line| indentation(line))
        .min()
        .unwrap_or_default();
    lines
        .into_iter()
        .map(|line| line.get(shared..).unwrap_or_default().to_owned())
        .collect()
}

fn clean(line: &str) -> String {
    let mut clean = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '\t' => clean.push_str("    "),
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_control() => {}
            c => clean.push(c),
        }
    }
    clean.trim_end().to_owned()
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

#[derive(Default)]
struct State {
    out: Vec<String>,
    block: Block,
}

#[derive(Default)]
enum Block {
    #[default]
    None,
    /// Lines of running text, which swallow an indented line.
    Paragraph,
    /// A fence of the author's, open until this fence comes again.
    Fence(String),
    /// Lines that were indented; the first of them is this one.
    Indented(usize),
}

impl State {
    fn line(&mut self, line: &str) {
        let indent = indentation(line);
        let body = line.trim_start();
        if let Block::Fence(fence) = &self.block {
            if closes(body, fence) {
                self.out.push(fence.clone());
                self.block = Block::None;
            } else {
                self.out.push(line.to_owned());
            }
            return;
        }
        if let Block::Indented(start) = self.block {
            if body.is_empty() || indent >= 4 {
                self.out.push(line.get(4..).unwrap_or_default().to_owned());
                return;
            }
            self.close_indented(start);
        }
        if body.is_empty() {
            self.out.push(String::new());
            self.block = Block::None;
        } else if let Some(fence) = opens(without_marker(body)) {
            self.out.push(format!("{fence}text"));
            self.block = Block::Fence(fence.to_owned());
        } else if indent >= 4 && matches!(self.block, Block::None) {
            self.block = Block::Indented(self.out.len());
            self.out.push(line.get(4..).unwrap_or_default().to_owned());
        } else {
            let text = format!("{}{}", " ".repeat(indent.min(3)), text_line(body));
            self.out.push(text);
            // A heading is the one line of text that does not swallow what follows.
            self.block = if body.starts_with('#') {
                Block::None
            } else {
                Block::Paragraph
            };
        }
    }

    /// Puts a fence around the lines from `start` on that is longer than any in them.
    fn close_indented(&mut self, start: usize) {
        let mut lines = self.out.split_off(start);
        let blank = lines.iter().rev().take_while(|l| l.is_empty()).count();
        lines.truncate(lines.len() - blank);
        let ticks = |line: &String| line.matches('`').count();
        let fence = "`".repeat(lines.iter().map(ticks).max().unwrap_or_default().max(2) + 1);
        self.out.push(format!("{fence}text"));
        self.out.append(&mut lines);
        self.out.push(fence);
        self.out.extend((0..blank).map(|_| String::new()));
    }

    fn finish(mut self) -> Vec<String> {
        match &self.block {
            Block::Fence(fence) => self.out.push(fence.clone()),
            Block::Indented(start) => self.close_indented(*start),
            Block::None | Block::Paragraph => {}
        }
        while self.out.last().is_some_and(String::is_empty) {
            self.out.pop();
        }
        let blank = self.out.iter().take_while(|line| line.is_empty()).count();
        self.out.drain(..blank);
        self.out
    }
}

/// The fence that a line opens: three or more backticks or tildes.
fn opens(body: &str) -> Option<&str> {
    for mark in ['`', '~'] {
        let rest = body.trim_start_matches(mark);
        let length = body.len() - rest.len();
        if length >= 3 && !(mark == '`' && rest.contains('`')) {
            return body.get(..length);
        }
    }
    None
}

fn closes(body: &str, fence: &str) -> bool {
    body.len() >= fence.len() && body.chars().all(|c| fence.starts_with(c))
}

/// A list item's text without its marker.
fn without_marker(body: &str) -> &str {
    match marker(body) {
        0 => body,
        length => without_marker(body.get(length..).unwrap_or_default().trim_start()),
    }
}

/// The length of a list marker that a space follows, 0 without one.
fn marker(body: &str) -> usize {
    let digits = body.len() - body.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = body.get(digits..).unwrap_or_default();
    let marks: &[char] = if digits == 0 {
        &['-', '*', '+']
    } else {
        &['.', ')']
    };
    match rest.strip_prefix(marks) {
        Some(after) if digits <= 9 && after.starts_with(' ') => digits + 1,
        _ => 0,
    }
}

/// One line of text; after a list marker one space is left, since five would start code.
fn text_line(body: &str) -> String {
    let length = marker(body);
    match body.get(..length) {
        Some(mark) if length > 0 => {
            let rest = body.get(length..).unwrap_or_default().trim_start();
            format!("{mark} {}", text_line(rest))
        }
        _ => escape(body),
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let token = match c {
            '\\' => backslash(rest, &mut out),
            '`' => code_span(rest, &mut out),
            '[' => link(rest, &mut out),
            'h' => url(rest, &mut out),
            _ => None,
        };
        let length = token.unwrap_or_else(|| {
            if matches!(c, '<' | '>' | '[' | ']' | '`') {
                out.push('\\');
            }
            out.push(c);
            c.len_utf8()
        });
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

/// An escape that is already there stays; any other backslash is escaped itself.
fn backslash(rest: &str, out: &mut String) -> Option<usize> {
    match rest.chars().nth(1) {
        Some(next) if next.is_ascii_punctuation() => {
            out.push('\\');
            out.push(next);
            Some(2)
        }
        _ => {
            out.push_str("\\\\");
            Some(1)
        }
    }
}

/// A run of backticks, text, and a run of the same length, all on this line; a run without an end is
/// escaped as a whole.
fn code_span(rest: &str, out: &mut String) -> Option<usize> {
    let run = rest.len() - rest.trim_start_matches('`').len();
    let mut at = run;
    while let Some(next) = rest.get(at..).and_then(|tail| tail.find('`')) {
        let start = at + next;
        let tail = rest.get(start..)?;
        let length = tail.len() - tail.trim_start_matches('`').len();
        at = start + length;
        if length == run {
            out.push_str(rest.get(..at)?);
            return Some(at);
        }
    }
    out.push_str(&"\\`".repeat(run));
    Some(run)
}

/// `[text](http…)`, kept; every other bracket is only a bracket.
fn link(rest: &str, out: &mut String) -> Option<usize> {
    let close = rest.find("](http")?;
    let text = rest.get(1..close)?;
    let target = rest.get(close + 2..)?;
    let length = target.find(')')?;
    let target = target.get(..length)?;
    let plain = |c: char| !c.is_whitespace() && !"<>[]()`\\\"".contains(c);
    let is_url = target.starts_with("http://") || target.starts_with("https://");
    if !is_url
        || text == target
        || text.contains(['<', '>', '[', ']', '`', '\\'])
        || text.contains("://")
        || !target.chars().all(plain)
    {
        return None;
    }
    let whole = close + 2 + length + 1;
    out.push_str(rest.get(..whole)?);
    Some(whole)
}

/// A bare URL, put into angle brackets so that it is a link.
fn url(rest: &str, out: &mut String) -> Option<usize> {
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| rest.starts_with(scheme))?;
    let end = rest
        .find(|c: char| c.is_whitespace() || "<>[]()`\\\"".contains(c))
        .unwrap_or(rest.len());
    let url = rest
        .get(..end)?
        .trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', '_']);
    if url.len() <= scheme.len() {
        return None;
    }
    out.push('<');
    out.push_str(url);
    out.push('>');
    Some(url.len())
}

#[cfg(test)]
mod tests;
