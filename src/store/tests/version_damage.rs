//! Damage to versions, planted behind the store's back: the check finds it, and repairs lose nothing.

use super::damage::World;
use super::fixture::{INLINE, body, key};
use super::fsck::NOTHING;
use crate::kv::{Commit, Table};
use crate::names::VersionId;
use crate::store::bucket::Bucket;
use crate::store::codec::encode;
use crate::store::configuration::Kind;
use crate::store::fsck;
use crate::store::record::{Head, Versioning};
use crate::store::tables::{self, BUCKETS, CURRENT, HEADS, REFS, VERSIONS};

/// Beside what [`World`] has, a bucket with versions: `key` has the null version and two more, `marked` is deleted.
struct Versions {
    world: World,
    bucket: Bucket,
    newest: VersionId,
}

impl Versions {
    async fn new() -> Self {
        let world = World::new().await;
        let bucket = world.fixture.bucket("versions").await;
        world.fixture.put(&bucket, "key", &body(1, INLINE + 1)).await.unwrap();
        let bucket = world.fixture.versioned("versions", Versioning::Enabled).await;
        world.fixture.put(&bucket, "key", &body(2, 9)).await.unwrap();
        let newest = world.fixture.put(&bucket, "key", &body(3, INLINE + 1)).await.unwrap().version.unwrap();
        world.fixture.put(&bucket, "marked", &body(4, 9)).await.unwrap();
        world.fixture.mark(&bucket, "marked").await;
        world.fixture.configure("versions", Kind::Policy, Some(body(5, 9))).await;
        assert_eq!(world.fixture.check().await, NOTHING);
        let bucket = world.fixture.bucket("versions").await;
        Self { world, bucket, newest }
    }

    fn version(&self, ordinal: u64) -> bytes::Bytes {
        tables::version(self.bucket.record.id, &key("key"), ordinal)
    }

    fn head(&self, name: &str) -> bytes::Bytes {
        tables::head(self.bucket.record.id, &key(name))
    }

    async fn delete(&self, table: Table, row: bytes::Bytes) {
        self.world.plant(Commit::new().delete(table, row)).await;
    }

    /// Finds these, mends them, and everything is as it was.
    async fn mended(&self, kinds: &[&str]) {
        let found: Vec<_> = self.world.found().await.into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(found, kinds);
        self.world.fixture.fsck(fsck::Options { serving: false, repair: true }).await;
        self.world.fixture.check().await;
        let fixture = &self.world.fixture;
        assert_eq!(fixture.get(&self.bucket, "key").await.unwrap(), body(3, INLINE + 1));
        assert_eq!(fixture.get_version(&self.bucket, "key", self.newest).await.unwrap(), body(3, INLINE + 1));
        assert_eq!(fixture.get_version(&self.bucket, "key", VersionId::Null).await.unwrap(), body(1, INLINE + 1));
        assert!(fixture.get(&self.bucket, "marked").await.is_err());
        assert_eq!(fixture.all_versions(&self.bucket).await.len(), 5);
        fixture.put(&self.bucket, "key", &body(6, 9)).await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_head_is_told_once_and_made_again() {
    let versions = Versions::new().await;
    versions.delete(HEADS, versions.head("key")).await;
    versions.mended(&["wrong_head"]).await;
}

#[tokio::test]
async fn a_head_that_is_behind_its_versions_is_set_right() {
    for head in [Head { newest: 2, null: Some(1) }, Head { newest: 3, null: None }, Head { newest: 7, null: Some(1) }] {
        let versions = Versions::new().await;
        versions.world.plant(Commit::new().put(HEADS, versions.head("key"), encode(&head))).await;
        let found = versions.world.found().await;
        assert!(found.iter().all(|(kind, _)| kind == "wrong_head" || kind == "wrong_current"), "{found:?}");
        let kinds: Vec<_> = found.iter().map(|(kind, _)| kind.as_str()).collect();
        versions.mended(&kinds).await;
    }
}

#[tokio::test]
async fn the_current_object_is_made_the_newest_version_again() {
    let versions = Versions::new().await;
    versions.delete(CURRENT, versions.head("key")).await;
    versions.mended(&["wrong_current"]).await;
    let versions = Versions::new().await;
    // A copy of what the delete marker hides.
    let fixture = &versions.world.fixture;
    let hidden = tables::version(versions.bucket.record.id, &key("marked"), 1);
    let row = crate::kv::Kv::get(fixture.kv.inner(), VERSIONS, &hidden).await.unwrap().unwrap();
    let record: crate::store::record::VersionRecord = crate::store::codec::decode(&row).unwrap();
    let crate::store::record::Entry::Object(object) = record.entry else { panic!() };
    versions.world.plant(Commit::new().put(CURRENT, versions.head("marked"), encode(object.as_ref()))).await;
    versions.mended(&["wrong_current"]).await;
}

#[tokio::test]
async fn the_version_that_is_current_is_made_again_from_the_current_object() {
    let versions = Versions::new().await;
    versions.delete(VERSIONS, versions.version(3)).await;
    // Nobody else holds its bytes; the first look that sees them mends what it can.
    versions.mended(&["missing_version", "wrong_head", "stale_reference"]).await;
}

#[tokio::test]
async fn a_version_lost_for_good_leaves_its_bytes_in_quarantine() {
    let versions = Versions::new().await;
    versions.delete(VERSIONS, versions.version(2)).await;
    let found = versions.world.found().await;
    assert_eq!(found, [("stale_reference".to_owned(), Some("key".to_owned()))]);
    versions.world.fixture.fsck(fsck::Options { serving: false, repair: true }).await;
    assert_eq!(versions.world.fixture.blobs.inner().quarantined(), [body(2, 9)]);
    assert_eq!(versions.world.fixture.check().await, NOTHING);
}

#[tokio::test]
async fn a_versions_missing_reference_is_made_again() {
    let versions = Versions::new().await;
    for (row, _) in versions.world.fixture.rows(REFS).await {
        if let Some((_, tables::Owner::Version { .. })) = tables::parse_reference(&row) {
            versions.delete(REFS, row).await;
        }
    }
    let (_, found) = versions.world.fixture.fsck(fsck::Options { serving: false, repair: true }).await;
    let missing = found.iter().filter(|finding| finding.kind == "missing_reference");
    let named: Vec<_> = missing.filter_map(|finding| finding.place.version.clone()).collect();
    assert_eq!(named.len(), 4, "{found:?}");
    assert_eq!(named[0], versions.newest.to_string(), "by the identifier that clients know");
    assert_eq!(versions.world.fixture.check().await, NOTHING);
}

#[tokio::test]
async fn what_a_lost_bucket_had_is_told_and_kept() {
    let versions = Versions::new().await;
    versions.delete(BUCKETS, tables::bucket(&versions.bucket.record.name)).await;
    let found = versions.world.found().await;
    let count = |wanted: &str| found.iter().filter(|(kind, _)| kind == wanted).count();
    assert_eq!((count("object_without_bucket"), count("configuration_without_bucket")), (5, 1), "{found:?}");
    assert_eq!(found.len(), 6);
    versions.world.fixture.fsck(fsck::Options { serving: false, repair: true }).await;
    assert_eq!(versions.world.found().await, found);
}
