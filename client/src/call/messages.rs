//! What can be sent as a whole: a stream or an iterator.
//!
//! Rust lets a trait be implemented for "every stream" or for "every iterator" but not for both,
//! for a type may be both. So [`IntoMessages`] has a second parameter that says in which role a
//! type is taken. It never has to be written: a type that is only one of the two leaves only one
//! choice. One that is both has to be told, with `.upload::<AsStream, _>(both)`.

use std::fmt;

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

/// Messages to be sent one after the other: any [`Stream`] of them, and anything that is
/// [`IntoIterator`] over them.
///
/// `Role` is [`AsStream`] or [`AsIterator`] and is found by itself.
///
/// ```
/// use trunkline_client::IntoMessages;
///
/// fn takes<Role>(messages: impl IntoMessages<u32, Role>) {
///     drop(messages);
/// }
/// takes([1, 2, 3]);
/// takes((1..4).map(|n| n * n));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a stream nor an iterator of `{T}`",
    note = "give a `futures_core::Stream<Item = {T}>` or an `IntoIterator<Item = {T}>`"
)]
pub trait IntoMessages<T, Role> {
    /// The stream it becomes.
    type Stream: Stream<Item = T>;

    /// Makes the stream.
    fn into_messages(self) -> Self::Stream;
}

/// The role of a [`Stream`] in [`IntoMessages`].
#[derive(Clone, Copy, Debug)]
pub struct AsStream;

/// The role of an iterator in [`IntoMessages`].
#[derive(Clone, Copy, Debug)]
pub struct AsIterator;

impl<T, S: Stream<Item = T>> IntoMessages<T, AsStream> for S {
    type Stream = S;

    fn into_messages(self) -> S {
        self
    }
}

impl<T, I: IntoIterator<Item = T>> IntoMessages<T, AsIterator> for I {
    type Stream = Iter<I::IntoIter>;

    fn into_messages(self) -> Self::Stream {
        Iter {
            iterator: self.into_iter(),
        }
    }
}

/// An iterator as a stream that is always ready.
pub struct Iter<I> {
    iterator: I,
}

// The iterator is never pinned.
impl<I> Unpin for Iter<I> {}

impl<I: Iterator> Stream for Iter<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.iterator.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.iterator.size_hint()
    }
}

impl<I> fmt::Debug for Iter<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Iter")
    }
}
