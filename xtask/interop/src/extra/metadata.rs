//! Values come back as they were: several of a name in order, bytes of any length and value.

use super::messages::{ExtraServiceClient, Nothing};
use crate::cases::{Verdict, expect};
use trunkline::Metadata;

const TEXTS: [&str; 3] = ["first", "second, with a comma", "~!@#$%^&*()_+|}{\":?><"];

pub(super) async fn metadata(client: &ExtraServiceClient) -> Verdict {
    let mut call = client.echo(Nothing {});
    for text in TEXTS {
        call = call.metadata("x-extra-text", text);
    }
    for (key, values) in binaries() {
        for value in values {
            call = call.metadata_bin(&key, value);
        }
    }
    let reply = call.await?;
    check("headers", reply.headers())?;
    check("trailers", reply.trailers())
}

/// Every length of padding, every byte, and two values of one name.
fn binaries() -> Vec<(String, Vec<Vec<u8>>)> {
    let all: Vec<u8> = (0..=255).collect();
    let tail = |length: usize| all.get(256 - length..).unwrap_or_default().to_vec();
    let mut list: Vec<_> = (0_usize..9)
        .map(|length| (format!("x-extra-{length}-bin"), vec![tail(length)]))
        .collect();
    list.push(("x-extra-all-bin".to_owned(), vec![all.clone()]));
    list.push(("x-extra-two-bin".to_owned(), vec![vec![0], vec![255, 254]]));
    list
}

fn check(what: &str, metadata: &Metadata) -> Verdict {
    // A list of values and their join mean the same (RFC 9110 §5.3); some peers join.
    let texts: Vec<&str> = metadata.get_all("x-extra-text").collect();
    expect(
        &format!("texts in the {what}"),
        &texts.join(", "),
        &TEXTS.join(", "),
    )?;
    for (key, values) in binaries() {
        let found: Vec<_> = metadata.get_all_bin(&key).collect();
        let found: Vec<Vec<u8>> = found.iter().map(|value| value.to_vec()).collect();
        expect(&format!("{key} in the {what}"), &found, &values)?;
    }
    Ok(())
}
