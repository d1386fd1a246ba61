//! Policies: where they are attached, what a request is judged by, and from when on.

use super::*;
use crate::identity::limits::{MAX_ATTACHED, MAX_POLICY_VERSIONS, MAX_USER_POLICIES, Quota};

#[tokio::test]
async fn every_change_of_a_policy_counts_from_the_next_request_on() {
    let fixture = fixture().await;
    let identities = &fixture.identities;
    fixture.make_user("bob").await;
    let key = fixture.make_key("bob").await.access_key_id;
    assert!(fixture.policies_of_key(&key).await.is_empty());

    identities.put_inline_policy(&fixture.user("bob"), "uploads", ALLOW).await.unwrap();
    assert_eq!(fixture.policies_of_key(&key).await, ["user bob, inline policy uploads"]);
    let arn = fixture.make_policy("shared").await;
    identities.create_group(&fixture.account, "ops", "/").await.unwrap();
    identities.attach_policy(&fixture.group("ops"), &arn).await.unwrap();
    assert_eq!(fixture.policies_of_key(&key).await.len(), 1);
    identities.add_user_to_group(&fixture.account, "ops", "bob").await.unwrap();
    let expected = ["user bob, inline policy uploads", &format!("group ops, managed policy {arn}")];
    assert_eq!(fixture.policies_of_key(&key).await, expected);

    identities.remove_user_from_group(&fixture.account, "ops", "bob").await.unwrap();
    identities.delete_inline_policy(&fixture.user("bob"), "uploads").await.unwrap();
    assert!(fixture.policies_of_key(&key).await.is_empty());
}

#[tokio::test]
async fn a_policy_is_parsed_once_for_everyone() {
    let fixture = fixture().await;
    let arn = fixture.make_policy("shared").await;
    let mut keys = Vec::new();
    for name in ["bob", "eve"] {
        fixture.make_user(name).await;
        fixture.identities.attach_policy(&fixture.user(name), &arn).await.unwrap();
        keys.push(fixture.make_key(name).await.access_key_id);
    }
    let bob = fixture.identities.authenticate(&keys[0], None).await.unwrap().unwrap();
    let eve = fixture.identities.authenticate(&keys[1], None).await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&bob.caller.policies[0].policy, &eve.caller.policies[0].policy));
    // The next default version is another policy.
    fixture.identities.create_policy_version(&arn, ALLOW, true).await.unwrap();
    let again = fixture.identities.authenticate(&keys[0], None).await.unwrap().unwrap();
    assert!(!Arc::ptr_eq(&bob.caller.policies[0].policy, &again.caller.policies[0].policy));
}

#[tokio::test]
async fn inline_policies_are_valid_and_short_together() {
    let fixture = fixture().await;
    fixture.make_user("bob").await;
    let bob = &fixture.user("bob");
    let put = async |name: &str, document: &str| fixture.identities.put_inline_policy(bob, name, document).await;
    assert!(matches!(put("p", "{").await, Err(Error::Policy(_))));
    assert!(matches!(put("a/b", ALLOW).await, Err(Error::Name { what: What::UserPolicy, .. })));
    // White space is free.
    put("p", &format!("{ALLOW}{}", " ".repeat(4_000))).await.unwrap();
    let each = ALLOW.len();
    for number in 1..MAX_USER_POLICIES / each {
        put(&format!("p{number}"), ALLOW).await.unwrap();
    }
    assert!(matches!(put("more", ALLOW).await, Err(Error::Limit { quota: Quota::PolicySize, .. })));
    // One in the place of another is not one more.
    put("p1", ALLOW).await.unwrap();
    assert_eq!(fixture.identities.inline_policy(bob, "p1").await.unwrap(), ALLOW);
    let missing = fixture.identities.inline_policy(bob, "nothing").await;
    assert!(matches!(missing, Err(Error::NoSuch { what: What::UserPolicy, .. })));
}

#[tokio::test]
async fn an_attached_policy_stays_until_it_is_detached() {
    let fixture = fixture().await;
    let identities = &fixture.identities;
    fixture.make_user("bob").await;
    let bob = &fixture.user("bob");
    let arn = fixture.make_policy("Shared").await;
    for _ in 0..2 {
        identities.attach_policy(bob, &arn.to_lowercase()).await.unwrap();
    }
    assert_eq!(identities.policy(&arn).await.unwrap().attachments, Some(1));
    assert_eq!(
        identities.attached_policies(bob).await.unwrap(),
        [AttachedPolicy { name: "Shared".into(), arn: arn.clone() }]
    );
    let deleted = identities.delete_policy(&arn).await;
    assert!(matches!(deleted, Err(Error::DeleteConflict { holds: Holds::Attachments, .. })));
    identities.detach_policy(bob, &arn).await.unwrap();
    assert!(matches!(identities.detach_policy(bob, &arn).await, Err(Error::NoSuch { what: What::Policy, .. })));
    identities.delete_policy(&arn).await.unwrap();
    assert!(matches!(identities.attach_policy(bob, &arn).await, Err(Error::NoSuch { what: What::Policy, .. })));
    let other_account = "arn:aws:iam::999999999999:policy/Shared";
    assert!(matches!(identities.attach_policy(bob, other_account).await, Err(Error::NoSuch { .. })));
}

#[tokio::test]
async fn ten_policies_may_be_attached() {
    let fixture = fixture().await;
    fixture.make_user("bob").await;
    for number in 0..=MAX_ATTACHED {
        let arn = fixture.make_policy(&format!("p{number}")).await;
        let attached = fixture.identities.attach_policy(&fixture.user("bob"), &arn).await;
        let full = matches!(attached, Err(Error::Limit { quota: Quota::AttachedPolicies, .. }));
        assert_eq!(full, number == MAX_ATTACHED, "{attached:?}");
    }
}

#[tokio::test]
async fn versions_are_numbered_once_and_the_default_one_stays() {
    let fixture = fixture().await;
    let identities = &fixture.identities;
    let arn = fixture.make_policy("p").await;
    for number in 2..=MAX_POLICY_VERSIONS as u32 {
        let made = identities.create_policy_version(&arn, ALLOW, false).await.unwrap();
        assert_eq!((made.number, made.is_default), (number, false));
    }
    assert!(matches!(identities.create_policy_version(&arn, ALLOW, true).await, Err(Error::Limit { .. })));
    assert!(matches!(identities.delete_policy_version(&arn, 1).await, Err(Error::DefaultVersion(1))));
    identities.set_default_policy_version(&arn, 5).await.unwrap();
    identities.delete_policy_version(&arn, 1).await.unwrap();
    assert_eq!(identities.create_policy_version(&arn, ALLOW, false).await.unwrap().number, 6);
    assert!(matches!(identities.policy_version(&arn, 1).await, Err(Error::NoSuch { what: What::PolicyVersion, .. })));
    assert!(matches!(identities.delete_policy(&arn).await, Err(Error::DeleteConflict { holds: Holds::Versions, .. })));
}

#[tokio::test]
async fn aws_policies_are_there_for_every_account_and_cannot_be_changed() {
    let fixture = fixture().await;
    let identities = &fixture.identities;
    let arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    assert_eq!(identities.policy(arn).await.unwrap().arn(), arn);
    assert!(matches!(identities.delete_policy(arn).await, Err(Error::Unmodifiable(_))));
    let own = fixture.make_policy("AmazonS3ReadOnlyAccess").await;
    assert_ne!(own, arn);
    for (scope, count) in [(Scope::All, 6), (Scope::Aws, 5), (Scope::Local, 1)] {
        let (mut names, mut after) = (Vec::new(), None);
        loop {
            let wanted = Wanted { after: after.as_deref(), limit: 2, ..Wanted::default() };
            let page = identities.policies(&fixture.account, scope, &wanted).await.unwrap();
            names.extend(page.items.iter().map(ManagedPolicy::arn));
            after = page.after;
            if after.is_none() {
                break;
            }
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "{scope:?}");
    }
}
