//! The engine written for gRPC: one task per connection owns everything, streams talk to it
//! through one short lock.
//!
//! `frame`, `hpack`, `head`, `stream`, `flow` and `connection` know bytes, values and a given
//! `now`: no tokio, no IO, no waker, no lock. `link` and `cell` know locks and wakers, no frames.
//! Only `driver` knows both worlds; `handle` is what the engine boundary shows.

mod cell;
mod connection;
mod driver;
mod flow;
mod frame;
mod guard;
mod handle;
mod head;
mod hpack;
mod lent;
mod link;
mod out;
mod ping;
mod schedule;
mod stall;
mod stream;
mod strikes;

use self::cell::Outbox;
use self::connection::Parts;
use self::stream::Unsent;

pub(crate) use self::handle::{
    ClientConnection, RequestBody, RequestStream, Responder, ResponseStream, ServerConnection,
    ServerStream, SharedStream,
};

/// Whether threads have left for others what streams borrow: costs a load.
#[inline]
pub(super) fn has_spare() -> bool {
    lent::are_some_passed_on()
}

/// Gives back what of that nobody has used since the last sweep; true if some is kept.
pub(super) fn sweep_spare() -> bool {
    let kept = [
        lent::sweep::<Parts>(),
        lent::sweep::<Outbox>(),
        lent::sweep::<Unsent>(),
    ];
    kept.contains(&true)
}

/// Gives all of it back.
pub(super) fn release_spare() {
    lent::release_passed_on::<Parts>();
    lent::release_passed_on::<Outbox>();
    lent::release_passed_on::<Unsent>();
}
