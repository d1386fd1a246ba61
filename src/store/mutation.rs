//! A commit in the store's words: every reference row and every change-log entry is written here.

use bytes::Bytes;

use super::bucket::{Bucket, behind_prefix};
use super::change::Change;
use super::codec::encode;
use super::log::PurgeRecord;
use super::record::{Data, ObjectRecord, Target};
use super::tables::{self, CURRENT, LOG, REFS, SWEEP};
use crate::kv::{Commit, Table};
use crate::names::{BucketId, ObjectKey, UploadId};
use crate::site;

/// A row as it was read: what a commit expects to find again.
#[derive(Debug, Clone)]
pub struct Row<T> {
    pub record: T,
    pub bytes: Bytes,
}

/// A commit being put together.
#[derive(Debug, Default)]
pub struct Mutation {
    commit: Commit,
    appends: usize,
    logged: Option<usize>,
}

impl Mutation {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn expect(mut self, table: Table, key: Bytes, bytes: Option<Bytes>) -> Self {
        self.commit = self.commit.expect(table, key, bytes);
        self
    }

    pub fn put(mut self, table: Table, key: Bytes, value: Bytes) -> Self {
        self.commit = self.commit.put(table, key, value);
        self
    }

    pub fn delete(mut self, table: Table, key: Bytes) -> Self {
        self.commit = self.commit.delete(table, key);
        self
    }

    /// Removes every row that begins with `prefix`, which is not empty and not all ones.
    pub fn delete_all(self, table: Table, prefix: &[u8]) -> Self {
        self.delete_range(table, Bytes::copy_from_slice(prefix), behind_prefix(prefix))
    }

    /// Removes every row from `start` on, and before `end`; an empty `end` is the table's.
    pub fn delete_range(mut self, table: Table, start: Bytes, end: Vec<u8>) -> Self {
        self.commit = self.commit.delete_range(table, start, end);
        self
    }

    /// Puts `record` where `previous` is, moving the key's reference; what was there goes to the sweeper.
    pub fn put_object(
        self,
        bucket: BucketId,
        key: &ObjectKey,
        record: &ObjectRecord,
        previous: Option<&Row<ObjectRecord>>,
    ) -> Self {
        let row = tables::current(bucket, key.as_bytes());
        let kept = record.data.target();
        let mutation = self
            .expect(CURRENT, row.clone(), previous.map(|row| row.bytes.clone()))
            .put(CURRENT, row, encode(record))
            .release_object(bucket, key, previous, kept);
        match kept {
            Some(target) => mutation.put(REFS, tables::object_reference(target, bucket, key), Bytes::new()),
            None => mutation,
        }
    }

    /// Removes the object that is there; its bytes go to the sweeper unless they are `kept`.
    pub fn delete_object(
        self,
        bucket: BucketId,
        key: &ObjectKey,
        previous: &Row<ObjectRecord>,
        kept: Option<Target>,
    ) -> Self {
        let row = tables::current(bucket, key.as_bytes());
        self.expect(CURRENT, row.clone(), Some(previous.bytes.clone())).delete(CURRENT, row).release_object(
            bucket,
            key,
            Some(previous),
            kept,
        )
    }

    /// Ends the hold of the object that was there, whose bytes go to the sweeper unless they are `kept`.
    pub(super) fn release_object(
        self,
        bucket: BucketId,
        key: &ObjectKey,
        previous: Option<&Row<ObjectRecord>>,
        kept: Option<Target>,
    ) -> Self {
        let Some(released) = previous.and_then(|row| row.record.data.target()) else { return self };
        let mutation = self.delete(REFS, tables::object_reference(released, bucket, key));
        if kept == Some(released) { mutation } else { mutation.sweep(released) }
    }

    /// Lets an upload hold a part's bytes.
    pub fn hold_part(self, upload: UploadId, number: u16, data: &Data) -> Self {
        match data.target() {
            Some(target) => self.put(REFS, tables::part_reference(target, upload, number), Bytes::new()),
            None => self,
        }
    }

    /// Ends an upload's hold on a part's bytes.
    pub fn release_part(self, upload: UploadId, number: u16, data: &Data) -> Self {
        match data.target() {
            Some(target) => self.delete(REFS, tables::part_reference(target, upload, number)).sweep(target),
            None => self,
        }
    }

    /// Asks the sweeper to look whether `target` is still needed.
    pub fn sweep(mut self, target: Target) -> Self {
        self.commit = self.commit.append(SWEEP, encode(&target));
        self.appends += 1;
        self
    }

    /// Appends the change-log entry of an object in `bucket`, whose row the mutation expects as it was read. Where the
    /// bucket's site goes by the object, the generation of its configuration is raised too: what is kept in memory of the
    /// site is read again.
    pub fn log_object(self, bucket: &Bucket, change: &Change) -> Self {
        let steers = change.key.as_ref().is_some_and(|key| site::steers(key.as_str()));
        let mutation = if steers { self.raise_configuration(&bucket.record) } else { self };
        mutation.log(change)
    }

    /// Appends the change-log entry. The last one's position is what the commit is known by.
    pub fn log(mut self, change: &Change) -> Self {
        self.commit = self.commit.append(LOG, encode(change));
        self.logged = Some(self.appends);
        self.appends += 1;
        self
    }

    /// Appends a purge to the change log, as [`Self::log`] does a change.
    pub fn log_purge(mut self, purge: &PurgeRecord) -> Self {
        self.commit = self.commit.append(LOG, purge.encode());
        self.logged = Some(self.appends);
        self.appends += 1;
        self
    }

    /// Removes a queue's entries below `position`.
    pub fn trim(mut self, queue: Table, position: u64) -> Self {
        self.commit = self.commit.delete_range(queue, Bytes::new(), Bytes::copy_from_slice(&position.to_be_bytes()));
        self
    }

    /// Both mutations, this one first. Neither has a change-log entry.
    pub fn and(mut self, other: Self) -> Self {
        self.commit.expectations.extend(other.commit.expectations);
        self.commit.writes.extend(other.commit.writes);
        self.appends += other.appends;
        self
    }

    /// The number of writes so far.
    pub fn len(&self) -> usize {
        self.commit.writes.len()
    }

    /// The commit, and which of its appends is the change-log entry.
    pub fn into_parts(self) -> (Commit, Option<usize>) {
        (self.commit, self.logged)
    }
}
