//! Listings of uploads and of parts against a model: an ordered list of keys with their uploads.

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;

use super::fixture::{Fixture, body, key};
use crate::names::{BucketId, UploadId};
use crate::store::Store;
use crate::store::multipart::{ListParts, ListUploads, UploadMarker};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Upload(String, UploadId),
    Prefix(String),
}

/// The whole listing behind `after`.
fn model(uploads: &BTreeSet<(String, UploadId)>, prefix: &str, delimiter: Option<&str>, after: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (key, id) in uploads {
        let Some(rest) = key.strip_prefix(prefix) else { continue };
        let folded = delimiter.and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len()));
        let (name, entry) = match folded.map(|end| &key[..prefix.len() + end]) {
            Some(folded) => (folded, Entry::Prefix(folded.to_owned())),
            None => (key.as_str(), Entry::Upload(key.clone(), *id)),
        };
        if name > after && entries.last() != Some(&entry) {
            entries.push(entry);
        }
    }
    entries
}

fn name(entry: &Entry) -> &str {
    match entry {
        Entry::Upload(name, _) | Entry::Prefix(name) => name,
    }
}

async fn all_pages(store: &Store, bucket: BucketId, mut list: ListUploads) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let page = store.list_uploads(bucket, &list).await.unwrap();
        let mut found: Vec<_> = page.common_prefixes.into_iter().map(Entry::Prefix).collect();
        found.extend(page.uploads.into_iter().map(|listed| Entry::Upload(listed.key.as_str().to_owned(), listed.id)));
        found.sort_by(|left, right| name(left).cmp(name(right)));
        assert!(found.len() <= list.limit);
        entries.extend(found);
        let Some(next) = page.next else { return entries };
        assert_ne!(next, list.after, "a listing goes forward");
        list.after = next;
    }
}

fn text(most: usize) -> impl Strategy<Value = String> {
    let piece = prop::sample::select(&["a", "b", "/", "-", "é", "\0", "\u{1}", "\0\u{1}"]);
    prop::collection::vec(piece, 0..=most).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn paging_to_the_end_gives_all_uploads(
        keys in prop::collection::vec(text(4).prop_filter("a key is not empty", |key| !key.is_empty()), 0..25),
        prefix in text(2),
        delimiter in prop::option::weighted(0.8, prop::sample::select(&["/", "a/", "é", "\0", "\u{1}", "\0\u{1}"])),
        after in text(3),
        limit in 1..8usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (found, expected) = runtime.block_on(async {
            let fixture = Fixture::new().await;
            let (other, bucket) = (fixture.bucket("before").await, fixture.bucket("bucket").await);
            fixture.create_upload(&other, "elsewhere").await.unwrap();
            let mut uploads = BTreeSet::new();
            for key in &keys {
                uploads.insert((key.clone(), fixture.create_upload(&bucket, key).await.unwrap()));
            }
            let expected = model(&uploads, &prefix, delimiter, &after);
            let after = if after.is_empty() { UploadMarker::Start } else { UploadMarker::Key(after) };
            let list = ListUploads { prefix, delimiter: delimiter.map(str::to_owned), after, limit };
            (all_pages(&fixture.store, bucket.record.id, list).await, expected)
        });
        prop_assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_delimiter_is_not_sought_in_upload_ids() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    // So many random ids that every byte occurs in one of them.
    let mut ids = Vec::new();
    for _ in 0..500 {
        ids.push(fixture.create_upload(&bucket, "key").await.unwrap());
    }
    ids.sort();
    for delimiter in ["/", "\u{1}", "\0", "\u{7f}"] {
        let list = ListUploads { delimiter: Some(delimiter.to_owned()), limit: 7, ..ListUploads::default() };
        let found = all_pages(&fixture.store, bucket.record.id, list).await;
        let expected: Vec<_> = ids.iter().map(|id| Entry::Upload("key".to_owned(), *id)).collect();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn uploads_of_one_key_are_listed_by_their_time() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let mut expected = Vec::new();
    for _ in 0..5 {
        expected.push(Entry::Upload("key".to_owned(), fixture.create_upload(&bucket, "key").await.unwrap()));
        fixture.clock.advance(std::time::Duration::from_millis(1));
    }
    let list = ListUploads { limit: 2, ..ListUploads::default() };
    assert_eq!(all_pages(&fixture.store, bucket.record.id, list).await, expected);
    let Entry::Upload(key, third) = expected[2].clone() else { panic!("an upload") };
    let list = ListUploads { limit: 10, after: UploadMarker::Upload(key, third), ..ListUploads::default() };
    assert_eq!(all_pages(&fixture.store, bucket.record.id, list).await, expected[3..]);
    let none = fixture.store.list_uploads(bucket.record.id, &ListUploads::default()).await.unwrap();
    assert!(none.uploads.is_empty() && none.next.is_none(), "a page of no uploads is the last");
}

#[tokio::test]
async fn parts_are_listed_by_number_and_once() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let id = fixture.create_upload(&bucket, "key").await.unwrap();
    let other = fixture.create_upload(&bucket, "key").await.unwrap();
    let numbers = [1, 2, 255, 256, 9_999, 10_000];
    for number in numbers.into_iter().rev() {
        fixture.part(&bucket, "key", id, number, &body(number as usize, 10)).await.unwrap();
        fixture.part(&bucket, "key", other, number, &Bytes::new()).await.unwrap();
    }
    let replaced = fixture.part(&bucket, "key", id, 255, &body(7, 11)).await.unwrap();
    let upload = fixture.store.upload(&bucket, &key("key"), id).await.unwrap();
    for limit in 1..8 {
        for start in [0, 1, 100, 255, 10_000, u16::MAX] {
            let (mut after, mut found) = (start, Vec::new());
            loop {
                let page = fixture.store.list_parts(&upload, &ListParts { after, limit }).await.unwrap();
                assert!(page.parts.len() <= limit);
                found.extend(page.parts);
                if !page.more {
                    break;
                }
                after = found.last().unwrap().0;
            }
            let expected: Vec<_> = numbers.into_iter().filter(|number| *number > start).collect();
            assert_eq!(found.iter().map(|(number, _)| *number).collect::<Vec<_>>(), expected);
            assert!(found.iter().all(|(number, part)| *number != 255 || *part == replaced));
        }
    }
    let none = fixture.store.list_parts(&upload, &ListParts { after: 0, limit: 0 }).await.unwrap();
    assert!(none.parts.is_empty() && !none.more);
}
