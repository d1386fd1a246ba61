//! The names of things: parsed once, valid ever after.

mod bucket;
mod etag;
mod host;
mod ids;
mod key;
mod version;

pub use bucket::{BucketName, InvalidBucketName};
pub use etag::{ETag, InvalidETag};
pub use host::{HostName, InvalidHostName, MAX_HOST_BYTES};
pub use ids::{AccountId, BucketId, InvalidId, LogId, UploadId};
pub use key::{InvalidObjectKey, MAX_KEY_BYTES, ObjectKey, RESERVED_PREFIX};
pub use version::VersionId;
