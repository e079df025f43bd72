//! Where a task has its RPCs, so that it need not be made for each.

use std::any::Any;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

/// Where a task has its RPCs, one after the other as long as they are of one method.
///
/// An RPC takes most of a KiB. Were each in a box of its own, made by the thread that reads and
/// freed by one that answers, these would wait for each other at the allocator's lock.
pub(super) type BoxPlace = Pin<Box<dyn Place + Send>>;

/// Ready when the RPC is over. Nothing that it held is left then.
pub(super) trait Place: Future<Output = ()> {
    /// Puts the next one there, which `make`, an `Option` of a closure, makes. A closure of another
    /// kind stays where it is.
    fn fill(self: Pin<&mut Self>, make: &mut dyn Any);
}

pin_project! {
    /// `F`: an `async fn`'s, which holds nothing any more once it is over. `C` makes it.
    pub(super) struct PlaceOf<F, C> {
        #[pin]
        rpc: F,
        made_by: PhantomData<fn() -> C>,
    }
}

impl<F, C> PlaceOf<F, C>
where
    F: Future<Output = ()> + Send + 'static,
    C: FnOnce() -> F + 'static,
{
    pub(super) fn boxed(make: C) -> BoxPlace {
        // The place first, so that the RPC is built there and not copied into it.
        let place = Box::<Self>::new_uninit();
        let place = Box::write(
            place,
            Self {
                rpc: make(),
                made_by: PhantomData,
            },
        );
        Box::into_pin(place)
    }
}

impl<F: Future<Output = ()>, C> Future for PlaceOf<F, C> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().rpc.poll(cx)
    }
}

impl<F, C> Place for PlaceOf<F, C>
where
    F: Future<Output = ()>,
    C: FnOnce() -> F + 'static,
{
    fn fill(self: Pin<&mut Self>, make: &mut dyn Any) {
        let make = make.downcast_mut::<Option<C>>().and_then(Option::take);
        if let Some(make) = make {
            self.project().rpc.set(make());
        }
    }
}
