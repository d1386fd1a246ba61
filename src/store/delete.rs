//! DeleteObject.

use std::sync::Arc;

use super::bucket::{ATTEMPTS, Bucket};
use super::change::{Cause, ChangeKind};
use super::error::Error;
use super::mutation::Mutation;
use super::put::Precondition;
use super::{Position, Store};
use crate::clock::Timestamp;
use crate::names::ObjectKey;

pub struct DeleteObject {
    pub bucket: Bucket,
    pub key: ObjectKey,
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

impl Store {
    /// Deletes an object. Deleting what is not there succeeds, with `None` and without a change-log entry, unless a
    /// condition asks for it.
    pub async fn delete_object(self: &Arc<Self>, delete: DeleteObject) -> Result<Option<Position>, Error> {
        let store = self.clone();
        let task = tokio::spawn(async move { store.delete_now(delete).await });
        task.await.map_err(|_| Error::Aborted)?
    }

    async fn delete_now(&self, mut delete: DeleteObject) -> Result<Option<Position>, Error> {
        let bucket = delete.bucket.record.id;
        let _turn = self.queues.turn(bucket, delete.key.as_bytes()).await?;
        for _ in 0..ATTEMPTS {
            let key = &delete.key;
            let previous = self.current(bucket, key).await?;
            delete.precondition.object.check(key, previous.as_ref().map(|row| &row.record))?;
            let Some(previous) = previous else { return Ok(None) };
            delete.precondition.check_rest(previous.record.summary.size, previous.record.summary.modified)?;
            let mut change = delete.bucket.change(ChangeKind::Delete, key, &previous.record, delete.cause.clone());
            change.at = self.clock.now();
            let mutation =
                Mutation::in_bucket(&delete.bucket)?.delete_object(bucket, key, &previous, None).log(&change);
            match self.commit(mutation).await? {
                Ok(position) => return Ok(Some(position)),
                Err(conflict) if conflict.index == 0 => self.refresh(&mut delete.bucket).await?,
                Err(_) => (),
            }
        }
        Err(Error::Contended)
    }
}

impl DeletePrecondition {
    fn check_rest(&self, size: u64, modified: Timestamp) -> Result<(), Error> {
        let other_size = self.size.is_some_and(|expected| expected != size);
        let other_time = self.modified.is_some_and(|expected| expected.as_seconds() != modified.as_seconds());
        if other_size || other_time { Err(Error::PreconditionFailed) } else { Ok(()) }
    }
}
