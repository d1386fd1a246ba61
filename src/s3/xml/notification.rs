//! `NotificationConfiguration`: from XML to rules and back.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html>. PutBucketNotification, which is no
//! longer used, has the same elements. `EventVersion` is Brim's own: clients of AWS neither send it nor look at it.

use aws_lc_rs::rand;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::read::{Bounds, from_body};
use super::scalar;
use super::write::Writer;
use crate::events::rules::{
    Destination, EventPattern, Filter, InvalidRules, MAX_ID, MAX_RULES, RecordVersion, Rule, Rules, TargetArn,
};
use crate::s3::error::{Code, S3Error};

const ROOT: &str = "NotificationConfiguration";

/// The largest document: 100 rules with values of 1,024 bytes fit, however they are written.
pub const BOUNDS: Bounds = Bounds { bytes: 1024 * 1024, elements: 10_000 };

/// Rules as they were asked for, and where each of them goes: in the same order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `None`: nothing is to be told.
    pub rules: Option<Rules>,
    /// One for each rule but EventBridge's, which is the last.
    pub arns: Vec<TargetArn>,
}

/// Reads and checks the body of PutBucketNotificationConfiguration. Rules without an id get one.
pub fn read(body: &[u8]) -> Result<Asked, S3Error> {
    let document: Configuration = from_body(body, ROOT, BOUNDS)?;
    let lists = [
        (Destination::Topic, document.topics),
        (Destination::Queue, document.queues),
        (Destination::CloudFunction, document.functions),
    ];
    let (mut rules, mut arns) = (Vec::new(), Vec::new());
    for (destination, configurations) in lists {
        for configuration in configurations {
            let (rule, arn) = configuration.into_rule(destination)?;
            rules.push(rule);
            arns.push(arn);
        }
    }
    if !document.event_bridge.is_empty() {
        rules.push(Rule::event_bridge());
    }
    let rules = if rules.is_empty() { None } else { Some(Rules::new(rules).map_err(refused)?) };
    Ok(Asked { rules, arns })
}

/// The document of a bucket's rules; an empty one where it has none.
pub fn write(rules: Option<&Rules>) -> Writer {
    let mut document = Writer::new(ROOT);
    for rule in rules.into_iter().flat_map(Rules::iter) {
        let (configuration, target) = elements(rule.destination);
        document.nest(configuration, |element| {
            if rule.destination != Destination::EventBridge {
                write_rule(rule, target, element);
            }
        });
    }
    document
}

/// The element of a rule, and the one in it that names the destination.
fn elements(destination: Destination) -> (&'static str, &'static str) {
    match destination {
        Destination::Topic => ("TopicConfiguration", "Topic"),
        Destination::Queue => ("QueueConfiguration", "Queue"),
        Destination::CloudFunction => ("CloudFunctionConfiguration", "CloudFunction"),
        Destination::EventBridge => ("EventBridgeConfiguration", ""),
    }
}

fn write_rule(rule: &Rule, target: &'static str, element: &mut Writer) {
    element.text("Id", &rule.id).text(target, &rule.arn);
    for pattern in &rule.patterns {
        element.text("Event", &pattern.to_string());
    }
    if !rule.filter.is_empty() {
        let values = [("Prefix", &rule.filter.prefix), ("Suffix", &rule.filter.suffix)];
        element.nest("Filter", |filter| {
            filter.nest("S3Key", |key| {
                for (name, value) in values.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
                    key.nest("FilterRule", |rule| _ = rule.text("Name", name).text("Value", value));
                }
            });
        });
    }
    if rule.version != RecordVersion::default() {
        element.text("EventVersion", rule.version.as_str());
    }
}

/// The document as it comes.
#[derive(Deserialize)]
struct Configuration {
    #[serde(rename = "TopicConfiguration", default)]
    topics: Vec<RuleElement>,
    #[serde(rename = "QueueConfiguration", default)]
    queues: Vec<RuleElement>,
    #[serde(rename = "CloudFunctionConfiguration", default)]
    functions: Vec<RuleElement>,
    #[serde(rename = "EventBridgeConfiguration", default)]
    event_bridge: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct RuleElement {
    #[serde(rename = "Id", default, deserialize_with = "scalar::optional_text")]
    id: Option<String>,
    #[serde(rename = "Topic", default, deserialize_with = "scalar::optional_text")]
    topic: Option<String>,
    #[serde(rename = "Queue", default, deserialize_with = "scalar::optional_text")]
    queue: Option<String>,
    #[serde(rename = "CloudFunction", default, deserialize_with = "scalar::optional_text")]
    function: Option<String>,
    #[serde(rename = "Event", default)]
    events: Vec<String>,
    #[serde(rename = "Filter", default)]
    filter: FilterElement,
    #[serde(rename = "EventVersion", default, deserialize_with = "scalar::optional_text")]
    version: Option<String>,
}

#[derive(Default, Deserialize)]
struct FilterElement {
    #[serde(rename = "S3Key", default)]
    key: KeyElement,
}

#[derive(Default, Deserialize)]
struct KeyElement {
    #[serde(rename = "FilterRule", default)]
    rules: Vec<FilterRule>,
}

#[derive(Deserialize)]
struct FilterRule {
    #[serde(rename = "Name", deserialize_with = "scalar::text")]
    name: String,
    /// As it is: white space may be part of a key.
    #[serde(rename = "Value")]
    value: String,
}

impl RuleElement {
    fn into_rule(self, destination: Destination) -> Result<(Rule, TargetArn), S3Error> {
        let text = match destination {
            Destination::Topic => self.topic,
            Destination::Queue => self.queue,
            Destination::CloudFunction => self.function,
            Destination::EventBridge => None,
        };
        let text = text.ok_or_else(|| S3Error::new(Code::MalformedXML))?;
        let (_, name) = elements(destination);
        let unparsed = || S3Error::invalid_argument("The ARN could not be parsed", name, &text);
        let arn = TargetArn::parse(&text, destination).ok_or_else(unparsed)?;
        let rule = Rule {
            id: self.id.map_or_else(new_id, Ok)?,
            destination,
            target: arn.name.clone(),
            patterns: patterns(&self.events)?,
            filter: self.filter.into_filter()?,
            version: version(self.version.as_deref())?,
            arn: text,
        };
        Ok((rule, arn))
    }
}

fn patterns(events: &[String]) -> Result<Vec<EventPattern>, S3Error> {
    let parse = |event: &String| {
        let unknown =
            |_| S3Error::invalid_argument("The event is not supported for notifications", "Event", event.trim());
        event.trim().parse().map_err(unknown)
    };
    events.iter().map(parse).collect()
}

fn version(given: Option<&str>) -> Result<RecordVersion, S3Error> {
    let Some(text) = given else { return Ok(RecordVersion::default()) };
    let message = "The event version must be 2.1 or 2.5";
    RecordVersion::parse(text).ok_or_else(|| S3Error::invalid_argument(message, "EventVersion", text))
}

impl FilterElement {
    fn into_filter(self) -> Result<Filter, S3Error> {
        let mut filter = Filter::default();
        for FilterRule { name, value } in self.key.rules {
            let (place, twice) = if name.eq_ignore_ascii_case("prefix") {
                (&mut filter.prefix, "Cannot specify more than one prefix rule in a filter.")
            } else if name.eq_ignore_ascii_case("suffix") {
                (&mut filter.suffix, "Cannot specify more than one suffix rule in a filter.")
            } else {
                let message = "filter rule name must be either prefix or suffix";
                return Err(S3Error::invalid_argument(message, "FilterRule.Name", &name));
            };
            if place.replace(value).is_some() {
                return Err(S3Error::invalid_argument(twice, "FilterRule.Name", &name));
            }
        }
        Ok(filter)
    }
}

/// An id as AWS gives them: letters and digits in five groups.
fn new_id() -> Result<String, S3Error> {
    let mut random = [0; 16];
    rand::fill(&mut random).map_err(|_| S3Error::new(Code::InternalError))?;
    let digits = hex::encode(random);
    Ok([&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-"))
}

/// AWS's words for what is wrong with rules together.
fn refused(error: InvalidRules) -> S3Error {
    match error {
        InvalidRules::TooMany => S3Error::invalid_argument(
            "Configuration exceeds the maximum number of allowed notification configurations.",
            ROOT,
            &format!("more than {MAX_RULES}"),
        ),
        InvalidRules::IdTooLong { id } => {
            S3Error::invalid_argument(format!("ID length should not exceed allowed limit of {MAX_ID}"), "ID", &id)
        }
        InvalidRules::DuplicateId { id } => {
            let message = "Same ID used for multiple configurations. IDs must be unique.";
            S3Error::invalid_argument(message, "ID", &id)
        }
        InvalidRules::NoEvent { .. } => S3Error::new(Code::MalformedXML),
        InvalidRules::ValueTooLong { value } => {
            let message = "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation";
            S3Error::invalid_argument(message, "FilterRule.Value", &value)
        }
        InvalidRules::SameEvents { patterns } => {
            let message = "Configurations overlap. Configurations on the same bucket cannot share a common event type.";
            S3Error::invalid_argument(message, "Event", &patterns)
        }
        InvalidRules::Ambiguous { first, second } => {
            let message = "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the \
                           prefixes are overlapping for the same event type.";
            S3Error::invalid_argument(message, "ID", &format!("{first}, {second}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::events::rules::tests::rules;

    /// One of each kind, as clients write them.
    const ALL: &str = "<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
        <QueueConfiguration><Id>1</Id><Filter><S3Key><FilterRule><Name>prefix</Name><Value>images/</Value></FilterRule>\
        <FilterRule><Name>SUFFIX</Name><Value> jpg</Value></FilterRule></S3Key></Filter>\
        <Queue> arn:aws:sqs:us-west-2:444455556666:s3notificationqueue </Queue><Event>s3:ObjectCreated:Put</Event>\
        <Event> s3:ObjectRemoved:* </Event></QueueConfiguration>\
        <TopicConfiguration><Topic>arn:aws:sns:us-west-2:444455556666:topic</Topic><Event>s3:ObjectTagging:*</Event>\
        <EventVersion>2.5</EventVersion></TopicConfiguration>\
        <EventBridgeConfiguration/>\
        <QueueConfiguration><Queue>arn:minio:sqs::2:webhook</Queue><Event>s3:ObjectAcl:Put</Event></QueueConfiguration>\
        <CloudFunctionConfiguration><CloudFunction>arn:aws:lambda:us-west-2:444455556666:function:f</CloudFunction>\
        <Event>s3:Replication:*</Event><InvocationRole>arn:aws:iam::444455556666:role/old</InvocationRole>\
        </CloudFunctionConfiguration></NotificationConfiguration>";

    fn configuration(inner: &str) -> String {
        format!("<NotificationConfiguration>{inner}</NotificationConfiguration>")
    }

    fn queue(inner: &str) -> String {
        format!("<QueueConfiguration><Queue>arn:minio:sqs::hooks:webhook</Queue>{inner}</QueueConfiguration>")
    }

    const CREATED: &str = "<Event>s3:ObjectCreated:*</Event>";

    fn refusal(inner: &str) -> S3Error {
        read(configuration(inner).as_bytes()).unwrap_err()
    }

    #[test]
    fn every_element_is_read_and_shown_as_aws_shows_it() {
        let Asked { rules, arns } = read(ALL.as_bytes()).unwrap();
        let rules = rules.unwrap();
        let told: Vec<_> = rules.iter().map(|rule| (rule.destination, rule.target.as_str(), rule.version)).collect();
        use RecordVersion::{Classic, Unified};
        assert_eq!(
            told,
            [
                (Destination::Topic, "topic", Unified),
                (Destination::Queue, "s3notificationqueue", Classic),
                (Destination::Queue, "2", Classic),
                (Destination::CloudFunction, "f", Classic),
                (Destination::EventBridge, "default", Classic),
            ]
        );
        assert_eq!((arns.len(), arns[1].region.as_deref()), (4, Some("us-west-2")));
        let shown = String::from_utf8(write(Some(&rules)).finish()).unwrap();
        assert!(shown.contains(
            "<QueueConfiguration><Id>1</Id><Queue>arn:aws:sqs:us-west-2:444455556666:s3notificationqueue</Queue>\
             <Event>s3:ObjectCreated:Put</Event><Event>s3:ObjectRemoved:*</Event><Filter><S3Key>\
             <FilterRule><Name>Prefix</Name><Value>images/</Value></FilterRule>\
             <FilterRule><Name>Suffix</Name><Value> jpg</Value></FilterRule></S3Key></Filter></QueueConfiguration>"
        ));
        assert!(shown.ends_with("<EventBridgeConfiguration></EventBridgeConfiguration></NotificationConfiguration>"));
        assert_eq!(shown.matches("<EventVersion>2.5</EventVersion>").count(), 1);
        assert_eq!(read(shown.as_bytes()).unwrap().rules, Some(rules));
    }

    #[test]
    fn rules_without_ids_get_ids_that_differ() {
        let inner = queue(CREATED) + &queue("<Id> </Id><Event>s3:ObjectRemoved:*</Event>");
        let rules = read(configuration(&inner).as_bytes()).unwrap().rules.unwrap();
        let ids: Vec<_> = rules.iter().map(|rule| rule.id.clone()).collect();
        assert!(ids[0] != ids[1] && ids.iter().all(|id| id.len() == 36), "{ids:?}");
    }

    #[test]
    fn nothing_asked_for_is_nothing_told() {
        for body in [configuration(""), "<NotificationConfiguration/>".to_owned(), configuration("<Other/>")] {
            assert_eq!(read(body.as_bytes()).unwrap(), Asked { rules: None, arns: Vec::new() });
        }
        let shown = String::from_utf8(write(None).finish()).unwrap();
        assert!(shown.ends_with(
            "<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></NotificationConfiguration>"
        ));
    }

    #[test]
    fn documents_of_another_shape_are_malformed() {
        for inner in [
            "<QueueConfiguration/>",
            "<QueueConfiguration><Event>s3:ObjectCreated:*</Event></QueueConfiguration>",
            "<QueueConfiguration><Topic>arn:aws:sns:us-west-2:444455556666:t</Topic><Event>s3:ObjectCreated:*</Event></QueueConfiguration>",
            &queue(""),
            &queue(&format!("{CREATED}<Id>a</Id><Id>b</Id>")),
            &queue(&format!("{CREATED}<Filter><S3Key><FilterRule><Name>prefix</Name></FilterRule></S3Key></Filter>")),
            &queue(&format!("{CREATED}<Filter><S3Key><FilterRule><Value>a</Value></FilterRule></S3Key></Filter>")),
            "<QueueConfiguration>",
        ] {
            assert_eq!(refusal(inner).code, Code::MalformedXML, "{inner}");
        }
        assert_eq!(read(b"<Other/>").unwrap_err().code, Code::MalformedXML);
        let large = vec![b' '; BOUNDS.bytes + 1];
        assert_eq!(read(&large).unwrap_err().code, Code::MaxMessageLengthExceeded);
    }

    #[test]
    fn what_aws_would_not_take_is_refused_in_its_words() {
        let filter = |name: &str, value: &str| {
            format!(
                "<Filter><S3Key><FilterRule><Name>{name}</Name><Value>{value}</Value></FilterRule></S3Key></Filter>"
            )
        };
        let twice = "<Filter><S3Key><FilterRule><Name>prefix</Name><Value>a</Value></FilterRule>\
                     <FilterRule><Name>Prefix</Name><Value>b</Value></FilterRule></S3Key></Filter>";
        let (long, same) = ("x".repeat(1025), queue(&format!("<Id>a</Id>{CREATED}")));
        let ambiguous = "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the \
                         prefixes are overlapping for the same event type.";
        for (inner, message, name, value) in [
            (
                "<QueueConfiguration><Queue>invalid-queue</Queue><Event>s3:ObjectCreated:*</Event></QueueConfiguration>".to_owned(),
                "The ARN could not be parsed",
                "Queue",
                "invalid-queue",
            ),
            (
                "<TopicConfiguration><Topic>arn:aws:sqs:a:444455556666:b</Topic></TopicConfiguration>".to_owned(),
                "The ARN could not be parsed",
                "Topic",
                "arn:aws:sqs:a:444455556666:b",
            ),
            (
                queue("<Event>s3:ObjectAccessed:*</Event>"),
                "The event is not supported for notifications",
                "Event",
                "s3:ObjectAccessed:*",
            ),
            (
                queue(&(CREATED.to_owned() + &filter("INVALID", "a"))),
                "filter rule name must be either prefix or suffix",
                "FilterRule.Name",
                "INVALID",
            ),
            (
                queue(&format!("{CREATED}{twice}")),
                "Cannot specify more than one prefix rule in a filter.",
                "FilterRule.Name",
                "Prefix",
            ),
            (
                queue(&(CREATED.to_owned() + &filter("suffix", &long))),
                "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation",
                "FilterRule.Value",
                &long,
            ),
            (
                same.clone() + &queue("<Id>a</Id><Event>s3:ObjectAcl:Put</Event>"),
                "Same ID used for multiple configurations. IDs must be unique.",
                "ID",
                "a",
            ),
            (
                same.clone() + &queue("<Id>b</Id><Event>s3:ObjectCreated:Put</Event>"),
                "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
                "Event",
                "s3:ObjectCreated:*, s3:ObjectCreated:Put",
            ),
            (same + &queue(&format!("<Id>b</Id>{CREATED}{}", filter("prefix", "a"))), ambiguous, "ID", "a, b"),
            (
                queue(&format!("{CREATED}<EventVersion>2.2</EventVersion>")),
                "The event version must be 2.1 or 2.5",
                "EventVersion",
                "2.2",
            ),
        ] {
            let error = refusal(&inner);
            assert_eq!((error.code, &*error.message), (Code::InvalidArgument, message), "{inner:.200}");
            assert_eq!(error.details, [("ArgumentName", name.to_owned()), ("ArgumentValue", value.to_owned())]);
        }
        let many: String =
            (0..101).map(|at| queue(&format!("{CREATED}{}", filter("prefix", &format!("{at:03}"))))).collect();
        assert!(refusal(&many).message.starts_with("Configuration exceeds the maximum number"));
    }

    proptest! {
        #[test]
        fn rules_come_back_as_they_were_shown(rules in rules()) {
            // Together they may overlap, which is for others to refuse.
            if let Ok(rules) = Rules::new(rules) {
                let asked = read(&write(Some(&rules)).finish()).unwrap();
                prop_assert_eq!(asked.arns.len(), rules.iter().filter(|rule| !rule.arn.is_empty()).count());
                let sorted = |rules: &Rules| {
                    let mut all: Vec<_> = rules.iter().cloned().collect();
                    all.sort_by(|left, right| left.id.cmp(&right.id));
                    all
                };
                prop_assert_eq!(sorted(&asked.rules.unwrap()), sorted(&rules));
            }
        }
    }
}
