//! One question of a tool, and the answer that is right.

use crate::process::Captured;

/// A question and its answer.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// What the tool is told after whom to ask.
    pub(super) words: &'static [&'static str],
    /// The request of a call, as JSON.
    pub(super) request: Option<&'static str>,
    /// The exit code that is right.
    pub(super) code: i32,
    pub(super) answer: Answer,
}

/// What is to be read, on either output; spaces and line ends count as one space.
pub(super) enum Answer {
    /// This and nothing else.
    Exactly(&'static str),
    /// Each of these somewhere.
    Holds(&'static [&'static str]),
}

impl Case {
    /// A question that is answered.
    pub(super) const fn new(
        name: &'static str,
        words: &'static [&'static str],
        answer: Answer,
    ) -> Self {
        Self {
            name,
            words,
            request: None,
            code: 0,
            answer,
        }
    }

    /// With this request, as JSON.
    pub(super) const fn request(mut self, json: &'static str) -> Self {
        self.request = Some(json);
        self
    }

    /// The tool ends with this code.
    pub(super) const fn code(mut self, code: i32) -> Self {
        self.code = code;
        self
    }

    /// Errors: what is wrong with the answer.
    pub(super) fn judge(&self, captured: &Captured) -> Result<(), String> {
        let said = words(&format!("{}\n{}", captured.stdout, captured.stderr));
        let code = captured.status.and_then(|status| status.code());
        if code != Some(self.code) {
            let ending = captured.ending();
            return Err(format!("{ending}, not code {}: {said}", self.code));
        }
        match self.answer {
            Answer::Exactly(text) if words(text) != said => {
                Err(format!("said {said:?}, not {:?}", words(text)))
            }
            Answer::Holds(texts) => match texts.iter().find(|text| !said.contains(&words(text))) {
                Some(text) => Err(format!("no {:?} in {said:?}", words(text))),
                None => Ok(()),
            },
            Answer::Exactly(_) => Ok(()),
        }
    }
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::Duration;

    fn captured(script: &str) -> Captured {
        let mut command = Command::new("sh");
        crate::process::capture(command.args(["-c", script]), Duration::from_secs(10)).unwrap()
    }

    #[test]
    fn code_and_words_have_to_be_right() {
        let exactly = Case::new("case", &[], Answer::Exactly("a b\nc"));
        exactly.judge(&captured("echo ' a b'; echo c")).unwrap();
        exactly.judge(&captured("echo a b c d")).unwrap_err();
        exactly.judge(&captured("echo a b c; exit 4")).unwrap_err();
        let holds = Case::new("case", &[], Answer::Holds(&["b c", "a"])).code(4);
        holds
            .judge(&captured("echo a b; echo c d; exit 4"))
            .unwrap();
        holds.judge(&captured("echo a b d; exit 4")).unwrap_err();
    }
}
