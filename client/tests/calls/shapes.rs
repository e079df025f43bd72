//! What the compiler promises about the public types.

use bytes::Bytes;
use trunkline_client::{
    BidiFuture, Channel, ClientStreamingFuture, Iter, OwnedCall, Receiver, Sender,
    ServerStreamingFuture, Summary, Unary, UnaryFuture, UploadFuture,
};

use super::support::{Both, Down, One, Up};

fn shareable<T: Clone + Send + Sync + 'static>() {}
fn movable<T: Send + 'static>() {}
fn future<T: Future + Send>() {}

#[test]
fn channels_are_shareable_halves_movable_and_futures_send() {
    shareable::<Channel>();
    movable::<Sender<Bytes>>();
    movable::<Receiver<Bytes>>();
    movable::<Summary<Bytes>>();
    movable::<OwnedCall<One, Unary>>();
    future::<UnaryFuture<'_, One>>();
    future::<ServerStreamingFuture<'_, Down>>();
    future::<ClientStreamingFuture<'_, Up>>();
    future::<BidiFuture<'_, Both>>();
    future::<Summary<Bytes>>();
    future::<UploadFuture<'_, Up, Iter<std::vec::IntoIter<Bytes>>>>();
    movable::<UnaryFuture<'static, One>>();
}

#[test]
fn futures_of_halves_are_send() {
    fn send<T: Send>(_: &T) {}
    fn check(sender: &mut Sender<Bytes>, receiver: &mut Receiver<Bytes>, message: &Bytes) {
        send(&sender.send(message));
        send(&sender.flush());
        send(&sender.send_all([message.clone()]));
        send(&receiver.recv());
        send(&receiver.headers());
    }
    let _ = check;
}

#[test]
fn a_unary_call_fits_into_a_kilobyte() {
    let bytes = size_of::<UnaryFuture<'_, One>>();
    assert!(bytes <= 1_024, "{bytes} bytes");
}
