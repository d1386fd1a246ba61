//! `scan` with groups.

use super::{Grouping, Kv, RECORDS, Scan, all, names, put_all};

pub async fn run<K: Kv>(open: impl Fn() -> K) {
    keys_that_share_a_delimiter_fold_into_one_item(open()).await;
    a_group_counts_as_one_item_and_more_means_behind_all_its_keys(open()).await;
    a_scan_can_start_and_end_within_a_group(open()).await;
    the_skipped_bytes_are_not_searched(open()).await;
    a_delimiter_may_have_several_bytes(open()).await;
    bytes_behind_until_are_not_searched(open()).await;
    a_group_without_successor_ends_the_page(open()).await;
    empty_patterns_fold_nothing(open()).await;
}

fn by(delimiter: &str) -> Grouping {
    Grouping { skip: 0, delimiter: delimiter.into(), until: None }
}

fn grouped(grouping: Grouping, limit: usize) -> Scan {
    Scan { group: Some(grouping), ..all(RECORDS, limit) }
}

async fn check(kv: &impl Kv, scan: Scan, expected: &[&str], more: bool) {
    let page = kv.scan(scan.clone()).await.unwrap();
    assert_eq!((names(&page), page.more), (expected.iter().map(ToString::to_string).collect(), more), "{scan:?}");
}

async fn keys_that_share_a_delimiter_fold_into_one_item(kv: impl Kv) {
    put_all(&kv, RECORDS, &[b"/", b"a", b"a/", b"a/1", b"a/2/3", b"a0", b"b/1", b"b/2", b"c"]).await;
    check(&kv, grouped(by("/"), 10), &["/*", "a", "a/*", "a0", "b/*", "c"], false).await;
}

async fn a_group_counts_as_one_item_and_more_means_behind_all_its_keys(kv: impl Kv) {
    put_all(&kv, RECORDS, &[b"a/1", b"a/2", b"a/3", b"b", b"c/1", b"c/2"]).await;
    check(&kv, grouped(by("/"), 0), &[], true).await;
    check(&kv, grouped(by("/"), 1), &["a/*"], true).await;
    check(&kv, grouped(by("/"), 2), &["a/*", "b"], true).await;
    check(&kv, grouped(by("/"), 3), &["a/*", "b", "c/*"], false).await;
    check(&kv, Scan { end: b"b".to_vec(), ..grouped(by("/"), 1) }, &["a/*"], false).await;
}

async fn a_scan_can_start_and_end_within_a_group(kv: impl Kv) {
    put_all(&kv, RECORDS, &[b"a/1", b"a/2", b"a/3", b"b"]).await;
    check(&kv, Scan { start: b"a/2".to_vec(), ..grouped(by("/"), 10) }, &["a/*", "b"], false).await;
    check(&kv, Scan { start: b"a/4".to_vec(), ..grouped(by("/"), 10) }, &["b"], false).await;
    check(&kv, Scan { end: b"a/2".to_vec(), ..grouped(by("/"), 1) }, &["a/*"], false).await;
    check(&kv, Scan { end: b"a/1".to_vec(), ..grouped(by("/"), 1) }, &[], false).await;
}

async fn the_skipped_bytes_are_not_searched(kv: impl Kv) {
    put_all(&kv, RECORDS, &[b"/", b"//", b"//a", b"//a/", b"//a/b", b"//b/c"]).await;
    let skipping = |skip| grouped(Grouping { skip, ..by("/") }, 10);
    check(&kv, skipping(1), &["/", "//*"], false).await;
    check(&kv, skipping(2), &["/", "//", "//a", "//a/*", "//b/*"], false).await;
    check(&kv, skipping(5), &["/", "//", "//a", "//a/", "//a/b", "//b/c"], false).await;
    check(&kv, skipping(100), &["/", "//", "//a", "//a/", "//a/b", "//b/c"], false).await;
}

async fn a_delimiter_may_have_several_bytes(kv: impl Kv) {
    put_all(&kv, RECORDS, &[b"a-", b"a-b", b"a--", b"a--1", b"a---", b"b-\xc3\xa9-c", b"b-\xc3\xa9-d"]).await;
    check(&kv, grouped(by("--"), 10), &["a-", "a--*", "a-b", "b-é-c", "b-é-d"], false).await;
    check(&kv, grouped(by("é"), 10), &["a-", "a--", "a---", "a--1", "a-b", "b-é*"], false).await;
}

async fn bytes_behind_until_are_not_searched(kv: impl Kv) {
    put_all(&kv, RECORDS, &[b"a\0/1", b"a\0/2", b"b/1\0x", b"b/2\0/", b"c\0"]).await;
    let grouping = Grouping { until: Some(b"\0".to_vec()), ..by("/") };
    check(&kv, grouped(grouping, 10), &["a\0/1", "a\0/2", "b/*", "c\0"], false).await;
}

async fn a_group_without_successor_ends_the_page(kv: impl Kv) {
    put_all(&kv, RECORDS, &[b"a", b"\xff", b"\xff\x01", b"\xff\xff"]).await;
    let grouping = Grouping { skip: 0, delimiter: vec![0xff], until: None };
    let page = kv.scan(grouped(grouping.clone(), 2)).await.unwrap();
    assert_eq!((page.items.len(), page.more), (2, false));
    let page = kv.scan(grouped(grouping, 1)).await.unwrap();
    assert_eq!((page.items.len(), page.more), (1, true));
}

async fn empty_patterns_fold_nothing(kv: impl Kv) {
    put_all(&kv, RECORDS, &[b"a/1", b"a/2"]).await;
    check(&kv, grouped(by(""), 10), &["a/1", "a/2"], false).await;
    let grouping = Grouping { until: Some(Vec::new()), ..by("/") };
    check(&kv, grouped(grouping, 10), &["a/*"], false).await;
}
