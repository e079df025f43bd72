//! Client certificates: not asked for, welcome, required.

use trunkline::Code;
use trunkline::tls::{ClientCertificates, ClientTls, ServerTls};
use trunkline::transport::credentials::TlsVersion;

use super::certificates::{Authority, echo_to, secured};
use crate::handlers::note;
use crate::world::soon;

/// What a client shows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shows {
    Nothing,
    Ours,
    /// A certificate that the server's roots do not know.
    Foreign,
}

#[tokio::test]
async fn the_matrix_of_what_is_asked_and_what_is_shown() {
    let (ours, foreign) = (Authority::new("ours"), Authority::new("foreign"));
    let (known, stranger) = (ours.sign(&["client"]), foreign.sign(&["client"]));
    let demands = [
        ("none", ClientCertificates::None),
        ("optional", ClientCertificates::Optional(ours.roots())),
        ("required", ClientCertificates::Required(ours.roots())),
    ];
    for newest in [TlsVersion::V1_3, TlsVersion::V1_2] {
        for (demand, certificates) in &demands {
            let identity = ours.sign(&["localhost", "127.0.0.1"]).identity();
            let server = ServerTls::builder(identity).client_certificates(certificates.clone());
            let world = secured(server.build().unwrap(), ours.client()).await;
            for shows in [Shows::Nothing, Shows::Ours, Shows::Foreign] {
                let client = ClientTls::builder().roots(ours.roots());
                let client = match shows {
                    Shows::Nothing => client,
                    Shows::Ours => client.identity(known.identity()),
                    Shows::Foreign => client.identity(stranger.identity()),
                };
                let client = match newest {
                    TlsVersion::V1_2 => {
                        super::certificates::only_tls12(&ours, shows_leaf(shows, &known, &stranger))
                    }
                    _ => client.build().unwrap(),
                };
                let echo = echo_to(&world, client);
                let what = format!("{newest}, {demand}, {shows:?}");
                let answer = soon(echo.once(note("hello"))).await;
                let refused = match (*demand, shows) {
                    ("optional" | "required", Shows::Foreign) => {
                        Some("refused the certificate of this side")
                    }
                    ("required", Shows::Nothing) if newest == TlsVersion::V1_3 => {
                        Some("requires a client certificate, and this side has no identity")
                    }
                    ("required", Shows::Nothing) => Some("requires a client certificate"),
                    _ => None,
                };
                match (answer, refused) {
                    (Ok(told), None) => {
                        assert!(
                            told.text.contains(&newest.to_string()),
                            "{what}: {}",
                            told.text
                        );
                        let seen = *demand != "none" && shows == Shows::Ours;
                        let expected: &[u8] = if seen { &known.der } else { &[] };
                        assert_eq!(told.data, expected, "{what}");
                    }
                    (Err(why), Some(text)) => {
                        assert_eq!(why.code(), Code::Unavailable, "{what}: {why}");
                        assert_eq!(why.stage(), Some(trunkline::Stage::Tls), "{what}: {why}");
                        assert!(why.message().contains(text), "{what}: {why}");
                    }
                    (answer, _) => panic!("{what}: {answer:?}"),
                }
                drop(echo);
            }
            world.end().await;
        }
    }
}

fn shows_leaf<'a>(
    shows: Shows,
    known: &'a super::certificates::Leaf,
    stranger: &'a super::certificates::Leaf,
) -> Option<&'a super::certificates::Leaf> {
    match shows {
        Shows::Nothing => None,
        Shows::Ours => Some(known),
        Shows::Foreign => Some(stranger),
    }
}
