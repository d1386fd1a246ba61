//! What a bucket's owner wants to be told of.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use crate::events::record;
use crate::events::rules::{Destination, Rule, Rules, TargetArn, TargetName};
use crate::s3::answer::Answer;
use crate::s3::error::{Code, S3Error};
use crate::s3::xml::notification::{self, Asked};
use crate::s3::{Request, Service};

/// How many destinations are tested at a time.
const TESTED_AT_ONCE: usize = 16;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketNotificationConfiguration.html>
pub fn get_bucket_notification_configuration(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let rules = cx.events.rules.current(request.bucket()?.record.id);
    Ok(Answer::xml(notification::write(rules.as_deref())))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html>
pub async fn put_bucket_notification_configuration(
    cx: &Arc<Service>,
    request: &mut Request,
) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let skip = skips_validation(request)?;
    let body = request.body.read(notification::BOUNDS.bytes).await?;
    let Asked { rules, arns } = notification::read(&body)?;
    if let Some(rules) = &rules {
        check_places(request, rules, &arns)?;
        if !skip {
            check_targets(cx, request, rules).await?;
        }
    }
    let position = cx.events.rules.put(&cx.store, &bucket, rules, request.cause()).await?;
    Ok(position.map_or_else(Answer::ok, |position| Answer::ok().position(position)))
}

fn skips_validation(request: &Request) -> Result<bool, S3Error> {
    const HEADER: &str = "x-amz-skip-destination-validation";
    match request.head.headers.text(HEADER)?.map(str::trim) {
        None | Some("") => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(text) => Err(S3Error::invalid_argument("The value must be true or false", HEADER, text)),
    }
}

/// Destinations are in the bucket's region, and belong to its account: what another account's name stands for can never be told.
fn check_places(request: &Request, rules: &Rules, arns: &[TargetArn]) -> Result<(), S3Error> {
    let bucket = &request.bucket()?.record;
    let mut missing = Vec::new();
    for (rule, arn) in rules.iter().zip(arns) {
        if arn.region.as_ref().is_some_and(|region| *region != bucket.region) {
            let message = "The notification destination service region is not valid for the bucket location constraint";
            return Err(S3Error::invalid_argument(message, argument(rule), &rule.arn));
        }
        if arn.account.as_ref().is_some_and(|account| *account != bucket.account) {
            missing.push((named(rule), absent(rule)));
        }
    }
    unless_any(missing)
}

/// Every destination is there, and takes a test message.
async fn check_targets(cx: &Service, request: &Request, rules: &Rules) -> Result<(), S3Error> {
    let account = &request.bucket()?.record.account;
    let is_missing = |rule: &&Rule| !cx.events.targets.exists(account, &rule.target);
    unless_any(rules.iter().filter(is_missing).map(|rule| (named(rule), absent(rule))).collect())?;
    let mut tested = BTreeSet::new();
    // AWS tests nothing where EventBridge is told of everything.
    let rules = rules.iter().filter(|rule| rule.destination != Destination::EventBridge);
    let rules: Vec<&Rule> = rules.filter(|rule| tested.insert(&rule.target)).collect();
    let tests = rules.iter().map(|rule| test(cx, request, &rule.target));
    let outcomes: Vec<_> = stream::iter(tests).buffered(TESTED_AT_ONCE).collect().await;
    let mut failed = Vec::new();
    for (rule, outcome) in rules.iter().zip(outcomes) {
        failed.extend(outcome?.err().map(|reason| (named(rule), reason)));
    }
    unless_any(failed)
}

async fn test(cx: &Service, request: &Request, target: &TargetName) -> Result<Result<(), String>, S3Error> {
    let bucket = &request.bucket()?.record;
    let message = record::test_event(&bucket.name, request.id.as_str(), cx.host_id.as_str(), cx.clock.now());
    Ok(cx.events.targets.test(&bucket.account, target, message).await)
}

/// The element that names a rule's destination.
fn argument(rule: &Rule) -> &'static str {
    match rule.destination {
        Destination::Topic => "Topic",
        Destination::Queue => "Queue",
        Destination::CloudFunction => "CloudFunction",
        Destination::EventBridge => "EventBridge",
    }
}

/// What an error calls a rule's destination: its ARN.
fn named(rule: &Rule) -> String {
    if rule.arn.is_empty() { argument(rule).to_owned() } else { rule.arn.clone() }
}

/// AWS's words for a destination that is not there.
fn absent(rule: &Rule) -> String {
    match rule.destination {
        Destination::Topic => "The destination topic does not exist".to_owned(),
        Destination::Queue => "The destination queue does not exist".to_owned(),
        Destination::CloudFunction => "The destination Lambda does not exist".to_owned(),
        Destination::EventBridge => format!("There is no endpoint named {}", rule.target),
    }
}

/// AWS's list of what is wrong with destinations: elements with numbers in their names.
fn unless_any(wrong: Vec<(String, String)>) -> Result<(), S3Error> {
    if wrong.is_empty() {
        return Ok(());
    }
    let message = "Unable to validate the following destination configurations";
    let error = S3Error::with_message(Code::InvalidArgument, message);
    Err(wrong
        .into_iter()
        .zip(NUMBERED)
        .fold(error, |error, ((name, value), (names, values))| error.detail(names, name).detail(values, value)))
}

/// The names of the first elements; a client that has more than these wrong is told of the rest next time.
const NUMBERED: [(&str, &str); 10] = [
    ("ArgumentName1", "ArgumentValue1"),
    ("ArgumentName2", "ArgumentValue2"),
    ("ArgumentName3", "ArgumentValue3"),
    ("ArgumentName4", "ArgumentValue4"),
    ("ArgumentName5", "ArgumentValue5"),
    ("ArgumentName6", "ArgumentValue6"),
    ("ArgumentName7", "ArgumentValue7"),
    ("ArgumentName8", "ArgumentValue8"),
    ("ArgumentName9", "ArgumentValue9"),
    ("ArgumentName10", "ArgumentValue10"),
];
