//! Versions against a model: for each key the list of what was written, the newest first.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::fixture::{Fixture, annotate, body, deletion, key, read};
use super::fsck::NOTHING;
use crate::kv::{Commit, Kv};
use crate::names::{AccountId, VersionId};
use crate::store::Error;
use crate::store::annotate::Annotation;
use crate::store::blob_walk::BlobWalk;
use crate::store::bucket::Bucket;
use crate::store::change::{Cause, Change, ChangeKind};
use crate::store::codec::{decode, encode};
use crate::store::delete::{DeletePrecondition, Deleted};
use crate::store::list::ListObjects;
use crate::store::put::Precondition;
use crate::store::record::{DeleteMarker, Entry, EntrySummary, Head, VersionRecord, Versioning};
use crate::store::tables::{self, HEADS, LOG, REFS, VERSIONS};
use crate::store::versions::{ListVersions, ListedVersion, VersionMarker};

impl Fixture {
    /// The bucket with its versions switched on or off.
    pub async fn versioned(&self, name: &str, versioning: Versioning) -> Bucket {
        let bucket = self.bucket(name).await;
        self.store.put_versioning(&bucket, versioning, Cause::default()).await.unwrap();
        self.bucket(name).await
    }

    pub async fn get_version(&self, bucket: &Bucket, name: &str, version: VersionId) -> Result<Bytes, Error> {
        let object = self.store.open_version(bucket, &key(name), Some(&version)).await?;
        let size = object.record().summary.size;
        read(&mut object.read(0..size)).await
    }

    pub async fn remove(&self, bucket: &Bucket, name: &str, version: VersionId) -> Result<Deleted, Error> {
        let delete = deletion(bucket, name, Some(version), DeletePrecondition::default());
        self.store.delete_object(delete).await
    }

    pub async fn mark(&self, bucket: &Bucket, name: &str) -> Deleted {
        let delete = deletion(bucket, name, None, DeletePrecondition::default());
        self.store.delete_object(delete).await.unwrap()
    }

    /// All pages of a listing, each held to its limit.
    pub async fn list_versions(&self, bucket: &Bucket, mut list: ListVersions) -> (Vec<ListedVersion>, Vec<String>) {
        let (mut versions, mut prefixes) = (Vec::new(), Vec::new());
        loop {
            let page = self.store.list_versions(bucket.record.id, &list).await.unwrap();
            assert!(page.versions.len() + page.common_prefixes.len() <= list.limit);
            versions.extend(page.versions);
            prefixes.extend(page.common_prefixes);
            let Some(next) = page.next else { return (versions, prefixes) };
            assert_ne!(next, list.after, "a listing goes forward");
            list.after = next;
        }
    }

    pub async fn all_versions(&self, bucket: &Bucket) -> Vec<ListedVersion> {
        self.list_versions(bucket, ListVersions { limit: 1000, ..ListVersions::default() }).await.0
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put(usize),
    /// Onto the second key from the first.
    Copy(usize, usize),
    Rename(usize, usize),
    Complete(usize),
    Delete(usize),
    /// One of the versions there are, by its place.
    Remove(usize, usize),
    RemoveNull(usize),
    Annotate(usize, usize),
    Set(Versioning),
}

const NAMES: [&str; 3] = ["a", "a/\0", "b"];

/// A version of the model: its identifier as clients see it, its body unless it is a delete marker, and its tag.
type ModelVersion = (VersionId, Option<(Bytes, String)>);

#[derive(Debug, Default)]
struct Model {
    versioning: Versioning,
    keys: BTreeMap<&'static str, Vec<ModelVersion>>,
}

impl Model {
    fn current(&self, name: &str) -> Option<&(Bytes, String)> {
        self.keys.get(name)?.first()?.1.as_ref()
    }

    fn add(&mut self, name: &'static str, version: Option<VersionId>, entry: Option<(Bytes, String)>) {
        let versions = self.keys.entry(name).or_default();
        let version = version.unwrap_or(VersionId::Null);
        match self.versioning {
            Versioning::Enabled => assert_ne!(version, VersionId::Null),
            Versioning::Never | Versioning::Suspended => assert_eq!(version, VersionId::Null),
        }
        versions.retain(|(other, _)| *other != version);
        if self.versioning != Versioning::Never || entry.is_some() {
            versions.insert(0, (version, entry));
        }
    }
}

async fn apply(fixture: &Fixture, model: &mut Model, number: usize, step: &Step) {
    let bucket = fixture.bucket("bucket").await;
    let bytes = body(number, if number.is_multiple_of(3) { 40_000 } else { number });
    let untagged = |bytes: &Bytes| Some((bytes.clone(), String::new()));
    match *step {
        Step::Put(at) => {
            let stored = fixture.put(&bucket, NAMES[at], &bytes).await.unwrap();
            model.add(NAMES[at], stored.version, untagged(&bytes));
        }
        Step::Complete(at) => {
            let done = fixture.put_parts(&bucket, NAMES[at], &[(3, bytes.clone())]).await;
            model.add(NAMES[at], done.version, untagged(&bytes));
        }
        Step::Copy(from, to) => match fixture.copy(&bucket, NAMES[from], NAMES[to]).await {
            Ok(stored) => {
                let copied = model.current(NAMES[from]).cloned();
                assert!(copied.is_some());
                model.add(NAMES[to], stored.version, copied);
            }
            Err(Error::NoSuchKey(_) | Error::DeleteMarker { .. }) => assert!(model.current(NAMES[from]).is_none()),
            Err(error) => panic!("{error}"),
        },
        Step::Rename(from, to) if from != to => match fixture.rename(&bucket, NAMES[from], NAMES[to]).await {
            Ok(stored) => {
                let moved = model.current(NAMES[from]).cloned();
                let marker = fixture.all_versions(&bucket).await;
                let marker = marker.iter().find(|listed| listed.key == NAMES[from]).map(|listed| listed.version);
                model.add(NAMES[from], marker, None);
                model.add(NAMES[to], stored.version, moved);
            }
            Err(Error::NoSuchKey(_) | Error::DeleteMarker { .. }) => assert!(model.current(NAMES[from]).is_none()),
            Err(error) => panic!("{error}"),
        },
        Step::Rename(..) => {}
        Step::Delete(at) => {
            let deleted = fixture.mark(&bucket, NAMES[at]).await;
            assert_eq!(deleted.marker, model.versioning != Versioning::Never);
            model.add(NAMES[at], deleted.version, None);
        }
        Step::Remove(at, place) => {
            let Some(versions) = model.keys.get_mut(NAMES[at]).filter(|versions| !versions.is_empty()) else { return };
            let (version, entry) = versions.remove(place % versions.len());
            let deleted = fixture.remove(&bucket, NAMES[at], version).await.unwrap();
            assert!(deleted.position.is_some());
            assert_eq!(deleted.marker, entry.is_none());
        }
        Step::RemoveNull(at) => {
            let deleted = fixture.remove(&bucket, NAMES[at], VersionId::Null).await.unwrap();
            let versions = model.keys.entry(NAMES[at]).or_default();
            let null = versions.iter().position(|(version, _)| *version == VersionId::Null);
            assert_eq!(deleted.position.is_some(), null.is_some());
            null.map(|place| versions.remove(place));
        }
        Step::Annotate(at, place) => {
            let Some(versions) = model.keys.get_mut(NAMES[at]).filter(|versions| !versions.is_empty()) else { return };
            let place = place % versions.len();
            let (version, entry) = &mut versions[place];
            let tags = Annotation::Tags(vec![(number.to_string(), String::new())]);
            // The newest also without its name.
            let named = Some(*version).filter(|_| place > 0 || number.is_multiple_of(2));
            let key = key(NAMES[at]);
            let annotated = fixture.store.annotate_object(annotate(&bucket, &key, named.as_ref(), tags)).await;
            match entry {
                Some((_, tag)) => {
                    annotated.unwrap();
                    *tag = number.to_string();
                }
                None => assert!(matches!(annotated, Err(Error::DeleteMarker { .. }))),
            }
        }
        Step::Set(versioning) => {
            model.versioning = fixture.versioned("bucket", versioning).await.record.versioning;
        }
    }
}

async fn compare(fixture: &Fixture, model: &Model) {
    let bucket = fixture.bucket("bucket").await;
    let mut expected = Vec::new();
    for (name, versions) in &model.keys {
        for (at, (version, entry)) in versions.iter().enumerate() {
            expected.push(((*name).to_owned(), *version, at == 0, entry.is_some()));
            let found = fixture.get_version(&bucket, name, *version).await;
            let Some((bytes, tag)) = entry else {
                assert!(matches!(found, Err(Error::DeleteMarker { named: true, .. })));
                continue;
            };
            assert_eq!(found.unwrap(), bytes);
            let record = fixture.store.object_version(&bucket, &key(name), Some(version)).await.unwrap().record;
            assert_eq!(record.metadata.tags.first().map_or("", |(tag, _)| tag), tag);
            assert_eq!(
                bucket.shown_version(record.version),
                Some(*version).filter(|_| model.versioning != Versioning::Never)
            );
        }
        match (model.current(name), versions.is_empty()) {
            (Some((bytes, tag)), _) => {
                assert_eq!(fixture.get(&bucket, name).await.unwrap(), bytes);
                let record = fixture.store.object(&bucket, &key(name)).await.unwrap().record;
                assert_eq!(record.metadata.tags.first().map_or("", |(tag, _)| tag), tag);
            }
            (None, true) => assert!(matches!(fixture.get(&bucket, name).await, Err(Error::NoSuchKey(_)))),
            (None, false) => {
                let missing = fixture.get(&bucket, name).await;
                assert!(matches!(missing, Err(Error::DeleteMarker { named: false, .. })), "{missing:?}");
            }
        }
    }
    for limit in [1, 2, 1000] {
        let listed = fixture.list_versions(&bucket, ListVersions { limit, ..ListVersions::default() }).await.0;
        let listed = listed
            .into_iter()
            .map(|listed| (listed.key, listed.version, listed.latest, matches!(listed.entry, EntrySummary::Object(_))));
        assert_eq!(listed.collect::<Vec<_>>(), expected, "pages of {limit}");
    }
    let whole = ListObjects { limit: 1000, ..ListObjects::default() };
    let live = fixture.store.list_objects(bucket.record.id, &whole).await.unwrap();
    let live: Vec<_> = live.objects.into_iter().map(|(name, _)| name).collect();
    assert_eq!(live, model.keys.keys().filter(|name| model.current(name).is_some()).copied().collect::<Vec<_>>());
}

fn step() -> impl Strategy<Value = Step> {
    let at = || 0..NAMES.len();
    prop_oneof![
        4 => at().prop_map(Step::Put),
        1 => at().prop_map(Step::Complete),
        2 => (at(), at()).prop_map(|(from, to)| Step::Copy(from, to)),
        2 => (at(), at()).prop_map(|(from, to)| Step::Rename(from, to)),
        3 => at().prop_map(Step::Delete),
        4 => (at(), 0..9usize).prop_map(|(at, place)| Step::Remove(at, place)),
        1 => at().prop_map(Step::RemoveNull),
        2 => (at(), 0..9usize).prop_map(|(at, place)| Step::Annotate(at, place)),
        2 => prop::sample::select(&[Versioning::Enabled, Versioning::Suspended]).prop_map(Step::Set),
    ]
}

proptest! {
    #[test]
    fn every_history_leaves_the_versions_of_the_model(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new().await;
            fixture.bucket("bucket").await;
            let mut model = Model::default();
            for (number, step) in steps.iter().enumerate() {
                apply(&fixture, &mut model, number, step).await;
            }
            compare(&fixture, &model).await;
            fixture.check().await;
            fixture.store.sweep().await.unwrap();
            assert_eq!(fixture.check().await, NOTHING);
            compare(&fixture, &model).await;
            // Whatever is left goes, and takes everything with it.
            let bucket = fixture.bucket("bucket").await;
            for listed in fixture.all_versions(&bucket).await {
                fixture.remove(&bucket, &listed.key, listed.version).await.unwrap();
            }
            fixture.store.sweep().await.unwrap();
            for table in [VERSIONS, HEADS, REFS] {
                assert!(fixture.rows(table).await.is_empty(), "{}", table.name);
            }
            assert_eq!(fixture.blob_count().await, 0);
            fixture.delete_bucket("bucket").await.unwrap();
        });
    }
}

#[tokio::test]
async fn a_bucket_with_versions_or_markers_is_not_empty() {
    let fixture = Fixture::new().await;
    let bucket = fixture.versioned("bucket", Versioning::Enabled).await;
    let marker = fixture.mark(&bucket, "never there").await;
    assert!(marker.marker && marker.position.is_some());
    assert!(matches!(fixture.delete_bucket("bucket").await, Err(Error::BucketNotEmpty(_))));
    assert!(fixture.remove(&bucket, "never there", marker.version.unwrap()).await.unwrap().marker);
    fixture.delete_bucket("bucket").await.unwrap();
}

#[tokio::test]
async fn a_delete_marker_counts_as_absent() {
    let fixture = Fixture::new().await;
    let bucket = fixture.versioned("bucket", Versioning::Enabled).await;
    fixture.put(&bucket, "key", &body(1, 9)).await.unwrap();
    let refused = fixture.put_if(&bucket, "key", &body(2, 9), Precondition::Absent).await;
    assert!(matches!(refused, Err(Error::PreconditionFailed)));
    fixture.mark(&bucket, "key").await;
    let refused = fixture.put_if(&bucket, "key", &body(2, 9), Precondition::Present).await;
    assert!(matches!(refused, Err(Error::NoSuchKey(_))));
    fixture.put_if(&bucket, "key", &body(2, 9), Precondition::Absent).await.unwrap();
    assert_eq!(fixture.all_versions(&bucket).await.len(), 3);
}

#[tokio::test]
async fn identifiers_of_other_versions_find_nothing() {
    let fixture = Fixture::new().await;
    let bucket = fixture.versioned("bucket", Versioning::Enabled).await;
    let first = fixture.put(&bucket, "key", &body(1, 9)).await.unwrap().version.unwrap();
    let VersionId::Numbered { ordinal, .. } = first else { panic!("{first}") };
    let guessed = VersionId::Numbered { ordinal, random: [7; 16] };
    for version in [guessed, VersionId::Null, VersionId::Numbered { ordinal: u64::MAX, random: [0; 16] }] {
        assert!(matches!(fixture.get_version(&bucket, "key", version).await, Err(Error::NoSuchVersion { .. })));
        let deleted = fixture.remove(&bucket, "key", version).await.unwrap();
        assert_eq!((deleted.position, deleted.version, deleted.marker), (None, Some(version), false));
    }
    assert_eq!(fixture.get_version(&bucket, "key", first).await.unwrap(), body(1, 9));
    // The number is given out again once its version is gone; the identifier is not.
    fixture.remove(&bucket, "key", first).await.unwrap();
    let again = fixture.put(&bucket, "key", &body(2, 9)).await.unwrap().version.unwrap();
    assert_ne!(again, first);
    assert!(matches!(fixture.get_version(&bucket, "key", first).await, Err(Error::NoSuchVersion { .. })));
}

#[tokio::test]
async fn completing_again_names_the_version_that_was_made() {
    let fixture = Fixture::new().await;
    let bucket = fixture.versioned("bucket", Versioning::Enabled).await;
    let id = fixture.create_upload(&bucket, "key").await.unwrap();
    let part = fixture.part(&bucket, "key", id, 1, &body(1, 9)).await.unwrap();
    let first = fixture.complete(&bucket, "key", id, &[(1, &part)]).await.unwrap();
    fixture.put(&bucket, "key", &body(2, 9)).await.unwrap();
    let again = fixture.complete(&bucket, "key", id, &[(1, &part)]).await.unwrap();
    assert!(first.version.is_some());
    assert_eq!((again.version, again.position), (first.version, None));
}

#[tokio::test]
async fn changes_name_their_versions() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.put(&bucket, "key", &body(1, 9)).await.unwrap();
    let bucket = fixture.versioned("bucket", Versioning::Enabled).await;
    let put = fixture.put(&bucket, "key", &body(1, 9)).await.unwrap().version.unwrap();
    let marker = fixture.mark(&bucket, "key").await.version.unwrap();
    fixture.remove(&bucket, "key", put).await.unwrap();
    fixture.remove(&bucket, "key", VersionId::Null).await.unwrap();
    let changes = fixture.rows(LOG).await.into_iter().map(|(_, value)| decode::<Change>(&value).unwrap());
    let changes: Vec<_> = changes.skip(1).map(|change| (change.kind, change.version)).collect();
    let named = |version: VersionId| Some(version.to_string());
    let expected = [
        (ChangeKind::Put, None),
        (ChangeKind::BucketConfiguration, None),
        (ChangeKind::Put, named(put)),
        (ChangeKind::DeleteMarker, named(marker)),
        (ChangeKind::Delete, named(put)),
        (ChangeKind::Delete, named(VersionId::Null)),
    ];
    assert_eq!(changes, expected);
}

#[tokio::test]
async fn a_copy_of_the_store_takes_the_bytes_of_every_version() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.put(&bucket, "key", &body(1, 40_000)).await.unwrap();
    let bucket = fixture.versioned("bucket", Versioning::Enabled).await;
    fixture.put(&bucket, "key", &body(2, 50_000)).await.unwrap();
    fixture.put(&bucket, "small", &body(3, 9)).await.unwrap();
    fixture.mark(&bucket, "key").await;
    let mut walk = BlobWalk::new(fixture.kv.clone());
    let mut lengths = Vec::new();
    while let Some(page) = walk.next().await.unwrap() {
        assert!(page.unreadable.is_empty());
        lengths.extend(page.blobs.into_iter().map(|blob| blob.length));
    }
    assert_eq!(lengths, [50_000, 40_000]);
}

/// What each writer was told is there, whatever it met: nothing is lost and nothing comes twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_writers_and_deleters_of_one_key_lose_nothing() {
    let fixture = std::sync::Arc::new(Fixture::new().await);
    let bucket = fixture.versioned("bucket", Versioning::Enabled).await;
    let tasks = (0..32usize).map(|number| {
        let (fixture, bucket) = (fixture.clone(), bucket.clone());
        tokio::spawn(async move {
            match number % 4 {
                3 => fixture.mark(&bucket, "key").await.version,
                _ => fixture.put(&bucket, "key", &body(number, 9)).await.unwrap().version,
            }
        })
    });
    let mut made = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        made.push(task.await.unwrap().unwrap().to_string());
    }
    let mut listed: Vec<_> =
        fixture.all_versions(&bucket).await.iter().map(|listed| listed.version.to_string()).collect();
    made.sort();
    listed.sort();
    assert_eq!(listed, made);
    assert_eq!(fixture.check().await, NOTHING);
}

/// Versioning is switched while writers hold the bucket's row of before: no object and no version is lost, and what was
/// written once it was enabled stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn versioning_may_change_under_a_storm_of_writes() {
    let fixture = std::sync::Arc::new(Fixture::new().await);
    let before = fixture.bucket("bucket").await;
    let writers = (0..8usize).map(|writer| {
        let (fixture, before) = (fixture.clone(), before.clone());
        tokio::spawn(async move {
            let mut made = Vec::new();
            for number in 0..30 {
                made.push(
                    fixture.put(&before, &format!("key {}", number % 3), &body(writer, 9)).await.unwrap().version,
                );
                tokio::task::yield_now().await;
            }
            made
        })
    });
    let writers: Vec<_> = writers.collect();
    for change in 0..20 {
        let versioning = if change % 2 == 0 { Versioning::Enabled } else { Versioning::Suspended };
        fixture.versioned("bucket", versioning).await;
        tokio::task::yield_now().await;
    }
    let bucket = fixture.versioned("bucket", Versioning::Enabled).await;
    let listed = fixture.all_versions(&bucket).await;
    for writer in writers {
        for version in writer.await.unwrap().into_iter().flatten().filter(|version| *version != VersionId::Null) {
            let now = fixture.all_versions(&bucket).await;
            assert!(now.iter().any(|listed| listed.version == version), "{version} of {} is gone", listed.len());
        }
    }
    fixture.check().await;
    fixture.store.sweep().await.unwrap();
    assert_eq!(fixture.check().await, NOTHING);
}

/// Counts what is read: a page of a key with very many versions costs a page, and so does each deletion.
#[tokio::test]
async fn a_key_with_very_many_versions_costs_what_a_page_costs() {
    const COUNT: u64 = 100_000;
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.put(&bucket, "key", &Bytes::new()).await.unwrap();
    let bucket = fixture.versioned("bucket", Versioning::Enabled).await;
    fixture.mark(&bucket, "key").await;
    let (id, name) = (bucket.record.id, key("key"));
    let marker = DeleteMarker { modified: fixture.clock.now(), owner: AccountId::default() };
    let record = VersionRecord { random: Some([7; 16]), entry: Entry::DeleteMarker(marker) };
    let rows = (3..=COUNT).fold(Commit::new(), |commit, ordinal| {
        commit.put(VERSIONS, tables::version(id, &name, ordinal), encode(&record))
    });
    let head = encode(&Head { newest: COUNT, null: Some(1) });
    fixture.kv.inner().commit(rows.put(HEADS, tables::head(id, &name), head)).await.unwrap();
    let calls = |fixture: &Fixture| {
        let calls = fixture.kv.calls();
        fixture.kv.fail_at(u64::MAX, crate::kv::Fault::Refused);
        calls
    };
    calls(&fixture);
    let list = ListVersions { limit: 100, ..ListVersions::default() };
    let first = fixture.store.list_versions(bucket.record.id, &list).await.unwrap();
    assert_eq!((first.versions.len(), calls(&fixture)), (100, 2));
    let next = ListVersions { after: first.next.unwrap(), ..list };
    assert!(matches!(next.after, VersionMarker::Version(..)));
    assert_eq!(fixture.store.list_versions(bucket.record.id, &next).await.unwrap().versions.len(), 100);
    assert_eq!(calls(&fixture), 3);
    assert!(fixture.get_version(&bucket, "key", VersionId::Null).await.is_ok(), "the oldest, found by its pointer");
    assert_eq!(calls(&fixture), 2);
    for listed in first.versions {
        fixture.remove(&bucket, "key", listed.version).await.unwrap();
        assert!(calls(&fixture) <= 6);
    }
    fixture.put(&bucket, "key", &Bytes::new()).await.unwrap();
    assert!(calls(&fixture) <= 3, "the current row, the head, and a commit");
}

#[tokio::test]
async fn writes_and_reads_without_versions_cost_what_they_did() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.kv.fail_at(u64::MAX, crate::kv::Fault::Refused);
    fixture.put(&bucket, "key", &Bytes::new()).await.unwrap();
    assert_eq!(fixture.kv.calls(), 2, "the row and a commit");
    fixture.get(&bucket, "key").await.unwrap();
    assert_eq!(fixture.kv.calls(), 3);
    fixture.delete(&bucket, "key").await.unwrap();
    assert_eq!(fixture.kv.calls(), 5);
    assert!(fixture.get(&bucket, "key").await.is_err());
    assert_eq!(fixture.kv.calls(), 6);
}
