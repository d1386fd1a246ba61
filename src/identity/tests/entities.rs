//! Users, groups and roles: names, lists, quotas, what must go first.

use std::time::Duration;

use super::*;
use crate::access::Named;
use crate::identity::limits::{MAX_GROUPS_PER_USER, Quota};

#[tokio::test]
async fn names_differ_by_more_than_case_and_keep_theirs() {
    let fixture = fixture().await;
    let made = fixture.make_user("Bob").await;
    assert_eq!((made.arn().as_str(), made.created), ("arn:aws:iam::000000000000:user/Bob", NOW));
    assert!(made.id.starts_with("AIDA"));
    let again = fixture.identities.create_user(&fixture.account, "BOB", "/").await;
    assert!(matches!(again, Err(Error::Exists { what: What::User, .. })));
    assert_eq!(fixture.identities.entity(&fixture.user("bOB")).await.unwrap(), made);
    // A group may have a user's name.
    fixture.identities.create_group(&fixture.account, "bob", "/team/").await.unwrap();
}

#[tokio::test]
async fn a_name_that_is_used_again_is_another_user() {
    let fixture = fixture().await;
    let first = fixture.make_user("bob").await;
    fixture.identities.delete_entity(&fixture.user("bob")).await.unwrap();
    assert_ne!(fixture.make_user("bob").await.id, first.id);
}

#[tokio::test]
async fn invalid_names_paths_and_unknown_accounts_are_refused() {
    let Fixture { identities, account, .. } = fixture().await;
    assert!(matches!(identities.create_user(&account, "a b", "/").await, Err(Error::Name { .. })));
    assert!(matches!(identities.create_user(&account, "bob", "team").await, Err(Error::Path(_))));
    let unknown = "999999999999".parse().unwrap();
    let made = identities.create_user(&unknown, "bob", "/").await;
    assert!(matches!(made, Err(Error::NoSuch { what: What::Account, .. })));
    let missing = identities.entity(&EntityName::user(&account, "bob\0")).await;
    assert!(matches!(missing, Err(Error::NoSuch { what: What::User, .. })));
}

#[tokio::test]
async fn lists_are_paged_in_order_and_complete_and_of_one_account_and_kind() {
    let fixture = fixture().await;
    for name in ["delta", "Alpha", "charlie", "Bravo", "echo"] {
        let path = if name == "echo" { "/team/" } else { "/" };
        fixture.identities.create_user(&fixture.account, name, path).await.unwrap();
        fixture.identities.create_group(&fixture.account, name, "/").await.unwrap();
    }
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let wanted = Wanted { after: after.as_deref(), limit: 2, ..Wanted::default() };
        let page = fixture.identities.entities(&fixture.account, EntityKind::User, &wanted).await.unwrap();
        assert!(page.items.len() <= 2);
        names.extend(page.items.into_iter().map(|user| user.name));
        after = page.after;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(names, ["Alpha", "Bravo", "charlie", "delta", "echo"]);
    let wanted = Wanted { path_prefix: "/team/", limit: 100, ..Wanted::default() };
    let team = fixture.identities.entities(&fixture.account, EntityKind::User, &wanted).await.unwrap();
    assert_eq!((team.items.len(), team.after), (1, None));
}

#[tokio::test]
async fn members_are_found_from_both_sides_and_keep_group_and_user() {
    let Fixture { identities, account, .. } = fixture().await;
    identities.create_user(&account, "Bob", "/").await.unwrap();
    identities.create_group(&account, "Ops", "/").await.unwrap();
    // Twice is once.
    for _ in 0..2 {
        identities.add_user_to_group(&account, "ops", "bob").await.unwrap();
    }
    assert_eq!(identities.groups_of_user(&account, "bob").await.unwrap()[0].name, "Ops");
    let members = identities.users_in_group(&account, "OPS", &first(10)).await.unwrap();
    assert_eq!((members.items.len(), members.items[0].name.as_str()), (1, "Bob"));

    let (user, group) = (EntityName::user(&account, "bob"), EntityName::group(&account, "ops"));
    let conflict = |holds| move |deleted| matches!(deleted, Err(Error::DeleteConflict { holds: h, .. }) if h == holds);
    assert!(conflict(Holds::Groups)(identities.delete_entity(&user).await));
    assert!(conflict(Holds::Members)(identities.delete_entity(&group).await));
    identities.remove_user_from_group(&account, "ops", "bob").await.unwrap();
    assert!(identities.users_in_group(&account, "ops", &first(10)).await.unwrap().items.is_empty());
    identities.delete_entity(&user).await.unwrap();
    identities.delete_entity(&group).await.unwrap();
    assert!(matches!(identities.add_user_to_group(&account, "ops", "bob").await, Err(Error::NoSuch { .. })));
}

#[tokio::test]
async fn a_user_is_in_ten_groups_at_most() {
    let Fixture { identities, account, .. } = fixture().await;
    identities.create_user(&account, "bob", "/").await.unwrap();
    for number in 0..=MAX_GROUPS_PER_USER {
        let group = format!("g{number}");
        identities.create_group(&account, &group, "/").await.unwrap();
        let added = identities.add_user_to_group(&account, &group, "bob").await;
        let full = matches!(added, Err(Error::Limit { quota: Quota::GroupsPerUser, .. }));
        assert_eq!(full, number == MAX_GROUPS_PER_USER, "{added:?}");
    }
}

#[tokio::test]
async fn what_has_keys_or_policies_stays() {
    let fixture = fixture().await;
    fixture.make_user("bob").await;
    let key = fixture.make_key("bob").await;
    let bob = &fixture.user("bob");
    let holds = async || match fixture.identities.delete_entity(bob).await {
        Err(Error::DeleteConflict { holds, .. }) => holds,
        other => panic!("{other:?}"),
    };
    assert_eq!(holds().await, Holds::AccessKeys);
    fixture.identities.delete_key(&key.access_key_id, None).await.unwrap();
    fixture.identities.put_inline_policy(bob, "p", ALLOW).await.unwrap();
    assert_eq!(holds().await, Holds::InlinePolicies);
    fixture.identities.delete_inline_policy(bob, "p").await.unwrap();
    fixture.identities.attach_policy(bob, "arn:aws:iam::aws:policy/AmazonS3FullAccess").await.unwrap();
    assert_eq!(holds().await, Holds::AttachedPolicies);
    fixture.identities.detach_policy(bob, "arn:aws:iam::aws:policy/AmazonS3FullAccess").await.unwrap();
    fixture.identities.delete_entity(bob).await.unwrap();
}

#[tokio::test]
async fn changes_at_the_same_time_lose_nothing() {
    let fixture = Arc::new(fixture().await);
    fixture.make_user("bob").await;
    let mut tasks = Vec::new();
    for number in 0..8 {
        let fixture = Arc::clone(&fixture);
        tasks.push(tokio::spawn(async move {
            let bob = fixture.user("bob");
            fixture.identities.put_inline_policy(&bob, &format!("p{number}"), ALLOW).await.unwrap();
            fixture.make_user(&format!("user{number}")).await;
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(fixture.identities.inline_policies(&fixture.user("bob")).await.unwrap().len(), 8);
    let users = fixture.identities.entities(&fixture.account, EntityKind::User, &first(100)).await.unwrap();
    assert_eq!(users.items.len(), 9);
}

#[tokio::test]
async fn identities_survive_a_restart() {
    let fixture = fixture().await;
    let made = fixture.make_user("bob").await;
    let block = crate::access::PublicAccessBlock { block_public_acls: true, ..Default::default() };
    fixture.identities.put_public_access_block(&fixture.account, Some(block)).await.unwrap();
    let again = open(fixture.kv.clone(), MASTER).await.unwrap();
    assert_eq!(again.entity(&fixture.user("bob")).await.unwrap(), made);
    assert_eq!(again.public_access_block(&fixture.account), Some(block));
    again.put_public_access_block(&fixture.account, None).await.unwrap();
    assert_eq!(again.public_access_block(&fixture.account), None);
    assert_eq!(open(fixture.kv, MASTER).await.unwrap().public_access_block(&fixture.account), None);
}

#[tokio::test]
async fn roles_have_a_valid_trust_policy_and_a_bounded_session() {
    let fixture = fixture().await;
    let new = |seconds, trust: &str| NewRole {
        account: fixture.account.clone(),
        name: "reader".to_owned(),
        path: "/".to_owned(),
        description: String::new(),
        trust: trust.to_owned(),
        max_session: Duration::from_secs(seconds),
    };
    for seconds in [3_599, 43_201] {
        let made = fixture.identities.create_role(new(seconds, TRUST)).await;
        assert!(matches!(made, Err(Error::Duration { .. })), "{seconds}");
    }
    assert!(matches!(fixture.identities.create_role(new(3_600, ALLOW)).await, Err(Error::Policy(_))));
    let made = fixture.identities.create_role(new(7_200, TRUST)).await.unwrap();
    assert_eq!(fixture.identities.role(&fixture.account, "READER").await.unwrap(), made);
    assert_eq!(fixture.identities.roles(&fixture.account, &first(10)).await.unwrap().items, [made]);
    fixture.identities.put_inline_policy(&fixture.role("reader"), "read", ALLOW).await.unwrap();
    assert!(fixture.identities.delete_entity(&fixture.role("reader")).await.is_err());
}

#[tokio::test]
async fn principals_are_known_by_their_exact_names_while_they_are_there() {
    let fixture = fixture().await;
    let Fixture { identities, account, .. } = &fixture;
    identities.create_user(account, "bob", "/team/").await.unwrap();
    let new = NewRole {
        account: account.clone(),
        name: "reader".into(),
        path: "/".into(),
        description: String::new(),
        trust: TRUST.into(),
        max_session: Duration::from_secs(3600),
    };
    identities.create_role(new).await.unwrap();
    let unknown: AccountId = "999999999999".parse().unwrap();
    let user = |account: &AccountId, path: &str, name: &str| Named::User {
        account: account.clone(),
        path: path.into(),
        name: name.into(),
    };
    let role = |name: &str| Named::Role { account: account.clone(), path: "/".into(), name: name.into() };
    let session = |role: &str| Named::Session { account: account.clone(), role: role.into(), session: "s".into() };
    let canonical = identities.account(account).unwrap().canonical_id.clone();
    for (named, expected) in [
        (Named::Everyone, true),
        (Named::Account(account.clone()), true),
        (Named::Account(unknown.clone()), false),
        (Named::Canonical(canonical), true),
        (Named::Canonical("0".repeat(64)), false),
        (user(account, "/team/", "bob"), true),
        (user(account, "/", "bob"), false),
        (user(account, "/team/", "BOB"), false),
        (user(&unknown, "/team/", "bob"), false),
        (role("reader"), true),
        (role("bob"), false),
        (session("reader"), true),
        (session("Reader"), false),
    ] {
        assert_eq!(identities.knows(&named).await.unwrap(), expected, "{named}");
    }
    identities.delete_entity(&fixture.user("bob")).await.unwrap();
    assert!(!identities.knows(&user(account, "/team/", "bob")).await.unwrap());
}
