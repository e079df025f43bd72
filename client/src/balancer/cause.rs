//! One failure inside the text of another.

use std::fmt;

use trunkline_core::Status;

/// A status without its code: what one line of a longer error says.
#[derive(Debug)]
pub(crate) struct Cause<'a>(pub(crate) &'a Status);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(stage) = self.0.stage() {
            write!(f, "{stage}: ")?;
        }
        f.write_str(self.0.message())
    }
}
