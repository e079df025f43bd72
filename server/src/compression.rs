//! What a server decompresses, and with what it compresses its responses.

use http::HeaderValue;
use trunkline_core::protocol::{RequestFields, accepts};
use trunkline_core::{CompressorRegistry, Encoding, Status};
use trunkline_transport::stream::{Compress, Compression, Decompress};

/// With what responses are compressed. The client has to accept it in `grpc-accept-encoding`;
/// otherwise they go as they are, which every client accepts.
///
/// Responses that hold a secret beside what a stranger chose should not be compressed: their size
/// tells of the secret. [`Response::uncompressed`](trunkline_core::Response::uncompressed) and
/// [`Sender::send_uncompressed`](crate::Sender::send_uncompressed) leave single ones alone.
/// Source: gRPC "Compression".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseCompression {
    /// With nothing.
    #[default]
    Off,
    /// With what the request's messages are compressed with, if they are.
    Mirror,
    /// With the first of these that the client accepts.
    Prefer(Vec<String>),
}

impl ResponseCompression {
    /// With the first of these encodings, such as `gzip`, that the client accepts.
    pub fn prefer<N: Into<String>>(encodings: impl IntoIterator<Item = N>) -> Self {
        Self::Prefer(encodings.into_iter().map(Into::into).collect())
    }

    /// Errors: NOT_FOUND names one that there is no compressor for.
    fn resolve(self, known: &CompressorRegistry) -> Result<Responses, Status> {
        let find = |name: String| {
            let text = format!(
                "responses are to be compressed with {name:?}, which is not among the server's \
                 compressors"
            );
            let missing = || Status::not_found(text);
            known.find(&name).cloned().ok_or_else(missing)
        };
        Ok(match self {
            Self::Off => Responses::Off,
            Self::Mirror => Responses::Mirror,
            Self::Prefer(names) => {
                Responses::Prefer(names.into_iter().map(find).collect::<Result<_, _>>()?)
            }
        })
    }
}

/// [`ResponseCompression`] with its names looked up.
#[derive(Debug)]
enum Responses {
    Off,
    Mirror,
    Prefer(Vec<Encoding>),
}

/// What was said to the builder.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) compressors: CompressorRegistry,
    pub(crate) responses: ResponseCompression,
    pub(crate) min_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            compressors: CompressorRegistry::default(),
            responses: ResponseCompression::default(),
            min_bytes: Compression::DEFAULT_MIN_BYTES,
        }
    }
}

impl Settings {
    /// Errors: responses are to be compressed with what the server does not have.
    pub(crate) fn resolve(self) -> Result<ServerCompression, Status> {
        Ok(ServerCompression {
            responses: self.responses.resolve(&self.compressors)?,
            compression: Compression::new(self.compressors),
            min_bytes: self.min_bytes,
        })
    }
}

/// How the RPCs of a server compress and decompress.
#[derive(Debug)]
pub(crate) struct ServerCompression {
    compression: Compression,
    responses: Responses,
    min_bytes: usize,
}

/// How the messages of one RPC are compressed. Empty for most.
#[derive(Debug, Default)]
pub(crate) struct RpcCompression {
    pub(crate) decompress: Option<Box<Decompress>>,
    pub(crate) compress: Option<Box<Compress>>,
}

impl ServerCompression {
    pub(crate) fn registry(&self) -> &CompressorRegistry {
        self.compression.registry()
    }

    /// For an RPC whose head said this.
    pub(crate) fn of(&self, fields: &RequestFields) -> RpcCompression {
        let request = fields.encoding.as_ref();
        let response = self.choose(request, fields.accept_encoding.as_ref());
        RpcCompression {
            decompress: request.map(|each| Box::new(self.compression.decompress(each.clone()))),
            compress: response
                .map(|each| Box::new(self.compression.compress(each.clone(), self.min_bytes))),
        }
    }

    /// What the responses are compressed with. Without a list, a client is known to accept what it
    /// uses itself.
    fn choose<'a>(
        &'a self,
        request: Option<&'a Encoding>,
        accept: Option<&HeaderValue>,
    ) -> Option<&'a Encoding> {
        let accepted = |each: &&Encoding| match accept {
            Some(list) => accepts(list, each.name()),
            None => request.is_some_and(|request| request.name() == each.name()),
        };
        match &self.responses {
            Responses::Off => None,
            Responses::Mirror => request.filter(accepted),
            Responses::Prefer(list) => list.iter().find(accepted),
        }
    }
}

#[cfg(all(test, feature = "gzip", feature = "deflate"))]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_enabled_and_accepted_is_sent() {
        let off = ResponseCompression::Off;
        let mirror = ResponseCompression::Mirror;
        let gzip = ResponseCompression::prefer(["gzip"]);
        let both = ResponseCompression::prefer(["deflate", "gzip"]);
        for (responses, request, accept, expected) in [
            (&off, Some("gzip"), Some("gzip"), None),
            (&mirror, Some("gzip"), Some("gzip"), Some("gzip")),
            (&mirror, Some("gzip"), Some("deflate"), None),
            (&mirror, Some("gzip"), None, Some("gzip")),
            (&mirror, None, Some("gzip"), None),
            (&gzip, None, Some("deflate, gzip"), Some("gzip")),
            // The first one accepted is not the first one that is enabled.
            (&gzip, None, Some("deflate"), None),
            (&gzip, Some("deflate"), Some("deflate"), None),
            (&gzip, Some("deflate"), None, None),
            (&gzip, None, Some(""), None),
            (&gzip, None, None, None),
            (&both, None, Some("gzip,deflate"), Some("deflate")),
            (&both, Some("gzip"), None, Some("gzip")),
            (&both, None, Some("br, gzip"), Some("gzip")),
        ] {
            let settings = Settings {
                responses: responses.clone(),
                ..Settings::default()
            };
            let server = settings.resolve().expect("known encodings");
            let request = request.map(|name| server.registry().find(name).expect("known"));
            let list = accept.map(HeaderValue::from_static);
            let chosen = server.choose(request, list.as_ref());
            assert_eq!(
                chosen.map(Encoding::name),
                expected,
                "{responses:?}, {request:?}, {accept:?}"
            );
        }
    }

    #[test]
    fn an_encoding_without_compressor_is_named() {
        let settings = Settings {
            responses: ResponseCompression::prefer(["gzip", "lzma"]),
            ..Settings::default()
        };
        let error = settings.resolve().expect_err("unknown");
        assert!(error.message().contains("\"lzma\""), "{error}");
    }
}
