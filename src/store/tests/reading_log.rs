//! The change log as its readers find it.

use std::time::Duration;

use bytes::Bytes;

use super::fixture::Fixture;
use crate::store::Position;
use crate::store::change::{Cause, ChangeKind};
use crate::store::log::{LogPage, Logged, PurgeRecord};

impl Fixture {
    async fn read(&self, after: u64, limit: usize) -> Option<LogPage> {
        self.store.read_log(Position(after), limit).await.unwrap()
    }

    async fn positions(&self, after: u64, limit: usize) -> Option<(Vec<u64>, u64, bool)> {
        let page = self.read(after, limit).await?;
        Some((page.rows.iter().map(|(position, _)| position.0).collect(), page.next.0, page.more))
    }

    async fn purge(&self) -> u64 {
        let (at, cause) = (self.clock.now(), Cause::default());
        let purge = PurgeRecord { at, account: None, document: b"[]".to_vec(), cause };
        self.store.append_purge(&purge).await.unwrap().0
    }

    fn head(&self) -> u64 {
        *self.store.log_head().borrow()
    }
}

#[tokio::test]
async fn it_is_read_in_pages_from_anywhere_and_purges_stand_among_the_changes() {
    let fixture = Fixture::new().await;
    assert_eq!((fixture.head(), fixture.positions(0, 9).await), (0, Some((vec![], 0, false))));
    let bucket = fixture.bucket("pail").await;
    fixture.put(&bucket, "a", &Bytes::new()).await.unwrap();
    assert_eq!(fixture.purge().await, 3);
    fixture.delete(&bucket, "a").await.unwrap();
    assert_eq!(fixture.head(), 4);
    assert_eq!(fixture.positions(0, 3).await, Some((vec![1, 2, 3], 3, true)));
    assert_eq!(fixture.positions(3, 3).await, Some((vec![4], 4, false)));
    assert_eq!(fixture.positions(4, 3).await, Some((vec![], 4, false)));
    let rows = fixture.read(1, 2).await.unwrap().rows;
    assert!(matches!(&rows[0].1, Logged::Change(change) if change.kind == ChangeKind::Put));
    assert!(matches!(&rows[1].1, Logged::Purge(purge) if purge.document == b"[]"));
    assert_eq!(fixture.positions(5, 3).await, None, "a position of another history");
}

#[tokio::test]
async fn commits_are_told_before_their_callers_hear_of_them() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("pail").await;
    let mut head = fixture.store.log_head();
    head.mark_unchanged();
    let position = fixture.put(&bucket, "a", &Bytes::new()).await.unwrap().position;
    assert!(head.has_changed().unwrap());
    assert_eq!(*head.borrow_and_update(), position.0);
    fixture.delete(&bucket, "missing").await.unwrap();
    assert!(!head.has_changed().unwrap(), "nothing changed");
}

#[tokio::test]
async fn who_is_where_it_was_trimmed_hears_so_and_a_new_run_knows_its_end() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("pail").await;
    for number in 0..10 {
        fixture.put(&bucket, &number.to_string(), &Bytes::new()).await.unwrap();
    }
    let next = fixture.reopen().await;
    assert_eq!(next.head(), 11);
    next.clock.advance(Duration::from_secs(8 * 24 * 3600));
    next.purge().await;
    assert_eq!(next.store.trim_log().await.unwrap(), 11);
    assert_eq!(next.positions(10, 9).await, None);
    assert_eq!(next.positions(11, 9).await, Some((vec![12], 12, false)));
    next.clock.advance(Duration::from_secs(8 * 24 * 3600));
    assert_eq!(next.store.trim_log().await.unwrap(), 1, "purges are trimmed as changes are");
    let last = next.reopen().await;
    assert_eq!((last.head(), last.positions(12, 9).await), (12, Some((vec![], 12, false))));
    assert_eq!(last.positions(11, 9).await, None);
    last.check().await;
}
