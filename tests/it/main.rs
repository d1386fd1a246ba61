//! What clients and operators see of the real binary: one file per subject. `tests/clients` drives real clients; here is what
//! those cannot or will not send.

mod access;
mod admin;
mod architecture;
mod backup;
mod bad_input;
mod chunked;
mod cors;
mod deploys;
mod dice;
mod domains;
mod edge;
mod explain;
mod exposure;
mod faults;
mod harness;
mod identities;
mod inspection;
mod linearizability;
mod listing;
mod many_parts;
mod notifications;
mod operator;
mod post;
mod presigned;
mod query;
mod races;
mod raw;
mod signed;
mod slow_answers;
mod streaming;
mod tagging;
mod tls;
mod versions;
mod website;
