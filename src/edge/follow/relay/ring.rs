//! The last entries of the feed, in memory: what edges behind this one have not read yet.

use std::collections::VecDeque;

use crate::feed::{Entry, What};
use crate::names::LogId;

/// The most entries that are kept. Who is further behind begins anew.
const MAX_KEPT: usize = 16 * 1024;
/// The most bytes of their texts, about.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// A piece of the log, up to where this edge has applied it.
#[derive(Debug, Default)]
pub struct Ring {
    /// `None` until it is known which log this is.
    log: Option<LogId>,
    /// The offset that everything here is behind.
    start: u64,
    next: u64,
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl Ring {
    pub fn log(&self) -> Option<LogId> {
        self.log
    }

    /// Up to where it goes.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Forgets everything, and goes on in this log from this offset.
    pub fn begin(&mut self, log: LogId, next: u64) {
        *self = Self { log: Some(log), start: next, next, ..Self::default() };
    }

    /// Forgets everything until [`Self::begin`].
    pub fn end(&mut self) {
        *self = Self::default();
    }

    /// Adds entries, all behind what there is and up to `next`.
    pub fn push(&mut self, entries: impl Iterator<Item = Entry>, next: u64) {
        for entry in entries.filter(|entry| entry.offset > self.next) {
            self.bytes += size(&entry);
            self.entries.push_back(entry);
        }
        self.next = self.next.max(next);
        while self.entries.len() > MAX_KEPT || self.bytes > MAX_BYTES {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.bytes -= size(&oldest);
            self.start = oldest.offset;
        }
    }

    /// Up to `limit` entries behind `offset`, and up to where that is; `None` where what is behind it is not here.
    pub fn after(&self, offset: u64, limit: usize) -> Option<(Vec<Entry>, u64)> {
        if offset < self.start || offset > self.next {
            return None;
        }
        let first = self.entries.partition_point(|entry| entry.offset <= offset);
        let entries: Vec<Entry> = self.entries.range(first..).take(limit).cloned().collect();
        let is_all = first + entries.len() == self.entries.len();
        let next = if is_all { self.next } else { entries.last().map_or(offset, |entry| entry.offset) };
        Some((entries, next))
    }
}

fn size(entry: &Entry) -> usize {
    64 + match &entry.what {
        What::Object { key, .. } => key.len(),
        What::Purge { purges } => purges.iter().map(|purge| 64 + purge.target.to_string().len()).sum(),
        What::Configuration { .. } | What::Unknown => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    const LOG: LogId = LogId([1; 16]);

    fn entry(offset: u64) -> Entry {
        Entry { offset, at: Timestamp::from_millis(0), what: What::Unknown }
    }

    fn offsets(found: Option<(Vec<Entry>, u64)>) -> Option<(Vec<u64>, u64)> {
        found.map(|(entries, next)| (entries.iter().map(|entry| entry.offset).collect(), next))
    }

    #[test]
    fn it_goes_on_from_any_place_that_it_knows() {
        let mut ring = Ring::default();
        assert_eq!((ring.log(), offsets(ring.after(0, 9))), (None, Some((vec![], 0))));
        ring.begin(LOG, 10);
        ring.push([entry(12), entry(15)].into_iter(), 17);
        ring.push([entry(15), entry(18)].into_iter(), 18);
        assert_eq!(offsets(ring.after(10, 9)), Some((vec![12, 15, 18], 18)));
        assert_eq!(offsets(ring.after(12, 1)), Some((vec![15], 15)), "more is to come");
        assert_eq!(offsets(ring.after(16, 9)), Some((vec![18], 18)));
        assert_eq!(offsets(ring.after(18, 9)), Some((vec![], 18)));
        assert_eq!((ring.after(9, 9), ring.after(19, 9)), (None, None));
    }

    #[test]
    fn it_is_bounded_and_who_is_too_far_behind_begins_anew() {
        let mut ring = Ring::default();
        ring.begin(LOG, 0);
        ring.push((1..=MAX_KEPT as u64 + 5).map(entry), MAX_KEPT as u64 + 5);
        assert_eq!(ring.entries.len(), MAX_KEPT);
        assert_eq!(ring.after(4, 1), None);
        assert_eq!(offsets(ring.after(5, 1)), Some((vec![6], 6)));
    }
}
