//! Listings of objects against a model: an ordered set of keys.

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;

use super::fixture::{Fixture, body};
use crate::names::BucketId;
use crate::store::Store;
use crate::store::list::ListObjects;

/// What a listing shows, in its order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Entry {
    Key(String),
    Prefix(String),
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Self::Key(name) | Self::Prefix(name) => name,
        }
    }
}

/// The whole listing behind `after`, as S3's documentation describes it.
fn model(keys: &BTreeSet<String>, prefix: &str, delimiter: Option<&str>, after: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for key in keys {
        let Some(rest) = key.strip_prefix(prefix) else { continue };
        let entry = match delimiter.and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len())) {
            Some(end) => Entry::Prefix(key[..prefix.len() + end].to_owned()),
            None => Entry::Key(key.clone()),
        };
        if entry.name() > after && entries.last() != Some(&entry) {
            entries.push(entry);
        }
    }
    entries
}

/// Pages to the end and joins the pages.
async fn all_pages(store: &Store, bucket: BucketId, mut list: ListObjects) -> Vec<Entry> {
    let mut entries = Vec::new();
    loop {
        let page = store.list_objects(bucket, &list).await.unwrap();
        let mut found: Vec<_> = page.common_prefixes.into_iter().map(Entry::Prefix).collect();
        found.extend(page.objects.into_iter().map(|(key, _)| Entry::Key(key)));
        found.sort_by(|left, right| left.name().cmp(right.name()));
        assert!(found.len() <= list.limit);
        entries.extend(found);
        let Some(next) = page.next else { return entries };
        assert!(next > list.after, "a listing goes forward");
        assert_eq!(entries.last().unwrap().name(), next, "a page with more behind it is not empty");
        list.after = next;
    }
}

fn text(most: usize) -> impl Strategy<Value = String> {
    let piece = prop::sample::select(&["a", "b", "/", "//", "-", "é", "\0", "\u{1}", "\u{7f}", "\u{10ffff}"]);
    prop::collection::vec(piece, 0..=most).prop_map(|pieces| pieces.concat())
}

fn keys() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set(text(5).prop_filter("a key is not empty", |key| !key.is_empty()), 0..30)
}

fn delimiter() -> impl Strategy<Value = Option<String>> {
    let delimiter = prop::sample::select(&["/", "//", "-", "a/", "é", "\0", "/\0", "ab", "\u{10ffff}"]);
    prop::option::weighted(0.8, delimiter.prop_map(str::to_owned))
}

proptest! {
    #[test]
    fn paging_to_the_end_gives_the_whole_listing(
        keys in keys(),
        prefix in text(2),
        delimiter in delimiter(),
        after in text(4),
        limit in 1..12usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (found, expected) = runtime.block_on(async {
            let fixture = Fixture::new().await;
            let (other, bucket) = (fixture.bucket("before").await, fixture.bucket("bucket").await);
            fixture.put(&other, "elsewhere", &Bytes::new()).await.unwrap();
            for key in &keys {
                fixture.put(&bucket, key, &Bytes::new()).await.unwrap();
            }
            let expected = model(&keys, &prefix, delimiter.as_deref(), &after);
            let list = ListObjects { prefix, delimiter, after, limit };
            (all_pages(&fixture.store, bucket.record.id, list).await, expected)
        });
        prop_assert_eq!(found, expected);
    }
}

async fn listed(keys: &[&str], list: ListObjects) -> Vec<String> {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    for key in keys {
        fixture.put(&bucket, key, &body(1, 3)).await.unwrap();
    }
    let entries = all_pages(&fixture.store, bucket.record.id, list).await;
    entries.iter().map(|entry| entry.name().to_owned()).collect()
}

#[tokio::test]
async fn a_listing_behind_a_common_prefix_does_not_repeat_it() {
    let keys = ["a", "a/", "a/1", "a/2", "a0"];
    let folded = |after: &str| ListObjects {
        delimiter: Some("/".to_owned()),
        after: after.to_owned(),
        limit: 1,
        ..ListObjects::default()
    };
    assert_eq!(listed(&keys, folded("")).await, ["a", "a/", "a0"]);
    assert_eq!(listed(&keys, folded("a")).await, ["a/", "a0"]);
    for inside in ["a/", "a/1", "a/9"] {
        assert_eq!(listed(&keys, folded(inside)).await, ["a0"], "behind {inside}");
    }
}

#[tokio::test]
async fn a_page_of_no_entries_is_the_last() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.put(&bucket, "key", &body(1, 3)).await.unwrap();
    let page = fixture.store.list_objects(bucket.record.id, &ListObjects::default()).await.unwrap();
    assert!(page.objects.is_empty() && page.common_prefixes.is_empty() && page.next.is_none());
}

#[tokio::test]
async fn a_listing_shows_size_and_tag_of_each_object() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let mut stored = Vec::new();
    for (at, name) in ["a", "b", "c"].into_iter().enumerate() {
        stored.push((name.to_owned(), fixture.put(&bucket, name, &body(at, at)).await.unwrap().record.summary));
    }
    let list = ListObjects { limit: 10, ..ListObjects::default() };
    assert_eq!(fixture.store.list_objects(bucket.record.id, &list).await.unwrap().objects, stored);
}
