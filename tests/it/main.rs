//! Behaviour through the public API: one module per behaviour.

#[cfg(test)]
mod bad_answers;
#[cfg(test)]
mod bad_requests;
#[cfg(test)]
mod cut_streams;
#[cfg(test)]
mod goaway;
#[cfg(test)]
mod handlers;
#[cfg(test)]
mod in_memory;
#[cfg(test)]
mod races;
#[cfg(test)]
mod sharing;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tiny_messages;
#[cfg(test)]
mod traps;
#[cfg(test)]
mod uploads;
#[cfg(test)]
mod world;
