//! One tracing span per RPC, where somebody listens.

use tracing::field::{Empty, display};
use trunkline_core::Status;

/// The span of one RPC: `rpc` with its method, and its code once it has ended.
///
/// Where nobody listens at debug level it is empty and costs a comparison.
#[derive(Debug)]
pub(crate) struct CallSpan(tracing::Span);

impl CallSpan {
    pub(crate) fn new(path: &'static str) -> Self {
        Self(tracing::debug_span!("rpc", method = path, code = Empty))
    }

    pub(crate) fn enter(&self) -> tracing::span::Entered<'_> {
        self.0.enter()
    }

    pub(crate) fn ended<T>(&self, result: &Result<T, Status>) {
        if self.0.is_disabled() {
            return;
        }
        match result {
            Ok(_) => self.0.record("code", "OK"),
            Err(status) => self.0.record("code", display(status.code().name())),
        };
    }
}
