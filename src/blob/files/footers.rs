//! Decoded footers, kept so that ranged reads of a hot blob do not read and decode its footer each time.

use std::sync::Arc;

use moka::sync::Cache;

use super::super::{BlobId, BlobRef, Footer};

/// A cache of footers, bounded in bytes.
pub(super) struct Footers(Cache<BlobId, Arc<Footer>>);

impl Footers {
    pub(super) fn new(bytes: u64) -> Self {
        let weigh = |_: &BlobId, footer: &Arc<Footer>| u32::try_from(footer.weight()).unwrap_or(u32::MAX);
        Self(Cache::builder().max_capacity(bytes).weigher(weigh).build())
    }

    /// Gives the footer of `blob` if it is known; one that another reference left under the same id does not count.
    pub(super) fn get(&self, blob: &BlobRef) -> Option<Arc<Footer>> {
        self.0.get(&blob.id).filter(|footer| footer.belongs_to(blob))
    }

    pub(super) fn keep(&self, id: BlobId, footer: Arc<Footer>) {
        self.0.insert(id, footer);
    }

    pub(super) fn forget(&self, id: BlobId) {
        self.0.invalidate(&id);
    }
}
