//! The details of `google.rpc` that are lists: what was violated.

use std::collections::BTreeMap;

use prost::Message;

use super::LocalizedMessage;
use super::types::named;

named! { BadRequest PreconditionFailure QuotaFailure }

/// Which fields of the request are wrong. Goes with INVALID_ARGUMENT.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
#[non_exhaustive]
pub struct BadRequest {
    /// What is wrong, field by field.
    #[prost(message, repeated, tag = "1")]
    pub field_violations: Vec<FieldViolation>,
}

/// What is wrong with one field of a request.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
#[non_exhaustive]
pub struct FieldViolation {
    /// The path of the field: `guests[2].name`.
    #[prost(string, tag = "1")]
    pub field: String,
    /// What is wrong, for people.
    #[prost(string, tag = "2")]
    pub description: String,
    /// The same for programs: one word in upper case, of the domain of the error's `ErrorInfo`.
    #[prost(string, tag = "3")]
    pub reason: String,
    /// A text to show to the user.
    #[prost(message, optional, tag = "4")]
    pub localized_message: Option<LocalizedMessage>,
}

impl BadRequest {
    /// No violation yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more wrong field.
    #[must_use]
    pub fn violation(self, field: impl Into<String>, description: impl Into<String>) -> Self {
        self.field_violation(FieldViolation::new(field, description))
    }

    /// The same with one more wrong field of which more is known.
    #[must_use]
    pub fn field_violation(mut self, violation: FieldViolation) -> Self {
        self.field_violations.push(violation);
        self
    }
}

impl FieldViolation {
    /// What is wrong with this field.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            description: description.into(),
            reason: String::new(),
            localized_message: None,
        }
    }

    /// The same with a reason for programs.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    /// The same with a text to show to the user.
    #[must_use]
    pub fn localized_message(mut self, message: LocalizedMessage) -> Self {
        self.localized_message = Some(message);
        self
    }
}

/// What must be put in order before the call can work. Goes with FAILED_PRECONDITION.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
#[non_exhaustive]
pub struct PreconditionFailure {
    /// All that is not in order.
    #[prost(message, repeated, tag = "1")]
    pub violations: Vec<PreconditionViolation>,
}

/// One thing that is not in order.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
#[non_exhaustive]
pub struct PreconditionViolation {
    /// What kind of condition, as one word of the service: `TERMS`. In the `.proto`: `type`.
    #[prost(string, tag = "1")]
    pub kind: String,
    /// What does not meet it, within that kind.
    #[prost(string, tag = "2")]
    pub subject: String,
    /// What to do about it, for people.
    #[prost(string, tag = "3")]
    pub description: String,
}

impl PreconditionFailure {
    /// No violation yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more condition that is not met.
    #[must_use]
    pub fn violation(
        mut self,
        kind: impl Into<String>,
        subject: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        self.violations.push(PreconditionViolation {
            kind: kind.into(),
            subject: subject.into(),
            description: description.into(),
        });
        self
    }
}

/// Which quotas are used up. Goes with RESOURCE_EXHAUSTED.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
#[non_exhaustive]
pub struct QuotaFailure {
    /// All quotas that are.
    #[prost(message, repeated, tag = "1")]
    pub violations: Vec<QuotaViolation>,
}

/// One quota that is used up.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
#[non_exhaustive]
pub struct QuotaViolation {
    /// Whose quota: `clientip:192.0.2.7`, `project:blue`.
    #[prost(string, tag = "1")]
    pub subject: String,
    /// Which quota, for people.
    #[prost(string, tag = "2")]
    pub description: String,
    /// The service that the quota belongs to, if it is another than the one that was called.
    #[prost(string, tag = "3")]
    pub api_service: String,
    /// What is counted.
    #[prost(string, tag = "4")]
    pub quota_metric: String,
    /// Which limit on it.
    #[prost(string, tag = "5")]
    pub quota_id: String,
    /// To which place, zone or the like the limit applies.
    #[prost(btree_map = "string, string", tag = "6")]
    pub quota_dimensions: BTreeMap<String, String>,
    /// The limit, in units of the metric.
    #[prost(int64, tag = "7")]
    pub quota_value: i64,
    /// The limit that is to come, where one is being changed.
    #[prost(int64, optional, tag = "8")]
    pub future_quota_value: Option<i64>,
}

impl QuotaFailure {
    /// No violation yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more quota that is used up.
    #[must_use]
    pub fn violation(self, subject: impl Into<String>, description: impl Into<String>) -> Self {
        self.quota_violation(QuotaViolation::new(subject, description))
    }

    /// The same with one more quota of which more is known.
    #[must_use]
    pub fn quota_violation(mut self, violation: QuotaViolation) -> Self {
        self.violations.push(violation);
        self
    }
}

impl QuotaViolation {
    /// Whose quota, and which.
    pub fn new(subject: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            description: description.into(),
            ..Self::default()
        }
    }
}
