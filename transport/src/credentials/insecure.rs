//! No credentials: plaintext, said in so many words.

use super::{Handshake, Secured, Security, TransportCredentials};
use crate::BoxIo;

/// Speaks plaintext: anybody on the way reads and changes what is sent.
///
/// The builders' `insecure()` uses it; it is public for those who write credentials that choose.
#[derive(Clone, Copy, Debug, Default)]
pub struct Insecure;

impl TransportCredentials for Insecure {
    fn client_handshake<'a>(&'a self, io: BoxIo, _authority: &'a str) -> Handshake<'a> {
        self.server_handshake(io)
    }

    fn server_handshake(&self, io: BoxIo) -> Handshake<'_> {
        Box::pin(std::future::ready(Ok(Secured::new(io, Security::NONE))))
    }
}
