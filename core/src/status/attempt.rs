//! What was tried before a call failed.

use std::fmt;

use super::Status;

/// One try that failed: an address that could not be reached, or a call that was made again.
///
/// Its `Display` is `address: status`, or the status alone.
#[derive(Clone, Debug)]
pub struct Attempt {
    address: Option<Box<str>>,
    status: Status,
}

impl Attempt {
    /// A try that failed with this, at an address that is not known.
    pub const fn new(status: Status) -> Self {
        Self {
            address: None,
            status,
        }
    }

    /// The same at this address.
    #[must_use]
    pub fn at(mut self, address: impl fmt::Display) -> Self {
        self.address = Some(address.to_string().into());
        self
    }

    /// Where it was tried, if known.
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// Why it failed.
    pub const fn status(&self) -> &Status {
        &self.status
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(address) = &self.address {
            write!(f, "{address}: ")?;
        }
        write!(f, "{}", self.status)
    }
}
