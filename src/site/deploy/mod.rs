//! Atomic deploys: the documents in a site's bucket that say which files a deploy has, and which deploy is live.
//!
//! A file is stored once, under its content hash. A deploy is a [`Manifest`], which never changes. The [`Pointer`] names
//! the deploy that is live: moving it is one conditional PUT, so a reader sees one deploy or another and never a mixture.

mod base32;
mod content;
mod error;
#[cfg(test)]
mod fuzz;
mod id;
mod keys;
mod manifest;
mod path;
mod pointer;
mod preview;
mod version;

pub use content::{ContentHash, ContentType};
pub use error::Error;
pub use id::{DeployId, InvalidDeployId};
pub use keys::{CURRENT, DEPLOYS, FILES, OPTIONS, PREFIX, file_key, manifest_key, parse_file_key, parse_manifest_key};
pub use manifest::{File, MAX_FILES, MAX_MANIFEST_BYTES, MAX_MESSAGE_BYTES, Manifest};
pub use path::{FilePath, InvalidPath};
pub use pointer::{MAX_POINTER_BYTES, Pointer, Previous, SKEW};
pub use preview::{Rest, is_preview_shaped, parse_preview_label, preview_label, rest_of};
