//! What is said to a request that no handler answers.

use std::collections::HashSet;

use trunkline_core::{Stage, Status};

/// UNIMPLEMENTED, with what exactly is not known: the service, its method, or the path's form.
pub(crate) fn unknown(path: &str, services: &HashSet<&'static str>) -> Status {
    let text = match split(path) {
        None => format!("malformed path {path:?}: it must be /service/method"),
        Some((service, method)) if services.contains(service) => {
            format!("unknown method {method} for service {service}")
        }
        Some((service, _)) => format!("unknown service {service}"),
    };
    Status::unimplemented(text).with_stage(Stage::Request)
}

/// Service and method of a well-formed path: exactly two parts, both of identifier characters.
fn split(path: &str) -> Option<(&str, &str)> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    let ident = |text: &str| {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        !text.is_empty() && text.bytes().all(legal)
    };
    (ident(service) && ident(method)).then_some((service, method))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use trunkline_core::Code;

    use super::unknown;

    #[test]
    fn the_text_says_what_is_unknown() {
        let services = HashSet::from(["pkg.S"]);
        for (path, text) in [
            ("/pkg.S/Nope", "unknown method Nope for service pkg.S"),
            ("/pkg.T/M", "unknown service pkg.T"),
            ("/pkg.s/M", "unknown service pkg.s"),
            ("pkg.S/M", "malformed path \"pkg.S/M\""),
            ("//pkg.S/M", "malformed path"),
            ("/pkg.S/M/", "malformed path"),
            ("/pkg.S/M?x", "malformed path"),
            ("/pkg.S%2FM", "malformed path"),
            ("/pkg.S/%4D", "malformed path"),
            ("/pkg.S/", "malformed path"),
            ("/", "malformed path"),
            ("", "malformed path"),
            ("*", "malformed path"),
            ("/\u{1f}\"/x", "malformed path \"/\\u{1f}\\\"/x\""),
        ] {
            let status = unknown(path, &services);
            assert_eq!(status.code(), Code::Unimplemented, "{path}");
            assert!(status.message().starts_with(text), "{path}: {status}");
        }
    }
}
