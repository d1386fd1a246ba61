//! Brim: an S3-compatible object store, a static-website host and a CDN edge cache.
//!
//! `docs/architecture.md` is the map: which module does what, and which may name which.

pub mod access;
#[cfg(feature = "server")]
pub mod admin;
pub mod auth;
pub mod backup;
pub mod blob;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod client;
pub mod clock;
pub mod config;
#[cfg(test)]
pub mod fuzz;
pub mod guard;
pub mod http;
pub mod identity;
pub mod kv;
pub mod names;
pub mod private_file;
#[cfg(feature = "server")]
pub mod query;
pub mod report;
#[cfg(feature = "server")]
pub mod s3;
#[cfg(feature = "server")]
pub mod server;
pub mod site;
pub mod spelling;
pub mod store;
pub mod telemetry;
pub mod tls;
#[cfg(feature = "server")]
pub mod transport;
#[cfg(feature = "server")]
pub mod website;
pub mod xml;
