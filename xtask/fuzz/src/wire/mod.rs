//! HTTP/2 as the targets write and read it, true to the rules or not.

mod echo;
mod frame;
mod output;
mod script;
mod talk;

pub(crate) use echo::Echoing;
#[cfg(not(test))]
pub(crate) use frame::{CONTINUATION, GOAWAY, PING, PRIORITY, PUSH_PROMISE, RST_STREAM};
pub(crate) use frame::{
    DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PREFACE, SETTINGS, WINDOW_UPDATE, block, frame,
    message, request, response, trailers,
};
pub(crate) use output::Output;
#[cfg(not(test))]
pub(crate) use script::Writer;
pub(crate) use script::{Side, Step, script};
pub(crate) use talk::{Hearing, on_paused_time, soon, speak};
