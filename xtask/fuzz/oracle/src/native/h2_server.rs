//! The requests that we write, as a server on the h2 crate reads them.

use bytes::Bytes;
use http::{Request, Response};
use tokio::io::AsyncWriteExt;

use super::blocks::{self, Field};
use super::hpack::Encoder;

/// SETTINGS without values, and the acknowledgement of the server's.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0];

/// So many requests on one connection, to a server with some size of table. Returns how many it read.
pub(super) fn reads(random: &mut fastrand::Rng, requests: usize) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime
        .expect("a runtime")
        .block_on(dialogue(random, requests))
}

async fn dialogue(random: &mut fastrand::Rng, requests: usize) -> u64 {
    let limit = *random
        .choice(&[0, 100, 300, 1_000, 4_096, 65_536])
        .expect("some");
    let mut encoder = Encoder::new();
    encoder.set_peer_limit(limit);
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(SETTINGS);
    let mut expected = Vec::new();
    for stream in (1_u32..).step_by(2).take(requests) {
        let (block, fields) = blocks::request(random, &mut encoder);
        let length = u32::try_from(block.len())
            .expect("a short block")
            .to_be_bytes();
        bytes.extend(length.get(1..).expect("three octets"));
        // HEADERS with END_STREAM and END_HEADERS.
        bytes.extend([1, 5]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(block);
        expected.push(fields);
    }
    let (mut ours, theirs) = tokio::io::duplex(1 << 20);
    ours.write_all(&bytes).await.expect("it has room");
    let mut builder = h2::server::Builder::new();
    builder
        .header_table_size(limit)
        .max_concurrent_streams(1_000);
    let server = builder.handshake::<_, Bytes>(theirs).await;
    let mut server = server.expect("a handshake");
    let mut read = 0;
    for fields in &expected {
        let next = server.accept().await.expect("another request");
        let (request, mut responder) = next.expect("a head that h2 can read");
        assert_eq!(sorted(fields_of(&request)), sorted(fields.clone()));
        responder
            .send_response(Response::new(()), true)
            .expect("an open stream");
        read += 1;
    }
    read
}

fn fields_of<T>(request: &Request<T>) -> Vec<Field> {
    let uri = request.uri();
    let pseudo = [
        (":method", request.method().as_str()),
        (":scheme", uri.scheme_str().expect("a scheme")),
        (":path", uri.path()),
        (
            ":authority",
            uri.authority().expect("an authority").as_str(),
        ),
    ];
    let pseudo = pseudo.map(|(name, value)| (name.into(), value.into()));
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| (name.as_str().into(), value.as_bytes().to_vec()));
    pseudo.into_iter().chain(headers).collect()
}

/// A map does not keep the order of different names.
fn sorted(mut fields: Vec<Field>) -> Vec<Field> {
    fields.sort();
    fields
}
