//! How a subcommand or a gate ended.

/// The three ways; a skip always says what was missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

impl Outcome {
    /// Passed if nothing went wrong, otherwise failed with the first line of it.
    pub(crate) fn from_result(result: Result<(), String>) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(why) => Self::Failed(why),
        }
    }

    /// A tool that is not on this machine: a named skip at home, a failure where `CI=true` promised it.
    pub(crate) fn missing_tool(what: impl Into<String>) -> Self {
        if is_ci() {
            Self::Failed(format!("{} (required under CI=true)", what.into()))
        } else {
            Self::Skipped(what.into())
        }
    }
}

/// Whether this run is the gatekeeper's, where nothing may be skipped for want of a tool.
pub(crate) fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}
