//! What TLS is made of: what can be used, what cannot, and what is shown of it.

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::client::parse_name;
use super::*;

fn made(name: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed([name.to_owned()]).unwrap()
}

#[test]
fn identities_are_checked_when_they_are_made() {
    let (one, other) = (made("one"), made("other"));
    let (pem, key) = (one.cert.pem(), one.signing_key.serialize_pem());
    let wrong = other.signing_key.serialize_pem();
    Identity::from_pem(&pem, &key).unwrap();
    let both = format!("{key}{pem}");
    Identity::from_pem(&both, &both).unwrap();
    let der = one.cert.der().to_vec();
    Identity::from_der([der.clone()], one.signing_key.serialize_der()).unwrap();

    let broken = "-----BEGIN CERTIFICATE-----\n!";
    for (got, expected) in [
        (Identity::from_pem(&pem, &wrong), "does not belong"),
        (Identity::from_pem(&key, &key), "no certificate in it"),
        (Identity::from_pem(&pem, &pem), "no private key in it"),
        (Identity::from_pem("", &key), "no certificate in it"),
        (Identity::from_pem(broken, &key), "not PEM"),
        (Identity::from_der([], [0; 4]), "private key cannot be used"),
        (
            Identity::from_der([der], [0x30, 0]),
            "private key cannot be used",
        ),
        (
            Identity::from_der([vec![1, 2]], one.signing_key.serialize_der()),
            "certificate cannot be used",
        ),
    ] {
        let error = got.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}, not {expected}");
    }
}

#[test]
fn nothing_shows_a_key() {
    let made = made("secret");
    let key = made.signing_key.serialize_pem();
    let identity = Identity::from_pem(made.cert.pem(), &key).unwrap();
    let client = ClientTls::builder().identity(identity.clone());
    let server = ServerTls::builder(identity.clone());
    let mut shown = format!("{identity:?}{client:?}{server:?}{:?}", identity.resolver());
    shown += &format!("{:?}{:?}", client.build().unwrap(), server.build().unwrap());
    assert!(shown.contains("Identity { certificates: 1"), "{shown}");
    for line in key.lines().filter(|line| !line.starts_with('-')) {
        assert!(!shown.contains(line), "{shown}");
    }
    // As numbers, the way bytes are shown.
    let bytes = format!("{:?}", made.signing_key.serialize_der());
    let middle = bytes.split(", ").skip(40).take(8).collect::<Vec<_>>();
    assert!(!shown.contains(&middle.join(", ")), "{shown}");
}

#[test]
fn roots_count_what_they_hold() {
    let (one, other) = (made("one"), made("other"));
    let both = format!("{}{}", one.cert.pem(), other.cert.pem());
    let given = Roots::from_pem(&both).unwrap();
    assert_eq!(given.to_string(), "2 roots loaded (given)");
    let one = Roots::from_der([one.cert.der().to_vec()]).unwrap();
    assert_eq!(one.to_string(), "1 root loaded (given)");
    let web = Roots::web();
    assert!(web.len() > 50 && !web.is_empty());
    let all = web.clone().and(&given).and(&one);
    assert_eq!(all.len(), web.len() + 3);
    assert!(
        all.to_string().contains("(Mozilla's and given and given)"),
        "{all}"
    );
    let noise = Roots::from_der([vec![1, 2, 3]]).unwrap_err();
    assert!(noise.to_string().contains("cannot be used"), "{noise}");
    assert_eq!(Roots::from_der([]).unwrap_err(), TlsError::NoCertificate);
    assert_eq!(Roots::from_pem("").unwrap_err(), TlsError::NoCertificate);
}

#[test]
fn the_platforms_roots_are_there_or_their_lack_is_told() {
    match Roots::platform() {
        Ok(roots) => assert!(roots.to_string().contains("(the platform's)"), "{roots}"),
        Err(error) => assert!(error.to_string().contains("platform"), "{error}"),
    }
}

#[test]
fn names_to_verify_are_hosts() {
    for (text, name) in [
        ("svc.example", "svc.example"),
        ("svc.example.", "svc.example"),
        ("10.0.0.1", "10.0.0.1"),
        ("[::1]", "::1"),
        ("with_underscore", "with_underscore"),
    ] {
        assert_eq!(parse_name(text).unwrap().to_str(), name);
    }
    for text in ["", "a b", "-", "[::1", "*.example", "a..b"] {
        let error = parse_name(text).unwrap_err();
        assert!(error.to_string().contains("neither a DNS name"), "{error}");
    }
    let named = ClientTls::builder().server_name("a b").build();
    assert!(matches!(named, Err(TlsError::ServerName { .. })));
}

#[test]
fn a_configuration_of_ones_own_has_to_leave_room_for_h2() {
    let config = || {
        ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth()
    };
    ClientTls::from_rustls(config()).unwrap();
    let mut http1 = config();
    http1.alpn_protocols = vec![b"http/1.1".to_vec()];
    let refused = ClientTls::from_rustls(http1);
    assert!(matches!(refused, Err(TlsError::NoH2)));
}
