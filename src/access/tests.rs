//! Decisions, rule by rule.

use std::sync::Arc;

use super::*;
use crate::clock::Timestamp;
use crate::names::{AccountId, BucketName};

const OWNER: &str = "111111111111";
const OTHER: &str = "222222222222";
const READ: &str = r#""Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::pail/*""#;
const NOBODY: PublicAccessBlock = PublicAccessBlock {
    block_public_acls: false,
    ignore_public_acls: false,
    block_public_policy: false,
    restrict_public_buckets: false,
};

pub(super) fn account(id: &str) -> AccountId {
    id.parse().unwrap()
}

pub(super) fn bucket() -> BucketName {
    BucketName::parse("pail").unwrap()
}

fn identity(statement: &str) -> Attached {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{{{statement}}}]}}"#);
    let policy = Policy::parse(text.as_bytes(), PolicyKind::Identity).unwrap_or_else(|error| panic!("{text}: {error}"));
    Attached { name: "user alice, inline policy p".to_owned(), policy: Arc::new(policy) }
}

fn bucket_policy(statements: &[&str]) -> Policy {
    let statements: Vec<String> = statements.iter().map(|statement| format!("{{{statement}}}")).collect();
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
    let kind = PolicyKind::Bucket { bucket: &bucket() };
    Policy::parse(text.as_bytes(), kind).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn user(id: &str, statements: &[&str]) -> Caller {
    Caller {
        principal: Principal::User { account: account(id), path: "/".to_owned(), name: "alice".to_owned() },
        user_id: "AIDAALICE".to_owned(),
        canonical_id: id.repeat(6)[..64].to_owned(),
        policies: statements.iter().map(|statement| identity(statement)).collect(),
        session_policies: None,
    }
}

fn session(id: &str, statements: &[&str], session_statements: Option<&[&str]>) -> Caller {
    let (path, role, session) = ("/ops/".to_owned(), "reader".to_owned(), "nightly".to_owned());
    Caller {
        principal: Principal::AssumedRole { account: account(id), path, role, session },
        user_id: "AROAREADER:nightly".to_owned(),
        session_policies: session_statements.map(|all| all.iter().map(|statement| identity(statement)).collect()),
        ..user(id, statements)
    }
}

fn root(id: &str) -> Caller {
    Caller::root(account(id), id.repeat(6)[..64].to_owned())
}

/// What is asked of a bucket of [`OWNER`].
struct Case {
    action: &'static str,
    resource: Arn,
    policy: Option<Policy>,
    ownership: Ownership,
    block: PublicAccessBlock,
    bucket_acl: Option<Acl>,
    object: Option<(AccountId, Option<Acl>)>,
}

impl Case {
    fn get() -> Self {
        Self {
            action: "s3:GetObject",
            resource: Arn::object(&bucket(), "a/b"),
            policy: None,
            ownership: Ownership::BucketOwnerEnforced,
            block: NOBODY,
            bucket_acl: None,
            object: None,
        }
    }

    fn on_bucket(action: &'static str) -> Self {
        Self { action, resource: Arn::bucket(&bucket()), ..Self::get() }
    }

    fn policy(statements: &[&str]) -> Self {
        Self { policy: Some(bucket_policy(statements)), ..Self::get() }
    }

    fn answer(&self, caller: &Caller) -> (bool, String) {
        let context = Context::at(Timestamp::from_seconds(1_700_000_000));
        let owner = account(OWNER);
        let rules = Rules {
            bucket_owner: &owner,
            bucket_policy: self.policy.as_ref(),
            ownership: self.ownership,
            block: self.block,
            bucket_acl: self.bucket_acl.as_ref(),
            object: self.object.as_ref().map(|(owner, acl)| ObjectRules { owner, acl: acl.as_ref() }),
        };
        let decision = decide(caller, self.action, &self.resource, &context, &rules);
        (decision.allowed, decision.reason.to_string())
    }

    #[track_caller]
    fn allows(&self, caller: &Caller) -> String {
        let (allowed, reason) = self.answer(caller);
        assert!(allowed, "{reason}");
        reason
    }

    #[track_caller]
    fn refuses(&self, caller: &Caller) -> String {
        let (allowed, reason) = self.answer(caller);
        assert!(!allowed, "{reason}");
        reason
    }
}

fn to(principal: &str, rest: &str) -> String {
    format!(r#""Principal":{principal},{rest}"#)
}

#[test]
fn without_any_policy_only_the_owners_root_may() {
    let case = Case::get();
    case.allows(&root(OWNER));
    for caller in [root(OTHER), user(OWNER, &[]), user(OTHER, &[]), Caller::anonymous()] {
        assert!(case.refuses(&caller).ends_with("allows s3:GetObject on arn:aws:s3:::pail/a/b"));
    }
}

#[test]
fn an_explicit_deny_beats_every_allow() {
    let deny = r#""Effect":"Deny","Action":"s3:*","Resource":"*""#;
    let reason = Case::get().refuses(&user(OWNER, &[READ, deny]));
    assert_eq!(reason, "statement 1 of user alice, inline policy p denies it");
    let theirs = r#""Sid":"No one","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::pail/*""#;
    let case = Case::policy(&[&to("\"*\"", READ), theirs]);
    for caller in [user(OWNER, &[READ]), user(OTHER, &[READ]), root(OWNER), root(OTHER), Caller::anonymous()] {
        assert_eq!(case.refuses(&caller), "statement 2 (Sid No one) of the bucket policy denies it");
    }
}

#[test]
fn in_one_account_either_side_is_enough() {
    assert_eq!(Case::get().allows(&user(OWNER, &[READ])), "statement 1 of user alice, inline policy p allows it");
    let named = to(r#"{"AWS":"arn:aws:iam::111111111111:user/alice"}"#, READ);
    assert_eq!(Case::policy(&[&named]).allows(&user(OWNER, &[])), "statement 1 of the bucket policy allows it");
    Case::policy(&[&to("\"*\"", READ)]).allows(&user(OWNER, &[]));
}

#[test]
fn naming_an_account_lets_it_pass_on_what_its_own_policies_allow() {
    let canonical = format!(r#"{{"CanonicalUser":"{}"}}"#, &OWNER.repeat(6)[..64]);
    let principals = [r#"{"AWS":"111111111111"}"#, r#"{"AWS":["arn:aws:iam::111111111111:root"]}"#, &canonical];
    for principal in principals {
        let case = Case::policy(&[&to(principal, READ)]);
        assert!(case.refuses(&user(OWNER, &[])).contains("no identity policy"));
        case.allows(&user(OWNER, &[READ]));
        case.refuses(&root(OTHER));
        case.refuses(&Caller::anonymous());
    }
}

#[test]
fn across_accounts_both_sides_must_allow() {
    for principal in ["\"*\"", r#"{"AWS":"222222222222"}"#, r#"{"AWS":"arn:aws:iam::222222222222:user/alice"}"#] {
        let case = Case::policy(&[&to(principal, READ)]);
        case.allows(&user(OTHER, &[READ]));
        assert!(case.refuses(&user(OTHER, &[])).contains("no identity policy"), "{principal}");
        assert!(Case::get().refuses(&user(OTHER, &[READ])).contains("side of the resource"));
    }
    Case::policy(&[&to(r#"{"AWS":"222222222222"}"#, READ)]).allows(&root(OTHER));
}

#[test]
fn session_policies_narrow_all_but_what_names_the_session() {
    let none: &[&str] = &[r#""Effect":"Allow","Action":"s3:PutObject","Resource":"*""#];
    let wide: &[&str] = &[r#""Effect":"Allow","Action":"s3:*","Resource":"*""#];
    Case::get().allows(&session(OWNER, &[READ], None));
    Case::get().allows(&session(OWNER, &[READ], Some(wide)));
    assert!(Case::get().refuses(&session(OWNER, &[READ], Some(none))).contains("no session policy"));
    Case::get().refuses(&session(OWNER, &[], Some(wide)));
    let role = Case::policy(&[&to(r#"{"AWS":"arn:aws:iam::111111111111:role/ops/reader"}"#, READ)]);
    role.allows(&session(OWNER, &[], Some(wide)));
    role.refuses(&session(OWNER, &[], Some(none)));
    let named = to(r#"{"AWS":"arn:aws:sts::111111111111:assumed-role/reader/nightly"}"#, READ);
    Case::policy(&[&named]).allows(&session(OWNER, &[], Some(none)));
    let deny: &[&str] = &[r#""Effect":"Deny","Action":"*","Resource":"*""#];
    assert!(Case::policy(&[&named]).refuses(&session(OWNER, &[], Some(deny))).starts_with("statement 1 of session"));
}

#[test]
fn a_role_is_named_with_its_path_and_a_user_with_his() {
    for principal in [
        r#"{"AWS":"arn:aws:iam::111111111111:role/reader"}"#,
        r#"{"AWS":"arn:aws:iam::111111111111:user/ops/reader"}"#,
        r#"{"AWS":"arn:aws:sts::111111111111:assumed-role/reader/daily"}"#,
        r#"{"AWS":"arn:aws:iam::222222222222:role/ops/reader"}"#,
    ] {
        Case::policy(&[&to(principal, READ)]).refuses(&session(OWNER, &[], None));
    }
}

#[test]
fn the_owners_root_can_always_remove_a_policy_that_locks_everyone_out() {
    let deny =
        r#""Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::pail","arn:aws:s3:::pail/*"]"#;
    let all = r#""Effect":"Allow","Action":"s3:*","Resource":"*""#;
    for action in ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"] {
        let case = Case { policy: Some(bucket_policy(&[deny])), ..Case::on_bucket(action) };
        case.allows(&root(OWNER));
        case.refuses(&user(OWNER, &[all]));
        case.refuses(&root(OTHER));
    }
    Case { policy: Some(bucket_policy(&[deny])), ..Case::on_bucket("s3:ListBucket") }.refuses(&root(OWNER));
}

#[test]
fn not_principal_excepts_who_is_named_with_his_account() {
    let deny = |named: &str| {
        let rest = r#""Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::pail/*""#;
        Case::policy(&[&format!(r#""NotPrincipal":{{"AWS":{named}}},{rest}"#)])
    };
    let (alice, reader) = (user(OWNER, &[READ]), session(OWNER, &[READ], None));
    let both = deny(r#"["111111111111","arn:aws:iam::111111111111:user/alice"]"#);
    both.allows(&alice);
    both.allows(&root(OWNER));
    both.refuses(&reader);
    deny(r#""111111111111""#).refuses(&alice);
    deny(r#""arn:aws:iam::111111111111:user/alice""#).refuses(&alice);
    let all = r#"["111111111111","arn:aws:iam::111111111111:role/ops/reader","arn:aws:sts::111111111111:assumed-role/reader/nightly"]"#;
    deny(all).allows(&reader);
    deny(r#"["111111111111","arn:aws:iam::111111111111:role/ops/reader"]"#).refuses(&reader);
    deny(all).refuses(&Caller::anonymous());
}

#[test]
fn lists_count_only_where_ownership_lets_them() {
    let acl = Acl::canned(Canned::PublicRead, account(OWNER), None);
    let object = Some((account(OWNER), Some(acl.clone())));
    let with = |ownership| Case { ownership, object: object.clone(), ..Case::get() };
    with(Ownership::BucketOwnerEnforced).refuses(&Caller::anonymous());
    for ownership in [Ownership::ObjectWriter, Ownership::BucketOwnerPreferred] {
        let reason = with(ownership).allows(&Caller::anonymous());
        assert_eq!(reason, "the grant of READ to all users in the object's access control list allows it");
        with(ownership).allows(&user(OWNER, &[]));
        with(ownership).allows(&root(OTHER));
        with(ownership).allows(&user(OTHER, &[READ]));
        with(ownership).refuses(&user(OTHER, &[]));
        let block = PublicAccessBlock { ignore_public_acls: true, ..NOBODY };
        Case { block, ..with(ownership) }.refuses(&Caller::anonymous());
    }
    let list = Case { ownership: Ownership::ObjectWriter, ..Case::on_bucket("s3:ListBucket") };
    list.refuses(&Caller::anonymous());
    Case { bucket_acl: Some(acl), ..list }.allows(&Caller::anonymous());
}

#[test]
fn a_list_is_for_accounts_and_not_for_their_users() {
    let acl = Acl::private(account(OWNER));
    let own = |policies| user(OWNER, policies);
    let case = Case { ownership: Ownership::ObjectWriter, object: Some((account(OWNER), Some(acl))), ..Case::get() };
    case.refuses(&own(&[]));
    case.allows(&own(&[READ]));
    case.allows(&root(OWNER));
}

#[test]
fn authenticated_users_are_those_of_any_account() {
    let acl = Acl::canned(Canned::AuthenticatedRead, account(OWNER), None);
    let case = Case { ownership: Ownership::ObjectWriter, object: Some((account(OWNER), Some(acl))), ..Case::get() };
    case.refuses(&Caller::anonymous());
    case.allows(&root(OTHER));
    case.allows(&user(OWNER, &[]));
}

#[test]
fn anothers_object_is_not_the_bucket_owners_to_read() {
    let all = r#""Effect":"Allow","Action":"s3:*","Resource":"*""#;
    let policy = || Some(bucket_policy(&[&to("\"*\"", READ)]));
    let object = |acl| Some((account(OTHER), Some(acl)));
    let private = Case {
        ownership: Ownership::ObjectWriter,
        object: object(Acl::private(account(OTHER))),
        policy: policy(),
        ..Case::get()
    };
    assert!(private.refuses(&root(OWNER)).starts_with("the object belongs to account 222222222222"));
    private.refuses(&user(OWNER, &[all]));
    private.refuses(&Caller::anonymous());
    private.allows(&root(OTHER));
    private.allows(&user(OTHER, &[READ]));
    let shared = Acl::canned(Canned::BucketOwnerFullControl, account(OTHER), Some(&account(OWNER)));
    let shared = Case { object: object(shared), ..private };
    shared.allows(&root(OWNER));
    shared.allows(&user(OWNER, &[all]));
    shared.refuses(&user(OWNER, &[]));
    for action in ["s3:DeleteObject", "s3:PutObject"] {
        Case { action, object: object(Acl::private(account(OTHER))), ..shared.again() }.allows(&root(OWNER));
    }
    let deny = to("\"*\"", r#""Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::pail/*""#);
    Case { policy: Some(bucket_policy(&[&deny])), ..shared }.refuses(&root(OTHER));
}

impl Case {
    fn again(&self) -> Self {
        Self { resource: self.resource.clone(), ownership: self.ownership, ..Self::get() }
    }
}

#[test]
fn write_on_a_bucket_lets_owners_delete_and_anyone_add() {
    let acl = || Some(Acl::canned(Canned::PublicReadWrite, account(OWNER), None));
    let with = |action, object: Option<&str>| Case {
        action,
        ownership: Ownership::ObjectWriter,
        bucket_acl: acl(),
        object: object.map(|owner| (account(owner), None)),
        ..Case::get()
    };
    with("s3:PutObject", None).allows(&Caller::anonymous());
    with("s3:DeleteObject", Some(OWNER)).refuses(&Caller::anonymous());
    with("s3:DeleteObject", Some(OTHER)).allows(&root(OTHER));
    with("s3:DeleteObject", None).allows(&root(OTHER));
    with("s3:DeleteObjectVersion", Some(OTHER)).refuses(&root(OTHER));
}

#[test]
fn a_public_policy_can_be_kept_from_other_accounts() {
    let block = PublicAccessBlock { restrict_public_buckets: true, ..NOBODY };
    let named = to(r#"{"AWS":"222222222222"}"#, READ);
    let case = Case { block, ..Case::policy(&[&to("\"*\"", READ), &named]) };
    assert!(case.refuses(&Caller::anonymous()).contains("RestrictPublicBuckets"));
    case.refuses(&root(OTHER));
    case.allows(&user(OWNER, &[]));
    Case { block, ..Case::policy(&[&named]) }.allows(&root(OTHER));
}

#[test]
fn assuming_a_role_asks_the_trust_policy_and_across_accounts_both() {
    let role = Arn::iam(&account(OWNER), "role/reader");
    let trust = |principal: &str| {
        let text = format!(
            r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"sts:AssumeRole"}}}}"#
        );
        Policy::parse(text.as_bytes(), PolicyKind::Trust).unwrap()
    };
    let assume = r#""Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::111111111111:role/*""#;
    let context = Context::default();
    let may = |caller: &Caller, principal: &str| may_assume(caller, &role, &trust(principal), &context).allowed;
    assert!(may(&user(OWNER, &[]), "arn:aws:iam::111111111111:user/alice"));
    assert!(!may(&user(OWNER, &[]), OWNER));
    assert!(may(&user(OWNER, &[assume]), OWNER));
    assert!(!may(&user(OWNER, &[assume]), OTHER), "no identity policy is enough without trust");
    assert!(!may(&user(OTHER, &[]), "arn:aws:iam::222222222222:user/alice"));
    assert!(may(&user(OTHER, &[assume]), OTHER));
    assert!(!may(&root(OWNER), OWNER));
    assert!(!may(&Caller::anonymous(), "*"));
    let deny = r#""Effect":"Deny","Action":"sts:*","Resource":"*""#;
    assert!(!may(&user(OWNER, &[deny]), "arn:aws:iam::111111111111:user/alice"));
}

/// The policies of `docs/access.md`, in their order.
fn documented() -> Vec<&'static str> {
    let page = include_str!("../../docs/access.md");
    page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_documented_examples_do_what_the_page_says() {
    let [website, upload, partner, read] = documented().try_into().unwrap();
    let of_bucket = |text: &str| Policy::parse(text.as_bytes(), PolicyKind::Bucket { bucket: &bucket() }).unwrap();
    let of_user = |id: &str, text: &str| {
        let policy = Arc::new(Policy::parse(text.as_bytes(), PolicyKind::Identity).unwrap());
        Caller { policies: [Attached { name: "p".to_owned(), policy }].into(), ..user(id, &[]) }
    };
    let object = |action, key: &str| Case { action, resource: Arn::object(&bucket(), key), ..Case::get() };

    Case { policy: Some(of_bucket(website)), ..Case::get() }.allows(&Caller::anonymous());
    Case { policy: Some(of_bucket(website)), ..Case::on_bucket("s3:ListBucket") }.refuses(&Caller::anonymous());

    let uploader = of_user(OWNER, upload);
    object("s3:PutObject", "incoming/alice/a").allows(&uploader);
    object("s3:PutObject", "incoming/bob/a").refuses(&uploader);
    object("s3:GetObject", "incoming/alice/a").refuses(&uploader);

    let partners = || Some(of_bucket(partner));
    Case { policy: partners(), ..Case::get() }.allows(&user(OTHER, &[READ]));
    Case { policy: partners(), ..Case::get() }.refuses(&user(OTHER, &[]));
    Case { policy: partners(), ..object("s3:PutObject", "a") }.refuses(&root(OTHER));

    let reader = of_user(OWNER, read);
    let mut office = Context::default();
    office.push("aws:SourceIp", "203.0.113.7");
    let owner = account(OWNER);
    let may = |action, key: &str, context: &Context<'_>| {
        decide(&reader, action, &Arn::object(&bucket(), key), context, &Rules::of_account(&owner)).allowed
    };
    assert!(may("s3:GetObject", "a", &office));
    assert!(!may("s3:GetObject", "a", &Context::default()));
    assert!(!may("s3:GetObject", "private/a", &office) && !may("s3:PutObject", "a", &office));
}
