//! Brim: an S3-compatible object store, a static-website host and a CDN edge cache.
//!
//! `docs/architecture.md` is the map: which module does what, and which may name which.

pub mod auth;
pub mod blob;
pub mod clock;
pub mod http;
pub mod kv;
pub mod names;
#[cfg(feature = "server")]
pub mod s3;
pub mod store;
