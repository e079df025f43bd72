//! The engine against itself and against the one on the h2 crate, both ways.
