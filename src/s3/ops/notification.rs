//! What a bucket's owner wants to be told of.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use crate::events::Targets;
use crate::events::record::{self, Message};
use crate::events::rules::{Destination, Rule, Rules, TargetArn};
use crate::names::AccountId;
use crate::s3::answer::Answer;
use crate::s3::error::{Code, S3Error};
use crate::s3::xml::notification::{self, Asked};
use crate::s3::{Request, Service};
use crate::store::record::BucketRecord;

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
        let BucketRecord { account, name, .. } = &bucket.record;
        check_places(&bucket.record, rules, &arns)?;
        if !skip {
            let message = record::test_event(name, request.id.as_str(), cx.host_id.as_str(), cx.clock.now());
            check_targets(&*cx.events.targets, account, rules, &message).await?;
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
fn check_places(bucket: &BucketRecord, rules: &Rules, arns: &[TargetArn]) -> Result<(), S3Error> {
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

/// Every destination is there, and takes the message. Each gets it once, however many rules name it.
async fn check_targets(
    targets: &dyn Targets,
    account: &AccountId,
    rules: &Rules,
    message: &Message,
) -> Result<(), S3Error> {
    let is_missing = |rule: &&Rule| !targets.exists(account, &rule.target);
    unless_any(rules.iter().filter(is_missing).map(|rule| (named(rule), absent(rule))).collect())?;
    let mut tested = BTreeSet::new();
    // AWS tests nothing where EventBridge is told of everything.
    let rules = rules.iter().filter(|rule| rule.destination != Destination::EventBridge);
    let rules: Vec<&Rule> = rules.filter(|rule| tested.insert(&rule.target)).collect();
    let tests = rules.iter().map(|rule| targets.test(account, &rule.target, message.clone()));
    let outcomes: Vec<_> = stream::iter(tests).buffered(TESTED_AT_ONCE).collect().await;
    let failed = rules.iter().zip(outcomes).filter_map(|(rule, outcome)| Some((named(rule), outcome.err()?)));
    unless_any(failed.collect())
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

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use parking_lot::Mutex;

    use super::*;
    use crate::clock::Timestamp;
    use crate::events::NoTargets;
    use crate::events::rules::TargetName;
    use crate::events::rules::tests::rule;
    use crate::names::BucketName;

    /// Endpoints whose names do not begin with `no-`; those that begin with `deaf-` take nothing.
    #[derive(Default)]
    struct Scripted {
        sent: Mutex<Vec<(String, Message)>>,
    }

    #[async_trait]
    impl Targets for Scripted {
        fn exists(&self, account: &AccountId, name: &TargetName) -> bool {
            assert_eq!(*account, AccountId::default());
            !name.as_str().starts_with("no-")
        }

        async fn test(&self, _: &AccountId, name: &TargetName, message: Message) -> Result<(), String> {
            self.sent.lock().push((name.to_string(), message));
            if name.as_str().starts_with("deaf-") { Err("It answered 500".to_owned()) } else { Ok(()) }
        }
    }

    fn rules(targets: &[&str]) -> Rules {
        let one = |(at, target): (usize, &&str)| {
            rule(&format!("{at}"), target, "s3:ObjectAcl:Put", (&format!("{at:03}"), ""))
        };
        let rules = targets.iter().enumerate().map(one);
        Rules::new(rules.chain([Rule::event_bridge()]).collect()).unwrap()
    }

    async fn check(scripted: &Scripted, targets: &[&str]) -> Result<(), S3Error> {
        let bucket = BucketName::parse("bucket").unwrap();
        let message = record::test_event(&bucket, "REQUEST", "HOST", Timestamp::from_seconds(1));
        check_targets(scripted, &AccountId::default(), &rules(targets), &message).await
    }

    #[tokio::test]
    async fn every_destination_gets_one_test_message() {
        let scripted = Scripted::default();
        check(&scripted, &["a", "b", "a"]).await.unwrap();
        let sent = scripted.sent.into_inner();
        assert_eq!(sent.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert!(
            sent.iter()
                .all(|(_, message)| message.body.starts_with(b"{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\""))
        );
    }

    #[tokio::test]
    async fn what_fails_is_listed_by_arn_and_nothing_is_sent_where_one_is_missing() {
        let scripted = Scripted::default();
        let error = check(&scripted, &["deaf-1", "b", "deaf-2"]).await.unwrap_err();
        assert_eq!(error.message, "Unable to validate the following destination configurations");
        let arn = |name: &str| format!("arn:aws:sqs:us-east-1:000000000000:{name}");
        let expected = [
            ("ArgumentName1", arn("deaf-1")),
            ("ArgumentValue1", "It answered 500".to_owned()),
            ("ArgumentName2", arn("deaf-2")),
            ("ArgumentValue2", "It answered 500".to_owned()),
        ];
        assert_eq!(error.details, expected);
        let scripted = Scripted::default();
        let error = check(&scripted, &["a", "no-one"]).await.unwrap_err();
        assert_eq!(error.details[1].1, "The destination queue does not exist");
        assert!(scripted.sent.lock().is_empty());
    }

    #[tokio::test]
    async fn a_long_list_is_cut() {
        let names: Vec<String> = (0..30).map(|at| format!("no-{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let error = check(&Scripted::default(), &names).await.unwrap_err();
        assert_eq!((error.details.len(), error.details[19].0), (20, "ArgumentValue10"));
    }

    #[tokio::test]
    async fn without_endpoints_there_is_nobody_to_tell() {
        let (account, name) = (AccountId::default(), "a".parse().unwrap());
        assert!(!NoTargets.exists(&account, &name));
        let bucket = BucketName::parse("bucket").unwrap();
        let message = record::test_event(&bucket, "REQUEST", "HOST", Timestamp::from_seconds(1));
        assert!(NoTargets.test(&account, &name, message).await.is_err());
    }
}
