//! Listing blobs in order, one directory at a time.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::ops::Bound;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::BlobId;
use super::layout::{FAN_OUT, Layout, Segment, parse_name};

/// What is remembered between pages: which segments to look into.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The segments that earlier runs left blobs in. They only ever lose blobs, so that this stays true once found out.
    earlier: OnceLock<BTreeSet<Segment>>,
    warned: AtomicBool,
}

impl Listing {
    /// Gives the blobs greater than `after`, in order, at most `limit`. `end` is the next blob of the current run.
    ///
    /// Costs one pass over all names once per run, and then one directory (a 256th of all names) per segment touched.
    pub(super) fn page(
        &self,
        layout: &Layout,
        end: BlobId,
        after: Option<BlobId>,
        limit: usize,
    ) -> io::Result<Vec<BlobId>> {
        let mut page = Vec::new();
        let mut position = after.map(Segment::of);
        let mut inclusive = true;
        while page.len() < limit {
            let Some(segment) = self.segment_from(layout, end, position, inclusive)? else { break };
            let mut ids = self.ids_of(layout, segment)?;
            ids.retain(|id| after.is_none_or(|after| *id > after));
            ids.truncate(limit - page.len());
            page.append(&mut ids);
            (position, inclusive) = (Some(segment), false);
        }
        Ok(page)
    }

    /// Gives the first segment from `position` on (or behind it), of earlier runs or of the current one.
    fn segment_from(
        &self,
        layout: &Layout,
        end: BlobId,
        position: Option<Segment>,
        inclusive: bool,
    ) -> io::Result<Option<Segment>> {
        let lower = match position {
            None => Bound::Unbounded,
            Some(segment) if inclusive => Bound::Included(segment),
            Some(segment) => Bound::Excluded(segment),
        };
        if let Some(segment) = self.earlier(layout, end.run)?.range((lower, Bound::Unbounded)).next() {
            return Ok(Some(*segment));
        }
        let number = match position {
            Some(at) if at.run == end.run => at.number.saturating_add(u64::from(!inclusive)),
            Some(at) if at.run > end.run => return Ok(None),
            _ => 0,
        };
        let segment = Segment { run: end.run, number };
        Ok((segment <= Segment::of(end)).then_some(segment))
    }

    fn earlier(&self, layout: &Layout, run: u64) -> io::Result<&BTreeSet<Segment>> {
        if let Some(known) = self.earlier.get() {
            return Ok(known);
        }
        let mut found = BTreeSet::new();
        for directory in 0..FAN_OUT {
            self.for_each_id(layout, directory, |id| {
                if id.run < run {
                    found.insert(Segment::of(id));
                }
            })?;
        }
        Ok(self.earlier.get_or_init(|| found))
    }

    fn ids_of(&self, layout: &Layout, segment: Segment) -> io::Result<Vec<BlobId>> {
        let mut ids = Vec::new();
        self.for_each_id(layout, segment.directory(), |id| {
            if Segment::of(id) == segment {
                ids.push(id);
            }
        })?;
        ids.sort_unstable();
        Ok(ids)
    }

    fn for_each_id(&self, layout: &Layout, directory: u64, mut found: impl FnMut(BlobId)) -> io::Result<()> {
        for entry in fs::read_dir(layout.directory(directory))? {
            let entry = entry?;
            match parse_name(&entry.file_name()) {
                Some(id) if Segment::of(id).directory() == directory => found(id),
                _ if self.warned.swap(true, Ordering::Relaxed) => {}
                _ => tracing::warn!(path = %entry.path().display(), "ignoring files that are no blobs"),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::super::layout::SEGMENT_BLOBS;
    use super::*;

    const RUN: u64 = 5;

    fn all_pages(listing: &Listing, layout: &Layout, end: BlobId, limit: usize) -> Vec<BlobId> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = listing.page(layout, end, after, limit).unwrap();
            assert!(page.len() <= limit);
            all.extend(&page);
            match page.last() {
                Some(last) => after = Some(*last),
                None => return all,
            }
        }
    }

    #[test]
    fn strange_files_are_no_blobs() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::prepare(root.path()).unwrap();
        let id = BlobId { run: 1, number: 3 };
        fs::write(layout.path(id), "").unwrap();
        fs::write(layout.directory(0).join("notes.txt"), "").unwrap();
        fs::write(layout.directory(9).join(id.to_string()), "in another blob's directory").unwrap();
        let end = BlobId { run: 2, number: 0 };
        assert_eq!(Listing::default().page(&layout, end, None, 10).unwrap(), [id]);
    }

    #[test]
    fn pages_give_every_blob_once_and_in_order() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::prepare(root.path()).unwrap();
        let ids = prop::collection::btree_set((1..=RUN, 0..4u64, 0..3u64), 0..60);
        let after = prop::option::of((1..=RUN + 1, 0..5 * SEGMENT_BLOBS));
        let mut cases = TestRunner::new(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() });
        let checked = cases.run(&(ids, 1..20usize, after), |(ids, limit, after)| {
            let id = |(run, segment, n)| BlobId { run, number: segment * SEGMENT_BLOBS + n };
            let model: BTreeSet<BlobId> = ids.into_iter().map(id).collect();
            for id in &model {
                fs::write(layout.path(*id), "").unwrap();
            }
            let end = BlobId { run: RUN, number: 3 * SEGMENT_BLOBS + 3 };
            let listing = Listing::default();
            let all = all_pages(&listing, &layout, end, limit);
            let after = after.map(|(run, number)| BlobId { run, number });
            let page = listing.page(&layout, end, after, limit).unwrap();
            for id in &model {
                fs::remove_file(layout.path(*id)).unwrap();
            }
            let expected = model.iter().filter(|id| after.is_none_or(|after| **id > after)).take(limit);
            prop_assert_eq!(page, Vec::from_iter(expected.copied()));
            prop_assert_eq!(all, Vec::from_iter(model));
            Ok(())
        });
        checked.unwrap();
    }
}
