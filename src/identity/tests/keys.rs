//! The life of an access key.

use std::future::Future;

use super::*;
use crate::kv::Commit;

fn account() -> Holder {
    Holder::Root(AccountId::default())
}

#[tokio::test]
async fn the_root_key_always_works_and_cannot_be_changed() {
    let identities = open(memory(), MASTER).await.unwrap();
    let key = identities.authenticate("root", None).await.unwrap().unwrap();
    assert!(key.root && key.secret.expose() == "root-secret");
    assert!(matches!(identities.set_key_status("root", None, Status::Disabled).await, Err(Error::Root(_))));
    assert!(matches!(identities.delete_key("root", None).await, Err(Error::Root(_))));
}

#[tokio::test]
async fn a_key_stops_working_at_the_request_after_it_is_disabled_or_deleted() {
    let identities = open(memory(), MASTER).await.unwrap();
    let made = identities.create_key(&account(), "laptop").await.unwrap();
    let id = made.access_key_id.as_str();
    // Twice: from the row, then from memory.
    for _ in 0..2 {
        let key = identities.authenticate(id, None).await.unwrap().unwrap();
        assert_eq!(key.secret, made.secret);
        assert!(key.root && !key.is_temporary());
    }
    identities.set_key_status(id, None, Status::Disabled).await.unwrap();
    assert!(identities.authenticate(id, None).await.unwrap().is_none());
    identities.set_key_status(id, None, Status::Active).await.unwrap();
    assert_eq!(identities.authenticate(id, None).await.unwrap().unwrap().secret, made.secret);
    identities.delete_key(id, None).await.unwrap();
    assert!(identities.authenticate(id, None).await.unwrap().is_none());
    assert!(matches!(
        identities.set_key_status(id, None, Status::Active).await,
        Err(Error::NoSuch { what: What::AccessKey, .. })
    ));
    assert!(identities.authenticate("unknown", None).await.unwrap().is_none());
}

#[tokio::test]
async fn keys_survive_a_restart_and_a_wrong_master_key_stops_it() {
    let kv = memory();
    let made = open(kv.clone(), MASTER).await.unwrap().create_key(&account(), "").await.unwrap();
    let again = open(kv.clone(), MASTER).await.unwrap();
    assert_eq!(again.authenticate(&made.access_key_id, None).await.unwrap().unwrap().secret, made.secret);
    let wrong = open(kv, [8; MASTER_KEY_BYTES]).await.unwrap_err();
    assert!(matches!(wrong, Error::Sealed(id) if id == made.access_key_id));
}

#[tokio::test]
async fn a_row_moved_under_another_id_or_cut_short_does_not_give_a_secret() {
    let kv = memory();
    let identities = open(kv.clone(), MASTER).await.unwrap();
    let made = identities.create_key(&account(), "").await.unwrap();
    let row = kv.get(KEYS, made.access_key_id.as_bytes()).await.unwrap().unwrap();
    let moved = Commit::new().put(KEYS, "stolen", row.clone()).put(KEYS, "short", row.slice(..row.len() - 1));
    kv.commit(moved).await.unwrap();
    assert!(matches!(identities.authenticate("stolen", None).await, Err(Error::Sealed(_))));
    assert!(matches!(identities.authenticate("short", None).await, Err(Error::Record(_))));
    // Damaged rows neither pass for a wrong master key, nor are there for good.
    let identities = open(kv.clone(), MASTER).await.unwrap();
    assert!(matches!(identities.set_key_status("short", None, Status::Disabled).await, Err(Error::Record(_))));
    identities.delete_key("short", None).await.unwrap();
    assert!(kv.get(KEYS, b"short").await.unwrap().is_none());
}

#[tokio::test]
async fn the_secret_is_not_stored_in_plain() {
    let kv = memory();
    let made = open(kv.clone(), MASTER).await.unwrap().create_key(&account(), "laptop").await.unwrap();
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
        made.push(identities.create_key(&account(), &format!("key {number}")).await.unwrap().access_key_id);
    }
    identities.set_key_status(&made[2], None, Status::Disabled).await.unwrap();
    made.sort();

    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = identities.list_keys(after.as_deref(), 2).await.unwrap();
        assert!(page.keys.len() <= 2);
        listed.extend(page.keys);
        after = page.after;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed.iter().map(|key| key.access_key_id.clone()).collect::<Vec<_>>(), made);
    assert_eq!(listed.iter().filter(|key| key.status == Status::Disabled).count(), 1);
    assert!(listed.iter().all(|key| key.created == NOW));
}

#[tokio::test]
async fn descriptions_are_one_line_and_bounded() {
    let identities = open(memory(), MASTER).await.unwrap();
    for wrong in ["two\nlines", "\u{1b}[31m", &"x".repeat(MAX_DESCRIPTION_BYTES + 1)] {
        assert!(matches!(identities.create_key(&account(), wrong).await, Err(Error::Description)), "{wrong:?}");
    }
    assert!(identities.create_key(&account(), &"x".repeat(MAX_DESCRIPTION_BYTES)).await.is_ok());
}

#[tokio::test]
async fn a_user_has_two_keys_at_most_and_only_its_own() {
    let fixture = fixture().await;
    let identities = &fixture.identities;
    let (bob, eve) = (fixture.make_user("Bob").await, fixture.make_user("eve").await);
    let first = fixture.make_key("bob").await;
    fixture.make_key("bob").await;
    let holder = Holder::User { account: fixture.account.clone(), name: "bob".to_owned() };
    assert!(matches!(identities.create_key(&holder, "").await, Err(Error::Limit { limit: 2, .. })));

    let key = identities.authenticate(&first.access_key_id, None).await.unwrap().unwrap();
    assert_eq!(key.caller.user_id, bob.id);
    assert_eq!(key.caller.principal.arn().unwrap(), bob.arn());
    assert!(!key.root);
    let keys = identities.keys_of_user(&fixture.account, "BOB").await.unwrap();
    assert_eq!((keys.len(), keys[0].user.as_deref()), (2, Some("Bob")));

    let not_his = identities.delete_key(&first.access_key_id, Some(&fixture.user(&eve.name))).await;
    assert!(matches!(not_his, Err(Error::NoSuch { what: What::AccessKey, .. })));
    identities.delete_key(&first.access_key_id, Some(&fixture.user("bob"))).await.unwrap();
    assert!(identities.authenticate(&first.access_key_id, None).await.unwrap().is_none());
    assert_eq!(identities.keys_of_user(&fixture.account, "bob").await.unwrap().len(), 1);
    fixture.make_key("bob").await;
}

#[tokio::test]
async fn a_change_whose_caller_goes_away_is_carried_out_and_seen() {
    let fixture = fixture().await;
    fixture.make_user("bob").await;
    let key = fixture.make_key("bob").await.access_key_id;
    assert!(fixture.identities.authenticate(&key, None).await.unwrap().is_some());
    let disabling = fixture.identities.set_key_status(&key, None, Status::Disabled);
    // Polled until it waits for the commit, then dropped.
    let mut disabling = Box::pin(disabling);
    let waited = std::future::poll_fn(|context| std::task::Poll::Ready(disabling.as_mut().poll(context))).await;
    assert!(waited.is_pending());
    drop(disabling);
    tokio::task::yield_now().await;
    assert!(fixture.identities.authenticate(&key, None).await.unwrap().is_none());
}
