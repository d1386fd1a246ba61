//! Damage of every kind, planted behind the store's back: the check finds it, and repairs lose nothing.

use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::fixture::{Fixture, INLINE, PART, body, key};
use super::fsck::NOTHING;
use crate::blob::{BlobId, Blobs};
use crate::kv::{Commit, Kv, Table};
use crate::report::Severity;
use crate::store::bucket::Bucket;
use crate::store::codec::{decode, encode};
use crate::store::fsck;
use crate::store::record::{Data, InlineId, PartRecord, Target};
use crate::store::tables::{self, BUCKETS, CURRENT, INLINE as INLINE_ROWS, LOG, META, PARTS, REFS, SWEEP, UPLOADS};

const CHECK: fsck::Options = fsck::Options { serving: false, repair: false };
const SERVING: fsck::Options = fsck::Options { serving: true, repair: false };
const REPAIR: fsck::Options = fsck::Options { serving: false, repair: true };

/// A store of the second run with an inline object, a blob with a copy, an object of two parts, and an open upload.
pub struct World {
    pub fixture: Fixture,
    bucket: Bucket,
}

impl World {
    pub async fn new() -> Self {
        let first = Fixture::new().await;
        let bucket = first.bucket("bucket").await;
        first.put(&bucket, "inline", &body(1, 9)).await.unwrap();
        first.put(&bucket, "blob", &body(2, INLINE + 1)).await.unwrap();
        first.copy(&bucket, "blob", "copy").await.unwrap();
        first.put_parts(&bucket, "parts", &[(1, body(3, PART)), (2, body(4, 9))]).await;
        let id = first.create_upload(&bucket, "open").await.unwrap();
        first.part(&bucket, "open", id, 1, &body(5, INLINE + 1)).await.unwrap();
        first.store.sweep().await.unwrap();
        let fixture = first.reopen().await;
        assert_eq!(fixture.check().await, NOTHING);
        Self { fixture, bucket }
    }

    /// Writes behind the store's back.
    pub async fn plant(&self, commit: Commit) {
        self.fixture.kv.inner().commit(commit).await.unwrap();
    }

    async fn row(&self, table: Table, key: &[u8]) -> Bytes {
        self.fixture.kv.inner().get(table, key).await.unwrap().unwrap()
    }

    pub async fn data(&self, name: &str) -> Data {
        self.fixture.store.object(&self.bucket, &key(name)).await.unwrap().record.data
    }

    pub async fn blob(&self, name: &str) -> BlobId {
        match self.data(name).await {
            Data::Blob(blob) => blob.id,
            data => panic!("{name} is {data:?}"),
        }
    }

    fn current(&self, name: &str) -> Bytes {
        tables::current(self.bucket.record.id, name.as_bytes())
    }

    /// What the check finds, the same with and without a server; as kind and key.
    pub async fn found(&self) -> Vec<(String, Option<String>)> {
        let (summary, findings) = self.fixture.fsck(CHECK).await;
        assert_eq!(self.fixture.fsck(SERVING).await.1, findings);
        let damage = findings.iter().filter(|finding| finding.severity == Severity::Damage).count();
        assert_eq!((summary.damage, summary.damage + summary.untidy), (damage as u64, findings.len() as u64));
        findings.into_iter().map(|finding| (finding.kind, finding.place.key)).collect()
    }

    /// Mends and gives what is left, which a second repair does not change.
    async fn left_after_repair(&self) -> Vec<(String, Option<String>)> {
        self.fixture.fsck(REPAIR).await;
        let (summary, _) = self.fixture.fsck(REPAIR).await;
        assert_eq!(summary.repaired, 0, "what can be mended is mended at once");
        self.found().await
    }
}

fn of(kind: &str, key: &str) -> (String, Option<String>) {
    (kind.to_owned(), Some(key.to_owned()))
}

fn any(kind: &str) -> (String, Option<String>) {
    (kind.to_owned(), None)
}

#[tokio::test]
async fn a_missing_blob_is_told_for_every_object_that_has_it_and_stays_told() {
    let world = World::new().await;
    world.fixture.blobs.inner().delete(world.blob("blob").await).await.unwrap();
    let expected = [of("missing_bytes", "blob"), of("missing_bytes", "copy")];
    assert_eq!(world.found().await, expected);
    assert_eq!(world.left_after_repair().await, expected, "records are kept");
    assert!(world.fixture.scrub().await.1.iter().all(|finding| finding.kind == "missing_bytes"));
}

#[tokio::test]
async fn a_damaged_part_is_told_by_its_object_and_its_open_upload_by_its_number() {
    let world = World::new().await;
    for (row, value) in world.fixture.rows(PARTS).await {
        let part: PartRecord = decode(&value).unwrap();
        if let Data::Blob(blob) = part.data {
            assert!(world.fixture.blobs.inner().truncate(blob.id, 7), "{row:?}");
        }
    }
    let mut found = world.found().await;
    // In the order of the uploads, whose ids are random.
    found.sort();
    assert_eq!(found, [any("damaged_bytes"), of("damaged_bytes", "parts")]);
}

#[tokio::test]
async fn lost_rows_are_told_by_what_they_were_for() {
    let world = World::new().await;
    let Data::Inline(inline) = world.data("inline").await else { panic!() };
    let Data::Parts(upload) = world.data("parts").await else { panic!() };
    let lost = Commit::new().delete(INLINE_ROWS, tables::inline(inline)).delete(PARTS, tables::part(upload, 1));
    world.plant(lost).await;
    let found = world.found().await;
    let expected = [of("missing_bytes", "inline"), of("broken_manifest", "parts"), any("stale_reference")];
    assert_eq!(found, expected);
    // The lost part's blob was held by nothing but the upload: it goes into quarantine and is not deleted.
    assert_eq!(world.left_after_repair().await, expected[..2]);
    assert_eq!(world.fixture.blobs.inner().quarantined(), [body(3, PART)]);
}

#[tokio::test]
async fn a_missing_reference_is_made_again() {
    let world = World::new().await;
    let target = world.data("blob").await.target().unwrap();
    let row = tables::object_reference(target, world.bucket.record.id, &key("blob"));
    world.plant(Commit::new().delete(REFS, row)).await;
    assert_eq!(world.found().await, [of("missing_reference", "blob")]);
    assert_eq!(world.left_after_repair().await, []);
    world.fixture.delete(&world.bucket, "copy").await.unwrap();
    world.fixture.store.sweep().await.unwrap();
    assert!(world.fixture.get(&world.bucket, "blob").await.unwrap() == body(2, INLINE + 1));
    assert_eq!(world.fixture.check().await, NOTHING);
}

#[tokio::test]
async fn the_bytes_of_lost_records_go_into_quarantine() {
    let world = World::new().await;
    let rows = ["inline", "blob", "copy", "parts"].map(|name| world.current(name));
    world.plant(rows.into_iter().fold(Commit::new(), |commit, row| commit.delete(CURRENT, row))).await;
    let found = world.found().await;
    let stale = |key| of("stale_reference", key);
    assert_eq!(found, [stale("blob"), stale("copy"), stale("inline"), stale("parts")]);
    // What was made of parts is left as it is, and told every time.
    assert_eq!(world.left_after_repair().await, [stale("parts")]);
    let quarantined = world.fixture.blobs.inner().quarantined();
    assert!(quarantined.contains(&body(1, 9)) && quarantined.contains(&body(2, INLINE + 1)));
    assert_eq!(quarantined.len(), 2);
}

#[tokio::test]
async fn what_belongs_to_nothing_is_untidy_and_mended() {
    let world = World::new().await;
    let mut writer = world.fixture.blobs.inner().create(None).await.unwrap();
    writer.write(body(6, 9)).await.unwrap();
    writer.finish().await.unwrap();
    let next = World { fixture: world.fixture.reopen().await, bucket: world.bucket.clone() };
    let (gone, inline) = (BlobId { run: 1, number: 999 }, InlineId { run: 1, number: 999 });
    let part = next.fixture.rows(PARTS).await.pop().unwrap().1;
    let plain = crate::names::UploadId([9; 16]);
    let mut lonely: PartRecord = decode(&part).unwrap();
    (lonely.data, lonely.size) = (Data::Empty, 0);
    let planted = Commit::new()
        .put(INLINE_ROWS, tables::inline(inline), body(7, 9))
        .put(PARTS, tables::part(plain, 1), encode(&lonely))
        .put(SWEEP, 0u64.to_be_bytes().to_vec(), encode(&Target::Blob(gone)));
    next.plant(planted).await;
    let kinds = |found: Vec<(String, Option<String>)>| found.into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
    let found = kinds(next.found().await);
    assert_eq!(found, ["sweep_remainder", "orphan_blob", "orphan_inline", "unowned_parts"]);
    assert_eq!(kinds(next.left_after_repair().await), Vec::<String>::new());
    let quarantined = next.fixture.blobs.inner().quarantined();
    assert!(quarantined.contains(&body(7, 9)) && quarantined.contains(&body(6, 9)), "{quarantined:?}");
    next.fixture.store.sweep().await.unwrap();
    assert_eq!(next.fixture.check().await, NOTHING);
}

#[tokio::test]
async fn a_row_that_does_not_decode_keeps_its_bytes() {
    let world = World::new().await;
    world.plant(Commit::new().put(CURRENT, world.current("blob"), "garbage")).await;
    let expected = [of("unreadable_record", "blob")];
    assert_eq!(world.found().await, expected);
    assert_eq!(world.left_after_repair().await, expected);
    assert!(world.fixture.blobs.inner().quarantined().is_empty());
}

#[tokio::test]
async fn buckets_that_are_lost_or_share_a_number_are_told_and_the_counter_is_raised() {
    let world = World::new().await;
    let row = world.row(BUCKETS, b"bucket").await;
    let twin = Commit::new().put(BUCKETS, "twin", row.clone()).put(META, "next bucket id", encode(&1u64));
    world.plant(twin).await;
    let kinds: Vec<_> = world.found().await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["bucket_twice", "bucket_twice", "bucket_counter"], "its name and its number");
    world.fixture.fsck(REPAIR).await;
    world.plant(Commit::new().delete(BUCKETS, "twin")).await;
    assert_eq!(world.found().await, []);

    world.plant(Commit::new().delete(BUCKETS, "bucket")).await;
    let found = world.found().await;
    let objects = found.iter().filter(|(kind, _)| kind == "object_without_bucket").count();
    assert_eq!((objects, found.len()), (4, 5), "and the open upload: {found:?}");
    world.fixture.fsck(REPAIR).await;
    assert!(!world.fixture.rows(UPLOADS).await.is_empty());
    world.plant(Commit::new().put(BUCKETS, "bucket", row)).await;
    assert_eq!(world.found().await, [], "repairs took nothing from it");
}

#[tokio::test]
async fn a_lost_bucket_is_looked_for_once_and_not_for_each_of_its_uploads() {
    let world = World::new().await;
    let row = world.row(BUCKETS, b"bucket").await;
    let mut calls = Vec::new();
    for _ in 0..2 {
        world.plant(Commit::new().delete(BUCKETS, "bucket")).await;
        world.fixture.kv.fail_at(0, crate::kv::Fault::Refused);
        assert!(world.fixture.fsck(SERVING).await.1.iter().any(|finding| finding.kind == "upload_without_bucket"));
        calls.push(world.fixture.kv.calls());
        world.plant(Commit::new().put(BUCKETS, "bucket", row.clone())).await;
        for _ in 0..20 {
            world.fixture.create_upload(&world.bucket, "open").await.unwrap();
        }
    }
    assert_eq!(calls[0], calls[1]);
}

#[tokio::test]
async fn holes_in_the_change_log_and_garbage_on_the_sweep_queue_are_told() {
    let world = World::new().await;
    let planted = Commit::new().delete(LOG, 3u64.to_be_bytes().to_vec()).append(SWEEP, "garbage");
    world.plant(planted).await;
    assert_eq!(world.found().await, [any("sweep_entry"), any("log_gap")]);
    assert!(world.fixture.store.sweep().await.is_err());
    assert_eq!(world.left_after_repair().await, [any("log_gap")]);
    world.fixture.store.sweep().await.unwrap();
}

#[tokio::test]
async fn a_trimmed_log_has_no_hole() {
    let world = World::new().await;
    world.fixture.clock.advance(Duration::from_secs(8 * 24 * 3600));
    world.fixture.store.trim_log().await.unwrap();
    assert_eq!(world.found().await, []);
    world.fixture.put(&world.bucket, "more", &body(1, 9)).await.unwrap();
    assert_eq!(world.found().await, []);
}

#[tokio::test]
async fn what_a_restore_leaves_out_of_the_log_is_no_hole() {
    let world = World::new().await;
    let mut last = world.fixture.put(&world.bucket, "more", &body(9, 9)).await.unwrap().position;
    for round in 0..2 {
        crate::store::lineage::begin_new_line(&*world.fixture.kv, last.0).await.unwrap();
        last = world.fixture.put(&world.bucket, "more", &body(round, 9)).await.unwrap().position;
        assert_eq!(world.found().await, []);
    }
}

#[tokio::test]
async fn a_table_that_cannot_be_read_stops_repairs_and_not_the_check() {
    let world = World::new().await;
    let orphan = world.fixture.blobs.inner().create(None).await.unwrap().finish().await.unwrap();
    // The first call reads the table of buckets.
    world.fixture.kv.fail_at(1, crate::kv::Fault::Refused);
    let (summary, findings) = world.fixture.fsck(REPAIR).await;
    let kinds: Vec<_> = findings.iter().map(|finding| finding.kind.as_str()).collect();
    assert_eq!(kinds, ["unreadable_table", "orphan_blob"]);
    assert_eq!((summary.objects, summary.repaired), (4, 0));
    assert_eq!(world.fixture.blobs.inner().list(None, 99).await.unwrap().last(), Some(&orphan.id));
}

#[tokio::test]
async fn small_rows_that_do_not_decode_are_told_and_the_rest_is_checked() {
    let world = World::new().await;
    let keys = Commit::new().put(LOG, "odd", "").put(LOG, vec![0; 3], "").delete(LOG, 3u64.to_be_bytes().to_vec());
    world.plant(keys).await;
    assert_eq!(
        world.found().await,
        ["unreadable_record", "log_gap", "unreadable_record"].map(any),
        "before and behind"
    );
    let names = ["next bucket id", "first log position", "first sweep position"];
    world.plant(names.into_iter().fold(Commit::new(), |commit, name| commit.put(META, name, "garbage"))).await;
    let mut found = world.found().await;
    found.sort();
    assert_eq!(found, ["log_gap"].into_iter().chain(["unreadable_record"; 5]).map(any).collect::<Vec<_>>());
}

#[tokio::test]
async fn blobs_that_cannot_be_listed_are_told_and_stop_repairs() {
    let world = World::new().await;
    let before = world.fixture.blobs.calls();
    world.fixture.fsck(CHECK).await;
    let calls = world.fixture.blobs.calls() - before;
    world.plant(Commit::new().put(INLINE_ROWS, tables::inline(InlineId { run: 1, number: 999 }), body(7, 9))).await;
    // The blobs are listed twice, the second time behind the last: what comes before looks at single ones.
    world.fixture.blobs.fail_at(world.fixture.blobs.calls() + calls - 1, crate::blob::Fault::Io);
    let (summary, findings) = world.fixture.fsck(REPAIR).await;
    let kinds: Vec<_> = findings.iter().map(|finding| finding.kind.as_str()).collect();
    assert_eq!(kinds, ["unreadable_directory", "orphan_inline"]);
    assert_eq!(summary.repaired, 0);
    assert!(world.fixture.blobs.inner().quarantined().is_empty());
}

/// While everything changes nothing is wrong, and nothing may be told.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_busy_store_has_no_findings() {
    let world = std::sync::Arc::new(World::new().await);
    let done = CancellationToken::new();
    let mut busy = tokio::task::JoinSet::new();
    for task in 0..4 {
        let (world, done) = (world.clone(), done.clone());
        busy.spawn(async move {
            for round in 0.. {
                if done.is_cancelled() {
                    return;
                }
                let (fixture, name) = (&world.fixture, format!("key {}", round % 5));
                let length = if round % 2 == 0 { 9 } else { INLINE + 1 };
                match (task, round % 3) {
                    (0, _) => drop(fixture.store.sweep().await.unwrap()),
                    (1, 0) => {
                        let own = format!("bucket-{round}");
                        let bucket = fixture.bucket(&own).await;
                        fixture.put(&bucket, "key", &body(round, length)).await.unwrap();
                        fixture.delete(&bucket, "key").await.unwrap();
                        fixture.create_upload(&bucket, "open").await.unwrap();
                        fixture.delete_bucket(&own).await.unwrap();
                    }
                    (1, _) => drop(fixture.put_parts(&world.bucket, "multi", &[(1, body(round, length))]).await),
                    (_, 0) => drop(fixture.delete(&world.bucket, &name).await.unwrap()),
                    (_, 1) => drop(fixture.copy(&world.bucket, "blob", &name).await),
                    _ => drop(fixture.put(&world.bucket, &name, &body(round, length)).await),
                }
                tokio::task::yield_now().await;
            }
        });
    }
    for _ in 0..20 {
        let (_, findings) = world.fixture.fsck(SERVING).await;
        assert!(findings.is_empty(), "{findings:#?}");
        let (_, findings) = world.fixture.scrub().await;
        assert!(findings.is_empty(), "{findings:#?}");
    }
    done.cancel();
    busy.join_all().await;
    world.fixture.store.sweep().await.unwrap();
    assert_eq!(world.fixture.check().await, NOTHING);
}

#[tokio::test]
async fn what_others_may_be_writing_is_not_judged_while_they_do() {
    let world = World::new().await;
    let staged = world.fixture.stage(&body(9, INLINE + 1), Default::default(), &Default::default()).await.unwrap();
    assert!(world.fixture.fsck(SERVING).await.1.is_empty());
    assert_eq!(world.fixture.fsck(CHECK).await.1[0].kind, "orphan_blob");
    drop(staged);
}
