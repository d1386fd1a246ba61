//! A small S3 client, for commands that work on buckets wherever they are.
//!
//! Targets go over the wire as they were encoded here, never through a URL library that would rewrite them. Every body is
//! signed with its SHA-256 and sent with it as a checksum, so that what is stored is what was read from the disk.

mod body;
mod bucket;
mod connect;
mod endpoint;
mod error;
mod exchange;
mod listing;
mod multipart;
mod object;
mod profile;
mod request;
#[cfg(test)]
pub mod scripted;
mod settings;
mod xml;

pub use body::{Body, FileBody};
pub use bucket::PublicAccess;
pub use endpoint::Endpoint;
pub use error::{Error, ServiceError};
pub use exchange::Client;
pub use listing::{Listed, Page};
pub use multipart::MAX_FILE_BYTES;
pub use object::{Condition, Deletion, Object, Put, Written};
pub use settings::{Flags, Settings, Surroundings};

pub use crate::signer::Credentials;
