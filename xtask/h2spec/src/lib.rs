//! What h2spec and h2specd judge: a server and a client on our transport, and their like on h2 alone.
//!
//! h2spec knows no gRPC: its server has to answer `GET /` and `POST /` with 200 and some bytes, its client to ask once.
//! What both libraries fail is h2's; what only ours fails is a defect of ours.

mod bare;
mod ours;
mod program;

pub use program::{Library, ask, serve};
