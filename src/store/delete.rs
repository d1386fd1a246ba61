//! DeleteObject, of an object or of one of its versions.

use std::sync::Arc;

use super::bucket::{ATTEMPTS, Bucket};
use super::change::{Cause, ChangeKind};
use super::error::Error;
use super::mutation::Mutation;
use super::put::Precondition;
use super::record::{ObjectRecord, Versioning};
use super::versions::Found;
use super::{Conflict, Position, Store};
use crate::clock::Timestamp;
use crate::names::{ObjectKey, VersionId};

pub struct DeleteObject {
    pub bucket: Bucket,
    pub key: ObjectKey,
    /// Removes this version for good.
    pub version: Option<VersionId>,
    pub precondition: DeletePrecondition,
    pub cause: Cause,
}

/// A condition on the object to be deleted; everything given must hold.
#[derive(Debug, Clone, Default)]
pub struct DeletePrecondition {
    pub object: Precondition,
    /// The object was last modified in this second.
    pub modified: Option<Timestamp>,
    pub size: Option<u64>,
}

/// What a deletion came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// `None` where there was nothing to delete, and nothing was changed.
    pub position: Option<Position>,
    /// The version that was removed, or the delete marker that was made; `None` in a bucket without versions.
    pub version: Option<VersionId>,
    /// Whether a delete marker was made or removed.
    pub marker: bool,
}

impl Store {
    /// Deletes an object, or the version that is named. Where there are versions, deleting an object makes a delete marker,
    /// also where there is no object; removing a version is for good, and what was before it becomes current again.
    ///
    /// Deleting what is not there succeeds, without a change-log entry, unless a condition asks for it.
    pub async fn delete_object(self: &Arc<Self>, delete: DeleteObject) -> Result<Deleted, Error> {
        let store = self.clone();
        let task = tokio::spawn(async move { store.delete_now(delete).await });
        task.await.map_err(|_| Error::Aborted)?
    }

    async fn delete_now(&self, mut delete: DeleteObject) -> Result<Deleted, Error> {
        let _turn = self.queues.turn(delete.bucket.record.id, delete.key.as_bytes()).await?;
        self.admit(&delete.bucket.record, &delete.key)?;
        for _ in 0..ATTEMPTS {
            let tried = match delete.version {
                Some(version) => self.try_remove(&delete, &version).await?,
                None => self.try_delete(&delete).await?,
            };
            match tried {
                Ok(deleted) => return Ok(deleted),
                Err(conflict) if conflict.index == 0 => self.refresh(&mut delete.bucket).await?,
                Err(_) => (),
            }
        }
        Err(Error::Contended)
    }

    async fn try_delete(&self, delete: &DeleteObject) -> Result<Result<Deleted, Conflict>, Error> {
        let (bucket, key, now) = (&delete.bucket, &delete.key, self.clock.now());
        let slot = self.slot(bucket, key).await?;
        let previous = slot.current.as_ref();
        delete.precondition.check(key, previous.map(|row| &row.record))?;
        let mut change = match previous {
            Some(row) => bucket.change(ChangeKind::Delete, key, &row.record, delete.cause.clone()),
            None => bucket.change_of(ChangeKind::Delete, key, now, delete.cause.clone()),
        };
        change.at = now;
        let mutation = Mutation::in_bucket(bucket)?;
        let mutation = match (slot.marker_version(), previous) {
            (Some(version), _) => {
                change.mark(version);
                mutation.write_marker(bucket.record.id, key, version, bucket.marker(now), &slot)
            }
            (None, Some(row)) => mutation.delete_object(bucket.record.id, key, row, None),
            (None, None) => return Ok(Ok(Deleted { position: None, version: None, marker: false })),
        };
        let marker = slot.marker_version();
        let deleted = |position| Deleted {
            position: Some(position),
            version: marker.map(|version| version.id()),
            marker: marker.is_some(),
        };
        Ok(self.commit(mutation.log_object(bucket, &change)).await?.map(deleted))
    }

    async fn try_remove(&self, delete: &DeleteObject, version: &VersionId) -> Result<Result<Deleted, Conflict>, Error> {
        let (bucket, key, now) = (&delete.bucket, &delete.key, self.clock.now());
        let shown = Some(*version).filter(|_| bucket.record.versioning != Versioning::Never);
        let found = self.find_version(bucket, key, version).await?;
        delete.precondition.check(key, found.as_ref().and_then(Found::object))?;
        let Some(found) = found else { return Ok(Ok(Deleted { position: None, version: shown, marker: false })) };
        let mut change = match found.object() {
            Some(record) => bucket.change(ChangeKind::Delete, key, record, delete.cause.clone()),
            None => bucket.change_of(ChangeKind::Delete, key, now, delete.cause.clone()),
        };
        change.at = now;
        change.version = shown.map(|version| version.to_string());
        let Some(mutation) = self.remove_found(bucket, key, &found).await? else { return Ok(Err(Conflict::MOVED)) };
        let marker = found.object().is_none();
        let deleted = |position| Deleted { position: Some(position), version: shown, marker };
        Ok(self.commit(mutation.log_object(bucket, &change)).await?.map(deleted))
    }
}

impl DeletePrecondition {
    fn check(&self, key: &ObjectKey, object: Option<&ObjectRecord>) -> Result<(), Error> {
        self.object.check(key, object)?;
        object.map_or(Ok(()), |object| self.check_rest(object.summary.size, object.summary.modified))
    }

    fn check_rest(&self, size: u64, modified: Timestamp) -> Result<(), Error> {
        let other_size = self.size.is_some_and(|expected| expected != size);
        let other_time = self.modified.is_some_and(|expected| expected.as_seconds() != modified.as_seconds());
        if other_size || other_time { Err(Error::PreconditionFailed) } else { Ok(()) }
    }
}
