//! Temporary credentials: whom they stand for, how long, and what they may.

use std::time::Duration;

use super::*;
use crate::access::{Context, Principal};

const NARROW: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

async fn with_role(max_session: u64) -> (Fixture, Key) {
    let fixture = fixture().await;
    fixture.make_user("bob").await;
    let id = fixture.make_key("bob").await.access_key_id;
    let new = NewRole {
        account: fixture.account.clone(),
        name: "reader".to_owned(),
        path: "/ops/".to_owned(),
        description: String::new(),
        trust: TRUST.to_owned(),
        max_session: Duration::from_secs(max_session),
    };
    fixture.identities.create_role(new).await.unwrap();
    fixture.identities.put_inline_policy(&fixture.role("reader"), "read", ALLOW).await.unwrap();
    let key = fixture.identities.authenticate(&id, None).await.unwrap().unwrap();
    (fixture, key)
}

const ROLE: &str = "arn:aws:iam::000000000000:role/ops/reader";

fn asked() -> AssumeRole<'static> {
    AssumeRole { role_arn: ROLE, session_name: "nightly", ..AssumeRole::default() }
}

impl Fixture {
    async fn assume(&self, key: &Key, request: &AssumeRole<'_>) -> Result<AssumedRole, Error> {
        self.identities.assume_role(key, request, &Context::at(self.clock.now())).await
    }

    async fn key_of(&self, temporary: &Temporary) -> Result<Option<Key>, Error> {
        self.identities.authenticate(&temporary.access_key_id, Some(&temporary.session_token)).await
    }
}

#[tokio::test]
async fn an_assumed_role_has_the_roles_policies_until_it_ends() {
    let (fixture, bob) = with_role(3_600).await;
    let assumed = fixture.assume(&bob, &asked()).await.unwrap();
    assert_eq!(assumed.arn, "arn:aws:sts::000000000000:assumed-role/reader/nightly");
    assert!(assumed.id.starts_with("AROA") && assumed.id.ends_with(":nightly"));
    let temporary = assumed.credentials;
    assert_eq!(temporary.expires, Timestamp::from_seconds(1_000 + 3_600));
    // Twice: from the token, then from memory.
    for _ in 0..2 {
        let key = fixture.key_of(&temporary).await.unwrap().unwrap();
        assert_eq!(key.secret, temporary.secret);
        assert_eq!(key.caller.user_id, assumed.id);
        assert_eq!(key.caller.policies[0].name, "role reader, inline policy read");
        assert!(key.is_temporary() && key.caller.session_policies.is_none());
        let principal = Principal::AssumedRole {
            account: fixture.account.clone(),
            path: "/ops/".to_owned(),
            role: "reader".to_owned(),
            session: "nightly".to_owned(),
        };
        assert_eq!(key.caller.principal, principal);
    }
    fixture.clock.advance(Duration::from_secs(3_600));
    assert!(matches!(fixture.key_of(&temporary).await, Err(Error::ExpiredToken)));
}

#[tokio::test]
async fn a_session_ends_with_its_role() {
    let (fixture, bob) = with_role(3_600).await;
    let temporary = fixture.assume(&bob, &asked()).await.unwrap().credentials;
    fixture.identities.delete_inline_policy(&fixture.role("reader"), "read").await.unwrap();
    assert!(fixture.key_of(&temporary).await.unwrap().unwrap().caller.policies.is_empty());
    fixture.identities.delete_entity(&fixture.role("reader")).await.unwrap();
    assert!(fixture.key_of(&temporary).await.unwrap().is_none());
}

#[tokio::test]
async fn a_token_belongs_to_its_key_and_to_no_other() {
    let (fixture, bob) = with_role(3_600).await;
    let first = fixture.assume(&bob, &asked()).await.unwrap().credentials;
    let second = fixture.assume(&bob, &asked()).await.unwrap().credentials;
    assert!(fixture.identities.authenticate(&first.access_key_id, None).await.unwrap().is_none());
    for (id, token) in [
        (&*first.access_key_id, &*second.session_token),
        (&*bob.access_key_id, &*first.session_token),
        ("root", &*first.session_token),
        (&*first.access_key_id, "x"),
    ] {
        let refused = fixture.identities.authenticate(id, Some(token)).await;
        assert!(matches!(refused, Err(Error::InvalidToken)), "{id}");
    }
}

#[tokio::test]
async fn a_session_is_narrowed_by_its_policies() {
    let (fixture, bob) = with_role(3_600).await;
    let arn = fixture.make_policy("narrow").await;
    let request = AssumeRole { policy: Some(NARROW), policy_arns: vec![arn.clone()], ..asked() };
    let assumed = fixture.assume(&bob, &request).await.unwrap();
    assert!(assumed.packed_policy_percent.is_some_and(|percent| (1..=100).contains(&percent)));
    let key = fixture.key_of(&assumed.credentials).await.unwrap().unwrap();
    assert_eq!(key.caller.session_policies.as_ref().unwrap().len(), 2);
    // A policy that is gone allows nothing: the session must not become wider.
    let request = AssumeRole { policy_arns: vec![arn.clone()], ..asked() };
    let only = fixture.assume(&bob, &request).await.unwrap().credentials;
    fixture.identities.delete_policy(&arn).await.unwrap();
    let key = fixture.key_of(&only).await.unwrap().unwrap();
    assert!(key.caller.session_policies.as_ref().unwrap().is_empty());

    for (policy, arns, why) in [(Some("{"), vec![], "not a policy"), (None, vec![arn], "not there")] {
        let request = AssumeRole { policy, policy_arns: arns, ..asked() };
        assert!(fixture.assume(&bob, &request).await.is_err(), "{why}");
    }
}

#[tokio::test]
async fn sessions_of_roles_are_bounded() {
    let (fixture, bob) = with_role(7_200).await;
    for (seconds, fits) in [(899, false), (900, true), (7_200, true), (7_201, false)] {
        let request = AssumeRole { duration: Some(Duration::from_secs(seconds)), ..asked() };
        let assumed = fixture.assume(&bob, &request).await;
        assert_eq!(assumed.is_ok(), fits, "{seconds} {assumed:?}");
    }
    for name in ["", "x", "a b"] {
        let request = AssumeRole { session_name: name, ..asked() };
        assert!(matches!(fixture.assume(&bob, &request).await, Err(Error::SessionName(_))));
    }
}

#[tokio::test]
async fn only_whom_a_role_trusts_may_assume_it() {
    let (fixture, bob) = with_role(3_600).await;
    fixture.make_user("eve").await;
    let eve = fixture.make_key("eve").await.access_key_id;
    let eve = fixture.identities.authenticate(&eve, None).await.unwrap().unwrap();
    assert!(matches!(fixture.assume(&eve, &asked()).await, Err(Error::NotTrusted { .. })));
    let root = fixture.identities.authenticate("root", None).await.unwrap().unwrap();
    assert!(matches!(fixture.assume(&root, &asked()).await, Err(Error::RootAssumesRole)));
    // Another path, another account, no such role: all look alike.
    for arn in ["arn:aws:iam::000000000000:role/reader", "arn:aws:iam::999999999999:role/ops/reader", "reader"] {
        let request = AssumeRole { role_arn: arn, ..asked() };
        assert!(matches!(fixture.assume(&bob, &request).await, Err(Error::NotTrusted { .. })), "{arn}");
    }
}

#[tokio::test]
async fn a_users_session_is_the_user_and_ends_with_him() {
    let (fixture, bob) = with_role(3_600).await;
    let temporary = fixture.identities.get_session_token(&bob, None).await.unwrap();
    assert_eq!(temporary.expires, Timestamp::from_seconds(1_000 + 43_200));
    let key = fixture.key_of(&temporary).await.unwrap().unwrap();
    assert_eq!(key.caller.principal, bob.caller.principal);
    assert!(matches!(fixture.identities.get_session_token(&key, None).await, Err(Error::Temporary)));
    for seconds in [899, 129_601] {
        let refused = fixture.identities.get_session_token(&bob, Some(Duration::from_secs(seconds))).await;
        assert!(matches!(refused, Err(Error::Duration { .. })), "{seconds}");
    }
    // A user of the same name is another one.
    fixture.identities.delete_key(&bob.access_key_id, None).await.unwrap();
    fixture.identities.delete_entity(&fixture.user("bob")).await.unwrap();
    fixture.make_user("bob").await;
    assert!(fixture.key_of(&temporary).await.unwrap().is_none());
}

#[tokio::test]
async fn a_roots_session_lasts_an_hour_at_most() {
    let fixture = fixture().await;
    let root = fixture.identities.authenticate("root", None).await.unwrap().unwrap();
    let asked = Some(Duration::from_secs(129_600));
    let temporary = fixture.identities.get_session_token(&root, asked).await.unwrap();
    assert_eq!(temporary.expires, Timestamp::from_seconds(1_000 + 3_600));
    let key = fixture.key_of(&temporary).await.unwrap().unwrap();
    assert!(key.root && key.is_temporary());
}
