//! The sweeper removes what nothing references any more.
//!
//! Every commit that drops a reference names the target on the sweep queue. A target without references stays without:
//! a new reference is only made from a record that holds one, and that record is expected in the same commit. So what the
//! sweeper finds unreferenced and not leased can go, whatever happens meanwhile. Blobs are never judged by their age.

mod backlog;
mod expire;
mod orphans;
mod uploads;

pub(super) use expire::FIRST_LOG;

use std::sync::Arc;
use std::time::Duration;

use super::Store;
use super::codec::{decode, encode};
use super::error::Error;
use super::mutation::Mutation;
use super::record::Target;
use super::tables::{self, INLINE, META, REFS, SWEEP};
use crate::kv::{Commit, CommitError, Item, Scan};

/// How many rows are looked at between two commits.
const PAGE: usize = 500;
/// How many pages a round takes, so that it ends while others delete.
const ROUND_PAGES: usize = 1000;
/// How many writes are gathered before they are committed.
const MAX_WRITES: usize = 20_000;
/// Where the queue's first entry is: below it there are only tombstones, which are not to be walked.
pub(super) const FIRST_SWEEP: &[u8] = b"first sweep position";

/// What a round of sweeping did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Targets whose bytes were removed.
    pub removed: u64,
    /// Targets that a reader still holds, or that could not be removed, to be looked at again in the next round.
    pub left: u64,
}

/// What a page of the queue came to so far.
#[derive(Default)]
struct Round {
    mutation: Mutation,
    removed: u64,
    unreferenced: Vec<Target>,
    /// What a reader holds, or what could not be removed.
    later: Vec<Target>,
}

impl Store {
    /// Works off the sweep queue, up to what it put back there itself and at most `ROUND_PAGES` pages of it. Leaves it
    /// alone while a [`Pin`](super::Pin) is held.
    pub async fn sweep(&self) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        let mut position = self.first(FIRST_SWEEP).await?;
        let mut end = u64::MAX;
        for _ in 0..ROUND_PAGES {
            if self.pins.are_held() {
                // Judging would only move the queue round and round.
                break;
            }
            let (from, to) = (position.to_be_bytes().to_vec(), end.to_be_bytes().to_vec());
            let page = self.kv.scan(Scan { table: SWEEP, start: from, end: to, limit: PAGE, group: None }).await?;
            if page.items.is_empty() {
                // The end of the queue, or where the targets begin that this round put back.
                break;
            }
            let mut round = Round::default();
            for item in page.items {
                let Item::Row { key, value } = item else { continue };
                self.judge(decode(&value)?, &mut round).await?;
                position = queue_position(&key)? + 1;
            }
            self.remove_unreferenced(&mut round).await?;
            swept.removed += round.removed;
            swept.left += round.later.len() as u64;
            // What is left went to the queue's end: the next round looks at it again, this one stops before it.
            end = end.min(self.finish_page(round, position).await?.unwrap_or(end));
        }
        Ok(swept)
    }

    /// Makes every commit so far durable. A file that was removed before the commit that let go of it is on disk would
    /// be missed after a power loss that takes the commit back.
    async fn settle_commits(&self) -> Result<(), Error> {
        match self.kv.commit(Commit::new().durable()).await {
            Ok(_) => Ok(()),
            Err(CommitError::Conflict { .. }) => Err(Error::Record("an empty commit met a conflict")),
            Err(CommitError::Engine(error)) => Err(error.into()),
        }
    }

    /// Finds out whether a target is unreferenced, and does at once what needs no bytes to be removed.
    async fn judge(&self, target: Target, round: &mut Round) -> Result<(), Error> {
        if let Target::Bucket(id) = target {
            let mutation = self.sweep_bucket(id).await?;
            return self.add(round, mutation).await;
        }
        if !self.is_referenced(target).await? {
            round.unreferenced.push(target);
            return Ok(());
        }
        match target {
            Target::Upload(id) => {
                let mutation = self.sweep_unused_parts(id).await?;
                self.add(round, mutation).await
            }
            Target::Inline(_) | Target::Blob(_) | Target::Bucket(_) => Ok(()),
        }
    }

    /// Removes what was found unreferenced.
    async fn remove_unreferenced(&self, round: &mut Round) -> Result<(), Error> {
        let targets = std::mem::take(&mut round.unreferenced);
        if targets.is_empty() {
            return Ok(());
        }
        // Both only after the judgement: the commit that dropped a target's last reference may be as young as that.
        self.settle_commits().await?;
        // Every reader that read a record pointing at one of these before it was dropped has its lease after this.
        self.leases.settle().await;
        for target in targets {
            match self.remove(target).await? {
                Some(mutation) => self.add(round, Some(mutation)).await?,
                None => round.later.push(target),
            }
        }
        Ok(())
    }

    /// Removes the bytes of an unreferenced target; the rows go with the returned mutation. `None` if it is held by a
    /// reader, kept by a pin, or cannot be removed.
    async fn remove(&self, target: Target) -> Result<Option<Mutation>, Error> {
        if self.leases.is_leased(target) {
            return Ok(None);
        }
        match target {
            Target::Inline(id) => Ok(Some(Mutation::new().delete(INLINE, tables::inline(id)))),
            // A backup may be about to copy it: see `pin`.
            Target::Blob(_) if self.pins.are_held() => Ok(None),
            Target::Blob(id) => match self.blobs.delete(id).await {
                Ok(()) => Ok(Some(Mutation::new())),
                // One bad file must not keep all the others from being removed.
                Err(error) => {
                    tracing::warn!(blob = %id, %error, "a blob cannot be removed; it is tried again in the next round");
                    Ok(None)
                }
            },
            Target::Upload(id) => Ok(Some(self.sweep_upload(id).await?)),
            Target::Bucket(_) => Ok(Some(Mutation::new())),
        }
    }

    /// Adds to what the round will commit; commits early what has become large.
    async fn add(&self, round: &mut Round, mutation: Option<Mutation>) -> Result<(), Error> {
        let Some(mutation) = mutation else { return Ok(()) };
        round.removed += 1;
        round.mutation = std::mem::take(&mut round.mutation).and(mutation);
        if round.mutation.len() > MAX_WRITES {
            let _ = self.commit(std::mem::take(&mut round.mutation)).await?;
        }
        Ok(())
    }

    /// Takes a page off the queue's front and moves what is left to its end, in one commit; gives the position of
    /// the first target moved. The bytes are gone already: a crash before this judges the same targets again, to the same
    /// end.
    async fn finish_page(&self, round: Round, position: u64) -> Result<Option<u64>, Error> {
        let trim = Mutation::new().trim(SWEEP, position).put(META, FIRST_SWEEP.into(), encode(&position));
        let mut mutation = round.later.iter().fold(Mutation::new(), |mutation, target| mutation.sweep(*target));
        let moved = mutation.len();
        mutation = mutation.and(round.mutation).and(trim);
        let (commit, _) = mutation.into_parts();
        match self.kv.commit(commit).await {
            Ok(committed) => Ok(committed.positions.first().copied().filter(|_| moved > 0)),
            Err(CommitError::Conflict { .. }) => Err(Error::Record("a sweep without expectations met a conflict")),
            Err(CommitError::Engine(error)) => Err(error.into()),
        }
    }

    pub(super) async fn is_referenced(&self, target: Target) -> Result<bool, Error> {
        let page = self.kv.scan(Scan::prefix(REFS, &tables::references(target), 1)).await?;
        Ok(!page.items.is_empty())
    }

    /// Where the sweep queue begins.
    pub(super) async fn first_swept(&self) -> Result<u64, Error> {
        self.first(FIRST_SWEEP).await
    }

    /// The position in the row `name`; 1, where every queue begins, without such a row.
    pub(super) async fn first(&self, name: &[u8]) -> Result<u64, Error> {
        self.kv.get(META, name).await?.map_or(Ok(1), |bytes| decode(&bytes))
    }
}

pub(super) fn queue_position(key: &[u8]) -> Result<u64, Error> {
    let position = key.try_into().map_err(|_| Error::Record("a queue's position"))?;
    Ok(u64::from_be_bytes(position))
}

/// Sweeps every `interval`, until the task is aborted.
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
        // Looked at even when nobody uploads, so that readiness comes back when room does.
        self.space().await?;
        let swept = self.sweep().await?;
        if swept.removed > 0 {
            tracing::debug!(removed = swept.removed, left = swept.left, "swept");
        }
        Ok(())
    }
}
