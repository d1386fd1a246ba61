//! Every mutation, interrupted at every call that it makes: the next run finds the old state or the new one, each with its
//! change log, and can tidy up all that was left behind.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::fixture::{Fixture, INLINE, annotate, body, bucket_name, completion, key};
use super::fsck::NOTHING;
use crate::names::{BucketName, UploadId, VersionId};
use crate::store::Error;
use crate::store::annotate::Annotation;
use crate::store::bucket::{Bucket, CreateBucket};
use crate::store::change::{Cause, ChangeKind};
use crate::store::configuration::Kind;
use crate::store::copy::CopyObject;
use crate::store::list::ListObjects;
use crate::store::multipart::{ListParts, ListUploads, Upload};
use crate::store::notifications::NotificationsPage;
use crate::store::record::{PartRecord, Versioning};
use crate::store::tables::BUCKETS;
use crate::{blob, kv};

const LARGE: usize = INLINE + 1;

/// What is done to a [`World`] while something fails.
#[derive(Debug, Clone, Copy)]
enum Step {
    PutEmpty,
    PutInline,
    PutBlob,
    PutBatches,
    InlineOverBlob,
    BlobOverInline,
    BlobOverParts,
    DeleteInline,
    DeleteBlob,
    DeleteParts,
    CopyBlob,
    CopyPartsOverBlob,
    CopyOntoItself,
    Rename,
    RenameOverParts,
    CreateUpload,
    UploadPart,
    ReplacePart,
    Complete,
    CompleteOverBlob,
    Abort,
    CreateBucket,
    DeleteBucket,
    DeleteFullBucket,
    PutVersion,
    PutVersionOverUnnumbered,
    PutNull,
    CopyVersion,
    RenameVersions,
    CompleteVersion,
    Mark,
    MarkUnnumbered,
    MarkNull,
    RemoveCurrent,
    RemoveOlder,
    RemoveMarker,
    RemoveNull,
    RemoveLast,
    AnnotateVersion,
    Enable,
    Configure,
    Notify,
    DeleteMarkedBucket,
    Sweep,
    SweepOrphans,
    TrimLog,
}

const STEPS: [Step; 46] = [
    Step::PutEmpty,
    Step::PutInline,
    Step::PutBlob,
    Step::PutBatches,
    Step::InlineOverBlob,
    Step::BlobOverInline,
    Step::BlobOverParts,
    Step::DeleteInline,
    Step::DeleteBlob,
    Step::DeleteParts,
    Step::CopyBlob,
    Step::CopyPartsOverBlob,
    Step::CopyOntoItself,
    Step::Rename,
    Step::RenameOverParts,
    Step::CreateUpload,
    Step::UploadPart,
    Step::ReplacePart,
    Step::Complete,
    Step::CompleteOverBlob,
    Step::Abort,
    Step::CreateBucket,
    Step::DeleteBucket,
    Step::DeleteFullBucket,
    Step::PutVersion,
    Step::PutVersionOverUnnumbered,
    Step::PutNull,
    Step::CopyVersion,
    Step::RenameVersions,
    Step::CompleteVersion,
    Step::Mark,
    Step::MarkUnnumbered,
    Step::MarkNull,
    Step::RemoveCurrent,
    Step::RemoveOlder,
    Step::RemoveMarker,
    Step::RemoveNull,
    Step::RemoveLast,
    Step::AnnotateVersion,
    Step::Enable,
    Step::Configure,
    Step::Notify,
    Step::DeleteMarkedBucket,
    Step::Sweep,
    Step::SweepOrphans,
    Step::TrimLog,
];

/// A store with an object of every kind, open uploads, and work for the sweeper.
struct World {
    fixture: Fixture,
    bucket: Bucket,
    open: UploadId,
    over: UploadId,
    part: PartRecord,
    versions: Versions,
}

/// Buckets with versions: `kept` keeps them, `paused` did.
struct Versions {
    kept: Bucket,
    paused: Bucket,
    /// Of `key` in `kept`, the oldest first: inline, blob, inline.
    key: Vec<VersionId>,
    /// The delete marker of `marked` in `kept`, above a blob.
    marker: VersionId,
    /// The one version of `single` in `kept`.
    single: VersionId,
    upload: UploadId,
    part: PartRecord,
}

impl Versions {
    async fn new(fixture: &Fixture) -> Self {
        let kept = fixture.bucket("kept").await;
        fixture.put(&kept, "unnumbered", &body(30, LARGE)).await.unwrap();
        let kept = fixture.versioned("kept", Versioning::Enabled).await;
        let mut key = Vec::new();
        for (seed, length) in [(31, 9), (32, LARGE), (33, 8)] {
            key.push(fixture.put(&kept, "key", &body(seed, length)).await.unwrap().version.unwrap());
        }
        fixture.put(&kept, "marked", &body(34, LARGE)).await.unwrap();
        let marker = fixture.mark(&kept, "marked").await.version.unwrap();
        let single = fixture.put(&kept, "single", &body(35, LARGE)).await.unwrap().version.unwrap();
        let upload = fixture.create_upload(&kept, "key").await.unwrap();
        let part = fixture.part(&kept, "key", upload, 1, &body(36, LARGE)).await.unwrap();
        let paused = fixture.versioned("paused", Versioning::Enabled).await;
        fixture.put(&paused, "key", &body(37, 9)).await.unwrap();
        let paused = fixture.versioned(paused.record.name.as_str(), Versioning::Suspended).await;
        fixture.put(&paused, "key", &body(38, LARGE)).await.unwrap();
        fixture.versioned("marked", Versioning::Enabled).await;
        let marked = fixture.bucket("marked").await;
        fixture.mark(&marked, "key").await;
        Self { kept, paused, key, marker, single, upload, part }
    }
}

/// Part numbers and the MD5s of their bytes.
type Parts = Vec<(u16, [u8; 16])>;

/// Key, whether it is the null version, whether it is the latest, and bytes and tags unless it is a delete marker: other
/// identifiers are random.
type SeenVersion = (String, bool, bool, Option<(Bytes, usize)>);

/// What clients can see, and the change log.
#[derive(Debug, Default, PartialEq)]
struct State {
    objects: BTreeMap<(BucketName, String), Bytes>,
    versions: Vec<(BucketName, SeenVersion)>,
    uploads: Vec<(BucketName, String, Parts)>,
    buckets: BTreeSet<BucketName>,
    notifications: NotificationsPage,
    log: Vec<(ChangeKind, Option<String>)>,
}

impl World {
    async fn new() -> Self {
        let first = Fixture::new().await;
        let bucket = first.bucket("bucket").await;
        // What a sweeper and a search for orphans have to do.
        first.put(&bucket, "blob", &body(1, LARGE)).await.unwrap();
        first.put(&bucket, "inline", &body(2, 9)).await.unwrap();
        first.put_parts(&bucket, "gone", &[(1, body(3, LARGE))]).await;
        first.delete(&bucket, "gone").await.unwrap();
        blob::Blobs::create(first.blobs.inner(), None).await.unwrap().finish().await.unwrap();

        let fixture = first.reopen().await;
        fixture.put(&bucket, "blob", &body(4, LARGE)).await.unwrap();
        fixture.put(&bucket, "inline", &body(5, 9)).await.unwrap();
        fixture.put_parts(&bucket, "parts", &[(1, body(6, LARGE))]).await;
        let over = fixture.create_upload(&bucket, "blob").await.unwrap();
        fixture.part(&bucket, "blob", over, 2, &body(7, 8)).await.unwrap();
        let open = fixture.create_upload(&bucket, "open").await.unwrap();
        fixture.part(&bucket, "open", open, 1, &body(8, LARGE)).await.unwrap();
        let part = fixture.part(&bucket, "open", open, 2, &body(7, 8)).await.unwrap();
        let empty = fixture.bucket("empty").await;
        fixture.tell(&empty, Some(Bytes::new())).await.unwrap();
        let left = fixture.create_upload(&empty, "left").await.unwrap();
        fixture.part(&empty, "left", left, 1, &body(9, LARGE)).await.unwrap();
        let versions = Versions::new(&fixture).await;
        fixture.store.sweep().await.unwrap();
        Self { fixture, bucket, open, over, part, versions }
    }

    async fn apply(&self, step: Step) -> Result<(), Error> {
        let (fixture, bucket) = (&self.fixture, &self.bucket);
        match step {
            Step::PutEmpty => fixture.put(bucket, "new", &Bytes::new()).await.map(drop),
            Step::PutInline => fixture.put(bucket, "new", &body(20, 9)).await.map(drop),
            Step::PutBlob => fixture.put(bucket, "new", &body(20, LARGE)).await.map(drop),
            Step::PutBatches => fixture.put(bucket, "new", &body(20, 1_200_000)).await.map(drop),
            Step::InlineOverBlob => fixture.put(bucket, "blob", &body(20, 9)).await.map(drop),
            Step::BlobOverInline => fixture.put(bucket, "inline", &body(20, LARGE)).await.map(drop),
            Step::BlobOverParts => fixture.put(bucket, "parts", &body(20, LARGE)).await.map(drop),
            Step::DeleteInline => fixture.delete(bucket, "inline").await.map(drop),
            Step::DeleteBlob => fixture.delete(bucket, "blob").await.map(drop),
            Step::DeleteParts => fixture.delete(bucket, "parts").await.map(drop),
            Step::CopyBlob => fixture.copy(bucket, "blob", "new").await.map(drop),
            Step::CopyPartsOverBlob => fixture.copy(bucket, "parts", "blob").await.map(drop),
            Step::CopyOntoItself => fixture.copy(bucket, "parts", "parts").await.map(drop),
            Step::Rename => fixture.rename(bucket, "blob", "new").await.map(drop),
            Step::RenameOverParts => fixture.rename(bucket, "inline", "parts").await.map(drop),
            Step::CreateUpload => fixture.create_upload(bucket, "new").await.map(drop),
            Step::UploadPart => fixture.part(bucket, "open", self.open, 3, &body(20, LARGE)).await.map(drop),
            Step::ReplacePart => fixture.part(bucket, "open", self.open, 1, &body(20, LARGE)).await.map(drop),
            Step::Complete => fixture.complete(bucket, "open", self.open, &[(2, &self.part)]).await.map(drop),
            Step::CompleteOverBlob => fixture.complete(bucket, "blob", self.over, &[(2, &self.part)]).await.map(drop),
            Step::Notify => fixture.tell(bucket, Some(Bytes::from_static(b"{}"))).await.map(drop),
            Step::Abort => fixture.abort(bucket, "open", self.open).await,
            Step::CreateBucket => self.create_bucket().await,
            Step::DeleteBucket => fixture.delete_bucket("empty").await.map(drop),
            Step::DeleteFullBucket => match fixture.delete_bucket("bucket").await {
                Err(Error::BucketNotEmpty(_)) => Ok(()),
                outcome => outcome.map(|_| panic!("a bucket with objects was deleted")),
            },
            Step::PutVersion
            | Step::PutVersionOverUnnumbered
            | Step::PutNull
            | Step::CopyVersion
            | Step::RenameVersions
            | Step::CompleteVersion
            | Step::Mark
            | Step::MarkUnnumbered
            | Step::MarkNull
            | Step::RemoveCurrent
            | Step::RemoveOlder
            | Step::RemoveMarker
            | Step::RemoveNull
            | Step::RemoveLast
            | Step::AnnotateVersion
            | Step::Enable
            | Step::Configure
            | Step::DeleteMarkedBucket => self.apply_to_versions(step).await,
            Step::Sweep => fixture.store.sweep().await.map(drop),
            Step::SweepOrphans => fixture.store.sweep_orphans().await.map(drop),
            Step::TrimLog => {
                fixture.clock.advance(std::time::Duration::from_secs(8 * 24 * 3600));
                fixture.store.trim_log().await.map(drop)
            }
        }
    }

    async fn apply_to_versions(&self, step: Step) -> Result<(), Error> {
        let (fixture, versions) = (&self.fixture, &self.versions);
        let (kept, paused) = (&versions.kept, &versions.paused);
        let remove = async |name, version| fixture.remove(kept, name, version).await.map(drop);
        match step {
            Step::PutVersion => fixture.put(kept, "key", &body(40, LARGE)).await.map(drop),
            Step::PutVersionOverUnnumbered => fixture.put(kept, "unnumbered", &body(40, 9)).await.map(drop),
            Step::PutNull => fixture.put(paused, "key", &body(40, 9)).await.map(drop),
            Step::CopyVersion => {
                let source = fixture.store.object_version(kept, &key("key"), Some(&versions.key[1])).await?;
                let copy = CopyObject { source, ..fixture.copying(kept, "key", "unnumbered").await? };
                fixture.store.copy_object(copy).await.map(drop)
            }
            Step::RenameVersions => fixture.rename(kept, "unnumbered", "key").await.map(drop),
            Step::CompleteVersion => {
                fixture.complete(kept, "key", versions.upload, &[(1, &versions.part)]).await.map(drop)
            }
            Step::Mark => fixture.delete(kept, "key").await.map(drop),
            Step::MarkUnnumbered => fixture.delete(kept, "unnumbered").await.map(drop),
            Step::MarkNull => fixture.delete(paused, "key").await.map(drop),
            Step::RemoveCurrent => remove("key", versions.key[2]).await,
            Step::RemoveOlder => remove("key", versions.key[1]).await,
            Step::RemoveMarker => remove("marked", versions.marker).await,
            Step::RemoveNull => remove("unnumbered", VersionId::Null).await,
            Step::RemoveLast => remove("single", versions.single).await,
            Step::AnnotateVersion => {
                let tags = Annotation::Tags(vec![("a".to_owned(), "b".to_owned())]);
                let (key, version) = (key("key"), Some(&versions.key[2]));
                fixture.store.annotate_object(annotate(kept, &key, version, tags)).await.map(drop)
            }
            Step::Enable => fixture.store.put_versioning(paused, Versioning::Enabled, Cause::default()).await.map(drop),
            Step::Configure => {
                let document = Some(Bytes::from_static(b"{}"));
                fixture.store.put_configuration(kept, Kind::Policy, document, Cause::default()).await.map(drop)
            }
            Step::DeleteMarkedBucket => match fixture.delete_bucket("marked").await {
                Err(Error::BucketNotEmpty(_)) => Ok(()),
                outcome => outcome.map(|_| panic!("a bucket with a delete marker was deleted")),
            },
            step => panic!("{step:?} is of objects without versions"),
        }
    }

    async fn create_bucket(&self) -> Result<(), Error> {
        let (name, region) = (bucket_name("new"), "us-east-1".to_owned());
        let account = self.bucket.record.account.clone();
        let configuration = vec![(Kind::Policy, Bytes::from_static(b"{}"))];
        let create = CreateBucket { name, account, region, configuration, cause: Cause::default() };
        self.fixture.store.create_bucket(create).await.map(drop)
    }
}

async fn observe(fixture: &Fixture) -> State {
    let notifications = fixture.store.notifications_page(None).await.unwrap();
    let mut state = State { log: fixture.changes().await, notifications, ..State::default() };
    for (name, _) in fixture.rows(BUCKETS).await {
        let bucket = fixture.bucket(std::str::from_utf8(&name).unwrap()).await;
        let (id, name) = (bucket.record.id, bucket.record.name.clone());
        let all = ListObjects { limit: 1000, ..ListObjects::default() };
        for (key, _) in fixture.store.list_objects(id, &all).await.unwrap().objects {
            let bytes = fixture.get(&bucket, &key).await.unwrap();
            state.objects.insert((name.clone(), key), bytes);
        }
        for listed in fixture.all_versions(&bucket).await {
            let (listed_key, version) = (key(&listed.key), Some(&listed.version));
            let held = match fixture.store.object_version(&bucket, &listed_key, version).await {
                Ok(row) => {
                    let bytes = fixture.get_version(&bucket, &listed.key, listed.version).await.unwrap();
                    Some((bytes, row.record.metadata.tags.len()))
                }
                Err(Error::DeleteMarker { .. }) => None,
                Err(error) => panic!("version {} of {}: {error}", listed.version, listed.key),
            };
            let null = listed.version == VersionId::Null;
            state.versions.push((name.clone(), (listed.key, null, listed.latest, held)));
        }
        let all = ListUploads { limit: 1000, ..ListUploads::default() };
        for listed in fixture.store.list_uploads(id, &all).await.unwrap().uploads {
            let upload = fixture.store.upload(&bucket, &listed.key, listed.id).await.unwrap();
            state.uploads.push((name.clone(), listed.key.as_str().to_owned(), parts(fixture, &upload).await));
        }
        state.buckets.insert(name);
    }
    state
}

async fn parts(fixture: &Fixture, upload: &Upload) -> Parts {
    let page = fixture.store.list_parts(upload, &ListParts { after: 0, limit: 1000 }).await.unwrap();
    page.parts.into_iter().map(|(number, part)| (number, part.md5)).collect()
}

async fn after(step: Step) -> State {
    let world = World::new().await;
    world.apply(step).await.unwrap();
    observe(&world.fixture).await
}

/// Checks what the next run finds, and that it can tidy up.
async fn check_next_run(world: &World, outcome: &Result<(), Error>, old: &State, new: &State, context: &str) {
    world.fixture.blob_count().await;
    let next = world.fixture.reopen().await;
    let found = observe(&next).await;
    assert!(
        found == *new || (outcome.is_err() && found == *old),
        "{context}: {outcome:?}, neither the old state nor the new"
    );
    next.check().await;
    next.store.sweep().await.unwrap();
    next.store.sweep_orphans().await.unwrap();
    assert_eq!(next.check().await, NOTHING, "{context}");
    assert!(observe(&next).await == found, "{context}: sweeping changed what clients see");
}

#[tokio::test]
async fn a_failing_key_value_store_leaves_the_old_state_or_the_new() {
    for step in STEPS {
        let new = after(step).await;
        for fault in [kv::Fault::Refused, kv::Fault::AnswerLost] {
            for call in 1.. {
                let world = World::new().await;
                let old = observe(&world.fixture).await;
                world.fixture.kv.fail_at(call, fault);
                let outcome = world.apply(step).await;
                if world.fixture.kv.calls() < call {
                    assert!(outcome.is_ok() && call > 1, "{step:?}");
                    break;
                }
                check_next_run(&world, &outcome, &old, &new, &format!("{step:?}, {fault:?} at call {call}")).await;
            }
        }
    }
}

#[tokio::test]
async fn failing_blobs_leave_the_old_state_or_the_new() {
    for step in STEPS {
        let new = after(step).await;
        for fault in [blob::Fault::Full, blob::Fault::Io] {
            for call in 1.. {
                let world = World::new().await;
                let old = observe(&world.fixture).await;
                let before = world.fixture.blobs.calls();
                world.fixture.blobs.fail_at(before + call, fault);
                let outcome = world.apply(step).await;
                if world.fixture.blobs.calls() < before + call {
                    assert!(outcome.is_ok(), "{step:?}");
                    break;
                }
                check_next_run(&world, &outcome, &old, &new, &format!("{step:?}, {fault:?} at call {call}")).await;
            }
        }
    }
}

/// A client that asks again after an answer was lost gets what it wanted, once.
#[tokio::test]
async fn asking_again_after_a_lost_answer_completes_once() {
    for call in 1.. {
        let world = World::new().await;
        world.fixture.kv.fail_at(call, kv::Fault::AnswerLost);
        let first = world.apply(Step::Complete).await;
        if world.fixture.kv.calls() < call {
            return;
        }
        assert!(first.is_err(), "call {call}");
        let again = completion(&world.bucket, "open", world.open, &[(2, &world.part)]);
        world.fixture.store.complete_upload(again).await.unwrap();
        let completions = world.fixture.changes().await;
        let open = Some("open".to_owned());
        assert_eq!(completions.iter().filter(|(_, key)| *key == open).count(), 1, "call {call}");
    }
}
