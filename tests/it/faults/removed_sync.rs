//! Proof that the power loss tests can fail: with one kind of sync removed, acknowledged changes are lost.

use super::disk::Survival;
use super::library::{Rule, SWALLOWED, SYNC};
use super::machine::Machine;
use super::power_loss::wrong;
use super::worker::{BUCKET, Mix, Worker, run_all};
use crate::dice::Dice;

/// A pattern that no file has.
const NONE: &str = "none";

/// Acknowledges changes while syncs of what matches `pattern` are swallowed, cuts the power, and gives what is wrong then.
async fn lost_without_syncs_of(pattern: &'static str) -> Vec<String> {
    let mut machine = Machine::new();
    let mut server = machine.start(&[]).unwrap();
    assert_eq!(server.client().put(&format!("/{BUCKET}"), "").await.status, 200);
    machine.control.set(0, &Rule { calls: SYNC, pattern, error: SWALLOWED, skip: 0, times: u64::MAX });
    let mut workers = Worker::several(2, "w", Mix::All, &Dice::new(7));
    let acknowledged = run_all(&mut workers, &server.client(), 60).await;
    assert!(acknowledged > 60, "{acknowledged}");
    assert!(machine.control.counts(0).1 > 0 || pattern == NONE, "nothing was synced");
    machine.control.clear(0);
    server.kill();
    drop(server);
    machine.lose_power(&mut Survival::Nothing);
    match machine.start(&[]) {
        Ok(server) => wrong(&server, &mut workers).await,
        Err(refused) => vec![refused],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_sync_of_a_blob_is_seen() {
    let lost = lost_without_syncs_of("blobs/??/*").await;
    assert!(lost.iter().any(|lost| lost.contains("500 InternalError")), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_sync_of_a_directory_is_seen() {
    let lost = lost_without_syncs_of("blobs/??").await;
    assert!(lost.iter().any(|lost| lost.contains("500 InternalError")), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_sync_of_a_pack_is_seen() {
    let lost = lost_without_syncs_of("blobs/packs/*").await;
    assert!(lost.iter().any(|lost| lost.contains("500 InternalError")), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_sync_of_the_directory_of_packs_is_seen() {
    let lost = lost_without_syncs_of("blobs/packs").await;
    assert!(lost.iter().any(|lost| lost.contains("500 InternalError")), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_sync_of_the_log_is_seen() {
    let lost = lost_without_syncs_of("kv/*.log").await;
    assert!(lost.iter().any(|lost| lost.contains("instead of")), "{lost:?}");
}

/// The other side of those above.
#[tokio::test(flavor = "multi_thread")]
async fn with_every_sync_in_place_nothing_is_lost() {
    assert_eq!(lost_without_syncs_of(NONE).await, Vec::<String>::new());
}
