//! What the configuration declares: beside what is made at run time, and before it.

use super::*;
use crate::access::Principal;

fn given(id: &str) -> GivenKey {
    GivenKey { access_key_id: id.to_owned(), secret: SecretKey::parse("given-secret").unwrap() }
}

fn user(name: &str, keys: &[&str]) -> DeclaredUser {
    DeclaredUser {
        name: name.to_owned(),
        path: "/".to_owned(),
        root: false,
        keys: keys.iter().map(|id| given(id)).collect(),
        policies: vec![DeclaredPolicy::parse("all", ALLOW).unwrap()],
    }
}

/// The default account with one user, and another account with a user who is its root.
fn declared() -> Declared {
    let mut other = Account::plain("111111111111".parse().unwrap());
    (other.display_name, other.email) = ("Other".to_owned(), Some("other@example.com".to_owned()));
    let admin = DeclaredUser { root: true, ..user("admin", &["ADMIN"]) };
    let first = DeclaredAccount {
        account: Account::plain(AccountId::default()),
        keys: Vec::new(),
        users: vec![user("Declared", &["ONE", "TWO", "THREE"])],
    };
    let second = DeclaredAccount { account: other, keys: vec![given("OTHER")], users: vec![admin] };
    Declared { default: AccountId::default(), accounts: vec![first, second] }
}

#[tokio::test]
async fn declared_keys_stand_for_their_users_and_accounts() {
    let fixture = fixture_with(declared()).await;
    let key = fixture.identities.authenticate("TWO", None).await.unwrap().unwrap();
    assert_eq!(key.secret.expose(), "given-secret");
    assert_eq!(key.caller.principal.arn().unwrap(), "arn:aws:iam::000000000000:user/Declared");
    assert_eq!(key.caller.policies[0].name, "user Declared, inline policy all");
    assert_eq!(key.caller.user_id, fixture.identities.entity(&fixture.user("declared")).await.unwrap().id);
    for id in ["ADMIN", "OTHER"] {
        let key = fixture.identities.authenticate(id, None).await.unwrap().unwrap();
        let account = "111111111111".parse().unwrap();
        assert!(key.root && key.caller.principal == Principal::Root { account }, "{id}");
        assert_eq!(key.account.display_name, "Other");
    }
    assert_eq!(fixture.identities.keys_of_user(&fixture.account, "declared").await.unwrap().len(), 3);
}

#[tokio::test]
async fn accounts_are_found_by_every_name_they_have() {
    let fixture = fixture_with(declared()).await;
    let other = fixture.identities.by_email("Other@Example.com").unwrap();
    assert_eq!(fixture.identities.by_canonical_id(&other.canonical_id.to_uppercase()), Some(Arc::clone(&other)));
    assert_eq!(fixture.identities.account(&other.id), Some(other));
    let unknown: AccountId = "999999999999".parse().unwrap();
    assert_eq!(fixture.identities.account(&unknown), None);
    assert_eq!(fixture.identities.owner(&unknown).canonical_id, derived_canonical_id(&unknown));
    assert_eq!(fixture.identities.accounts().len(), 2);
}

#[tokio::test]
async fn commands_do_not_change_what_is_declared() {
    let Fixture { identities, account, .. } = fixture_with(declared()).await;
    let name = &EntityName::user(&account, "DECLARED");
    let holder = Holder::User { account: account.clone(), name: "declared".to_owned() };
    let changes = [
        identities.put_inline_policy(name, "p", ALLOW).await,
        identities.delete_inline_policy(name, "all").await,
        identities.attach_policy(name, "arn:aws:iam::aws:policy/AmazonS3FullAccess").await,
        identities.delete_entity(name).await,
        identities.create_key(&holder, "").await.map(drop),
        identities.delete_key("ONE", None).await,
        identities.set_key_status("ONE", Some(name), Status::Disabled).await,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        assert!(matches!(change, Err(Error::Declared { .. })), "{number}: {change:?}");
    }
    assert!(matches!(identities.create_user(&account, "declared", "/").await, Err(Error::Exists { .. })));
    assert_eq!(identities.inline_policies(name).await.unwrap(), ["all"]);
}

#[tokio::test]
async fn lists_hold_declared_users_in_their_place_once() {
    let fixture = fixture().await;
    // One of them has the name of a declared user: it is not shown beside that.
    for name in ["alpha", "declared", "echo", "zulu"] {
        fixture.make_user(name).await;
    }
    fixture.identities.declare(declared());
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let wanted = Wanted { after: after.as_deref(), limit: 1, ..Wanted::default() };
        let page = fixture.identities.entities(&fixture.account, EntityKind::User, &wanted).await.unwrap();
        names.extend(page.items.into_iter().map(|user| user.name));
        after = page.after;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(names, ["alpha", "Declared", "echo", "zulu"]);
    let shadowed = fixture.identities.shadowed().await.unwrap();
    assert_eq!(shadowed, [(What::User, "Declared of account 000000000000".to_owned())]);
}

#[tokio::test]
async fn another_declaration_counts_from_the_next_request_on() {
    let fixture = fixture_with(declared()).await;
    let mut next = declared();
    next.accounts.pop();
    next.accounts[0].users = vec![user("Declared", &["NEW"])];
    next.accounts[0].users[0].policies.clear();
    fixture.identities.declare(next);
    for gone in ["ONE", "OTHER", "ADMIN"] {
        assert!(fixture.identities.authenticate(gone, None).await.unwrap().is_none(), "{gone}");
    }
    assert!(fixture.policies_of_key("NEW").await.is_empty());
    assert!(fixture.identities.authenticate("root", None).await.unwrap().unwrap().root);
}

#[tokio::test]
async fn the_keys_of_an_account_rest_while_it_is_not_declared() {
    let fixture = fixture_with(declared()).await;
    let other: AccountId = "111111111111".parse().unwrap();
    let key = fixture.identities.create_key(&Holder::Root(other), "").await.unwrap().access_key_id;
    assert!(fixture.identities.authenticate(&key, None).await.unwrap().is_some());
    fixture.identities.declare(Declared::default());
    assert!(fixture.identities.authenticate(&key, None).await.unwrap().is_none());
    fixture.identities.declare(declared());
    assert!(fixture.identities.authenticate(&key, None).await.unwrap().is_some());
}

#[tokio::test]
async fn a_key_made_at_run_time_does_not_become_a_declared_users() {
    let fixture = fixture().await;
    fixture.make_user("declared").await;
    let key = fixture.make_key("declared").await.access_key_id;
    fixture.identities.declare(declared());
    assert!(fixture.identities.authenticate(&key, None).await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_of_a_declared_user_ends_with_the_declaration() {
    let fixture = fixture_with(declared()).await;
    let key = fixture.identities.authenticate("ONE", None).await.unwrap().unwrap();
    let temporary = fixture.identities.get_session_token(&key, None).await.unwrap();
    let token = Some(temporary.session_token.as_str());
    let session = fixture.identities.authenticate(&temporary.access_key_id, token).await.unwrap().unwrap();
    assert_eq!(session.caller.principal, key.caller.principal);
    fixture.identities.declare(Declared::default());
    assert!(fixture.identities.authenticate(&temporary.access_key_id, token).await.unwrap().is_none());
}
