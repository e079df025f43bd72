//! PEM, whoever wrote it.
//!
//! Input: an even byte, how many bytes are the chain, the chain, then the key. Or an odd byte, and
//! changes to a chain and a key that are good.

use std::sync::OnceLock;

use trunkline_transport::credentials::tls::{ClientTls, Identity, Roots, ServerTls};

use crate::Source;

pub(super) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    if source.byte().is_multiple_of(2) {
        judge(source.long(), source.remainder());
        return;
    }
    let (chain, key) = good();
    let (mut chain, mut key) = (chain.as_bytes().to_vec(), key.as_bytes().to_vec());
    let untouched = source.is_empty();
    while !source.is_empty() {
        let text = if source.flag() { &mut chain } else { &mut key };
        change(text, &mut source);
    }
    let usable = judge(&chain, &key);
    assert!(usable || !untouched, "a good pair is good");
}

/// A certificate and its key, as PEM.
fn good() -> &'static (String, String) {
    static PAIR: OnceLock<(String, String)> = OnceLock::new();
    PAIR.get_or_init(|| {
        let pair = rcgen::generate_simple_self_signed(["fuzz.example".to_owned()]);
        let pair = pair.expect("a certificate");
        (pair.cert.pem(), pair.signing_key.serialize_pem())
    })
}

fn change(text: &mut Vec<u8>, source: &mut Source<'_>) {
    let place = usize::from(source.u16()) % (text.len() + 1);
    match source.byte() % 4 {
        0 => {
            if let Some(byte) = text.get_mut(place) {
                *byte = source.byte();
            }
        }
        1 => text.truncate(place),
        2 => {
            let more = source.short().to_vec();
            text.splice(place..place, more);
        }
        _ => {
            let until = (place + usize::from(source.byte())).min(text.len());
            text.drain(place..until);
        }
    }
}

/// Whether the two make an identity.
fn judge(chain: &[u8], key: &[u8]) -> bool {
    match Roots::from_pem(chain) {
        Ok(roots) => {
            assert!(!roots.is_empty(), "no roots are an error");
            let _ = ClientTls::builder().roots(roots).build();
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Err(error) = Roots::from_der([chain.to_vec()]) {
        assert!(!error.to_string().is_empty());
    }
    let _ = Identity::from_der([chain.to_vec()], key.to_vec());
    match Identity::from_pem(chain, key) {
        Ok(identity) => {
            let shown = format!("{identity:?}");
            assert!(!shown.contains("PRIVATE"), "{shown}");
            ServerTls::new(identity).is_ok()
        }
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty());
            false
        }
    }
}
