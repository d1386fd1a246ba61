//! PutObject: a staged body becomes an object.

use std::sync::Arc;

use super::bucket::{ATTEMPTS, Bucket};
use super::change::{Cause, Change, ChangeKind};
use super::checksum::{Algorithm, Checksum, ChecksumType};
use super::error::Error;
use super::mutation::{Mutation, Row};
use super::record::{Metadata, ObjectRecord, StorageClass, Summary};
use super::staging::Staged;
use super::tables::{self, CURRENT};
use super::{Position, Store};
use crate::clock::Timestamp;
use crate::names::{AccountId, ETag, ObjectKey, VersionId};

/// A condition on what a write finds in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Precondition {
    #[default]
    None,
    /// There is no object (`If-None-Match: *`).
    Absent,
    /// There is an object (`If-Match: *`).
    Present,
    /// There is an object with one of these entity tags (`If-Match`). Empty: tags that no object can have.
    Matches(Vec<ETag>),
}

pub struct PutObject {
    pub bucket: Bucket,
    pub key: ObjectKey,
    pub metadata: Metadata,
    pub storage_class: StorageClass,
    /// The account that the object will belong to.
    pub owner: AccountId,
    /// As [`ObjectRecord::acl`].
    pub acl: Vec<u8>,
    pub precondition: Precondition,
    /// Whether a browser sent it as a form: the change log says so.
    pub by_form: bool,
    pub cause: Cause,
}

/// A stored object.
#[derive(Debug, Clone)]
pub struct Stored {
    pub record: ObjectRecord,
    /// The identifier by which clients know it; `None` in a bucket without versions.
    pub version: Option<VersionId>,
    pub position: Position,
}

impl Precondition {
    /// Decides for the object that is there. A missing object under `Matches` is S3's NoSuchKey.
    pub(super) fn check(&self, key: &ObjectKey, existing: Option<&ObjectRecord>) -> Result<(), Error> {
        match (self, existing) {
            (Self::None, _) | (Self::Absent, None) | (Self::Present, Some(_)) => Ok(()),
            (Self::Absent, Some(_)) => Err(Error::PreconditionFailed),
            (Self::Present | Self::Matches(_), None) => Err(Error::NoSuchKey(key.clone())),
            (Self::Matches(tags), Some(object)) if tags.contains(&object.summary.etag) => Ok(()),
            (Self::Matches(_), Some(_)) => Err(Error::PreconditionFailed),
        }
    }
}

impl Store {
    /// Stores an object whole or not at all; returns when it is durable. A caller that goes away does not cut the commit.
    pub async fn put_object(self: &Arc<Self>, put: PutObject, staged: Staged) -> Result<Stored, Error> {
        let store = self.clone();
        let task = tokio::spawn(async move { store.put_staged(put, staged).await });
        task.await.map_err(|_| Error::Aborted)?
    }

    async fn put_staged(&self, mut put: PutObject, mut staged: Staged) -> Result<Stored, Error> {
        let bucket = put.bucket.record.id;
        let _turn = self.queues.turn(bucket, put.key.as_bytes()).await?;
        self.admit(&put.bucket.record, &put.key)?;
        let mut record = put.record(&staged, self.clock.now());
        for _ in 0..ATTEMPTS {
            let key = &put.key;
            let slot = self.slot(&put.bucket, key).await?;
            put.precondition.check(key, slot.current.as_ref().map(|row| &row.record))?;
            record.summary.modified = self.clock.now();
            record.version = slot.object_version();
            let mutation = Mutation::in_bucket(&put.bucket)?;
            let mutation = staged
                .write_into(mutation)
                .write_object(bucket, key, &record, &slot)
                .log_object(&put.bucket, &put.bucket.change(put.kind(), key, &record, put.cause.clone()));
            // The blob is durable already. While the commit is under way the blob must outlive us: if it is cut here, the
            // record may or may not point at it, and an orphan is the lesser evil.
            staged.entrust();
            let committed = self.commit(mutation).await;
            staged.take_back_unless_committed(&committed);
            match committed? {
                Ok(position) => return Ok(put.bucket.stored(record, position)),
                Err(conflict) if conflict.index == 0 => self.refresh(&mut put.bucket).await?,
                Err(_) => (),
            }
        }
        Err(Error::Contended)
    }

    /// The live object of a key, as it is now.
    pub(super) async fn current(
        &self,
        bucket: crate::names::BucketId,
        key: &ObjectKey,
    ) -> Result<Option<Row<ObjectRecord>>, Error> {
        self.row(CURRENT, &tables::current(bucket, key.as_bytes())).await
    }
}

impl PutObject {
    fn kind(&self) -> ChangeKind {
        if self.by_form { ChangeKind::Post } else { ChangeKind::Put }
    }

    fn record(&self, staged: &Staged, modified: Timestamp) -> ObjectRecord {
        let checksum = staged.digests.checksum.clone();
        ObjectRecord {
            summary: Summary {
                size: staged.length,
                etag: ETag::single(staged.digests.md5),
                modified,
                owner: self.owner.clone(),
                storage_class: self.storage_class,
                algorithm: checksum.as_ref().map_or(Algorithm::Crc64Nvme, |checksum| checksum.algorithm),
                checksum_type: checksum.as_ref().map_or(ChecksumType::FullObject, Checksum::checksum_type),
            },
            data: staged.data(),
            crc64nvme: staged.digests.crc64nvme,
            checksum,
            metadata: self.metadata.clone(),
            version: None,
            acl: self.acl.clone(),
        }
    }
}

impl Bucket {
    /// What a commit in this bucket made of `record`.
    pub(super) fn stored(&self, record: ObjectRecord, position: Position) -> Stored {
        Stored { version: self.shown_version(record.version), record, position }
    }

    /// The change-log entry for a key without an object.
    pub(super) fn change_of(&self, kind: ChangeKind, key: &ObjectKey, at: Timestamp, cause: Cause) -> Change {
        Change { key: Some(key.clone()), ..Change::of_bucket(&self.record, kind, at, cause) }
    }

    /// The change-log entry for what `record` is or was under `key`.
    pub(super) fn change(&self, kind: ChangeKind, key: &ObjectKey, record: &ObjectRecord, cause: Cause) -> Change {
        let tags = record.metadata.user.iter().filter(|(name, _)| name == "cache-tag");
        Change {
            key: Some(key.clone()),
            size: record.summary.size,
            etag: Some(record.summary.etag),
            version: self.shown_version(record.version).map(|version| version.to_string()),
            cache_tags: tags.flat_map(|(_, tags)| tags.split(',').map(|tag| tag.trim().to_owned())).collect(),
            ..Change::of_bucket(&self.record, kind, record.summary.modified, cause)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::record::Data;

    fn object(md5: u8) -> ObjectRecord {
        let summary = Summary {
            size: 0,
            etag: ETag::single([md5; 16]),
            modified: Timestamp::from_seconds(1),
            owner: AccountId::default(),
            storage_class: StorageClass::Standard,
            algorithm: Algorithm::Crc64Nvme,
            checksum_type: ChecksumType::FullObject,
        };
        ObjectRecord {
            summary,
            data: Data::Empty,
            crc64nvme: 0,
            checksum: None,
            metadata: Metadata::default(),
            version: None,
            acl: Vec::new(),
        }
    }

    #[test]
    fn preconditions_are_decided_by_what_is_there() {
        let key = ObjectKey::parse("k").unwrap();
        let (here, none) = (object(1), None);
        let matching = Precondition::Matches(vec![ETag::single([0; 16]), ETag::single([1; 16])]);
        let other = Precondition::Matches(vec![ETag::single([2; 16])]);
        for allowed in [&Precondition::None, &Precondition::Present, &matching] {
            assert!(allowed.check(&key, Some(&here)).is_ok());
        }
        for refused in [&Precondition::Absent, &other, &Precondition::Matches(vec![])] {
            assert!(matches!(refused.check(&key, Some(&here)), Err(Error::PreconditionFailed)));
        }
        for refused in [&matching, &Precondition::Present] {
            assert!(matches!(refused.check(&key, none), Err(Error::NoSuchKey(_))));
        }
        assert!(Precondition::Absent.check(&key, none).is_ok());
    }
}
