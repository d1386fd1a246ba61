//! Fuzz targets: policy documents, asked what they say; lists as bytes; and patterns made to be slow.

use std::sync::Arc;

use super::glob::{Case, NoVariables, Pieces, Syntax};
use super::tests::{account, bucket};
use super::{
    Acl, Arn, Attached, Caller, Canned, Context, Ownership, Policy, PolicyKind, Principal, PublicAccessBlock, Rules,
    decide, may_assume,
};
use crate::clock::Timestamp;
use crate::fuzz::{self, Mutated};

const SEEDS: [&str; 5] = [
    r#"{"Version":"2012-10-17","Id":"i","Statement":[{"Sid":"S1","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::pail/*"}]}"#,
    r#"{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":["111111111111","arn:aws:iam::111111111111:user/alice"]},"NotAction":["s3:Get*","s3:List?ucket"],"NotResource":["arn:aws:s3:::pail","arn:aws:s3:::pail/a?b*"]}}"#,
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","iam:Get*"],"Resource":["arn:aws:s3:::pail/${aws:username}/*","arn:aws:iam::*:user/x","*"],"Condition":{"StringLike":{"s3:prefix":["a*","${aws:username, 'x'}/${*}"]},"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]},"NumericLessThan":{"s3:max-keys":10},"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}}]}"#,
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::111111111111:assumed-role/reader/s"},"Action":"sts:AssumeRole","Condition":{"Bool":{"aws:SecureTransport":true},"ForAnyValue:ArnLikeIfExists":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"},"Null":{"aws:userid":false},"BinaryEquals":{"aws:x":"QUJD"}}}]}"#,
    r#"{"Version":"2008-10-17","Statement":[{"Effect":"Deny","Principal":{"CanonicalUser":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},"Action":"s3:*","Resource":"arn:aws:s3:::pail*","Condition":{"StringEqualsIgnoreCase":{"s3:ExistingObjectTag/a":"B"}}}]}"#,
];

const WORDS: [&str; 28] = [
    "\"Statement\":",
    "\"Effect\":\"Deny\",",
    "\"Action\":",
    "\"NotAction\":",
    "\"Resource\":",
    "\"Principal\":",
    "\"NotPrincipal\":",
    "\"Condition\":{",
    "\"Version\":\"2012-10-17\",",
    "ForAllValues:",
    "ForAnyValue:",
    "IfExists",
    "StringLike",
    "Null",
    "s3:*",
    "arn:aws:s3:::pail/",
    "arn:",
    "::",
    "*",
    "?",
    "${",
    "${*}",
    "}",
    "${aws:username}",
    "[",
    "]",
    "{",
    "*?*?",
];

fn alice(policy: Option<Policy>) -> Caller {
    let attached = policy.map(|policy| Attached { name: "p".to_owned(), policy: Arc::new(policy) });
    let (path, name) = ("/".to_owned(), "alice".to_owned());
    Caller {
        principal: Principal::User { account: account("111111111111"), path, name },
        policies: attached.into_iter().collect(),
        ..Caller::anonymous()
    }
}

/// A request with a fact of each type, and with a long one.
fn context(long: &str) -> Context<'_> {
    let mut context = Context::at(Timestamp::from_seconds(1_700_000_000));
    context.push("aws:SourceIp", "10.1.2.3");
    context.push("aws:SecureTransport", true);
    context.push("s3:max-keys", 5_u64);
    context.push("s3:prefix", long);
    context
}

#[test]
fn policies() {
    let bucket = bucket();
    let (owner, long) = (account("111111111111"), "a".repeat(1024));
    let (object, role) = (Arn::object(&bucket, &long), Arn::iam(&owner, "role/reader"));
    let context = context(&long);
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(SEEDS, &WORDS)).for_each(|text| {
        fuzz::promptly(|| {
            let bucket_policy = Policy::parse(text, PolicyKind::Bucket { bucket: &bucket }).ok();
            let identity = Policy::parse(text, PolicyKind::Identity);
            let session = Policy::parse(text, PolicyKind::Session);
            assert_eq!(identity.as_ref().err(), session.as_ref().err());
            let caller = alice(identity.ok());
            let rules = Rules {
                bucket_policy: bucket_policy.as_ref(),
                ownership: Ownership::ObjectWriter,
                block: PublicAccessBlock { restrict_public_buckets: true, ..PublicAccessBlock::default() },
                ..Rules::of_account(&owner)
            };
            for caller in [&caller, &Caller::anonymous()] {
                assert!(!decide(caller, "s3:GetObject", &object, &context, &rules).reason.to_string().is_empty());
            }
            if let Ok(trust) = Policy::parse(text, PolicyKind::Trust) {
                assert!(!may_assume(&Caller::anonymous(), &role, &trust, &context).allowed);
                let _ = may_assume(&caller, &role, &trust, &context).reason.to_string();
            }
        });
    });
}

#[test]
fn lists() {
    let owner = account("111111111111");
    let seeds = [Canned::LogDeliveryWrite, Canned::PublicReadWrite, Canned::BucketOwnerRead]
        .map(|canned| Acl::canned(canned, owner.clone(), Some(&account("222222222222"))).encode());
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &["\u{1}", "\u{7f}"])).for_each(
        |bytes| {
            fuzz::promptly(|| {
                if let Ok(acl) = Acl::decode(bytes) {
                    assert_eq!(Acl::decode(&acl.encode()), Ok(acl));
                }
            });
        },
    );
}

#[test]
fn hostile_patterns_take_no_longer_than_others() {
    let text = "a".repeat(8 * 1024);
    for unit in
        ["*a", "*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "*?a", "*?????????????????b", "?a", "*?aaaaaaaaaaaaaaaaaaab*"]
    {
        let text_of_pattern = format!("*{}b*", unit.repeat(20_000 / unit.len()));
        let syntax = Syntax { wildcards: true, variables: true };
        let pattern = Pieces::parse(&text_of_pattern, syntax).unwrap().glob(Case::Sensitive);
        fuzz::promptly(|| assert!(!pattern.matches(&text, &NoVariables), "{unit}"));
    }
}
