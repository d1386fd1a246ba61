//! Versions of objects.
//!
//! A key of a bucket without versions has at most one row, in `current`. Where versioning is enabled, what is written gets
//! a row in `versions`, numbered in the order in which it came, and so does every delete marker; what was there before
//! becomes the null version with the first of these writes. From then on all of these hold together, because every commit
//! that adds or removes a version expects the key's row in `heads` and its row in `current` as they were read:
//!
//! - every version of the key has its row in `versions`, which holds the reference on the version's bytes;
//! - `heads` says which is the newest, and which is the null version;
//! - where the newest is an object, `current` has a copy of it; where it is a delete marker, there is no row in `current`.
//!
//! When a key's last version goes, so does its row in `heads`, and the key is as if it had never been.

mod find;
mod list;
mod remove;
mod slot;
mod write;

pub use find::ObjectRow;
pub use list::{ListVersions, ListedVersion, VersionMarker, VersionPage};

pub(super) use find::Found;
pub(super) use slot::Slot;

use super::bucket::Bucket;
use super::record::{DeleteMarker, Version, VersionRecord, Versioning};
use crate::clock::Timestamp;
use crate::names::VersionId;

impl Bucket {
    /// The identifier by which clients know an object with this `version`: none where there are no versions, and `null` for
    /// what was written while there were none.
    pub fn shown_version(&self, version: Option<Version>) -> Option<VersionId> {
        match self.record.versioning {
            Versioning::Never => None,
            Versioning::Enabled | Versioning::Suspended => {
                Some(version.map_or(VersionId::Null, |version| version.id()))
            }
        }
    }

    /// A delete marker of one of the bucket's keys.
    pub(super) fn marker(&self, modified: Timestamp) -> DeleteMarker {
        DeleteMarker { modified, owner: self.record.account.clone() }
    }
}

impl VersionRecord {
    /// The identifier of this version, whose row says its ordinal.
    pub fn id(&self, ordinal: u64) -> VersionId {
        Version { ordinal, random: self.random }.id()
    }
}
