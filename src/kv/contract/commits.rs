//! `commit`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Commit, Kv, OTHER_QUEUE, QUEUE, RECORDS, Scan, TABLES, VALUES, all, names, put_all};
use crate::kv::{CommitError, Committed, Item};

pub async fn run<K: Kv>(open: impl Fn() -> K) {
    all_writes_are_applied_together(open()).await;
    a_conflict_applies_nothing_and_tells_what_is_there(open()).await;
    expectations_alone_are_checked(open()).await;
    of_two_writes_to_a_key_the_later_stays(open()).await;
    a_range_is_removed_in_its_place_among_the_writes(open()).await;
    an_empty_range_removes_nothing(open()).await;
    positions_are_dense_and_in_order(open()).await;
    positions_are_not_given_again(open()).await;
    positions_that_are_left_out_are_never_given(open()).await;
    appends_of_many_callers_are_dense_and_seen_in_order(open()).await;
    no_compare_and_swap_is_lost(open()).await;
    a_dropped_commit_is_applied_whole_or_not_at_all(open()).await;
}

async fn all_writes_are_applied_together(kv: impl Kv) {
    put_all(&kv, RECORDS, &[b"old", b"r1", b"r2"]).await;
    let commit = Commit::new()
        .expect(RECORDS, "new", None)
        .expect(RECORDS, "old", Some(Bytes::from("old")))
        .put(RECORDS, "new", "1")
        .put(VALUES, "new", "2")
        .delete(RECORDS, "old")
        .delete(RECORDS, "never was")
        .delete_range(RECORDS, "r", "s")
        .append(QUEUE, "3");
    assert_eq!(kv.commit(commit).await.unwrap(), Committed { positions: vec![1] });
    assert_eq!(names(&kv.scan(all(RECORDS, 10)).await.unwrap()), ["new"]);
    assert_eq!(kv.get(VALUES, b"new").await.unwrap().unwrap(), "2");
    assert_eq!(kv.get(QUEUE, &1u64.to_be_bytes()).await.unwrap().unwrap(), "3");
}

async fn a_conflict_applies_nothing_and_tells_what_is_there(kv: impl Kv) {
    put_all(&kv, RECORDS, &[b"a", b"b"]).await;
    let a = || Some(Bytes::from("a"));
    for (key, expected, actual) in [
        ("b", None, Some("b")),
        ("b", Some("x"), Some("b")),
        ("b", Some(""), Some("b")),
        ("c", Some("x"), None),
        ("c", Some(""), None),
    ] {
        let commit = Commit::new()
            .expect(RECORDS, "a", a())
            .expect(RECORDS, key, expected.map(Bytes::from))
            .expect(RECORDS, "a", None)
            .put(RECORDS, "new", "v")
            .delete_range(RECORDS, "a", "z")
            .append(QUEUE, "v");
        match kv.commit(commit).await {
            Err(CommitError::Conflict { index: 1, actual: told }) => assert_eq!(told, actual.map(Bytes::from)),
            other => panic!("{other:?}"),
        }
    }
    for table in [VALUES, QUEUE] {
        assert_eq!(kv.scan(all(table, 10)).await.unwrap().items, []);
    }
    assert_eq!(names(&kv.scan(all(RECORDS, 10)).await.unwrap()), ["a", "b"]);
    assert_eq!(kv.commit(Commit::new().append(QUEUE, "v")).await.unwrap().positions, [1]);
}

async fn expectations_alone_are_checked(kv: impl Kv) {
    assert_eq!(kv.commit(Commit::new()).await.unwrap(), Committed::default());
    assert_eq!(kv.commit(Commit::new().expect(RECORDS, "k", None)).await.unwrap(), Committed::default());
    put_all(&kv, RECORDS, &[b"k"]).await;
    let conflict = kv.commit(Commit::new().expect(RECORDS, "k", None)).await;
    assert!(matches!(conflict, Err(CommitError::Conflict { index: 0, actual: Some(_) })));
}

async fn of_two_writes_to_a_key_the_later_stays(kv: impl Kv) {
    kv.commit(Commit::new().put(RECORDS, "a", "1").put(RECORDS, "a", "2")).await.unwrap();
    kv.commit(Commit::new().put(RECORDS, "b", "1").delete(RECORDS, "b")).await.unwrap();
    kv.commit(Commit::new().delete(RECORDS, "c").put(RECORDS, "c", "1")).await.unwrap();
    assert_eq!(kv.get(RECORDS, b"a").await.unwrap().unwrap(), "2");
    assert_eq!(names(&kv.scan(all(RECORDS, 10)).await.unwrap()), ["a", "c"]);
}

async fn a_range_is_removed_in_its_place_among_the_writes(kv: impl Kv) {
    put_all(&kv, RECORDS, &[b"a", b"b", b"c", b"d"]).await;
    let commit = Commit::new()
        .put(RECORDS, "b1", "before")
        .delete_range(RECORDS, "b", "d")
        .put(RECORDS, "b2", "behind")
        .append(QUEUE, "trimmed")
        .delete_range(QUEUE, 0u64.to_be_bytes().to_vec(), 2u64.to_be_bytes().to_vec())
        .append(QUEUE, "stays");
    assert_eq!(kv.commit(commit).await.unwrap().positions, [1, 2]);
    assert_eq!(names(&kv.scan(all(RECORDS, 10)).await.unwrap()), ["a", "b2", "d"]);
    assert_eq!(kv.get(RECORDS, b"b1").await.unwrap(), None);
    assert_eq!(kv.get(QUEUE, &1u64.to_be_bytes()).await.unwrap(), None);
    assert_eq!(kv.get(QUEUE, &2u64.to_be_bytes()).await.unwrap().unwrap(), "stays");
}

async fn an_empty_range_removes_nothing(kv: impl Kv) {
    put_all(&kv, RECORDS, &[b"a", b"b"]).await;
    for (start, end) in [("a", "a"), ("b", "a"), ("a", ""), ("", "")] {
        kv.commit(Commit::new().delete_range(RECORDS, start, end)).await.unwrap();
    }
    assert_eq!(names(&kv.scan(all(RECORDS, 10)).await.unwrap()), ["a", "b"]);
}

async fn positions_are_dense_and_in_order(kv: impl Kv) {
    let commit = Commit::new().append(QUEUE, "1").append(OTHER_QUEUE, "1").append(QUEUE, "2");
    assert_eq!(kv.commit(commit).await.unwrap().positions, [1, 1, 2]);
    assert_eq!(kv.commit(Commit::new().append(QUEUE, "3")).await.unwrap().positions, [3]);
    let page = kv.scan(all(QUEUE, 10)).await.unwrap();
    let row = |position: u64, value: &'static str| Item::Row {
        key: Bytes::copy_from_slice(&position.to_be_bytes()),
        value: Bytes::from(value),
    };
    assert_eq!(page.items, [row(1, "1"), row(2, "2"), row(3, "3")]);
}

async fn positions_are_not_given_again(kv: impl Kv) {
    kv.commit(Commit::new().append(QUEUE, "1").append(QUEUE, "2")).await.unwrap();
    kv.commit(Commit::new().delete_range(QUEUE, "", vec![0xff; 9])).await.unwrap();
    assert_eq!(kv.scan(all(QUEUE, 10)).await.unwrap().items, []);
    assert_eq!(kv.commit(Commit::new().append(QUEUE, "3")).await.unwrap().positions, [3]);
}

async fn positions_that_are_left_out_are_never_given(kv: impl Kv) {
    const MANY: u64 = 1 << 32;
    let commit = Commit::new().append(QUEUE, "a").advance(QUEUE, MANY).append(QUEUE, "b");
    assert_eq!(kv.commit(commit).await.unwrap().positions, [1, MANY + 2]);
    let alone = Commit::new().advance(QUEUE, 0).advance(QUEUE, 1);
    assert_eq!(kv.commit(alone).await.unwrap(), Committed::default());
    let committed = kv.commit(Commit::new().append(QUEUE, "c").append(OTHER_QUEUE, "c")).await.unwrap();
    assert_eq!(committed.positions, [MANY + 4, 1]);
    assert_eq!(kv.scan(all(QUEUE, 10)).await.unwrap().items.len(), 3);
}

async fn appends_of_many_callers_are_dense_and_seen_in_order(kv: impl Kv) {
    const CALLERS: u64 = 32;
    const APPENDS: u64 = 20;
    let kv = Arc::new(kv);
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        let kv = Arc::clone(&kv);
        callers.push(tokio::spawn(async move {
            for _ in 0..APPENDS {
                let committed = kv.commit(Commit::new().append(QUEUE, "v")).await.unwrap();
                let position = committed.positions[0];
                // Whoever knows a position finds every smaller one.
                let scan = Scan { end: (position + 1).to_be_bytes().to_vec(), ..all(QUEUE, usize::MAX) };
                assert_eq!(kv.scan(scan).await.unwrap().items.len() as u64, position);
            }
        }));
    }
    for caller in callers {
        caller.await.unwrap();
    }
    let page = kv.scan(all(QUEUE, usize::MAX)).await.unwrap();
    let keys = page.items.into_iter().map(|item| match item {
        Item::Row { key, .. } => key,
        Item::Group(_) => panic!("no groups were asked for"),
    });
    assert!(keys.eq((1..=CALLERS * APPENDS).map(|position| Bytes::copy_from_slice(&position.to_be_bytes()))));
}

async fn no_compare_and_swap_is_lost(kv: impl Kv) {
    const CALLERS: u32 = 64;
    const INCREMENTS: u32 = 5;
    let kv = Arc::new(kv);
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        let kv = Arc::clone(&kv);
        callers.push(tokio::spawn(async move {
            for _ in 0..INCREMENTS {
                increment(&*kv).await;
            }
        }));
    }
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(kv.get(RECORDS, b"counter").await.unwrap().unwrap(), (CALLERS * INCREMENTS).to_string());
}

/// Adds one to the counter; goes on from what a conflict tells.
async fn increment(kv: &impl Kv) {
    let mut current = kv.get(RECORDS, b"counter").await.unwrap();
    loop {
        let number: u32 = current.as_ref().map_or(0, |value| std::str::from_utf8(value).unwrap().parse().unwrap());
        let next = (number + 1).to_string();
        let commit = Commit::new().expect(RECORDS, "counter", current).put(RECORDS, "counter", next);
        match kv.commit(commit).await {
            Ok(_) => return,
            Err(CommitError::Conflict { actual, .. }) => current = actual,
            Err(error) => panic!("{error}"),
        }
    }
}

async fn a_dropped_commit_is_applied_whole_or_not_at_all(kv: impl Kv) {
    for number in 0..20u8 {
        let mut commit = Commit::new();
        for table in TABLES {
            commit = commit.put(*table, vec![number], "v");
        }
        // Polled once or not at all, then dropped.
        let _ = tokio::time::timeout(Duration::ZERO, kv.commit(commit)).await;
    }
    // A commit behind the dropped ones: what was queued before it has been decided.
    kv.commit(Commit::new().delete(RECORDS, "x")).await.unwrap();
    let mut pages = Vec::new();
    for table in TABLES {
        pages.push(names(&kv.scan(all(*table, 100)).await.unwrap()));
    }
    assert!(pages.iter().all(|page| *page == pages[0]));
}
