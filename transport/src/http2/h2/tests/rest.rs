//! What ends a driver's rest.

use std::task::{Context, Waker};

use tokio::io::duplex;

use super::super::body::Body;
use super::super::link::Link;
use super::super::rest::Rest;
use super::*;

/// It waits for nothing more, so the driver need not wait for it.
#[tokio::test(start_paused = true)]
async fn a_reader_that_comes_to_its_streams_end_ends_the_rest() {
    let (near, far) = duplex(64 * 1024);
    let handshakes = tokio::join!(h2::client::handshake(near), h2::server::handshake(far));
    let ((mut client, driver), mut server) = (handshakes.0.unwrap(), handshakes.1.unwrap());
    tokio::spawn(driver);
    let request = http::Request::post("http://test/").body(()).unwrap();
    let (_response, mut sending) = client.send_request(request, false).unwrap();
    sending.send_data("all".into(), true).unwrap();
    let (request, _respond) = server.accept().await.unwrap().unwrap();
    tokio::spawn(async move { server.accept().await.is_none() });
    let link = Link::new(peer(), 65_535, None);
    let mut body = Body::new(request.into_body());
    let chunk = poll_fn(|cx| body.poll_chunk(&link, cx)).await.unwrap();
    assert_eq!(chunk.unwrap(), "all");

    let mut rest = Rest::new(Arc::clone(link.readers()), 0);
    let mut cx = Context::from_waker(Waker::noop());
    while rest.poll_over(&mut cx).is_ready() {
        rest.count(&[0, 0, 1, 0, 0, 0, 0, 0, 1, 7]);
    }
    let end = poll_fn(|cx| body.poll_chunk(&link, cx)).await.unwrap();
    assert_eq!(end, None);
    assert!(rest.poll_over(&mut cx).is_ready());
}
