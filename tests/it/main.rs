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
mod support;
#[cfg(test)]
mod traps;
#[cfg(test)]
mod world;
