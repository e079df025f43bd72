//! What a connection knows of compression: nothing that a model looks at.

#[derive(Debug)]
pub(crate) struct Compression;
