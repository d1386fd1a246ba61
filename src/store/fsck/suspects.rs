//! What has no reference: fine if the sweeper knows of it, or if it is an open upload.
//!
//! Neither can be looked up by what it names, so suspects are gathered, and one pass over the sweep queue and the open
//! uploads clears as many as are gathered. That bounds memory; a store with a long queue costs some passes.

use std::collections::HashSet;

use super::fault::{Fault, Kind, Mend};
use super::queues::start;
use super::{Check, PAGE};
use crate::blob::BlobId;
use crate::kv::Table;
use crate::names::{BucketId, UploadId};
use crate::report::{Place, Unit};
use crate::store::codec::decode;
use crate::store::error::Error;
use crate::store::record::Target;
use crate::store::sweep::FIRST_SWEEP;
use crate::store::tables::{self, CURRENT, INLINE, OFFSETS, PARTS, SWEEP, UPLOADS, VERSIONS};
use crate::store::walk::Walk;

/// How many suspects are gathered before they are looked for: some tens of megabytes of memory.
const MAX_SUSPECTS: usize = 250_000;

/// Targets that nothing refers to.
#[derive(Debug, Default)]
pub struct Suspects(HashSet<Target>);

impl Check<'_> {
    /// Gathers a target that nothing refers to.
    pub(super) async fn suspect(&mut self, target: Target) -> Result<(), Error> {
        self.suspects.0.insert(target);
        if self.suspects.0.len() >= MAX_SUSPECTS {
            return self.settle_suspects().await;
        }
        Ok(())
    }

    /// Clears the suspects that the sweeper knows of and those that are open uploads, and tells the others.
    pub(super) async fn settle_suspects(&mut self) -> Result<(), Error> {
        let mut suspects = std::mem::take(&mut self.suspects.0);
        if suspects.iter().any(|target| matches!(target, Target::Upload(_))) {
            self.clear_open(&mut suspects).await?;
        }
        if !suspects.is_empty() {
            self.clear_queued(&mut suspects).await?;
        }
        let mut rest = Vec::from_iter(suspects);
        rest.sort_unstable_by_key(|target| tables::references(*target));
        for target in rest {
            if let Some(fault) = self.unowned(target).await? {
                self.tell(fault).await?;
            }
        }
        Ok(())
    }

    async fn clear_open(&self, suspects: &mut HashSet<Target>) -> Result<(), Error> {
        let mut walk = Walk::over(UPLOADS, PAGE);
        for done in 0u64.. {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                break;
            }
            self.progress("looking for open uploads", done * PAGE as u64, Unit::Rows)?;
            for (_, id) in rows.iter().filter_map(|(row, _)| tables::parse_upload(row)) {
                suspects.remove(&Target::Upload(id));
            }
        }
        Ok(())
    }

    /// Entries move from the queue's front to its end only, so that a walk to the end misses none.
    async fn clear_queued(&self, suspects: &mut HashSet<Target>) -> Result<(), Error> {
        let mut walk = Walk::over(SWEEP, PAGE).from(start(self.first(FIRST_SWEEP).await?));
        for done in 0u64.. {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                break;
            }
            self.progress("looking through the sweep queue", done * PAGE as u64, Unit::Rows)?;
            for target in rows.iter().filter_map(|(_, value)| decode::<Target>(value).ok()) {
                suspects.remove(&target);
            }
        }
        Ok(())
    }

    /// Says what is wrong with a target that is neither referenced nor known to the sweeper, unless it is gone by now or
    /// was referenced all the same: an upload that was completed between two looks.
    async fn unowned(&self, target: Target) -> Result<Option<Fault>, Error> {
        if self.store.is_referenced(target).await? {
            return Ok(None);
        }
        match target {
            Target::Blob(id) => self.orphan_blob(id).await,
            Target::Inline(id) => {
                let length = self.store.kv.get(INLINE, &tables::inline(id)).await?.map(|bytes| bytes.len());
                let detail = |length| format!("{length} bytes, number {} of run {}", id.number, id.run);
                let fault = |length| Fault::new(Kind::OrphanInline, Place::default(), detail(length));
                Ok(length.map(|length| fault(length).mended_by(Mend::QuarantineInline(id))))
            }
            Target::Upload(id) => self.unowned_upload(id).await,
            Target::Bucket(id) => self.uploads_without_bucket(id).await,
        }
    }

    async fn orphan_blob(&self, id: BlobId) -> Result<Option<Fault>, Error> {
        let before = BlobId { run: id.run, number: id.number.wrapping_sub(1) };
        let after = if id.number == 0 { BlobId { run: id.run.saturating_sub(1), number: u64::MAX } } else { before };
        let exists = self.store.blobs.list(Some(after), 1).await?.first() == Some(&id);
        let place = Place { blob: Some(id.to_string()), ..Place::default() };
        let fault = || Fault::new(Kind::OrphanBlob, place, format!("blob {id}")).mended_by(Mend::QuarantineBlob(id));
        Ok(exists.then(fault))
    }

    async fn unowned_upload(&self, id: UploadId) -> Result<Option<Fault>, Error> {
        let place = Place { upload: Some(id.to_string()), ..Place::default() };
        if self.any(OFFSETS, &id.0).await? {
            return Ok(Some(Fault::new(Kind::UnownedManifest, place, format!("upload {id}"))));
        }
        let parts = self.any(PARTS, &id.0).await?;
        let fault = || Fault::new(Kind::UnownedParts, place, format!("upload {id}"));
        Ok(parts.then(|| fault().mended_by(Mend::Sweep(Target::Upload(id)))))
    }

    async fn uploads_without_bucket(&self, id: BucketId) -> Result<Option<Fault>, Error> {
        if !self.any(UPLOADS, &tables::uploads(id, b"")).await? {
            return Ok(None);
        }
        let fault = Fault::new(Kind::UploadWithoutBucket, Place::default(), format!("bucket number {}", id.0));
        // With objects left as well, the bucket's row was lost: then nothing of it may be swept.
        let objects = self.any(CURRENT, &tables::current(id, b"")).await?
            || self.any(VERSIONS, &tables::versions(id, b"")).await?;
        Ok(Some(if objects { fault } else { fault.mended_by(Mend::Sweep(Target::Bucket(id))) }))
    }

    async fn any(&self, table: Table, prefix: &[u8]) -> Result<bool, Error> {
        Ok(!Walk::prefix(table, prefix, 1).next(&*self.store.kv).await?.is_empty())
    }
}
