//! The list of targets, and what they share.

mod binary_metadata;
mod client_connection;
mod compression;
mod content_type;
mod credentials;
mod fields;
mod frames;
mod generated;
mod inflate;
mod messages;
mod metadata;
mod plugin;
mod proto_files;
mod proto_text;
mod proto_words;
mod proxy;
mod request_head;
mod response_head;
mod server_connection;
mod split_messages;
mod status_details;
mod target_text;
mod timeout;

/// One promise, and the function that looks for bytes which break it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What to type, and the folder of its corpus.
    pub name: &'static str,
    /// What is promised.
    pub about: &'static str,
    /// The longest input that is worth trying.
    pub max_bytes: usize,
    /// Whether panics that what is tested catches itself are part of the promise.
    pub catches_panics: bool,
    /// Panics where the promise is broken.
    pub run: fn(&[u8]),
}

/// The target of this name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

const fn target(
    name: &'static str,
    about: &'static str,
    max_bytes: usize,
    run: fn(&[u8]),
) -> Target {
    Target {
        name,
        about,
        max_bytes,
        catches_panics: false,
        run,
    }
}

/// All targets, the quickest first.
pub const TARGETS: &[Target] = &[
    target(
        "frames",
        "cut anywhere, a stream gives the same messages or the same error; no length is believed",
        4_096,
        frames::run,
    ),
    #[cfg(not(test))]
    target(
        "http2-frames",
        "cut anywhere, bytes are the same HTTP/2 frames or the same error, within bounded memory",
        8_192,
        crate::http2::native::reader::run,
    ),
    #[cfg(not(test))]
    target(
        "http2-core",
        "whatever peer, own side and clock do, a connection keeps the rules, its windows and its bounds",
        2_048,
        crate::http2::native::core::run,
    ),
    #[cfg(not(test))]
    target(
        "http2-hpack",
        "any header blocks give the fields of a slow model or its error; fields written come back",
        4_096,
        crate::http2::native::blocks::run,
    ),
    #[cfg(not(test))]
    target(
        "http2-head",
        "any fields are a head, trailers or a fault by the rules of HTTP/2; none is lost or changed",
        4_096,
        crate::http2::native::heads::run,
    ),
    #[cfg(not(test))]
    target(
        "http2-beginnings",
        "heads that share what their blocks begin with are those that fresh decoding gives",
        2_048,
        crate::http2::native::beginnings::run,
    ),
    target(
        "metadata",
        "any sequence of operations does what a list of pairs would do",
        2_048,
        metadata::run,
    ),
    target(
        "binary-metadata",
        "bytes come back; base64 with and without padding, joined by commas, is read; nothing else is",
        1_024,
        binary_metadata::run,
    ),
    target(
        "timeout",
        "grpc-timeout is read as written in its rule, written in the finest unit, rounded up",
        64,
        timeout::run,
    ),
    target(
        "messages",
        "any status text fits the trailers and comes back; broken escapes cost only themselves",
        8_192,
        messages::run,
    ),
    target(
        "status-details",
        "details of another code or none at all are errors; others come back",
        4_096,
        status_details::run,
    ),
    target(
        "content-type",
        "only gRPC content types are gRPC; lists of encodings are read as lists",
        512,
        content_type::run,
    ),
    target(
        "request-head",
        "any fields make a request or a rejection by the rules; what is written is read",
        4_096,
        request_head::run,
    ),
    target(
        "response-head",
        "any fields make a head, an end or an answer that is no gRPC, by the rules",
        4_096,
        response_head::run,
    ),
    target(
        "inflate",
        "any bytes inflate within the limit or fail, however they are cut",
        8_192,
        inflate::run,
    ),
    target(
        "compression",
        "what is compressed comes back",
        65_536,
        compression::run,
    ),
    target(
        "target",
        "any target, authority and user agent makes a channel or an error that names it",
        512,
        target_text::run,
    ),
    target(
        "credentials",
        "any PEM makes an identity or roots, or an error",
        8_192,
        credentials::run,
    ),
    target(
        "proxy",
        "any proxy URL, bypass list and answer of a proxy is understood or refused, and no secret told",
        2_048,
        proxy::run,
    ),
    Target {
        catches_panics: true,
        ..target(
            "proto-text",
            "any text makes Rust or an error with a place",
            4_096,
            proto_text::run,
        )
    },
    Target {
        catches_panics: true,
        ..target(
            "proto-files",
            "whatever protobuf allows makes Rust that parses, or an error",
            2_048,
            proto_files::run,
        )
    },
    Target {
        catches_panics: true,
        ..target(
            "plugin",
            "any request of protoc gets an answer",
            4_096,
            plugin::run,
        )
    },
    target(
        "split-messages",
        "messages cut, padded and interleaved in any way arrive whole",
        1_024,
        split_messages::run,
    ),
    target(
        "server-connection",
        "whatever a client sends, the server ends it in time and serves the next one",
        4_096,
        server_connection::run,
    ),
    target(
        "client-connection",
        "whatever a server answers, calls end in time and the next connection works",
        4_096,
        client_connection::run,
    ),
    #[cfg(not(test))]
    target(
        "http2-servers",
        "whatever a client sends, both HTTP/2 engines do the same, or differ for a reason with a name",
        4_096,
        crate::engines::servers,
    ),
    #[cfg(not(test))]
    target(
        "http2-clients",
        "whatever a server sends, both HTTP/2 engines do the same, or differ for a reason with a name",
        4_096,
        crate::engines::clients,
    ),
];
