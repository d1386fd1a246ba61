//! The change log: one entry for every mutation, appended by the commit that makes the change.
//!
//! No entry without change, no change without entry. An entry's position is its key in the table `log`.

use serde::{Deserialize, Serialize};

use super::record::{BucketRecord, Version};
use crate::clock::Timestamp;
use crate::names::{AccountId, BucketId, BucketName, ETag, ObjectKey};

/// One change, as readers of the log find it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub at: Timestamp,
    pub account: AccountId,
    pub bucket_id: BucketId,
    pub bucket: BucketName,
    /// `None` where the bucket itself changed.
    pub key: Option<ObjectKey>,
    /// The version that was made or removed; `None` in a bucket without versions.
    pub version: Option<String>,
    pub kind: ChangeKind,
    pub size: u64,
    pub etag: Option<ETag>,
    /// The tags by which caches group what depends on the object.
    pub cache_tags: Vec<String>,
    pub cause: Cause,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeKind {
    Put,
    Copy,
    CompleteMultipart,
    /// An object came here from another key, which has a `Delete` entry in the same commit.
    Rename,
    Delete,
    CreateBucket,
    DeleteBucket,
    /// The object's tags changed, and nothing else of it.
    Tagging,
    /// The object's access control list changed, and nothing else of it.
    Acl,
    /// The bucket's configuration changed: versioning, or one of its documents. Of notifications: `BucketNotification`.
    BucketConfiguration,
    /// The object is no longer the current one: a delete marker is.
    DeleteMarker,
    /// As `Put`, by a form that a browser sent.
    Post,
    /// The object's tags were removed, and nothing else of it changed.
    Untagging,
    /// What the bucket wants to be told of changed.
    BucketNotification,
}

/// Who asked for a change: opaque to the store, passed on to readers of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    pub principal: String,
    pub source_address: String,
    pub request_id: String,
}

impl Change {
    /// Makes the deletion of an object one that left a delete marker: that is the version which was made.
    pub(super) fn mark(&mut self, marker: Version) {
        self.kind = ChangeKind::DeleteMarker;
        self.version = Some(marker.id().to_string());
    }

    /// A change of `bucket` itself; the other constructors start from here.
    pub fn of_bucket(bucket: &BucketRecord, kind: ChangeKind, at: Timestamp, cause: Cause) -> Self {
        Self {
            at,
            account: bucket.account.clone(),
            bucket_id: bucket.id,
            bucket: bucket.name.clone(),
            key: None,
            version: None,
            kind,
            size: 0,
            etag: None,
            cache_tags: Vec::new(),
            cause,
        }
    }
}
