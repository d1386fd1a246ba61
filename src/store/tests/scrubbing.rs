//! The scrub finds bytes that are not what was written, and goes on where it was stopped.

use std::num::NonZeroU64;

use tokio_util::sync::CancellationToken;

use super::damage::World;
use super::fixture::{INLINE, PART, body};
use crate::kv::Commit;
use crate::report::{Finding, Note, Report};
use crate::store::record::Data;
use crate::store::tables::{self, INLINE as INLINE_ROWS};
use crate::store::{Error, scrub};

#[tokio::test]
async fn a_flipped_bit_is_found_by_the_scrub_for_every_object_that_has_it() {
    let world = World::new().await;
    let blob = world.blob("copy").await;
    assert!(world.fixture.blobs.inner().flip(blob, 17));
    let Data::Inline(inline) = world.data("inline").await else { panic!() };
    world.plant(Commit::new().put(INLINE_ROWS, tables::inline(inline), body(8, 9))).await;
    assert_eq!(world.found().await, [], "the check does not read bytes");
    let (summary, findings) = world.fixture.scrub().await;
    let place = |finding: &Finding| (finding.kind.clone(), finding.place.key.clone().unwrap());
    let found: Vec<_> = findings.iter().map(place).collect();
    let expected = [("damaged_bytes", "blob"), ("damaged_bytes", "copy"), ("wrong_checksum", "inline")];
    assert_eq!(found, expected.map(|(kind, key)| (kind.to_owned(), key.to_owned())));
    assert_eq!(findings[0].place.blob, Some(blob.to_string()));
    assert_eq!((summary.damaged, world.fixture.store.scrubbed().damaged()), (2, 2 /* once for each blob */));
    assert_eq!(findings.len(), 3);
}

#[tokio::test]
async fn a_stopped_scrub_goes_on_where_it_was() {
    let world = World::new().await;
    let whole = world.fixture.scrub().await.0;
    let blobs = whole.blobs + whole.inline_values;
    assert!(blobs >= 5 && whole.bytes > PART as u64 && !whole.resumed);

    let slow = scrub::Options { rate: NonZeroU64::new(64 * 1024), restart: false };
    let stop = CancellationToken::new();
    let (report, mut notes) = Report::new(stop.clone());
    let stopping = async {
        while let Some(note) = notes.recv().await {
            if matches!(note, Note::Progress(progress) if progress.done > INLINE as u64) {
                stop.cancel();
            }
        }
    };
    let scrubbing = async {
        let outcome = world.fixture.store.scrub(slow, &report).await;
        drop(report);
        outcome
    };
    let (outcome, ()) = tokio::join!(scrubbing, stopping);
    assert!(matches!(outcome, Err(Error::Interrupted(_))));

    // In the next run of the process.
    let next = world.fixture.reopen().await;
    let (report, _notes) = Report::new(CancellationToken::new());
    let fast = scrub::Options { rate: None, restart: false };
    let resumed = next.store.scrub(fast, &report).await.unwrap();
    assert!(
        resumed.resumed && (resumed.bytes, resumed.blobs) == (whole.bytes, whole.blobs),
        "{resumed:?} after {whole:?}"
    );
    assert!(next.store.scrubbed().bytes() < whole.bytes, "not all was read again");
    assert!(!next.store.scrub(fast, &report).await.unwrap().resumed, "the next one begins anew");
}

#[tokio::test]
async fn a_scrub_whose_cursor_finds_no_room_ends_with_what_it_found() {
    let world = World::new().await;
    world.fixture.kv.fail_at(0, crate::kv::Fault::Paused);
    let whole = world.fixture.scrub().await.0;
    // The last call writes the cursor.
    world.fixture.kv.fail_at(world.fixture.kv.calls(), crate::kv::Fault::Paused);
    assert_eq!(world.fixture.scrub().await.0, whole);
}

#[tokio::test]
async fn one_scrub_runs_at_a_time() {
    let world = World::new().await;
    let _turn = world.fixture.store.scrubbing.try_lock().unwrap();
    let (report, _notes) = Report::new(CancellationToken::new());
    let outcome = world.fixture.store.scrub(scrub::Options { rate: None, restart: true }, &report).await;
    assert!(matches!(outcome, Err(Error::ScrubRuns)));
}
