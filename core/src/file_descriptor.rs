//! The `.proto` file behind a service, as a server shows it to those who ask.

use std::fmt;

/// A `.proto` file as clients of server reflection are told of it.
///
/// Generated servers have that of their file; see `GrpcService::file_descriptor` of the server.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct FileDescriptor {
    /// The file, an encoded `google.protobuf.FileDescriptorProto`.
    pub encoded: &'static [u8],
    /// What it imports.
    pub imports: &'static [&'static Self],
}

impl FileDescriptor {
    /// Describes a file that imports these.
    pub const fn new(encoded: &'static [u8], imports: &'static [&'static Self]) -> Self {
        Self { encoded, imports }
    }
}

impl fmt::Debug for FileDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileDescriptor")
            .field("bytes", &self.encoded.len())
            .field("imports", &self.imports.len())
            .finish()
    }
}
