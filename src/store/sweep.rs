//! The sweeper removes what nothing references any more.
//!
//! Every commit that drops a reference names the target on the sweep queue. A target without references stays without:
//! a new reference is only made from a record that holds one, and that record is expected in the same commit. So what the
//! sweeper finds unreferenced and not leased can go, whatever happens meanwhile. Blobs are never judged by their age.

use std::sync::Arc;
use std::time::Duration;

use super::Store;
use super::bucket::behind;
use super::change::Change;
use super::codec::{decode, encode};
use super::error::Error;
use super::mutation::Mutation;
use super::record::{CompletedRecord, PartRecord, Target, UploadRecord};
use super::tables::{self, COMPLETED, INLINE, LOG, META, OFFSETS, PARTS, REFS, SWEEP, UPLOADS};

use crate::blob::BlobId;
use crate::clock::Timestamp;
use crate::kv::{CommitError, Item, Scan, Table};
use crate::names::{BucketId, UploadId};

/// How many rows are looked at between two commits.
const PAGE: usize = 500;
/// How many writes are gathered before they are committed.
const MAX_WRITES: usize = 20_000;
/// How long a finished upload's answer is kept for a client that asks again.
const ANSWER_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Where each queue's first entry is: below it there are only tombstones, which are not to be walked.
const FIRST_SWEEP: &[u8] = b"first sweep position";
const FIRST_LOG: &[u8] = b"first log position";

/// What a round of sweeping did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Targets whose bytes were removed.
    pub removed: u64,
    /// Targets that a reader still holds, to be looked at again in the next round.
    pub leased: u64,
}

/// What a page of the queue came to so far.
#[derive(Default)]
struct Round {
    mutation: Mutation,
    removed: u64,
    leased: Vec<Target>,
}

enum Verdict {
    Kept,
    Removed(Mutation),
    Leased,
}

impl Store {
    /// Works off the sweep queue as it was at the start of the round.
    pub async fn sweep(&self) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        let mut position = self.first(FIRST_SWEEP).await?;
        let mut end = u64::MAX;
        while position < end {
            let (from, to) = (position.to_be_bytes().to_vec(), end.to_be_bytes().to_vec());
            let page = self.kv.scan(Scan { table: SWEEP, start: from, end: to, limit: PAGE, group: None }).await?;
            if page.items.is_empty() {
                break;
            }
            // Every reader that read a record pointing at one of these before it was dropped has its lease after this.
            self.leases.settle().await;
            let mut round = Round::default();
            for item in page.items {
                let Item::Row { key, value } = item else { continue };
                self.sweep_target(decode(&value)?, &mut round).await?;
                position = queue_position(&key)? + 1;
            }
            swept.removed += round.removed;
            swept.leased += round.leased.len() as u64;
            // What is leased went to the queue's end: the next round looks at it again, this one stops before it.
            end = end.min(self.finish_page(round, position).await?.unwrap_or(end));
        }
        Ok(swept)
    }

    /// Judges one target and adds what follows to the round.
    async fn sweep_target(&self, target: Target, round: &mut Round) -> Result<(), Error> {
        match self.judge(target).await? {
            Verdict::Kept => (),
            Verdict::Leased => round.leased.push(target),
            Verdict::Removed(mutation) => {
                round.removed += 1;
                round.mutation = std::mem::take(&mut round.mutation).and(mutation);
            }
        }
        if round.mutation.len() > MAX_WRITES {
            let _ = self.commit(std::mem::take(&mut round.mutation)).await?;
        }
        Ok(())
    }

    /// Takes a page off the queue's front and moves what is still leased to its end, in one commit; gives the position of
    /// the first target moved. The bytes are gone already: a crash before this judges the same targets again, to the same
    /// end.
    async fn finish_page(&self, round: Round, position: u64) -> Result<Option<u64>, Error> {
        let trim = Mutation::new().trim(SWEEP, position).put(META, FIRST_SWEEP.into(), encode(&position));
        let mut mutation = round.leased.iter().fold(Mutation::new(), |mutation, target| mutation.sweep(*target));
        let moved = mutation.len();
        mutation = mutation.and(round.mutation).and(trim);
        let (commit, _) = mutation.into_parts();
        match self.kv.commit(commit).await {
            Ok(committed) => Ok(committed.positions.first().copied().filter(|_| moved > 0)),
            Err(CommitError::Conflict { .. }) => Err(Error::Record("a sweep without expectations met a conflict")),
            Err(CommitError::Engine(error)) => Err(error.into()),
        }
    }

    /// Decides about one target and removes its bytes; the rows go with the returned mutation.
    async fn judge(&self, target: Target) -> Result<Verdict, Error> {
        if let Target::Bucket(id) = target {
            return self.sweep_bucket(id).await;
        }
        if self.is_referenced(target).await? {
            return match target {
                Target::Upload(id) => self.sweep_unused_parts(id).await,
                _ => Ok(Verdict::Kept),
            };
        }
        if self.leases.is_leased(target) {
            return Ok(Verdict::Leased);
        }
        match target {
            Target::Inline(id) => Ok(Verdict::Removed(Mutation::new().delete(INLINE, tables::inline(id)))),
            Target::Blob(id) => {
                self.blobs.delete(id).await?;
                Ok(Verdict::Removed(Mutation::new()))
            }
            Target::Upload(id) => self.sweep_upload(id).await,
            Target::Bucket(_) => Ok(Verdict::Kept),
        }
    }

    pub(super) async fn is_referenced(&self, target: Target) -> Result<bool, Error> {
        let page = self.kv.scan(Scan::prefix(REFS, &tables::references(target), 1)).await?;
        Ok(!page.items.is_empty())
    }

    /// Removes all parts of an upload that was aborted, or whose object is gone.
    async fn sweep_upload(&self, id: UploadId) -> Result<Verdict, Error> {
        let mut mutation = Mutation::new();
        for (number, part) in self.parts(id).await? {
            mutation = mutation.delete(PARTS, tables::part(id, number)).release_part(id, number, &part.data);
        }
        for number in self.rows(OFFSETS, &id.0).await? {
            mutation = mutation.delete(OFFSETS, number);
        }
        Ok(Verdict::Removed(mutation))
    }

    /// Removes the parts of a completed upload that its object does not use.
    async fn sweep_unused_parts(&self, id: UploadId) -> Result<Verdict, Error> {
        let mut used = std::collections::HashSet::new();
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
        Ok(if unused == 0 { Verdict::Kept } else { Verdict::Removed(mutation) })
    }

    /// Aborts a page of the uploads that a deleted bucket left behind; for the rest the bucket is queued again.
    async fn sweep_bucket(&self, id: BucketId) -> Result<Verdict, Error> {
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
        Ok(Verdict::Removed(mutation))
    }

    async fn parts(&self, id: UploadId) -> Result<Vec<(u16, PartRecord)>, Error> {
        let mut parts = Vec::new();
        for (key, value) in self.all(PARTS, &id.0).await? {
            parts.push((tables::parse_part(&key).ok_or(Error::Record("a part's number"))?, decode(&value)?));
        }
        Ok(parts)
    }

    async fn rows(&self, table: Table, prefix: &[u8]) -> Result<Vec<bytes::Bytes>, Error> {
        Ok(self.all(table, prefix).await?.into_iter().map(|(key, _)| key).collect())
    }

    /// All rows of a prefix: for the parts of one upload, of which there are at most 10,000.
    async fn all(&self, table: Table, prefix: &[u8]) -> Result<Vec<(bytes::Bytes, bytes::Bytes)>, Error> {
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

    /// Aborts uploads that have been open for too long, and forgets the answers of those that ended long ago.
    pub async fn expire_uploads(&self) -> Result<u64, Error> {
        let now = self.clock.now();
        let mut expired = 0;
        let mut scan = Scan::prefix(UPLOADS, b"", PAGE);
        loop {
            let page = self.kv.scan(scan.clone()).await?;
            for item in page.items {
                let Item::Row { key, value } = item else { continue };
                scan.start = behind(&key);
                let upload: UploadRecord = decode(&value)?;
                let (_, id) = tables::parse_upload(&key).ok_or(Error::Record("an upload's key"))?;
                if now.since(upload.initiated) > self.options.upload_expiry {
                    let mutation = Mutation::new()
                        .expect(UPLOADS, key.clone(), Some(value))
                        .delete(UPLOADS, key)
                        .sweep(Target::Upload(id));
                    expired += u64::from(self.commit(mutation).await?.is_ok());
                }
            }
            if !page.more {
                break;
            }
        }
        self.forget_answers(now).await?;
        Ok(expired)
    }

    async fn forget_answers(&self, now: Timestamp) -> Result<(), Error> {
        let mut scan = Scan::prefix(COMPLETED, b"", PAGE);
        loop {
            let page = self.kv.scan(scan.clone()).await?;
            let mut mutation = Mutation::new();
            for item in page.items {
                let Item::Row { key, value } = item else { continue };
                scan.start = behind(&key);
                let answer: CompletedRecord = decode(&value)?;
                if now.since(answer.completed) > ANSWER_KEPT {
                    mutation = mutation.delete(COMPLETED, key);
                }
            }
            if mutation.len() > 0 {
                let _ = self.commit(mutation).await?;
            }
            if !page.more {
                return Ok(());
            }
        }
    }

    /// Removes change-log entries that are older than the retention.
    pub async fn trim_log(&self) -> Result<u64, Error> {
        let now = self.clock.now();
        let first = self.first(FIRST_LOG).await?;
        let mut keep = first;
        'pages: loop {
            let scan = Scan { start: keep.to_be_bytes().to_vec(), ..Scan::prefix(LOG, b"", PAGE) };
            let page = self.kv.scan(scan).await?;
            for item in page.items {
                let Item::Row { key, value } = item else { continue };
                let change: Change = decode(&value)?;
                if now.since(change.at) <= self.options.log_retention {
                    break 'pages;
                }
                keep = queue_position(&key)? + 1;
            }
            if !page.more {
                break;
            }
        }
        if keep > first {
            let mutation = Mutation::new().trim(LOG, keep).put(META, FIRST_LOG.into(), encode(&keep));
            let _ = self.commit(mutation).await?;
        }
        Ok(keep - first)
    }

    /// Removes blobs of earlier runs that nothing references: what a crash left between a blob and its commit. Blobs of
    /// this run are never orphans; they are being written, or a commit is on its way.
    ///
    /// Looks at every earlier run each time: a removed blob may be back after a power loss, whatever run it is of.
    pub async fn sweep_orphans(&self) -> Result<u64, Error> {
        let through = self.blobs.run().saturating_sub(1);
        let mut removed = 0;
        let mut after = Some(BlobId { run: 0, number: 0 });
        while let Some(start) = after.take() {
            for id in self.blobs.list(Some(start), PAGE).await? {
                if id.run > through {
                    break;
                }
                after = Some(id);
                if self.is_referenced(Target::Blob(id)).await? {
                    continue;
                }
                self.leases.settle().await;
                // What a reader still holds lost its reference in this run, so it is on the sweep queue.
                if !self.leases.is_leased(Target::Blob(id)) {
                    self.blobs.delete(id).await?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    async fn first(&self, name: &[u8]) -> Result<u64, Error> {
        self.kv.get(META, name).await?.map_or(Ok(1), |bytes| decode(&bytes))
    }
}

fn queue_position(key: &[u8]) -> Result<u64, Error> {
    let position = key.try_into().map_err(|_| Error::Record("a queue's position"))?;
    Ok(u64::from_be_bytes(position))
}

/// Sweeps every `interval` until the store is dropped or the task is aborted.
pub async fn run(store: Arc<Store>, interval: Duration) {
    /// Expiry and trimming look at whole tables, so they come less often.
    const ROUNDS_PER_EXPIRY: u64 = 60;
    if let Err(error) = store.sweep_orphans().await {
        tracing::warn!(%error, "could not look for orphaned blobs");
    }
    for round in 0u64.. {
        let outcome = store.round(round % ROUNDS_PER_EXPIRY == 0).await;
        if let Err(error) = outcome {
            tracing::warn!(%error, "a round of sweeping was cut short");
        }
        tokio::time::sleep(interval).await;
    }
}

impl Store {
    async fn round(&self, with_expiry: bool) -> Result<(), Error> {
        if with_expiry {
            self.expire_uploads().await?;
            self.trim_log().await?;
        }
        let swept = self.sweep().await?;
        if swept.removed > 0 {
            tracing::debug!(removed = swept.removed, leased = swept.leased, "swept");
        }
        Ok(())
    }
}
