//! Brim: an S3-compatible object store, a static-website host and a CDN edge cache.
//!
//! `docs/architecture.md` is the map: which module does what, and which may name which.

#[cfg(feature = "server")]
pub mod access;
#[cfg(feature = "server")]
pub mod admin;
pub mod auth;
#[cfg(feature = "server")]
pub mod backup;
#[cfg(feature = "server")]
pub mod blob;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod client;
pub mod clock;
pub mod config;
#[cfg(feature = "edge")]
pub mod edge;
#[cfg(feature = "server")]
pub mod edges;
pub mod feed;
#[cfg(test)]
pub mod fuzz;
#[cfg(feature = "server")]
pub mod guard;
pub mod http;
#[cfg(feature = "server")]
pub mod identity;
#[cfg(feature = "server")]
pub mod kv;
pub mod names;
pub mod private_file;
pub mod process;
#[cfg(feature = "server")]
pub mod query;
#[cfg(feature = "server")]
pub mod report;
#[cfg(feature = "server")]
pub mod s3;
#[cfg(feature = "server")]
pub mod server;
pub mod signer;
#[cfg(feature = "server")]
pub mod site;
pub mod spelling;
#[cfg(feature = "server")]
pub mod store;
pub mod telemetry;
pub mod tls;
#[cfg(feature = "server")]
pub mod transport;
#[cfg(feature = "server")]
pub mod website;
#[cfg(feature = "server")]
pub mod xml;
