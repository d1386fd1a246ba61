//! Sweeping the parts of uploads.

use std::collections::HashSet;

use bytes::Bytes;

use super::PAGE;
use crate::kv::{Item, Scan, Table};
use crate::names::{BucketId, UploadId};
use crate::store::Store;
use crate::store::bucket::behind;
use crate::store::codec::decode;
use crate::store::error::Error;
use crate::store::mutation::Mutation;
use crate::store::record::{PartRecord, Target};
use crate::store::tables::{self, OFFSETS, PARTS, UPLOADS};

impl Store {
    /// Removes all parts of an upload that was aborted, or whose object is gone.
    pub(super) async fn sweep_upload(&self, id: UploadId) -> Result<Mutation, Error> {
        let mut mutation = Mutation::new();
        for (number, part) in self.parts(id).await? {
            mutation = mutation.delete(PARTS, tables::part(id, number)).release_part(id, number, &part.data);
        }
        for number in self.rows(OFFSETS, &id.0).await? {
            mutation = mutation.delete(OFFSETS, number);
        }
        Ok(mutation)
    }

    /// Removes the parts of a completed upload that its object does not use.
    pub(super) async fn sweep_unused_parts(&self, id: UploadId) -> Result<Option<Mutation>, Error> {
        let mut used = HashSet::new();
        for row in self.rows(OFFSETS, &id.0).await? {
            used.insert(tables::parse_offset(&row).ok_or(Error::Record("a part's offset"))?.1);
        }
        let mut mutation = Mutation::new();
        let mut unused = 0;
        for (number, part) in self.parts(id).await? {
            if !used.contains(&number) {
                mutation = mutation.delete(PARTS, tables::part(id, number)).release_part(id, number, &part.data);
                unused += 1;
            }
        }
        Ok((unused > 0).then_some(mutation))
    }

    /// Aborts a page of the uploads that a deleted bucket left behind; for the rest the bucket is queued again.
    pub(super) async fn sweep_bucket(&self, id: BucketId) -> Result<Option<Mutation>, Error> {
        let page = self.kv.scan(Scan::prefix(UPLOADS, &tables::uploads(id, b""), PAGE)).await?;
        let mut mutation = Mutation::new();
        for item in page.items {
            let Item::Row { key, .. } = item else { continue };
            let (_, upload) = tables::parse_upload(&key).ok_or(Error::Record("an upload's key"))?;
            mutation = mutation.delete(UPLOADS, key).sweep(Target::Upload(upload));
        }
        if page.more {
            mutation = mutation.sweep(Target::Bucket(id));
        }
        Ok(Some(mutation))
    }

    async fn parts(&self, id: UploadId) -> Result<Vec<(u16, PartRecord)>, Error> {
        let mut parts = Vec::new();
        for (key, value) in self.all(PARTS, &id.0).await? {
            parts.push((tables::parse_part(&key).ok_or(Error::Record("a part's number"))?, decode(&value)?));
        }
        Ok(parts)
    }

    async fn rows(&self, table: Table, prefix: &[u8]) -> Result<Vec<Bytes>, Error> {
        Ok(self.all(table, prefix).await?.into_iter().map(|(key, _)| key).collect())
    }

    /// All rows of a prefix: for the parts of one upload, of which there are at most 10,000.
    async fn all(&self, table: Table, prefix: &[u8]) -> Result<Vec<(Bytes, Bytes)>, Error> {
        let mut rows = Vec::new();
        let mut scan = Scan::prefix(table, prefix, PAGE);
        loop {
            let page = self.kv.scan(scan.clone()).await?;
            for item in page.items {
                let Item::Row { key, value } = item else { continue };
                scan.start = behind(&key);
                rows.push((key, value));
            }
            if !page.more {
                return Ok(rows);
            }
        }
    }
}
