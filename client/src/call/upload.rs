//! A client-streaming call fed from a stream or an iterator, as one future.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;
use trunkline_core::{Method, Response, Status};
use trunkline_transport::stream::{Framed, Pause, SendHalf, Work};

use super::streaming::{OpenStream, Up};
use super::summary::Summary;
use super::unary::polled_again;

pin_project! {
    /// Sends every message of `S`, finishes, and gives the response; made by
    /// [`Call::upload`](crate::Call::upload).
    ///
    /// Dropping it cancels the call: what was sent so far never looks complete to the server.
    #[must_use = "futures do nothing unless awaited"]
    pub struct UploadFuture<'a, M: Method, S> {
        open: OpenStream<'a, M, Up<M>>,
        current: Option<Current<M>>,
        done: bool,
        #[pin]
        messages: Option<S>,
    }
}

/// The stream that is open.
struct Current<M: Method> {
    /// `None` once all was sent, or nothing more can be.
    sender: Option<SendHalf<M::Request>>,
    /// Taken from the stream, being compressed.
    work: Option<Work<Framed>>,
    summary: Summary<M::Response>,
}

impl<'a, M: Method, S: Stream<Item = M::Request>> UploadFuture<'a, M, S> {
    pub(crate) const fn new(open: OpenStream<'a, M, Up<M>>, messages: S) -> Self {
        Self {
            open,
            current: None,
            done: false,
            messages: Some(messages),
        }
    }

    /// The same upload without a borrow of the channel, at the price of one reference count: for
    /// `tokio::spawn`, `JoinSet` and the like.
    pub fn owned(self) -> UploadFuture<'static, M, S> {
        UploadFuture {
            open: self.open.into_owned(),
            current: self.current,
            done: self.done,
            messages: self.messages,
        }
    }
}

impl<M: Method, S: Stream<Item = M::Request>> Future for UploadFuture<'_, M, S> {
    type Output = Result<Response<M::Response>, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if *this.done {
            return Poll::Ready(Err(polled_again()));
        }
        loop {
            let Some(current) = this.current else {
                match ready!(this.open.poll(cx)) {
                    Ok((sender, summary)) => {
                        *this.current = Some(Current {
                            sender: Some(sender.into_half()),
                            work: None,
                            summary,
                        });
                        continue;
                    }
                    Err(why) => {
                        *this.done = true;
                        this.messages.set(None);
                        return Poll::Ready(Err(why));
                    }
                }
            };
            // The answer first: one that comes early ends the sending.
            if let Poll::Ready(result) = Pin::new(&mut current.summary).poll(cx) {
                *this.done = true;
                *this.current = None;
                this.messages.set(None);
                return Poll::Ready(result);
            }
            if current.poll_send(this.messages.as_mut(), cx).is_pending() {
                return Poll::Pending;
            }
            this.messages.set(None);
        }
    }
}

impl<M: Method> Current<M> {
    /// Sends what there is. Ready when the sender has just ended, well or not: then the answer is
    /// to be looked at once more.
    fn poll_send<S: Stream<Item = M::Request>>(
        &mut self,
        mut messages: Pin<&mut Option<S>>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(sender) = &mut self.sender else {
            return Poll::Pending;
        };
        let Some(mut messages) = messages.as_mut().as_pin_mut() else {
            self.sender = None;
            return Poll::Ready(());
        };
        loop {
            let sent = match &mut self.work {
                Some(work) => {
                    let framed = ready!(Pin::new(work).poll(cx));
                    self.work = None;
                    sender.finish_send(framed).map(|()| None)
                }
                // Window before the next message is taken: a slow server slows the stream down.
                None => ready!(sender.poll_send_many(messages.as_mut(), cx)).map(Some),
            };
            match sent {
                Ok(None) => {}
                Ok(Some(Pause::Compressing(work))) => self.work = Some(work),
                Ok(Some(Pause::Source)) => return Poll::Pending,
                Ok(Some(Pause::End)) => {
                    sender.half_close();
                    break;
                }
                Err(why) => {
                    let mut nobody = Context::from_waker(Waker::noop());
                    if sender.poll_closed(&mut nobody).is_pending() {
                        // Too large, or not encodable: the answer then says so.
                        sender.abort(why);
                    }
                    break;
                }
            }
        }
        self.sender = None;
        Poll::Ready(())
    }
}

impl<M: Method, S> fmt::Debug for UploadFuture<'_, M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadFuture")
            .field("method", &M::DESCRIPTOR.path)
            .finish_non_exhaustive()
    }
}
