//! How a channel compresses its requests, and what it understands.

use trunkline_core::{CompressorRegistry, Encoding};
use trunkline_transport::stream::{Compress, Compression};

use super::{ChannelBuilder, ChannelError};

/// What was said to the builder.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    compressors: CompressorRegistry,
    requests: Option<String>,
    min_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            compressors: CompressorRegistry::default(),
            requests: None,
            min_bytes: Compression::DEFAULT_MIN_BYTES,
        }
    }
}

impl Settings {
    /// Errors: requests are to be compressed with what the channel does not have.
    pub(super) fn resolve(self) -> Result<RequestCompression, ChannelError> {
        let Self {
            compressors,
            requests,
            min_bytes,
        } = self;
        let requests = match requests {
            Some(name) if name != "identity" => match compressors.find(&name) {
                Some(encoding) => Some(encoding.clone()),
                None => return Err(ChannelError::Encoding { name }),
            },
            _ => None,
        };
        Ok(RequestCompression {
            compression: Compression::new(compressors),
            requests,
            min_bytes,
        })
    }
}

/// What a channel compresses with.
#[derive(Debug)]
pub(crate) struct RequestCompression {
    pub(crate) compression: Compression,
    /// For calls that say nothing.
    pub(crate) requests: Option<Encoding>,
    min_bytes: usize,
}

impl RequestCompression {
    pub(crate) fn with(&self, encoding: &Encoding) -> Compress {
        self.compression.compress(encoding.clone(), self.min_bytes)
    }
}

impl ChannelBuilder {
    /// Compresses requests with this encoding, such as `gzip`, unless their call says otherwise.
    /// Default: `identity`, which is not at all.
    ///
    /// Servers that do not know it refuse the calls with UNIMPLEMENTED. Messages that hold a secret
    /// beside what a stranger chose should not be compressed: their size tells of the secret.
    /// Source: gRPC "Compression".
    /// ```
    /// # #[cfg(feature = "gzip")] {
    /// use trunkline_client::Channel;
    ///
    /// let channel = Channel::builder("greeter.example:443")
    ///     .insecure()
    ///     .compression("gzip")
    ///     .build()?;
    /// # }
    /// # Ok::<(), trunkline_client::ChannelError>(())
    /// ```
    pub fn compression(mut self, encoding: impl Into<String>) -> Self {
        self.compression.requests = Some(encoding.into());
        self
    }

    /// Requests shorter than this are sent as they are where requests are compressed. Units: bytes
    /// of the message. Default 1 KiB: what is shorter gains less than its compression costs.
    pub const fn compression_min_bytes(mut self, bytes: usize) -> Self {
        self.compression.min_bytes = bytes;
        self
    }

    /// The compressors that the channel has: for answers, which servers are told in
    /// `grpc-accept-encoding`, and for requests. Default: those of the features.
    pub fn compressors(mut self, registry: CompressorRegistry) -> Self {
        self.compression.compressors = registry;
        self
    }
}
