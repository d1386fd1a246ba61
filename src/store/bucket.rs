//! Buckets.

use std::sync::Arc;

use bytes::Bytes;

use super::change::{Cause, Change, ChangeKind};
use super::codec::{decode, encode};
use super::configuration::Kind;
use super::error::Error;
use super::mutation::{Mutation, Row};
use super::record::{BucketRecord, BucketState, Target, Versioning};
use super::tables::{self, BUCKETS, CONFIGURATIONS, CURRENT, META, VERSIONS};
use super::{Position, Store};
use crate::kv::{Item, Scan, successor_of_prefix};
use crate::names::{AccountId, BucketId, BucketName};

/// The row that holds the next bucket's number.
pub(super) const NEXT_BUCKET_ID: &[u8] = b"next bucket id";
/// How often a mutation is put together again after it met another one.
pub(super) const ATTEMPTS: usize = 16;
/// How many buckets are read at a time where all are wanted.
const PAGE: usize = 1000;

/// A bucket as it was read; commits expect it unchanged.
pub type Bucket = Row<BucketRecord>;

pub struct CreateBucket {
    pub name: BucketName,
    pub account: AccountId,
    pub region: String,
    /// What is configured from the beginning.
    pub configuration: Vec<(Kind, Bytes)>,
    pub cause: Cause,
}

pub struct ListBuckets {
    pub account: AccountId,
    pub prefix: String,
    /// Only names behind this one.
    pub after: Option<BucketName>,
    pub limit: usize,
}

/// A page of an account's buckets, by name.
pub struct BucketPage {
    pub buckets: Vec<BucketRecord>,
    pub more: bool,
}

impl Store {
    /// Gives the bucket, whoever owns it, or [`Error::NoSuchBucket`].
    pub async fn bucket(&self, name: &BucketName) -> Result<Bucket, Error> {
        let row = self.row(BUCKETS, name.as_str().as_bytes()).await?;
        row.ok_or_else(|| Error::NoSuchBucket(name.clone()))
    }

    /// Creates a bucket, or fails with [`Error::BucketOwned`] or [`Error::BucketTaken`].
    pub async fn create_bucket(&self, create: CreateBucket) -> Result<(BucketRecord, Position), Error> {
        for _ in 0..ATTEMPTS {
            if let Some(existing) = self.row::<BucketRecord>(BUCKETS, create.name.as_str().as_bytes()).await? {
                let owned = existing.record.account == create.account;
                return Err(if owned { Error::BucketOwned(create.name) } else { Error::BucketTaken(create.name) });
            }
            let next = self.kv.get(META, NEXT_BUCKET_ID).await?;
            let id = next.as_deref().map_or(Ok(1), decode)?;
            let bucket = BucketRecord {
                id: BucketId(id),
                name: create.name.clone(),
                account: create.account.clone(),
                created: self.clock.now(),
                region: create.region.clone(),
                state: BucketState::Live,
                versioning: Versioning::Never,
                configuration: u64::from(!create.configuration.is_empty()),
            };
            let counter = Bytes::from_static(NEXT_BUCKET_ID);
            let mut mutation = Mutation::new()
                .expect(BUCKETS, tables::bucket(&bucket.name), None)
                .expect(META, counter.clone(), next)
                .put(META, counter, encode(&(id + 1)))
                .put(BUCKETS, tables::bucket(&bucket.name), encode(&bucket))
                .log(&Change::of_bucket(&bucket, ChangeKind::CreateBucket, bucket.created, create.cause.clone()));
            for (kind, document) in &create.configuration {
                let row = tables::configuration(bucket.id, *kind as u8);
                mutation = mutation.put(CONFIGURATIONS, row, document.clone());
            }
            if let Ok(position) = self.commit(mutation).await? {
                return Ok((bucket, position));
            }
        }
        Err(Error::Contended)
    }

    /// Gives a page of the account's buckets, ordered by name.
    pub async fn list_buckets(&self, list: &ListBuckets) -> Result<BucketPage, Error> {
        let mut scan = Scan::prefix(BUCKETS, list.prefix.as_bytes(), PAGE);
        if let Some(after) = &list.after {
            scan.start = scan.start.max(behind(after.as_str().as_bytes()));
        }
        let mut buckets = Vec::new();
        loop {
            let page = self.kv.scan(scan.clone()).await?;
            for item in page.items {
                let Item::Row { key, value } = item else { continue };
                scan.start = behind(&key);
                let bucket: BucketRecord = decode(&value)?;
                if bucket.account != list.account {
                    continue;
                }
                if buckets.len() == list.limit {
                    return Ok(BucketPage { buckets, more: true });
                }
                buckets.push(bucket);
            }
            if !page.more {
                return Ok(BucketPage { buckets, more: false });
            }
        }
    }

    /// The names of buckets behind `after`, at most `limit`, whoever owns them, in order.
    pub async fn bucket_names(&self, after: Option<&BucketName>, limit: usize) -> Result<Vec<BucketName>, Error> {
        let mut scan = Scan::prefix(BUCKETS, b"", limit);
        if let Some(after) = after {
            scan.start = behind(after.as_str().as_bytes());
        }
        let mut names = Vec::new();
        for item in self.kv.scan(scan).await?.items {
            let Item::Row { value, .. } = item else { continue };
            names.push(decode::<BucketRecord>(&value)?.name);
        }
        Ok(names)
    }

    /// How many buckets were ever made: while it is the same number, there is no new one.
    pub async fn buckets_made(&self) -> Result<u64, Error> {
        let next: Option<u64> = self.kv.get(META, NEXT_BUCKET_ID).await?.as_deref().map(decode).transpose()?;
        Ok(next.map_or(0, |next| next.saturating_sub(1)))
    }

    /// Deletes a bucket without objects, versions and delete markers. Uploads left in it are aborted. A caller that goes away does not leave it half deleted.
    pub async fn delete_bucket(self: &Arc<Self>, name: &BucketName, cause: Cause) -> Result<Position, Error> {
        let (store, name) = (self.clone(), name.clone());
        let task = tokio::spawn(async move { store.delete_bucket_now(&name, cause).await });
        task.await.map_err(|_| Error::Aborted)?
    }

    async fn delete_bucket_now(&self, name: &BucketName, cause: Cause) -> Result<Position, Error> {
        for _ in 0..ATTEMPTS {
            let bucket = self.bucket(name).await?;
            // Announced by a deletion that is under way, or that an error cut short. Whoever comes first settles it: while
            // it is announced nothing can be added or removed, so all find the same.
            if bucket.record.state == BucketState::Deleting {
                return self.settle_deletion(bucket, cause).await;
            }
            // A look before the announcement, so that the common refusal writes nothing.
            if !self.is_empty(&bucket.record).await? {
                return Err(Error::BucketNotEmpty(name.clone()));
            }
            let deleting = BucketRecord { state: BucketState::Deleting, ..bucket.record.clone() };
            let deleting = Row { bytes: encode(&deleting), record: deleting };
            let announce = Mutation::new().expect(BUCKETS, tables::bucket(name), Some(bucket.bytes)).put(
                BUCKETS,
                tables::bucket(name),
                deleting.bytes.clone(),
            );
            if self.commit(announce).await?.is_err() {
                continue;
            }
            // From here on no commit can add to the bucket; a crash leaves the announcement for the next start to settle,
            // an error for the next deletion.
            return self.settle_deletion(deleting, cause).await;
        }
        Err(Error::Contended)
    }

    /// Finishes or takes back every bucket deletion that a crash interrupted.
    pub(super) async fn settle_deletions(&self) -> Result<(), Error> {
        let mut scan = Scan::prefix(BUCKETS, b"", PAGE);
        loop {
            let page = self.kv.scan(scan.clone()).await?;
            for item in page.items {
                let Item::Row { key, value } = item else { continue };
                scan.start = behind(&key);
                let bucket = Row { record: decode::<BucketRecord>(&value)?, bytes: value };
                if bucket.record.state == BucketState::Deleting {
                    match self.settle_deletion(bucket, Cause::default()).await {
                        Ok(_) | Err(Error::BucketNotEmpty(_)) => (),
                        Err(error) => return Err(error),
                    }
                }
            }
            if !page.more {
                return Ok(());
            }
        }
    }

    /// Removes a bucket that is announced as `deleting` if it is empty; otherwise makes it live again.
    async fn settle_deletion(&self, deleting: Bucket, cause: Cause) -> Result<Position, Error> {
        let record = &deleting.record;
        let row = tables::bucket(&record.name);
        let empty = self.is_empty(record).await?;
        let mutation = Mutation::new().expect(BUCKETS, row.clone(), Some(deleting.bytes.clone()));
        let mutation = if empty {
            let mutation = mutation.delete(BUCKETS, row).delete_configuration(record).sweep(Target::Bucket(record.id));
            let mutation = self.end_notifications(mutation, record).await?;
            mutation.log(&Change::of_bucket(record, ChangeKind::DeleteBucket, self.clock.now(), cause))
        } else {
            mutation.put(BUCKETS, row, encode(&BucketRecord { state: BucketState::Live, ..record.clone() }))
        };
        let position = self.commit(mutation).await?.map_err(|_| Error::BucketBusy(record.name.clone()))?;
        if empty { Ok(position) } else { Err(Error::BucketNotEmpty(record.name.clone())) }
    }

    async fn is_empty(&self, bucket: &BucketRecord) -> Result<bool, Error> {
        let objects = Scan::prefix(CURRENT, &tables::current(bucket.id, b""), 1);
        if !self.kv.scan(objects).await?.items.is_empty() {
            return Ok(false);
        }
        if bucket.versioning == Versioning::Never {
            return Ok(true);
        }
        let versions = Scan::prefix(VERSIONS, &tables::versions(bucket.id, b""), 1);
        Ok(self.kv.scan(versions).await?.items.is_empty())
    }

    /// Reads the row of a bucket again whose commit did not find it as it was: with the new row the commit is to be tried
    /// again, for versioning or a configuration may have changed. Fails if the bucket is gone or being deleted.
    pub(super) async fn refresh(&self, bucket: &mut Bucket) -> Result<(), Error> {
        let now = self.bucket(&bucket.record.name).await?;
        if now.record.id != bucket.record.id {
            return Err(Error::NoSuchBucket(now.record.name));
        }
        if now.record.state == BucketState::Deleting {
            return Err(Error::BucketBusy(now.record.name));
        }
        *bucket = now;
        Ok(())
    }
}

impl Mutation {
    /// Expects the bucket to be live and as it was read. First in every mutation of objects and uploads.
    pub(super) fn in_bucket(bucket: &Bucket) -> Result<Self, Error> {
        if bucket.record.state == BucketState::Deleting {
            return Err(Error::BucketBusy(bucket.record.name.clone()));
        }
        Ok(Self::new().expect(BUCKETS, tables::bucket(&bucket.record.name), Some(bucket.bytes.clone())))
    }

    /// Raises the generation of a bucket's configuration, whose row the mutation expects.
    pub(super) fn raise_configuration(self, bucket: &BucketRecord) -> Self {
        let raised = BucketRecord { configuration: bucket.configuration + 1, ..bucket.clone() };
        self.put(BUCKETS, tables::bucket(&bucket.name), encode(&raised))
    }

    /// Removes every document of a bucket that goes.
    fn delete_configuration(self, bucket: &BucketRecord) -> Self {
        match bucket.configuration {
            0 => self,
            _ => self.delete_all(CONFIGURATIONS, &tables::configurations(bucket.id)),
        }
    }
}

/// The smallest key behind `key`.
pub(super) fn behind(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// The smallest key behind all that start with `prefix`; empty, which is the table's end, if there is none.
pub(super) fn behind_prefix(prefix: &[u8]) -> Vec<u8> {
    successor_of_prefix(prefix).unwrap_or_default()
}
