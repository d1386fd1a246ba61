//! Invalidations: made once for each reference, found again, and completed.

use std::sync::Arc;

use super::{DistributionId, DistributionRecord, Error, InvalidationId, InvalidationRecord, rows};
use crate::kv::{Item, Scan};
use crate::names::AccountId;
use crate::store::bucket::behind;
use crate::store::change::Cause;
use crate::store::codec::{decode, encode};
use crate::store::log::PurgeRecord;
use crate::store::mutation::Mutation;
use crate::store::tables::DISTRIBUTIONS;
use crate::store::{Error as StoreError, Position, Store};

/// How many invalidations of a distribution are kept: the newest.
pub const MAX_KEPT: u64 = 1000;

/// What is to be invalidated.
#[derive(Debug, Clone)]
pub struct Invalidate {
    pub account: AccountId,
    pub distribution: DistributionId,
    /// What the caller knows it by. Asking again with the same changes nothing.
    pub reference: String,
    pub items: Vec<String>,
    /// The same in the words of the log's readers.
    pub document: Vec<u8>,
    pub cause: Cause,
}

/// An invalidation, and whether it was made just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalidated {
    pub record: InvalidationRecord,
    pub is_new: bool,
}

impl Store {
    /// Makes an invalidation, or finds the one that has its reference and the same items. Returns when its purge is in the
    /// log. A caller that goes away does not cut the commit.
    pub async fn invalidate(self: &Arc<Self>, invalidate: Invalidate) -> Result<Invalidated, Error> {
        let store = self.clone();
        let task = tokio::spawn(async move {
            let _turn = store.distributing.lock().await;
            store.invalidate_in_turn(invalidate).await
        });
        task.await.map_err(|_| StoreError::Aborted)?
    }

    async fn invalidate_in_turn(&self, invalidate: Invalidate) -> Result<Invalidated, Error> {
        let id = invalidate.distribution;
        let mut distribution = self.distribution(&invalidate.account, id).await?;
        if let Some(record) = self.with_reference(id, &invalidate.reference).await? {
            return match record.items == invalidate.items {
                true => Ok(Invalidated { record, is_new: false }),
                false => Err(Error::ReferenceTaken),
            };
        }
        distribution.invalidations += 1;
        let now = self.clock.now();
        let mut record = InvalidationRecord {
            number: distribution.invalidations,
            reference: invalidate.reference,
            items: invalidate.items,
            created: now,
            position: 0,
            completed: false,
        };
        let purge = PurgeRecord {
            at: now,
            account: Some(invalidate.account),
            document: invalidate.document,
            cause: invalidate.cause,
        };
        let Position(position) = self.commit_invalidation(id, &distribution, &record, &purge).await?;
        // Only now is it known where the purge is. Until then, and after a crash before, 0 stands for "up to the head".
        record.position = position;
        self.put_invalidation(id, &record).await?;
        self.forget_oldest(id, record.number).await?;
        Ok(Invalidated { record, is_new: true })
    }

    async fn commit_invalidation(
        &self,
        id: DistributionId,
        distribution: &DistributionRecord,
        record: &InvalidationRecord,
        purge: &PurgeRecord,
    ) -> Result<Position, StoreError> {
        let mutation = Mutation::new()
            .put(DISTRIBUTIONS, rows::distribution(id), encode(distribution))
            .put(DISTRIBUTIONS, rows::invalidation(id, record.number), encode(record))
            .put(DISTRIBUTIONS, rows::reference(id, &record.reference), encode(&record.number))
            .log_purge(purge);
        self.commit(mutation).await?.map_err(|_| StoreError::Contended)
    }

    async fn put_invalidation(&self, id: DistributionId, record: &InvalidationRecord) -> Result<(), StoreError> {
        let row = rows::invalidation(id, record.number);
        let _ = self.commit(Mutation::new().put(DISTRIBUTIONS, row, encode(record))).await?;
        Ok(())
    }

    /// Removes what is no longer kept once the invalidation `newest` is there: one at a time, as they are made.
    async fn forget_oldest(&self, id: DistributionId, newest: u64) -> Result<(), StoreError> {
        let Some(number) = newest.checked_sub(MAX_KEPT).filter(|number| *number > 0) else { return Ok(()) };
        let row = rows::invalidation(id, number);
        let Some(bytes) = self.kv.get(DISTRIBUTIONS, &row).await? else { return Ok(()) };
        let record: InvalidationRecord = decode(&bytes)?;
        let mutation =
            Mutation::new().delete(DISTRIBUTIONS, row).delete(DISTRIBUTIONS, rows::reference(id, &record.reference));
        let _ = self.commit(mutation).await?;
        Ok(())
    }

    async fn with_reference(
        &self,
        id: DistributionId,
        reference: &str,
    ) -> Result<Option<InvalidationRecord>, StoreError> {
        let Some(bytes) = self.kv.get(DISTRIBUTIONS, &rows::reference(id, reference)).await? else { return Ok(None) };
        self.invalidation(id, InvalidationId(decode(&bytes)?)).await
    }

    /// Gives an invalidation of a distribution; `None` where there is none, or no longer.
    pub async fn invalidation(
        &self,
        distribution: DistributionId,
        id: InvalidationId,
    ) -> Result<Option<InvalidationRecord>, StoreError> {
        let bytes = self.kv.get(DISTRIBUTIONS, &rows::invalidation(distribution, id.0)).await?;
        bytes.map(|bytes| decode(&bytes)).transpose()
    }

    /// Gives up to `limit` invalidations of a distribution, the newest first, from behind `after`.
    pub async fn invalidations(
        &self,
        distribution: DistributionId,
        after: Option<InvalidationId>,
        limit: usize,
    ) -> Result<Vec<InvalidationRecord>, StoreError> {
        let mut scan = Scan::prefix(DISTRIBUTIONS, &rows::invalidations(distribution), limit);
        if let Some(after) = after {
            scan.start = behind(&rows::invalidation(distribution, after.0));
        }
        let mut found = Vec::new();
        for item in self.kv.scan(scan).await?.items {
            let Item::Row { value, .. } = item else { continue };
            found.push(decode(&value)?);
        }
        Ok(found)
    }

    /// Notes that nothing is left anywhere of what was invalidated.
    pub async fn complete_invalidation(
        &self,
        distribution: DistributionId,
        id: InvalidationId,
    ) -> Result<(), StoreError> {
        let _turn = self.distributing.lock().await;
        match self.invalidation(distribution, id).await? {
            Some(record) if !record.completed => {
                self.put_invalidation(distribution, &InvalidationRecord { completed: true, ..record }).await
            }
            _ => Ok(()),
        }
    }
}
