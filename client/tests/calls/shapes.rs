//! What the compiler promises about the public types.

use bytes::Bytes;
use trunkline_client::{
    BidiFuture, Call, Channel, ClientStreamingFuture, Iter, Receiver, Sender,
    ServerStreamingFuture, Summary, Unary, UnaryFuture, UploadFuture,
};
use trunkline_core::Inherited;

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
    movable::<Call<'static, One, Unary>>();
    future::<UnaryFuture<'_, One>>();
    future::<ServerStreamingFuture<'_, Down>>();
    future::<ClientStreamingFuture<'_, Up>>();
    future::<BidiFuture<'_, Both>>();
    future::<Summary<Bytes>>();
    future::<UploadFuture<'_, Up, Iter<std::vec::IntoIter<Bytes>>>>();
}

/// `owned()` gives the named future of each kind, and `tokio::spawn` takes it as it is.
#[test]
fn owned_calls_can_be_spawned() {
    fn check(channel: &Channel, message: Bytes) {
        let one: UnaryFuture<'static, One> = channel.unary(message.clone()).owned();
        let down: ServerStreamingFuture<'static, Down> =
            channel.server_streaming(message.clone()).owned();
        let up: ClientStreamingFuture<'static, Up> = channel.client_streaming().owned();
        let both: BidiFuture<'static, Both> = channel.bidi().owned();
        tokio::spawn(one);
        tokio::spawn(down);
        tokio::spawn(up);
        tokio::spawn(both);
        let call = channel.client_streaming::<Up>().wait_for_ready(true);
        tokio::spawn(call.upload([message]).owned());
        tokio::spawn(
            channel
                .unary::<One>(Bytes::new())
                .within(Inherited::new())
                .owned(),
        );
    }
    let _ = check;
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
