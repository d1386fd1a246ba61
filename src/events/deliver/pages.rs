//! The end of the log, read once for all endpoints.
//!
//! Endpoints that are up to date read the same rows at the same moment: what one of them reads is kept for the others. Whoever
//! is far behind reads for himself, and nobody waits for him.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::store::change::Change;
use crate::store::log::Logged;
use crate::store::{Error, Position, Store};

/// How many rows are read at a time.
pub const PAGE_ROWS: usize = 256;
/// How many pages are kept.
const KEPT_PAGES: usize = 32;

/// A piece of the log without gaps: the changes of objects in it, and where it ends.
#[derive(Debug, Clone)]
pub struct LogPage {
    after: u64,
    pub changes: Vec<(u64, Arc<Change>)>,
    pub next: u64,
}

/// Pages that were read, the newest last.
#[derive(Debug, Default)]
pub struct Pages {
    kept: Mutex<VecDeque<Arc<LogPage>>>,
    /// Held by whoever reads what comes behind the kept pages.
    reading: tokio::sync::Mutex<()>,
}

impl Pages {
    /// A page that goes on behind `after`, though it may begin before that; an empty one at the log's end. `None` where the log
    /// does not go on from there: it was trimmed, or is another one.
    pub async fn read(&self, store: &Store, after: u64) -> Result<Option<Arc<LogPage>>, Error> {
        if let Some(page) = self.find(after) {
            return Ok(Some(page));
        }
        let newest = self.kept.lock().back().map_or(0, |page| page.next);
        if after < newest {
            return Ok(read(store, after).await?.map(Arc::new));
        }
        let _turn = self.reading.lock().await;
        if let Some(page) = self.find(after) {
            return Ok(Some(page));
        }
        let Some(page) = read(store, after).await?.map(Arc::new) else { return Ok(None) };
        if page.next > after {
            self.keep(Arc::clone(&page));
        }
        Ok(Some(page))
    }

    fn find(&self, after: u64) -> Option<Arc<LogPage>> {
        let kept = self.kept.lock();
        kept.iter().rev().find(|page| page.after <= after && after < page.next).cloned()
    }

    /// Keeps a page, together with the one before it where both are small: at the log's end pages have a row or two.
    fn keep(&self, page: Arc<LogPage>) {
        let mut kept = self.kept.lock();
        match kept.back_mut() {
            Some(last) if last.next == page.after && page.next - last.after <= PAGE_ROWS as u64 => {
                let changes = last.changes.iter().chain(&page.changes).cloned().collect();
                *last = Arc::new(LogPage { after: last.after, changes, next: page.next });
            }
            _ => kept.push_back(page),
        }
        while kept.len() > KEPT_PAGES {
            kept.pop_front();
        }
    }
}

async fn read(store: &Store, after: u64) -> Result<Option<LogPage>, Error> {
    let Some(page) = store.read_log(Position(after), PAGE_ROWS).await? else { return Ok(None) };
    let change = |(position, row): (Position, Logged)| match row {
        Logged::Change(change) if change.key.is_some() => Some((position.0, Arc::new(change))),
        Logged::Change(_) | Logged::Purge(_) => None,
    };
    Ok(Some(LogPage { after, changes: page.rows.into_iter().filter_map(change).collect(), next: page.next.0 }))
}

impl LogPage {
    /// Its changes behind `after`.
    pub fn behind(&self, after: u64) -> &[(u64, Arc<Change>)] {
        let from = self.changes.partition_point(|(position, _)| *position <= after);
        &self.changes[from..]
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::store::tests::fixture::Fixture;

    #[tokio::test]
    async fn readers_share_pages_and_see_every_row_from_wherever_they_are() {
        let fixture = Fixture::new().await;
        let bucket = fixture.bucket("pail").await;
        let pages = Pages::default();
        let mut read = [0u64; 3];
        for round in 0..40 {
            for number in 0..=round {
                fixture.put(&bucket, &format!("{round}/{number}"), &Bytes::new()).await.unwrap();
            }
            // Each reader reads a little more or less than the others.
            for (index, at) in read.iter_mut().enumerate() {
                if round % (index + 1) == 0 {
                    let page = pages.read(&fixture.store, *at).await.unwrap().unwrap();
                    let positions: Vec<u64> = page.behind(*at).iter().map(|(position, _)| *position).collect();
                    // The first row is the bucket's own creation.
                    let expected: Vec<u64> = (*at + 1..=page.next).filter(|position| *position > 1).collect();
                    assert_eq!(positions, expected);
                    *at = page.next;
                }
            }
        }
        let head = *fixture.store.log_head().borrow();
        let end = pages.read(&fixture.store, head).await.unwrap().unwrap();
        assert_eq!((end.next, end.behind(head).len()), (head, 0));
        assert!(pages.read(&fixture.store, head + 5).await.unwrap().is_none(), "a position of another history");
        assert!(pages.kept.lock().len() <= KEPT_PAGES);
    }
}
