//! What a cell does between its tasks and its driver that no driver shows in a short time.

use super::*;
use crate::http2::native::connection::Order;
use crate::http2::native::link::Mail;
use crate::{Address, Peer};

const KEY: StreamKey = StreamKey {
    slot: 0,
    generation: 1,
};

fn link() -> Arc<Link> {
    Link::new(Peer::new(Address::Memory("test".into())), 64 * 1024, None)
}

/// What the driver of a link finds when it looks, in bytes, and whether that was all.
fn collect(link: &Arc<Link>) -> (usize, bool) {
    let (mut bytes, mut is_ended) = (0, false);
    let mut mail = Mail::default();
    link.take(&mut mail);
    for cell in mail.streams {
        let collected = cell.collect(link).map(|(_, outbox)| outbox);
        if let Some(outbox) = collected.unwrap_or_default().get_mut() {
            outbox.drain(|order| match order {
                Order::Data(data) => bytes += data.len(),
                Order::Finish => is_ended = true,
                _ => {}
            });
        }
    }
    (bytes, is_ended)
}

#[test]
fn what_is_sent_while_a_call_moves_is_not_lost() {
    let (first, second) = (link(), link());
    let mut wakers = Vec::new();
    let cell = StreamCell::client(Arc::clone(&first), 0, false);
    cell.begin(|| Some(KEY), &mut wakers);
    let mut refused = Inbound::default();
    refused.end = Some(End::Reset(Reason::REFUSED_STREAM));
    cell.deliver(&first, KEY, &mut refused, &mut wakers);
    let (data, is_all) = cell.restart(&second).unwrap();
    assert!(data.is_empty() && !is_all);
    // Its sender goes on, and wakes the driver before that has the stream.
    cell.push_frame(Bytes::from_static(b"message")).unwrap();
    cell.half_close();
    assert_eq!(collect(&second), (0, false));
    assert_eq!(cell.begin(|| Some(KEY), &mut wakers), Begun::Yes(KEY));
    assert_eq!(collect(&second), (7, true));
    assert_eq!(collect(&second), (0, false), "once");
}

#[test]
fn what_goes_on_may_wait_in_the_mailbox_until_something_urgent_comes() {
    let link = link();
    let (mut wakers, mut mail) = (Vec::new(), Mail::default());
    let [many, one] = [(); 2].map(|()| {
        let cell = StreamCell::client(Arc::clone(&link), 0, false);
        cell.begin(|| Some(KEY), &mut wakers);
        cell
    });
    let append = |buffer: &mut BytesMut| {
        buffer.extend_from_slice(b"message");
        Ok(())
    };
    assert!(link.take_in_time(&mut mail, true), "there is nothing");
    many.push(7, true, append).unwrap();
    assert!(!link.take_in_time(&mut mail, true));
    assert!(mail.streams.is_empty(), "it is still there");
    one.push(7, false, append).unwrap();
    assert!(link.take_in_time(&mut mail, true));
    assert_eq!(mail.streams.len(), 2, "all of it goes along");
    for cell in mail.streams.drain(..) {
        assert!(cell.collect(&link).is_some());
    }
    many.push(7, true, append).unwrap();
    assert!(
        !link.take_in_time(&mut mail, true),
        "nothing urgent is left"
    );
    assert!(link.take_in_time(&mut mail, false), "it has waited enough");
    assert_eq!(mail.streams.len(), 1);
}

#[test]
fn the_end_of_a_stream_does_not_wait_behind_its_own_batch() {
    let link = link();
    let (mut wakers, mut mail) = (Vec::new(), Mail::default());
    let cell = StreamCell::client(Arc::clone(&link), 0, false);
    cell.begin(|| Some(KEY), &mut wakers);
    let append = |buffer: &mut BytesMut| {
        buffer.extend_from_slice(b"message");
        Ok(())
    };
    cell.push(7, true, append).unwrap();
    cell.abort(Status::cancelled("x"));
    assert!(link.take_in_time(&mut mail, true), "it goes at once");
}
