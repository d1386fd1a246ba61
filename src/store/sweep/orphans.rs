//! Orphans: blobs of earlier runs that nothing references.

use std::time::Duration;

use super::PAGE;
use crate::store::Store;
use crate::store::error::Error;
use crate::store::record::Target;

/// How long the search rests between two pages.
const ORPHAN_PAUSE: Duration = Duration::from_millis(10);

impl Store {
    /// Removes blobs of earlier runs that nothing references: what a crash left between a blob and its commit, and what
    /// a power loss brought back after it was removed. Blobs of this run are never orphans; they are being written, or a
    /// commit is on its way.
    pub async fn sweep_orphans(&self) -> Result<u64, Error> {
        let mut removed = 0;
        let mut after = None;
        loop {
            let page = self.blobs.list(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(*last);
            let page_length = page.len();
            for id in page {
                if id.run >= self.blobs.run() {
                    return Ok(removed);
                }
                if self.is_referenced(Target::Blob(id)).await? {
                    continue;
                }
                self.settle_commits().await?;
                self.leases.settle().await;
                // What a reader still holds lost its reference in this run, so it is on the sweep queue.
                // While there is a pin it may be such a one, too; an orphan that is passed over is found by the next start.
                if !self.leases.is_leased(Target::Blob(id)) && !self.pins.are_held() {
                    self.blobs.delete(id).await?;
                    removed += 1;
                }
            }
            if page_length < PAGE {
                break;
            }
            // Nobody waits for this, and others need the disk.
            tokio::time::sleep(ORPHAN_PAUSE).await;
        }
        Ok(removed)
    }
}
