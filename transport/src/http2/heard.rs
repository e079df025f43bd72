//! The first bytes of a peer, which tell what it speaks when it does not speak HTTP/2.

use trunkline_core::Status;

use super::failure::transport_failure;
use crate::Peer;
use crate::credentials::SecurityLevel;

/// As many as tell the three protocols apart that meet by mistake.
const ENOUGH: usize = 6;

/// The first bytes that came from a peer.
#[derive(Debug, Default)]
pub(super) struct Heard {
    bytes: [u8; ENOUGH],
    len: usize,
}

impl Heard {
    /// True until the first bytes are here: one comparison per read of the socket.
    pub(super) const fn is_listening(&self) -> bool {
        self.len < ENOUGH
    }

    pub(super) fn hear(&mut self, came: &[u8]) {
        let free = self.bytes.iter_mut().skip(self.len);
        self.len += free.zip(came).map(|(place, byte)| *place = *byte).count();
    }

    /// A better reason why a client got no HTTP/2 settings, where the first bytes tell one.
    pub(super) fn explain_server(&self, why: Status, peer: &Peer) -> Status {
        let plaintext = peer.security().level() == SecurityLevel::None;
        let address = peer.address();
        let text = match self.bytes.get(..self.len).unwrap_or_default() {
            [0x15, 0x03, ..] if plaintext => format!(
                "the server at {address} answered in TLS: it expects TLS, and this side speaks plaintext (.insecure())"
            ),
            b"HTTP/1" if plaintext => format!(
                "the server at {address} answered in HTTP/1: it expects TLS, or does not speak HTTP/2"
            ),
            b"HTTP/1" => {
                format!("the server at {address} answered in HTTP/1: it does not speak HTTP/2")
            }
            [] if plaintext => format!(
                "{}; perhaps it expects TLS: this side speaks plaintext (.insecure())",
                why.message()
            ),
            _ => return why,
        };
        transport_failure(text, &why)
    }

    /// A better reason why a server found no HTTP/2 preface, where the first bytes tell one.
    pub(super) fn explain_client(&self, why: Status, peer: &Peer) -> Status {
        let plaintext = peer.security().level() == SecurityLevel::None;
        let address = peer.address();
        let text = match self.bytes.get(..self.len).unwrap_or_default() {
            [0x16, 0x03, ..] if plaintext => format!(
                "the client at {address} speaks TLS, and this server plaintext (.insecure())"
            ),
            [b'A'..=b'Z', b'A'..=b'Z', ..] if !self.bytes.starts_with(b"PRI") => {
                format!("the client at {address} speaks HTTP/1, not HTTP/2")
            }
            _ => return why,
        };
        transport_failure(text, &why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Address;
    use crate::credentials::{Security, TlsInfo};

    fn heard(bytes: &[u8]) -> Heard {
        let mut heard = Heard::default();
        for byte in bytes {
            heard.hear(&[*byte]);
        }
        heard
    }

    #[test]
    fn the_first_bytes_tell_what_a_peer_speaks() {
        let plain = Peer::new(Address::Memory("x".into()));
        let tls = plain
            .clone()
            .with_security(Security::with_tls(TlsInfo::default()));
        let why = || Status::unavailable("closed");
        let server = |bytes, peer| heard(bytes).explain_server(why(), peer);
        let client = |bytes, peer| heard(bytes).explain_client(why(), peer);
        for (got, expected) in [
            (server(&[0x15, 3, 3, 0, 2], &plain), "expects TLS"),
            (server(b"HTTP/1.1 400", &plain), "expects TLS, or does not"),
            (server(b"HTTP/1.1 400", &tls), "does not speak HTTP/2"),
            (server(b"", &plain), "closed; perhaps it expects TLS"),
            (server(b"", &tls), "closed"),
            (server(&[0, 0, 6, 4, 0, 0], &plain), "closed"),
            (client(&[0x16, 3, 1, 2, 0, 1], &plain), "speaks TLS"),
            (client(b"GET / HTTP/1.1", &tls), "speaks HTTP/1"),
            (client(b"PRI * HTTP/2.0", &plain), "closed"),
        ] {
            assert!(got.message().contains(expected), "{got}, not {expected}");
        }
    }
}
