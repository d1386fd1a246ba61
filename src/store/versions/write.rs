//! Writing and deleting where there are versions, in the words of a commit.

use bytes::Bytes;

use super::slot::{FIRST, Slot};
use crate::names::{BucketId, ObjectKey};
use crate::store::codec::encode;
use crate::store::mutation::{Mutation, Row};
use crate::store::record::{DeleteMarker, Entry, Head, ObjectRecord, Target, Version, VersionRecord, Versioning};
use crate::store::tables::{self, CURRENT, HEADS, REFS, VERSIONS};

impl Mutation {
    /// Makes `record`, whose version is the slot's [`Slot::object_version`], the current object of the key.
    pub fn write_object(self, bucket: BucketId, key: &ObjectKey, record: &ObjectRecord, slot: &Slot) -> Self {
        let Some(version) = record.version else {
            return self.expect_head(bucket, key, slot).put_object(bucket, key, record, slot.current.as_ref());
        };
        let row = tables::current(bucket, key.as_bytes());
        self.expect(CURRENT, row.clone(), slot.current.as_ref().map(|row| row.bytes.clone()))
            .add_version(bucket, key, version, Entry::Object(Box::new(record.clone())), slot)
            .put(CURRENT, row, encode(record))
    }

    /// Lets a delete marker take the place of the current object, if there is one. `version` is the slot's
    /// [`Slot::marker_version`].
    pub fn write_marker(
        self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Version,
        marker: DeleteMarker,
        slot: &Slot,
    ) -> Self {
        let row = tables::current(bucket, key.as_bytes());
        let mutation = self
            .expect(CURRENT, row.clone(), slot.current.as_ref().map(|row| row.bytes.clone()))
            .add_version(bucket, key, version, Entry::DeleteMarker(marker), slot);
        match &slot.current {
            Some(_) => mutation.delete(CURRENT, row),
            None => mutation,
        }
    }

    /// Puts `record` in every row that has an object or a version in its place: all of it but its bytes may be another.
    /// `current` is the key's current object.
    pub fn replace_record(
        self,
        bucket: BucketId,
        key: &ObjectKey,
        record: &ObjectRecord,
        current: Option<&Row<ObjectRecord>>,
    ) -> Self {
        let row = tables::current(bucket, key.as_bytes());
        let mut mutation = self.expect(CURRENT, row.clone(), current.map(|row| row.bytes.clone()));
        if current.is_some_and(|current| current.record.version == record.version) {
            mutation = mutation.put(CURRENT, row, encode(record));
        }
        match record.version {
            Some(version) => {
                let record = VersionRecord { random: version.random, entry: Entry::Object(Box::new(record.clone())) };
                mutation.put(VERSIONS, tables::version(bucket, key, version.ordinal), encode(&record))
            }
            None => mutation,
        }
    }

    /// Expects the key's versions to stand as they were read. In a bucket without versions no key has any.
    pub fn expect_head(self, bucket: BucketId, key: &ObjectKey, slot: &Slot) -> Self {
        match slot.versioning {
            Versioning::Never => self,
            Versioning::Enabled | Versioning::Suspended => {
                self.expect(HEADS, tables::head(bucket, key), slot.head.as_ref().map(|row| row.bytes.clone()))
            }
        }
    }

    /// Makes `entry` the newest version; what it replaces goes.
    fn add_version(self, bucket: BucketId, key: &ObjectKey, version: Version, entry: Entry, slot: &Slot) -> Self {
        let mut null = slot.head.as_ref().and_then(|head| head.record.null);
        let mut mutation = self.expect_head(bucket, key, slot);
        if let Some(before) = slot.unnumbered() {
            mutation = mutation.number(bucket, key, before);
            null = Some(FIRST);
        } else if slot.head.is_none() {
            // Versioning is suspended, so the new null version replaces the object from before.
            mutation = mutation.release_object(bucket, key, slot.current.as_ref(), None);
        }
        if let Some((ordinal, row)) = &slot.replaced {
            mutation = mutation.remove_version(bucket, key, *ordinal, row);
        }
        if version.random.is_none() {
            null = Some(version.ordinal);
        }
        mutation
            .expect(VERSIONS, tables::version(bucket, key, version.ordinal), None)
            .put_version(bucket, key, version, entry)
            .put(HEADS, tables::head(bucket, key), encode(&Head { newest: version.ordinal, null }))
    }

    /// Gives the object that was written before there were versions its row: the row now holds the reference.
    fn number(self, bucket: BucketId, key: &ObjectKey, before: &Row<ObjectRecord>) -> Self {
        let version = Version { ordinal: FIRST, random: None };
        let record = ObjectRecord { version: Some(version), ..before.record.clone() };
        let kept = record.data.target();
        self.release_object(bucket, key, Some(before), kept).put_version(
            bucket,
            key,
            version,
            Entry::Object(Box::new(record)),
        )
    }

    fn put_version(self, bucket: BucketId, key: &ObjectKey, version: Version, entry: Entry) -> Self {
        let target = target_of(&entry);
        let record = VersionRecord { random: version.random, entry };
        let mutation = self.put(VERSIONS, tables::version(bucket, key, version.ordinal), encode(&record));
        match target {
            Some(target) => {
                mutation.put(REFS, tables::version_reference(target, bucket, key, version.ordinal), Bytes::new())
            }
            None => mutation,
        }
    }

    /// Removes a version's row; its bytes go to the sweeper.
    pub(super) fn remove_version(
        self,
        bucket: BucketId,
        key: &ObjectKey,
        ordinal: u64,
        removed: &Row<VersionRecord>,
    ) -> Self {
        let row = tables::version(bucket, key, ordinal);
        let mutation = self.expect(VERSIONS, row.clone(), Some(removed.bytes.clone())).delete(VERSIONS, row);
        match target_of(&removed.record.entry) {
            Some(target) => {
                mutation.delete(REFS, tables::version_reference(target, bucket, key, ordinal)).sweep(target)
            }
            None => mutation,
        }
    }
}

fn target_of(entry: &Entry) -> Option<Target> {
    match entry {
        Entry::Object(record) => record.data.target(),
        Entry::DeleteMarker(_) => None,
    }
}
