//! References and what they are for: inline values and blobs. Whatever none points at is a suspect.

use super::examine::described;
use super::fault::{Fault, Kind, Mend};
use super::{Check, PAGE, side_by_side};
use crate::blob::BlobId;
use crate::report::{Place, Unit};
use crate::store::error::Error;
use crate::store::record::Target;
use crate::store::tables::{self, INLINE, REFS};
use crate::store::walk::Walk;

/// How many inline values are read at a time: a page of the largest is 64 MiB, of the usual ones 2 MiB.
const INLINE_PAGE: usize = 64;
/// How many blobs are listed at a time: as many as share a directory, for listing reads whole ones.
const BLOB_PAGE: usize = 4096;

impl Check<'_> {
    /// Every reference has its owner.
    pub(super) async fn references(&mut self) -> Result<(), Error> {
        let mut walk = Walk::over(REFS, PAGE);
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.progress("checking references", self.summary.references, Unit::Rows)?;
            self.summary.references += rows.len() as u64;
            let mut looks = Vec::with_capacity(rows.len());
            for (row, _) in &rows {
                looks.push(self.examine_reference(row));
            }
            for fault in side_by_side(looks).await {
                if let Some(fault) = fault? {
                    self.tell(fault).await?;
                }
            }
        }
    }

    async fn examine_reference(&self, row: &bytes::Bytes) -> Result<Option<Fault>, Error> {
        let Some((target, owner)) = tables::parse_reference(row) else {
            let detail = format!("row {} of table `refs`", hex::encode(row));
            return Ok(Some(Fault::new(Kind::UnreadableRecord, Place::default(), detail)));
        };
        if !self.is_stale(row, target, &owner).await? {
            return Ok(None);
        }
        let fault = Fault::new(Kind::StaleReference, self.place(&owner), described(target));
        Ok(Some(match target {
            // What was made of parts is more than one blob: nothing of it is moved.
            Target::Upload(_) | Target::Bucket(_) => fault,
            Target::Blob(_) | Target::Inline(_) => fault.mended_by(Mend::DropReference(row.clone(), target)),
        }))
    }

    /// Every inline value is referenced. RocksDB gives no key without its value, so this reads them all.
    pub(super) async fn inline_values(&mut self) -> Result<(), Error> {
        let mut walk = Walk::over(INLINE, INLINE_PAGE);
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.progress("checking inline values", self.summary.inline_values, Unit::Rows)?;
            self.summary.inline_values += rows.len() as u64;
            let mut targets = Vec::with_capacity(rows.len());
            for (row, _) in rows {
                match tables::parse_inline(&row) {
                    Some(id) => targets.push(Target::Inline(id)),
                    None => {
                        let detail = format!("row {} of table `inline`", hex::encode(&row));
                        self.tell(Fault::new(Kind::UnreadableRecord, Place::default(), detail)).await?;
                    }
                }
            }
            self.suspect_unreferenced(targets).await?;
        }
    }

    /// Every blob is referenced. While a server runs, those of this run are left out: a writer may hold them, or a commit
    /// be on its way.
    pub(super) async fn blobs(&mut self) -> Result<(), Error> {
        let mut after: Option<BlobId> = None;
        loop {
            let mut page = self.store.blobs.list(after, BLOB_PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(*last);
            if self.options.serving {
                page.retain(|id| id.run < self.store.blobs.run());
                if page.is_empty() {
                    return Ok(());
                }
            }
            self.progress("checking blobs", self.summary.blobs, Unit::Files)?;
            self.summary.blobs += page.len() as u64;
            self.suspect_unreferenced(page.into_iter().map(Target::Blob).collect()).await?;
        }
    }

    async fn suspect_unreferenced(&mut self, targets: Vec<Target>) -> Result<(), Error> {
        let mut looks = Vec::with_capacity(targets.len());
        for target in &targets {
            looks.push(self.store.is_referenced(*target));
        }
        let referenced = side_by_side(looks).await;
        for (target, referenced) in targets.into_iter().zip(referenced) {
            if !referenced? {
                self.suspect(target).await?;
            }
        }
        Ok(())
    }
}
