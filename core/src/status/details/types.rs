//! The details of `google.rpc` that are one thing: reason, delay, links and the like.

use std::collections::BTreeMap;
use std::time::Duration;

use prost::Message;

/// Gives messages their names in `google.rpc`.
macro_rules! named {
    ($($type:ident)*) => {$(
        impl prost::Name for $type {
            const NAME: &'static str = stringify!($type);
            const PACKAGE: &'static str = "google.rpc";
        }
    )*};
}
pub(super) use named;

named! { ErrorInfo RetryInfo DebugInfo RequestInfo ResourceInfo Help LocalizedMessage }

/// The cause of an error for programs: a constant reason within a domain.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
#[non_exhaustive]
pub struct ErrorInfo {
    /// The reason, one word in upper case: `SEAT_TAKEN`.
    #[prost(string, tag = "1")]
    pub reason: String,
    /// Whose reasons these are, usually the service's name: `booking.example.com`.
    #[prost(string, tag = "2")]
    pub domain: String,
    /// What else belongs to this case.
    #[prost(btree_map = "string, string", tag = "3")]
    pub metadata: BTreeMap<String, String>,
}

impl ErrorInfo {
    /// A reason within a domain.
    pub fn new(reason: impl Into<String>, domain: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            domain: domain.into(),
            metadata: BTreeMap::new(),
        }
    }

    /// The same with one more entry of metadata.
    #[must_use]
    pub fn entry(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }
}

/// How long to wait before trying again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<WireDuration>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
struct WireDuration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl RetryInfo {
    /// Wait this long. Units: nanoseconds travel; more than about 292 billion years are cut there.
    pub fn new(delay: Duration) -> Self {
        Self {
            retry_delay: Some(WireDuration {
                seconds: i64::try_from(delay.as_secs()).unwrap_or(i64::MAX),
                nanos: i32::try_from(delay.subsec_nanos()).unwrap_or_default(),
            }),
        }
    }

    /// The delay; `None` if the peer sent none, or none that is a time span.
    pub fn delay(&self) -> Option<Duration> {
        let WireDuration { seconds, nanos } = self.retry_delay?;
        let nanos = u32::try_from(nanos).ok().filter(|&n| n < 1_000_000_000)?;
        Some(Duration::new(u64::try_from(seconds).ok()?, nanos))
    }
}

/// Where an error happened, for the developers of the server. It tells a lot: not for the public.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
#[non_exhaustive]
pub struct DebugInfo {
    /// The stack, innermost call first.
    #[prost(string, repeated, tag = "1")]
    pub stack_entries: Vec<String>,
    /// What else is known.
    #[prost(string, tag = "2")]
    pub detail: String,
}

impl DebugInfo {
    /// This text, without a stack.
    pub fn new(detail: impl Into<String>) -> Self {
        Self {
            stack_entries: Vec::new(),
            detail: detail.into(),
        }
    }

    /// The same with one more entry of the stack, below those before.
    #[must_use]
    pub fn stack_entry(mut self, entry: impl Into<String>) -> Self {
        self.stack_entries.push(entry.into());
        self
    }
}

/// Which request it was, for whoever reports the error.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
#[non_exhaustive]
pub struct RequestInfo {
    /// What the server's logs call the request.
    #[prost(string, tag = "1")]
    pub request_id: String,
    /// Anything that the server can make sense of later.
    #[prost(string, tag = "2")]
    pub serving_data: String,
}

impl RequestInfo {
    /// A request of this id.
    pub fn new(request_id: impl Into<String>) -> Self {
        Self {
            request_id: request_id.into(),
            serving_data: String::new(),
        }
    }

    /// The same with what the server can make sense of later.
    #[must_use]
    pub fn serving_data(mut self, data: impl Into<String>) -> Self {
        self.serving_data = data.into();
        self
    }
}

/// The resource that could not be used.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
#[non_exhaustive]
pub struct ResourceInfo {
    /// What kind of resource: a word, or a type's URL.
    #[prost(string, tag = "1")]
    pub resource_type: String,
    /// Which one.
    #[prost(string, tag = "2")]
    pub resource_name: String,
    /// Whose it is, if that may be told.
    #[prost(string, tag = "3")]
    pub owner: String,
    /// What is wrong with it, for people.
    #[prost(string, tag = "4")]
    pub description: String,
}

impl ResourceInfo {
    /// A resource of this kind and name.
    pub fn new(resource_type: impl Into<String>, resource_name: impl Into<String>) -> Self {
        Self {
            resource_type: resource_type.into(),
            resource_name: resource_name.into(),
            owner: String::new(),
            description: String::new(),
        }
    }

    /// The same with its owner.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = owner.into();
        self
    }

    /// The same with what is wrong.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }
}

/// Where to read more.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
#[non_exhaustive]
pub struct Help {
    /// The places.
    #[prost(message, repeated, tag = "1")]
    pub links: Vec<Link>,
}

/// One place to read more at.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
#[non_exhaustive]
pub struct Link {
    /// What is found there.
    #[prost(string, tag = "1")]
    pub description: String,
    /// Where it is.
    #[prost(string, tag = "2")]
    pub url: String,
}

impl Help {
    /// Nothing to read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more link.
    #[must_use]
    pub fn link(mut self, description: impl Into<String>, url: impl Into<String>) -> Self {
        self.links.push(Link {
            description: description.into(),
            url: url.into(),
        });
        self
    }
}

/// A text that may be shown to the user as it is.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
#[non_exhaustive]
pub struct LocalizedMessage {
    /// The language, as a BCP 47 tag: `fr-CH`.
    #[prost(string, tag = "1")]
    pub locale: String,
    /// The text in it.
    #[prost(string, tag = "2")]
    pub message: String,
}

impl LocalizedMessage {
    /// This text in this language.
    pub fn new(locale: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            locale: locale.into(),
            message: message.into(),
        }
    }
}
