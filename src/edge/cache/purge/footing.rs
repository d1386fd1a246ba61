//! What a stored response is purged by, and up to where that was checked.

use std::sync::atomic::{AtomicU64, Ordering};

use super::super::sequence::Sequence;
use super::super::site::SiteId;
use super::super::tags::Tags;

/// Where a stored response stands towards purges: whose it is, its tags, when its fill began, and the last purge that
/// it was compared with. Its URL is in its key.
#[derive(Debug)]
pub struct Footing {
    site: SiteId,
    tags: Tags,
    filled_at: Sequence,
    /// The last purge compared with, times two, plus one where a soft purge hit.
    checked: AtomicU64,
}

/// What purges made of a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Standing {
    /// No purge hit it.
    Good,
    /// A soft purge hit it.
    Soft,
    /// A hard purge hit it, or it cannot be known any more that none did.
    Gone,
}

impl Footing {
    /// The footing of a response whose fill began when the cache was at `filled_at`: before the request was sent.
    pub fn new(site: SiteId, tags: Tags, filled_at: Sequence) -> Self {
        Self { site, tags, filled_at, checked: AtomicU64::new(filled_at.number() << 1) }
    }

    pub fn site(&self) -> &SiteId {
        &self.site
    }

    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    /// What [`Cache::sequence`](super::super::Cache::sequence) was when the fill began.
    pub fn filled_at(&self) -> Sequence {
        self.filled_at
    }

    /// The last purge compared with, and whether a soft one hit until then.
    pub(in super::super) fn checked(&self) -> (Sequence, bool) {
        let checked = self.checked.load(Ordering::Acquire);
        (Sequence::new(checked >> 1), checked & 1 == 1)
    }

    /// Notes the outcome of a comparison. Of two at once the later purge counts, and a soft purge that either found.
    pub(super) fn note(&self, sequence: Sequence, soft: bool) {
        self.checked.fetch_max(sequence.number() << 1 | u64::from(soft), Ordering::AcqRel);
    }

    /// The footing of a response that purges up to `checked` are known not to be about, unless a soft one was.
    pub(in super::super) fn known(self, checked: Sequence, softened: bool) -> Self {
        self.note(self.filled_at.max(checked), softened);
        self
    }

    /// The same footing for another copy of the response.
    pub(in super::super) fn copied(&self) -> Self {
        let checked = AtomicU64::new(self.checked.load(Ordering::Acquire));
        Self { site: self.site.clone(), tags: self.tags.clone(), filled_at: self.filled_at, checked }
    }
}
