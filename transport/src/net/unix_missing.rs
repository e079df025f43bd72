//! What stands in for Unix sockets where there are none: errors that say so.

use std::io;
use std::path::Path;

use crate::address::UnixAddressError;
use crate::{Address, BoxIo, Connector};

const MISSING: UnixAddressError = UnixAddressError::Unsupported {
    what: "Unix sockets",
};

pub(crate) fn check_path(_path: &Path) -> Result<(), UnixAddressError> {
    Err(MISSING)
}

pub(crate) fn check_abstract(_name: &[u8]) -> Result<(), UnixAddressError> {
    Err(MISSING)
}

/// Connects to nothing: the platform has no Unix sockets.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnixConnector {
    _private: (),
}

impl Connector for UnixConnector {
    async fn connect(&self, _to: &Address) -> io::Result<BoxIo> {
        Err(MISSING.into())
    }
}
