//! What clients and operators see of the real binary: one file per subject. `tests/clients` drives real clients; here is what
//! those cannot or will not send.

mod admin;
mod architecture;
mod bad_input;
mod chunked;
mod harness;
mod inspection;
mod listing;
mod operator;
mod races;
mod raw;
mod signed;
mod streaming;
