//! The machine by itself: scripts, a group per duty.

mod bodies;
mod defence;
mod goaway;
mod heads;
mod hostile;
mod pair;
mod script;
mod settings;
mod states;
mod time;
mod windows;
