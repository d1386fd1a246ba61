//! What buckets want to be told of, and what they wanted before: documents that the store keeps and does not read.
//!
//! Each time it changes, a row is added: since when, and the document, or that there is none. A row stays until it is forgotten,
//! beyond the bucket's own end, because changes may be read long after they were made. The rows of a bucket are numbered by
//! the generations of its configuration, and the newest comes first.
//!
//! A commit does not know its own position. So a row says where the log ended before, and the entry that it was committed with is
//! the bucket's next of its kind: [`Store::notifications_page`] looks for it.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::bucket::{ATTEMPTS, Bucket, behind_prefix};
use super::change::{Cause, Change, ChangeKind};
use super::codec::{decode, encode};
use super::error::Error;
use super::log::Logged;
use super::mutation::Mutation;
use super::record::BucketRecord;
use super::sweep::FIRST_LOG;
use super::tables::{self, BUCKETS, NOTIFICATIONS};
use super::walk::Walk;
use super::{Position, Store};
use crate::kv::{Item, Scan};
use crate::names::BucketId;

/// How many buckets are on a page.
const PAGE_BUCKETS: usize = 100;
/// How many rows are read at a time: documents may have 64 KiB.
const PAGE: usize = 64;
/// How many rows of the log are read at a time.
const LOG_PAGE: usize = 256;

/// What is stored of one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NotificationRecord {
    /// The log's last position before the commit.
    before: u64,
    /// `None`: nothing is to be told.
    document: Option<Vec<u8>>,
}

/// One state of what a bucket wants to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// The generation of the bucket's configuration that began with it.
    pub generation: u64,
    /// The position of the entry that began it; where that was trimmed, one before all that is left.
    pub since: Position,
    pub document: Option<Bytes>,
}

/// Some buckets with all their states, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotificationsPage {
    pub buckets: Vec<(BucketId, Vec<Epoch>)>,
    /// Whether there may be more behind the last.
    pub more: bool,
}

/// A document that is to take the place of the one before.
pub struct PutNotification {
    pub bucket: Bucket,
    pub document: Option<Bytes>,
    pub cause: Cause,
    /// Called with the new generation and its entry's position before any reader of the log comes to that entry.
    pub learn: Box<dyn FnOnce(u64, Position) + Send>,
}

impl Store {
    /// Puts a document in place of the one before, or removes that. Returns when it is durable; a caller that goes away does not
    /// cut the commit.
    pub async fn put_notification(self: &Arc<Self>, put: PutNotification) -> Result<Position, Error> {
        let store = self.clone();
        let task = tokio::spawn(async move { store.put_notification_now(put).await });
        task.await.map_err(|_| Error::Aborted)?
    }

    async fn put_notification_now(&self, put: PutNotification) -> Result<Position, Error> {
        let PutNotification { mut bucket, document, cause, learn } = put;
        // The bucket's own queue: between two states of a bucket the log has told the position of the first.
        let _turn = self.queues.turn(bucket.record.id, b"").await?;
        for _ in 0..ATTEMPTS {
            let record = BucketRecord { configuration: bucket.record.configuration + 1, ..bucket.record.clone() };
            let log = Change::of_bucket(&record, ChangeKind::BucketNotification, self.clock.now(), cause.clone());
            let mutation = Mutation::in_bucket(&bucket)?
                .put(BUCKETS, tables::bucket(&record.name), encode(&record))
                .add_notification(&record, *self.log_head.borrow(), document.as_deref())
                .log(&log);
            let _closed = self.log_gate.close().await;
            if let Ok(position) = self.commit(mutation).await? {
                learn(record.configuration, position);
                return Ok(position);
            }
            self.refresh(&mut bucket).await?;
        }
        Err(Error::Contended)
    }

    /// Gives the buckets behind `after`, those that are gone included, as long as something is kept of them.
    pub async fn notifications_page(&self, after: Option<BucketId>) -> Result<NotificationsPage, Error> {
        let mut page = NotificationsPage::default();
        let mut start = after.map_or_else(Vec::new, |bucket| behind_prefix(&tables::notifications(bucket)));
        while page.buckets.len() < PAGE_BUCKETS {
            let next = self.kv.scan(Scan { start, ..Scan::prefix(NOTIFICATIONS, b"", 1) }).await?;
            let Some(Item::Row { key, .. }) = next.items.first() else { return Ok(page) };
            let (bucket, _) = tables::parse_notification(key).ok_or(Error::Record("the key of a notification"))?;
            page.buckets.push((bucket, self.notification_epochs(bucket).await?));
            start = behind_prefix(&tables::notifications(bucket));
        }
        page.more = true;
        Ok(page)
    }

    /// Gives every state that is kept of a bucket, the oldest first.
    pub async fn notification_epochs(&self, bucket: BucketId) -> Result<Vec<Epoch>, Error> {
        let mut walk = Walk::prefix(NOTIFICATIONS, &tables::notifications(bucket), PAGE);
        let mut epochs = Vec::new();
        loop {
            let rows = walk.next(&*self.kv).await?;
            if rows.is_empty() {
                epochs.reverse();
                return Ok(epochs);
            }
            for (key, value) in rows {
                let (generation, record) = parse(&key, &value)?;
                let since = self.entry_behind(Position(record.before), bucket).await?;
                epochs.push(Epoch { generation, since, document: record.document.map(Bytes::from) });
            }
        }
    }

    /// The position of the bucket's first notification entry behind `before`; `before` itself where it was trimmed.
    async fn entry_behind(&self, before: Position, bucket: BucketId) -> Result<Position, Error> {
        let mut after = before;
        while let Some(page) = self.read_log(after, LOG_PAGE).await? {
            let is_it = |row: &Logged| matches!(row, Logged::Change(change) if change.bucket_id == bucket && ends_epoch(change.kind));
            if let Some((position, _)) = page.rows.iter().find(|(_, row)| is_it(row)) {
                return Ok(*position);
            }
            if !page.more {
                break;
            }
            after = page.next;
        }
        Ok(before)
    }

    /// Gives the generation with which a bucket stopped to be told of, where that is its newest state.
    pub async fn notification_end(&self, bucket: BucketId) -> Result<Option<u64>, Error> {
        let page = self.kv.scan(Scan::prefix(NOTIFICATIONS, &tables::notifications(bucket), 1)).await?;
        let Some(Item::Row { key, value }) = page.items.first() else { return Ok(None) };
        let (generation, record) = parse(key, value)?;
        Ok(record.document.is_none().then_some(generation))
    }

    /// Forgets the states of a bucket below `generation`.
    pub async fn forget_notifications(&self, bucket: BucketId, generation: u64) -> Result<(), Error> {
        let Some(last) = generation.checked_sub(1) else { return Ok(()) };
        // The newest comes first: behind the last that goes there are only older ones.
        let (start, end) = (tables::notification(bucket, last), behind_prefix(&tables::notifications(bucket)));
        let _ = self.commit(Mutation::new().delete_range(NOTIFICATIONS, start, end)).await?;
        Ok(())
    }

    /// The last position that was trimmed: nothing at or before it can be read.
    pub async fn log_start(&self) -> Result<Position, Error> {
        Ok(Position(self.first(FIRST_LOG).await?.saturating_sub(1)))
    }

    /// Adds that nothing is to be told to a mutation that deletes the bucket, where something is kept of it.
    pub(super) async fn end_notifications(&self, mutation: Mutation, bucket: &BucketRecord) -> Result<Mutation, Error> {
        let page = self.kv.scan(Scan::prefix(NOTIFICATIONS, &tables::notifications(bucket.id), 1)).await?;
        if page.items.is_empty() {
            return Ok(mutation);
        }
        let ended = BucketRecord { configuration: bucket.configuration + 1, ..bucket.clone() };
        Ok(mutation.add_notification(&ended, *self.log_head.borrow(), None))
    }
}

impl Mutation {
    /// Adds the state that begins with the generation in `bucket`.
    fn add_notification(self, bucket: &BucketRecord, before: u64, document: Option<&[u8]>) -> Self {
        let record = NotificationRecord { before, document: document.map(<[u8]>::to_vec) };
        self.put(NOTIFICATIONS, tables::notification(bucket.id, bucket.configuration), encode(&record))
    }
}

/// Whether the entry of such a change was committed with a state.
fn ends_epoch(kind: ChangeKind) -> bool {
    matches!(kind, ChangeKind::BucketNotification | ChangeKind::DeleteBucket)
}

/// Reads a row back: the generation, and what is stored of it.
pub(super) fn parse(key: &[u8], value: &[u8]) -> Result<(u64, NotificationRecord), Error> {
    let (_, generation) = tables::parse_notification(key).ok_or(Error::Record("the key of a notification"))?;
    Ok((generation, decode(value)?))
}
