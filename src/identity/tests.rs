//! The life of an access key, on the in-memory engine.

use std::sync::Arc;

use super::*;
use crate::clock::{Clock, Timestamp};
use crate::kv::{Commit, Kv, MemoryKv};
use crate::names::AccountId;

const MASTER: [u8; MASTER_KEY_BYTES] = [7; MASTER_KEY_BYTES];

fn memory() -> Arc<dyn Kv> {
    Arc::new(MemoryKv::new(&[KEYS]))
}

async fn open(kv: Arc<dyn Kv>, master: [u8; MASTER_KEY_BYTES]) -> Result<Identities, Error> {
    let root = RootKey::new("root", SecretKey::parse("root-secret").unwrap());
    let clock = Clock::fixed(Timestamp::from_seconds(1_000));
    Identities::open(kv, MasterKey::new(master.into()), root, AccountId::default(), clock).await
}

#[tokio::test]
async fn the_root_key_always_works_and_cannot_be_changed() {
    let identities = open(memory(), MASTER).await.unwrap();
    let key = identities.secret_of("root").await.unwrap().unwrap();
    assert!(key.root && key.secret.expose() == "root-secret");
    assert!(matches!(identities.disable("root").await, Err(Error::Root(_))));
    assert!(matches!(identities.delete("root").await, Err(Error::Root(_))));
}

#[tokio::test]
async fn a_key_stops_working_at_the_request_after_it_is_disabled_or_deleted() {
    let identities = open(memory(), MASTER).await.unwrap();
    let made = identities.create("laptop").await.unwrap();
    let id = made.access_key_id.as_str();
    // Twice: from the row, then from memory.
    for _ in 0..2 {
        let key = identities.secret_of(id).await.unwrap().unwrap();
        assert_eq!(key.secret, made.secret);
        assert!(!key.root);
    }
    identities.disable(id).await.unwrap();
    assert!(identities.secret_of(id).await.unwrap().is_none());
    identities.enable(id).await.unwrap();
    assert_eq!(identities.secret_of(id).await.unwrap().unwrap().secret, made.secret);
    identities.delete(id).await.unwrap();
    assert!(identities.secret_of(id).await.unwrap().is_none());
    assert!(matches!(identities.enable(id).await, Err(Error::NoSuchKey(_))));
    assert!(identities.secret_of("unknown").await.unwrap().is_none());
}

#[tokio::test]
async fn keys_survive_a_restart_and_a_wrong_master_key_stops_it() {
    let kv = memory();
    let made = open(kv.clone(), MASTER).await.unwrap().create("").await.unwrap();
    let again = open(kv.clone(), MASTER).await.unwrap();
    assert_eq!(again.secret_of(&made.access_key_id).await.unwrap().unwrap().secret, made.secret);
    let wrong = open(kv, [8; MASTER_KEY_BYTES]).await.unwrap_err();
    assert!(matches!(wrong, Error::Sealed(id) if id == made.access_key_id));
}

#[tokio::test]
async fn a_row_moved_under_another_id_or_cut_short_does_not_give_a_secret() {
    let kv = memory();
    let identities = open(kv.clone(), MASTER).await.unwrap();
    let made = identities.create("").await.unwrap();
    let row = kv.get(KEYS, made.access_key_id.as_bytes()).await.unwrap().unwrap();
    let moved = Commit::new().put(KEYS, "stolen", row.clone()).put(KEYS, "short", row.slice(..row.len() - 1));
    kv.commit(moved).await.unwrap();
    assert!(matches!(identities.secret_of("stolen").await, Err(Error::Sealed(_))));
    assert!(matches!(identities.secret_of("short").await, Err(Error::Record(_))));
    // Damaged rows neither pass for a wrong master key, nor are there for good.
    let identities = open(kv.clone(), MASTER).await.unwrap();
    assert!(matches!(identities.disable("short").await, Err(Error::Record(_))));
    identities.delete("short").await.unwrap();
    assert!(kv.get(KEYS, b"short").await.unwrap().is_none());
}

#[tokio::test]
async fn the_secret_is_not_stored_in_plain() {
    let kv = memory();
    let made = open(kv.clone(), MASTER).await.unwrap().create("laptop").await.unwrap();
    let row = kv.get(KEYS, made.access_key_id.as_bytes()).await.unwrap().unwrap();
    let secret = made.secret.expose().as_bytes();
    assert!(!row.windows(8).any(|window| secret.windows(8).any(|part| part == window)));
    assert!(!format!("{made:?}").contains(made.secret.expose()));
}

#[tokio::test]
async fn lists_are_paged_and_complete() {
    let identities = open(memory(), MASTER).await.unwrap();
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(identities.create(&format!("key {number}")).await.unwrap().access_key_id);
    }
    identities.disable(&made[2]).await.unwrap();
    made.sort();

    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = identities.list(after.as_deref(), 2).await.unwrap();
        assert!(page.keys.len() <= 2);
        listed.extend(page.keys);
        after = page.after;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed.iter().map(|key| key.access_key_id.clone()).collect::<Vec<_>>(), made);
    assert_eq!(listed.iter().filter(|key| key.status == Status::Disabled).count(), 1);
    assert!(listed.iter().all(|key| key.created == Timestamp::from_seconds(1_000)));
}

#[tokio::test]
async fn descriptions_are_one_line_and_bounded() {
    let identities = open(memory(), MASTER).await.unwrap();
    for wrong in ["two\nlines", "\u{1b}[31m", &"x".repeat(MAX_DESCRIPTION_BYTES + 1)] {
        assert!(matches!(identities.create(wrong).await, Err(Error::Description)), "{wrong:?}");
    }
    assert!(identities.create(&"x".repeat(MAX_DESCRIPTION_BYTES)).await.is_ok());
}
