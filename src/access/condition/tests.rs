//! When conditions hold, operator by operator.

use super::*;
use crate::access::{Arn, Caller, Context, Principal};
use crate::clock::Timestamp;
use crate::names::AccountId;

fn alice() -> Caller {
    let (path, name) = ("/team/".to_owned(), "alice".to_owned());
    Caller {
        principal: Principal::User { account: "111122223333".parse().unwrap(), path, name },
        user_id: "AIDAALICE".to_owned(),
        ..Caller::anonymous()
    }
}

fn context() -> Context<'static> {
    let mut context = Context::at(Timestamp::from_seconds(1_700_000_000));
    context.push("aws:SourceIp", Value::Address("203.0.113.9".parse().unwrap()));
    context.push("aws:SecureTransport", true);
    context.push("s3:prefix", "home/alice/x");
    context.push("s3:max-keys", 100_u64);
    context.push("aws:UserAgent", "");
    context.push("aws:Bytes", "QUJD");
    context.push("aws:Deep", "arn:aws:s3:::pail/a:b");
    context.push_all("s3:RequestObjectTagKeys", ["a", "b"].map(Value::from));
    context.push_all("aws:None", []);
    context
}

fn asked(caller: &Caller, operator: &str, key: &str, values: &[&str]) -> bool {
    let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    let operator = Operator::parse(operator).unwrap();
    let condition = Condition::new(operator, Key::parse(key).unwrap(), &values, true).unwrap();
    let (context, arn, account) = (context(), Arn::parse("arn:aws:s3:::pail/x").unwrap(), AccountId::default());
    condition.holds(&Question::new(caller, "s3:GetObject", &arn, &context, &account))
}

#[track_caller]
fn check(table: &[(&str, &str, &[&str], bool)]) {
    for (operator, key, values, holds) in table {
        assert_eq!(asked(&alice(), operator, key, values), *holds, "{operator} {key} {values:?}");
    }
}

#[test]
fn texts() {
    check(&[
        ("StringEquals", "s3:prefix", &["x", "home/alice/x"], true),
        ("StringEquals", "S3:PREFIX", &["Home/alice/x"], false),
        ("StringEquals", "s3:prefix", &["home/*"], false),
        ("StringEquals", "s3:prefix", &["home/${aws:username}/x"], true),
        ("StringNotEquals", "s3:prefix", &["x", "home/alice/x"], false),
        ("StringNotEquals", "s3:prefix", &["x"], true),
        ("StringEqualsIgnoreCase", "s3:prefix", &["HOME/Alice/X"], true),
        ("StringNotEqualsIgnoreCase", "s3:prefix", &["HOME/Alice/X"], false),
        ("StringLike", "s3:prefix", &["home/*"], true),
        ("StringLike", "s3:prefix", &["HOME/*"], false),
        ("StringLike", "s3:prefix", &["${aws:nothing}*"], false),
        ("StringNotLike", "s3:prefix", &["home/*"], false),
        ("StringLike", "aws:SourceIp", &["203.0.113.?"], true),
        ("StringEquals", "s3:max-keys", &["100"], true),
        ("StringEquals", "aws:SecureTransport", &["true"], true),
        ("StringEquals", "aws:UserAgent", &[""], true),
    ]);
}

#[test]
fn numbers_dates_flags_and_bytes() {
    check(&[
        ("NumericEquals", "s3:max-keys", &["100.0"], true),
        ("NumericNotEquals", "s3:max-keys", &["100"], false),
        ("NumericLessThan", "s3:max-keys", &["100"], false),
        ("NumericLessThanEquals", "s3:max-keys", &["100"], true),
        ("NumericGreaterThan", "s3:max-keys", &["99.5"], true),
        ("NumericGreaterThanEquals", "s3:max-keys", &["101"], false),
        ("NumericLessThan", "s3:prefix", &["5"], false),
        ("DateEquals", "aws:CurrentTime", &["2023-11-14T22:13:20Z"], true),
        ("DateNotEquals", "aws:CurrentTime", &["2023-11-14T22:13:20Z"], false),
        ("DateLessThan", "aws:CurrentTime", &["2023-11-14"], false),
        ("DateGreaterThan", "aws:CurrentTime", &["2023-11-14"], true),
        ("DateLessThanEquals", "aws:EpochTime", &["1700000000"], true),
        ("DateGreaterThanEquals", "aws:EpochTime", &["2023-11-14T22:13:21Z"], false),
        ("NumericEquals", "aws:EpochTime", &["1700000000"], true),
        ("Bool", "aws:SecureTransport", &["true"], true),
        ("Bool", "aws:SecureTransport", &["false"], false),
        ("BinaryEquals", "aws:Bytes", &["QUJD"], true),
        ("BinaryEquals", "aws:Bytes", &["QUJE"], false),
    ]);
}

#[test]
fn addresses_and_arns() {
    check(&[
        ("IpAddress", "aws:SourceIp", &["10.0.0.0/8", "203.0.113.0/24"], true),
        ("IpAddress", "aws:SourceIp", &["203.0.113.0/29"], false),
        ("NotIpAddress", "aws:SourceIp", &["203.0.113.0/24"], false),
        ("NotIpAddress", "aws:SourceIp", &["2001:db8::/32"], true),
        ("ArnEquals", "aws:PrincipalArn", &["arn:aws:iam::111122223333:user/team/alice"], true),
        ("ArnLike", "aws:PrincipalArn", &["arn:aws:iam::*:user/*"], true),
        ("ArnEquals", "aws:PrincipalArn", &["arn:aws:iam::*:user/*"], true),
        ("ArnLike", "aws:PrincipalArn", &["arn:*:user/*"], false),
        ("ArnLike", "aws:PrincipalArn", &["arn:aws:iam::111122223333:user/*/${aws:username}"], true),
        ("ArnNotEquals", "aws:PrincipalArn", &["arn:aws:iam::*:role/*"], true),
        ("ArnNotLike", "aws:PrincipalArn", &["arn:aws:iam::*:user/*"], false),
        ("ArnLike", "aws:Deep", &["arn:aws:s3:::pail/*:?"], true),
        ("ArnLike", "s3:prefix", &["*"], false),
    ]);
}

#[test]
fn absent_keys() {
    check(&[
        ("StringEquals", "aws:Nothing", &["x"], false),
        ("StringNotEquals", "aws:Nothing", &["x"], true),
        ("StringNotLike", "aws:Nothing", &["*"], true),
        ("NumericNotEquals", "aws:Nothing", &["1"], true),
        ("NumericLessThan", "aws:Nothing", &["1"], false),
        ("NotIpAddress", "aws:Nothing", &["1.2.3.4"], true),
        ("ArnNotLike", "aws:Nothing", &["*"], true),
        ("Bool", "aws:Nothing", &["false"], false),
        ("StringEqualsIfExists", "aws:Nothing", &["x"], true),
        ("BoolIfExists", "aws:Nothing", &["false"], true),
        ("StringEqualsIfExists", "s3:prefix", &["x"], false),
        ("StringNotEqualsIfExists", "s3:prefix", &["x"], true),
        ("ForAllValues:StringEquals", "aws:Nothing", &["x"], true),
        ("ForAllValues:StringNotEquals", "aws:Nothing", &["x"], true),
        ("ForAnyValue:StringEquals", "aws:Nothing", &["x"], false),
        ("ForAnyValue:StringNotEquals", "aws:Nothing", &["x"], false),
        ("ForAnyValue:StringEqualsIfExists", "aws:Nothing", &["x"], true),
        ("Null", "aws:Nothing", &["true"], true),
        ("Null", "aws:Nothing", &["false"], false),
        ("Null", "s3:prefix", &["true"], false),
        ("Null", "s3:prefix", &["false"], true),
        ("Null", "aws:None", &["true"], true),
    ]);
}

#[test]
fn several_values() {
    check(&[
        ("ForAllValues:StringEquals", "s3:RequestObjectTagKeys", &["a", "b", "c"], true),
        ("ForAllValues:StringEquals", "s3:RequestObjectTagKeys", &["a", "c"], false),
        ("ForAllValues:StringNotEquals", "s3:RequestObjectTagKeys", &["c"], true),
        ("ForAllValues:StringNotEquals", "s3:RequestObjectTagKeys", &["b"], false),
        ("ForAnyValue:StringEquals", "s3:RequestObjectTagKeys", &["b", "c"], true),
        ("ForAnyValue:StringEquals", "s3:RequestObjectTagKeys", &["c"], false),
        ("ForAnyValue:StringNotEquals", "s3:RequestObjectTagKeys", &["a"], true),
        ("ForAnyValue:StringNotEquals", "s3:RequestObjectTagKeys", &["a", "b"], false),
        ("StringEquals", "s3:RequestObjectTagKeys", &["b"], true),
        ("StringNotEquals", "s3:RequestObjectTagKeys", &["b"], false),
        ("ForAllValues:StringEquals", "aws:None", &["a"], true),
        ("ForAnyValue:StringEquals", "aws:None", &["a"], false),
        ("ForAllValues:StringEquals", "aws:UserAgent", &["a"], true),
        ("ForAnyValue:StringEquals", "aws:UserAgent", &[""], false),
    ]);
}

#[test]
fn what_the_caller_says_of_himself() {
    check(&[
        ("StringEquals", "aws:username", &["alice"], true),
        ("StringEquals", "aws:userid", &["AIDAALICE"], true),
        ("StringEquals", "aws:PrincipalAccount", &["111122223333"], true),
        ("StringEquals", "aws:PrincipalType", &["User"], true),
        ("Bool", "aws:PrincipalIsAWSService", &["false"], true),
        ("StringEquals", "aws:ResourceAccount", &["000000000000"], true),
    ]);
    let anonymous = Caller::anonymous();
    for (operator, key, values, holds) in [
        ("Null", "aws:username", ["true"], true),
        ("Null", "aws:PrincipalArn", ["true"], true),
        ("Null", "aws:PrincipalAccount", ["true"], true),
        ("Null", "aws:PrincipalIsAWSService", ["true"], true),
        ("StringEquals", "aws:userid", ["anonymous"], true),
        ("StringEquals", "aws:PrincipalType", ["Anonymous"], true),
    ] {
        assert_eq!(asked(&anonymous, operator, key, &values), holds, "{key}");
    }
}
