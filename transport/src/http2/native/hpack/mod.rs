//! HPACK (RFC 7541).

use bytes::Bytes;

/// Header fields as literals without references to any table: any task may encode them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(pub(super) Bytes);
