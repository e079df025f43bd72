//! HPACK (RFC 7541).

use bytes::Bytes;

/// Header fields as literals without references to any table: any task may encode them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(pub(super) Bytes);

/// Takes the fields of a block as they are decoded. It cannot stop the decoder: what a block does
/// to the table counts, whatever the head is worth.
pub(super) trait Sink {
    fn field(&mut self, name: &[u8], value: &[u8], never_index: bool);
}
