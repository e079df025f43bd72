//! What went wrong in a handshake, in words that say what to change.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio_rustls::rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible, PeerMisbehaved,
};

use super::Roots;
use crate::credentials::TlsVersion;

/// Which side this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Server,
}

impl Role {
    /// The other side.
    const fn peer(self) -> &'static str {
        match self {
            Self::Client => "server",
            Self::Server => "client",
        }
    }
}

/// What this side went into handshakes with.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) role: Role,
    /// By which the peer is judged; unknown where rustls was configured elsewhere.
    pub(super) roots: Option<Roots>,
    /// Whether this side shows a certificate.
    pub(super) has_identity: bool,
    pub(super) oldest: TlsVersion,
}

/// An error of a TLS stream as a text; `None` if TLS has no part in it.
pub(super) fn explain(error: &io::Error, terms: &Terms) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    let peer = terms.role.peer();
    Some(match error {
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge,
        ) => format!(
            "the {peer} does not speak TLS: what it sent is no TLS record{}",
            plain(terms)
        ),
        Error::InvalidCertificate(why) => certificate(why, terms),
        Error::NoCertificatesPresented => {
            format!("the {peer} showed no certificate, and this side requires one")
        }
        Error::AlertReceived(alert) => alerted(*alert, terms),
        Error::NoApplicationProtocol
        | Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedApplicationProtocol) => {
            format!("the {peer} did not negotiate h2 by ALPN: it speaks other protocols only")
        }
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => format!("no common version of TLS: this side speaks {}", ours(terms)),
        Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon) => {
            format!("no cipher suite in common with the {peer}")
        }
        other => format!("TLS with the {peer} failed: {other}"),
    })
}

/// A handshake that ended with the stream.
pub(super) fn cut(error: &io::Error, terms: &Terms) -> String {
    let peer = terms.role.peer();
    match error.kind() {
        io::ErrorKind::UnexpectedEof => format!(
            "the {peer} closed the connection during the TLS handshake; perhaps it does not speak TLS"
        ),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => format!(
            "the {peer} reset the connection during the TLS handshake ({error}); perhaps it does not speak TLS"
        ),
        _ => format!("the connection failed during the TLS handshake: {error}"),
    }
}

/// A handshake without `h2` at its end.
pub(super) fn no_h2(alpn: Option<&[u8]>, terms: &Terms) -> String {
    let peer = terms.role.peer();
    let got = match alpn {
        Some(other) => format!("ALPN gave {:?}", String::from_utf8_lossy(other)),
        None => "ALPN gave nothing".to_owned(),
    };
    let opt_out = match terms.role {
        Role::Client => "ClientTls::builder().assume_http2()",
        Role::Server => "ServerTls::builder(..).assume_http2()",
    };
    format!(
        "the {peer} did not negotiate h2 ({got}); if it speaks HTTP/2 all the same, set {opt_out}"
    )
}

const fn plain(terms: &Terms) -> &'static str {
    match terms.role {
        Role::Client => " (a channel for it has to be .insecure())",
        Role::Server => "",
    }
}

fn ours(terms: &Terms) -> &'static str {
    match terms.oldest {
        TlsVersion::V1_2 => "TLS 1.2 and 1.3",
        TlsVersion::V1_3 => "TLS 1.3 only",
    }
}

fn certificate(why: &CertificateError, terms: &Terms) -> String {
    let peer = terms.role.peer();
    match why {
        CertificateError::UnknownIssuer => {
            let roots: &dyn fmt::Display = match &terms.roots {
                Some(roots) => roots,
                None => &"roots of a rustls configuration of its own",
            };
            format!(
                "the issuer of the {peer}'s certificate is unknown: no root that is trusted leads to it; {roots}"
            )
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => format!(
            "the {peer}'s certificate is not for the name {:?}; it is for {}",
            expected.to_str(),
            names(presented)
        ),
        CertificateError::ExpiredContext { time, not_after } => {
            let since = time.as_secs().saturating_sub(not_after.as_secs());
            format!("the {peer}'s certificate has expired {} ago", Span(since))
        }
        CertificateError::Expired => format!("the {peer}'s certificate has expired"),
        CertificateError::NotValidYetContext { time, not_before } => {
            let until = not_before.as_secs().saturating_sub(time.as_secs());
            let span = Span(until);
            format!("the {peer}'s certificate is not valid yet, but in {span}; is a clock wrong?")
        }
        other => format!("the {peer}'s certificate cannot be verified: {other}"),
    }
}

/// The peer has ended the handshake and says why.
fn alerted(alert: AlertDescription, terms: &Terms) -> String {
    let peer = terms.role.peer();
    let name = format!("TLS alert {alert:?}");
    match alert {
        AlertDescription::CertificateRequired if terms.has_identity => {
            format!(
                "the {peer} requires a client certificate, and did not take the one that was shown ({name})"
            )
        }
        AlertDescription::CertificateRequired => {
            format!(
                "the {peer} requires a client certificate, and this side has no identity ({name})"
            )
        }
        AlertDescription::NoApplicationProtocol => format!(
            "the {peer} did not negotiate h2: it speaks none of the protocols offered by ALPN ({name})"
        ),
        AlertDescription::ProtocolVersion => format!(
            "no common version of TLS: this side speaks {}, and the {peer} refused ({name})",
            ours(terms)
        ),
        AlertDescription::UnrecognisedName => {
            format!("the {peer} does not answer for the name that was asked for ({name})")
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError => {
            let whose = match (terms.role, terms.has_identity) {
                (_, true) => "the certificate of this side",
                (_, false) => "this side, which showed no certificate",
            };
            format!("the {peer} refused {whose} ({name})")
        }
        // How TLS 1.2 says that it wants a client certificate.
        AlertDescription::HandshakeFailure if !terms.has_identity => format!(
            "the {peer} refused the handshake: no cipher suite in common, or it requires a client certificate ({name})"
        ),
        _ => format!("the {peer} ended the connection ({name})"),
    }
}

/// `DnsName("a")` and the like, without the wrapping.
fn names(presented: &[String]) -> String {
    if presented.is_empty() {
        return "no name at all (it has no subjectAltName)".to_owned();
    }
    let bare = presented.iter().map(|name| {
        let inside = name
            .split_once('(')
            .and_then(|(_, rest)| rest.strip_suffix(')'));
        inside.unwrap_or(name).trim_matches('"').to_owned()
    });
    bare.collect::<Vec<_>>().join(", ")
}

/// Seconds, for people.
struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..=119 => write!(f, "{:?}", Duration::from_secs(self.0)),
            120..=7_199 => write!(f, "{} minutes", self.0 / 60),
            7_200..=172_799 => write!(f, "{} hours", self.0 / 3_600),
            _ => write!(f, "{} days", self.0 / 86_400),
        }
    }
}
