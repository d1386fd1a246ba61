//! What is wrong with a document of a deploy.

use super::manifest::{MAX_FILES, MAX_MANIFEST_BYTES, MAX_MESSAGE_BYTES};
use super::path::InvalidPath;
use super::pointer::MAX_PREVIOUS;

/// Why a manifest or a pointer is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("it is not the JSON of a deploy")]
    Json(#[from] serde_json::Error),
    #[error("it has {found} bytes, and at most {most} are read")]
    TooLong { found: usize, most: usize },
    #[error("it has more than {MAX_FILES} files")]
    TooManyFiles,
    #[error("{MAX_MANIFEST_BYTES} bytes are not enough for the names of so many files")]
    TooLarge,
    #[error("the message has more than {MAX_MESSAGE_BYTES} bytes")]
    Message,
    #[error("version {0} is not known to this program, which knows version 1")]
    Version(u32),
    #[error("{path:?} is no path of a deploy: {why}")]
    Path { path: String, why: InvalidPath },
    #[error("{0:?} is there twice")]
    Duplicate(String),
    #[error("a content hash is a SHA-256 in 64 lower-case hexadecimal digits")]
    Hash,
    #[error("a content type is visible ASCII")]
    ContentType,
    #[error("it names more than {MAX_PREVIOUS} earlier deploys")]
    Previous,
    #[error("it is the manifest of {found}, where that of {expected} belongs")]
    OtherDeploy { found: super::DeployId, expected: super::DeployId },
}
