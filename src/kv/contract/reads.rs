//! `get` and `scan` without groups.

use bytes::Bytes;

use super::{Commit, Item, Kv, RECORDS, Scan, TABLES, VALUES, all, names, put_all};
use crate::kv::{Profile, Table, successor_of_prefix};

pub async fn run<K: Kv>(open: impl Fn() -> K) {
    a_read_sees_the_commits_before_it(open()).await;
    any_bytes_are_keys_and_values(open()).await;
    tables_are_apart(open()).await;
    a_scan_gives_rows_in_byte_order(open()).await;
    a_scan_keeps_its_bounds(open()).await;
    a_page_ends_at_its_limit_and_says_whether_more_follows(open()).await;
    a_prefix_of_the_highest_bytes_has_no_end(open()).await;
    large_values_come_back_whole(open()).await;
    a_table_that_was_not_opened_is_an_error(open()).await;
}

async fn a_read_sees_the_commits_before_it(kv: impl Kv) {
    assert_eq!(kv.get(RECORDS, b"k").await.unwrap(), None);
    for value in ["first", "second", ""] {
        kv.commit(Commit::new().put(RECORDS, "k", value)).await.unwrap();
        assert_eq!(kv.get(RECORDS, b"k").await.unwrap(), Some(Bytes::from(value)));
        let page = kv.scan(all(RECORDS, 10)).await.unwrap();
        assert_eq!(page.items, [Item::Row { key: Bytes::from("k"), value: Bytes::from(value) }]);
    }
    kv.commit(Commit::new().delete(RECORDS, "k")).await.unwrap();
    assert_eq!(kv.get(RECORDS, b"k").await.unwrap(), None);
    assert!(kv.scan(all(RECORDS, 10)).await.unwrap().items.is_empty());
}

async fn any_bytes_are_keys_and_values(kv: impl Kv) {
    let keys: [&[u8]; 5] = [b"", b"\0", b"\0\0", b"a\0\xff", b"\xff\xff"];
    put_all(&kv, RECORDS, &keys).await;
    for key in keys {
        assert_eq!(kv.get(RECORDS, key).await.unwrap().unwrap(), key);
    }
    assert_eq!(kv.scan(all(RECORDS, 10)).await.unwrap().items.len(), keys.len());
}

async fn tables_are_apart(kv: impl Kv) {
    for table in TABLES {
        kv.commit(Commit::new().put(*table, "k", table.name)).await.unwrap();
    }
    kv.commit(Commit::new().delete(VALUES, "k")).await.unwrap();
    assert_eq!(kv.get(RECORDS, b"k").await.unwrap().unwrap(), "records");
    assert_eq!(kv.get(VALUES, b"k").await.unwrap(), None);
    assert_eq!(names(&kv.scan(all(RECORDS, 10)).await.unwrap()), ["k"]);
}

async fn a_scan_gives_rows_in_byte_order(kv: impl Kv) {
    put_all(&kv, RECORDS, &[b"b", b"\xc3\xa9", b"B", b"ba", b"a/", b"a"]).await;
    let page = kv.scan(all(RECORDS, 10)).await.unwrap();
    assert_eq!(names(&page), ["B", "a", "a/", "b", "ba", "é"]);
    assert!(!page.more);
}

async fn a_scan_keeps_its_bounds(kv: impl Kv) {
    put_all(&kv, RECORDS, &[b"a", b"b", b"ba", b"c", b"d"]).await;
    for (start, end, expected) in [
        ("b", "d", vec!["b", "ba", "c"]),
        ("b\0", "c\0", vec!["ba", "c"]),
        ("c", "", vec!["c", "d"]),
        ("", "b", vec!["a"]),
        ("", "", vec!["a", "b", "ba", "c", "d"]),
        ("e", "", vec![]),
        ("c", "c", vec![]),
        ("d", "b", vec![]),
    ] {
        let scan = Scan { table: RECORDS, start: start.into(), end: end.into(), limit: 10, group: None };
        let page = kv.scan(scan).await.unwrap();
        assert_eq!(
            (names(&page), page.more),
            (expected.iter().map(ToString::to_string).collect(), false),
            "{start}..{end}"
        );
    }
}

async fn a_page_ends_at_its_limit_and_says_whether_more_follows(kv: impl Kv) {
    put_all(&kv, RECORDS, &[b"a", b"b", b"c"]).await;
    for (limit, rows, more) in [(0, 0, true), (1, 1, true), (2, 2, true), (3, 3, false), (4, 3, false)] {
        let page = kv.scan(all(RECORDS, limit)).await.unwrap();
        assert_eq!((page.items.len(), page.more), (rows, more), "limit {limit}");
    }
    // What lies behind the end of the range is not "more".
    let page = kv.scan(Scan { end: b"c".to_vec(), ..all(RECORDS, 2) }).await.unwrap();
    assert_eq!((page.items.len(), page.more), (2, false));
}

async fn a_prefix_of_the_highest_bytes_has_no_end(kv: impl Kv) {
    put_all(&kv, RECORDS, &[b"\xfe", b"\xff", b"\xff\xff", b"\xff\xff\x01", b"\xff\xff\xff"]).await;
    assert_eq!(successor_of_prefix(b"\xff\xff"), None);
    assert_eq!(successor_of_prefix(b"a\xff"), Some(b"b".to_vec()));
    assert_eq!(kv.scan(Scan::prefix(RECORDS, b"\xff\xff", 10)).await.unwrap().items.len(), 3);
    assert_eq!(kv.scan(Scan::prefix(RECORDS, b"\xfe", 10)).await.unwrap().items.len(), 1);
}

async fn large_values_come_back_whole(kv: impl Kv) {
    for (key, size) in [("small", 100), ("large", 40_000), ("huge", 3 << 20)] {
        let value = Bytes::from(vec![b'v'; size]);
        kv.commit(Commit::new().put(VALUES, key, value.clone())).await.unwrap();
        assert_eq!(kv.get(VALUES, key.as_bytes()).await.unwrap(), Some(value));
    }
    assert_eq!(names(&kv.scan(all(VALUES, 10)).await.unwrap()), ["huge", "large", "small"]);
}

async fn a_table_that_was_not_opened_is_an_error(kv: impl Kv) {
    let unknown = Table { id: TABLES.len(), name: "unknown", profile: Profile::Records };
    assert!(kv.get(unknown, b"k").await.is_err());
    assert!(kv.scan(all(unknown, 1)).await.is_err());
    let commit = Commit::new().put(RECORDS, "k", "v").put(unknown, "k", "v");
    assert!(kv.commit(commit).await.is_err());
    assert!(kv.commit(Commit::new().expect(unknown, "k", None)).await.is_err());
    assert_eq!(kv.get(RECORDS, b"k").await.unwrap(), None);
}
