//! As much of HTTP/2 as a load generator needs, by frames of our own: it costs a fraction of what it measures, and treats
//! every peer alike.
//!
//! Header blocks are written from fixed texts and never read: what a peer answers is judged by the messages that come, and
//! by one call through the h2 crate before the measuring ([`crate::probe`]).

mod blocks;
mod body;
mod frame;
mod input;
mod output;
mod socket;

pub(crate) use blocks::{Requests, Responses};
pub(crate) use body::{Body, End, template};
pub(crate) use input::Event;
pub(crate) use output::Output;
pub(crate) use socket::Wire;
