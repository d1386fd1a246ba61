//! Removing a version for good: what was before it becomes current again.

use super::find::Found;
use crate::kv::{Item, Scan};
use crate::names::{BucketId, ObjectKey};
use crate::store::Store;
use crate::store::bucket::{Bucket, behind, behind_prefix};
use crate::store::codec::{decode, encode};
use crate::store::error::Error;
use crate::store::mutation::{Mutation, Row};
use crate::store::record::{Entry, Head, ObjectRecord, VersionRecord};
use crate::store::tables::{self, CURRENT, HEADS, VERSIONS};

/// What comes after the newest version of a key is gone.
struct Left {
    current: Option<Row<ObjectRecord>>,
    newest: Option<(u64, Row<VersionRecord>)>,
}

impl Store {
    /// Puts together the removal of `found`. `None` if the key changed since it was found.
    pub(in crate::store) async fn remove_found(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        found: &Found,
    ) -> Result<Option<Mutation>, Error> {
        let id = bucket.record.id;
        let mutation = Mutation::in_bucket(bucket)?;
        let (ordinal, row) = match found {
            Found::Unnumbered(row) => {
                let slot = self.slot(bucket, key).await?;
                let mutation = mutation.expect_head(id, key, &slot).delete_object(id, key, row, None);
                return Ok(slot.head.is_none().then_some(mutation));
            }
            Found::Numbered(ordinal, row) => (*ordinal, row),
        };
        let Some(head) = self.row::<Head>(HEADS, &tables::head(id, key)).await? else { return Ok(None) };
        let Head { newest, null } = head.record;
        let null = null.filter(|null| *null != ordinal);
        let mutation = mutation
            .expect(HEADS, tables::head(id, key), Some(head.bytes.clone()))
            .remove_version(id, key, ordinal, row);
        if ordinal == newest {
            let left =
                Left { current: self.current(id, key).await?, newest: self.version_behind(id, key, newest).await? };
            return Ok(Some(mutation.step_back(id, key, left, null)));
        }
        if null == head.record.null {
            return Ok(Some(mutation));
        }
        Ok(Some(mutation.put(HEADS, tables::head(id, key), encode(&Head { newest, null }))))
    }

    /// The newest version that is older than `ordinal`. The search begins there: before it there may be as many removed rows
    /// as the key ever had versions.
    async fn version_behind(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        ordinal: u64,
    ) -> Result<Option<(u64, Row<VersionRecord>)>, Error> {
        let start = behind(&tables::version(bucket, key, ordinal));
        let end = behind_prefix(&tables::versions_of(bucket, key.as_bytes()));
        let page = self.kv.scan(Scan { table: VERSIONS, start, end, limit: 1, group: None }).await?;
        let Some(Item::Row { key, value }) = page.items.into_iter().next() else { return Ok(None) };
        let (_, _, ordinal) = tables::parse_version(&key).ok_or(Error::Record("a version's key"))?;
        Ok(Some((ordinal, Row { record: decode(&value)?, bytes: value })))
    }
}

impl Mutation {
    /// Makes the newest version that is left the current one, or none if it is a delete marker or there is none.
    fn step_back(self, bucket: BucketId, key: &ObjectKey, left: Left, null: Option<u64>) -> Self {
        let (current, head) = (tables::current(bucket, key.as_bytes()), tables::head(bucket, key));
        let Left { current: previous, newest } = left;
        let mutation = self.expect(CURRENT, current.clone(), previous.as_ref().map(|row| row.bytes.clone()));
        let Some((newest, row)) = newest else {
            return mutation.delete(HEADS, head).delete(CURRENT, current);
        };
        let mutation = mutation.expect(VERSIONS, tables::version(bucket, key, newest), Some(row.bytes)).put(
            HEADS,
            head,
            encode(&Head { newest, null }),
        );
        match row.record.entry {
            Entry::Object(record) => mutation.put(CURRENT, current, encode(record.as_ref())),
            Entry::DeleteMarker(_) => mutation.delete(CURRENT, current),
        }
    }
}
