//! Large bodies in slices, so that a range of one costs its slices alone.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::memory::Held;
use super::purge::Footing;
use crate::edge::rules::key::PrimaryKey;
use crate::edge::rules::vary::SecondaryKey;

/// The length of a slice in bytes; the last one of a body may be shorter.
pub const SLICE_LENGTH: u64 = 1024 * 1024;

/// The one representation whose slices belong together: a change of any part makes other slices.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SliceSet {
    pub key: PrimaryKey,
    /// The variant; the default where the response does not vary.
    pub secondary: SecondaryKey,
    /// A strong entity tag, as it was received.
    pub etag: Box<str>,
    /// The length of the whole body in bytes.
    pub total: u64,
}

/// One slice in memory.
#[derive(Debug)]
pub(super) struct Slice {
    /// Whoever has some of them has their part of the memory tier's bytes.
    pub bytes: Bytes,
    pub footing: Footing,
}

/// What the bytes of a slice belong to.
struct Owner {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Slice {
    pub fn new(bytes: Bytes, footing: Footing, held: Held) -> Self {
        Self { bytes: Bytes::from_owner(Owner { bytes, _held: held }), footing }
    }
}

/// A slice of a set: what the tiers find it by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SliceKey {
    pub set: Arc<SliceSet>,
    pub index: u32,
}

impl SliceSet {
    /// The number of slices; `None` where the body is longer than slices can be counted (4 PiB).
    pub fn count(&self) -> Option<u32> {
        u32::try_from(self.total.div_ceil(SLICE_LENGTH)).ok()
    }

    /// The bytes of the body that the slice holds; empty beyond the body's end.
    pub fn range(&self, index: u32) -> Range<u64> {
        let start = (u64::from(index) * SLICE_LENGTH).min(self.total);
        start..start.saturating_add(SLICE_LENGTH).min(self.total)
    }

    /// The slices that hold these bytes of the body.
    pub fn covering(&self, bytes: &Range<u64>) -> Range<u32> {
        let end = bytes.end.min(self.total);
        if bytes.start >= end {
            return 0..0;
        }
        let index = |slice: u64| u32::try_from(slice).unwrap_or(u32::MAX);
        index(bytes.start / SLICE_LENGTH)..index(end.div_ceil(SLICE_LENGTH))
    }
}
