//! Listings of versions against a model, with prefixes, delimiters and markers.

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;

use super::fixture::{Fixture, body};
use crate::names::VersionId;
use crate::store::record::Versioning;
use crate::store::versions::{ListVersions, VersionMarker};

/// What a listing shows, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Version(String, VersionId),
    Prefix(String),
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Self::Version(name, _) | Self::Prefix(name) => name,
        }
    }
}

/// Folds all versions, which are in order, as S3's documentation describes it, and leaves out what is not behind `after`.
fn model(all: &[(String, VersionId)], prefix: &str, delimiter: Option<&str>, after: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (key, version) in all {
        let Some(rest) = key.strip_prefix(prefix) else { continue };
        let entry = match delimiter.and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len())) {
            Some(end) => Entry::Prefix(key[..prefix.len() + end].to_owned()),
            None => Entry::Version(key.clone(), *version),
        };
        if entry.name() > after && entries.last() != Some(&entry) {
            entries.push(entry);
        }
    }
    entries
}

fn text(most: usize) -> impl Strategy<Value = String> {
    let piece = prop::sample::select(&["a", "b", "/", "//", "é", "\0", "\u{1}", "\u{10ffff}"]);
    prop::collection::vec(piece, 0..=most).prop_map(|pieces| pieces.concat())
}

fn keys() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(text(4).prop_filter("a key is not empty", |key| !key.is_empty()), 0..20)
}

proptest! {
    #[test]
    fn paging_to_the_end_gives_every_version_once(
        before in keys(),
        versioned in keys(),
        prefix in text(2),
        delimiter in prop::option::of(prop::sample::select(&["/", "//", "a/", "é", "\0"])),
        after in text(3),
        limit in 1..8usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (found, expected) = runtime.block_on(async {
            let fixture = Fixture::new().await;
            let bucket = fixture.bucket("bucket").await;
            let other = fixture.versioned("other", Versioning::Enabled).await;
            fixture.put(&other, "elsewhere", &Bytes::new()).await.unwrap();
            for key in &before {
                fixture.put(&bucket, key, &Bytes::new()).await.unwrap();
            }
            let bucket = fixture.versioned(bucket.record.name.as_str(), Versioning::Enabled).await;
            for (at, key) in versioned.iter().enumerate() {
                match at % 3 {
                    0 => drop(fixture.mark(&bucket, key).await),
                    _ => drop(fixture.put(&bucket, key, &Bytes::new()).await.unwrap()),
                }
            }
            let all = fixture.all_versions(&bucket).await;
            let keys: BTreeSet<_> = before.iter().chain(&versioned).collect();
            let count = before.iter().collect::<BTreeSet<_>>().len() + versioned.len();
            assert_eq!(all.iter().map(|listed| &listed.key).collect::<BTreeSet<_>>(), keys);
            assert_eq!((all.len(), all.iter().filter(|listed| listed.latest).count()), (count, keys.len()));
            let all: Vec<_> = all.into_iter().map(|listed| (listed.key, listed.version)).collect();
            let expected = model(&all, &prefix, delimiter, &after);
            let marker = if after.is_empty() { VersionMarker::Start } else { VersionMarker::Key(after.clone()) };
            let delimiter = delimiter.map(str::to_owned);
            let list = ListVersions { prefix: prefix.clone(), delimiter, after: marker, limit };
            let (versions, prefixes) = fixture.list_versions(&bucket, list).await;
            let versions = versions.into_iter().map(|listed| Entry::Version(listed.key, listed.version));
            let mut found: Vec<_> = versions.chain(prefixes.into_iter().map(Entry::Prefix)).collect();
            found.sort_by(|left, right| left.name().cmp(right.name()));
            (found, expected)
        });
        prop_assert_eq!(found, expected);
    }
}

/// Clients empty a bucket like this: a page, then every version on it, then what comes behind the page.
#[tokio::test]
async fn removing_every_page_before_the_next_leaves_nothing() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    for key in ["a", "b", "c"] {
        fixture.put(&bucket, key, &body(1, 3)).await.unwrap();
    }
    let bucket = fixture.versioned("bucket", Versioning::Enabled).await;
    for key in ["a", "a", "b", "a", "a"] {
        fixture.put(&bucket, key, &body(2, 3)).await.unwrap();
    }
    let mut list = ListVersions { limit: 2, ..ListVersions::default() };
    loop {
        let page = fixture.store.list_versions(bucket.record.id, &list).await.unwrap();
        assert!(page.versions[0].latest, "what was newer is gone");
        for listed in page.versions {
            fixture.remove(&bucket, &listed.key, listed.version).await.unwrap();
        }
        let Some(next) = page.next else { break };
        list.after = next;
    }
    assert!(fixture.all_versions(&bucket).await.is_empty());
}

#[tokio::test]
async fn a_listing_goes_on_where_a_marker_would_be_that_is_gone() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.put(&bucket, "key", &body(1, 3)).await.unwrap();
    let bucket = fixture.versioned("bucket", Versioning::Enabled).await;
    let mut versions = vec![VersionId::Null];
    for number in 2..5 {
        versions.push(fixture.put(&bucket, "key", &body(number, 3)).await.unwrap().version.unwrap());
    }
    let after = |version| ListVersions {
        after: VersionMarker::Version("key".to_owned(), version),
        limit: 9,
        ..ListVersions::default()
    };
    let listed = async |version| {
        let listed = fixture.list_versions(&bucket, after(version)).await.0;
        listed.into_iter().map(|listed| listed.version).collect::<Vec<_>>()
    };
    assert_eq!(listed(versions[2]).await, [versions[1], VersionId::Null]);
    fixture.remove(&bucket, "key", versions[2]).await.unwrap();
    assert_eq!(listed(versions[2]).await, [versions[1], VersionId::Null]);
    assert_eq!(listed(VersionId::Null).await, []);
    fixture.remove(&bucket, "key", VersionId::Null).await.unwrap();
    assert_eq!(
        listed(VersionId::Null).await,
        [versions[3], versions[1]],
        "nobody knows where it was: nothing is missed"
    );
    let never =
        ListVersions { after: VersionMarker::Version("none".to_owned(), VersionId::Null), ..after(versions[1]) };
    assert_eq!(fixture.list_versions(&bucket, never).await.0, []);
}
