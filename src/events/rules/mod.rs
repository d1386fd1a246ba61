//! What buckets want to be told: rules, as their owners configured them. Pure, but for the [`RuleBook`].

mod book;
mod check;
mod filter;
mod name;
mod target;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use book::RuleBook;
pub use check::{InvalidRules, MAX_ID, MAX_RULES};
pub use filter::{Filter, MAX_VALUE};
pub use name::{EventName, EventPattern, InvalidEvent};
pub use target::{Destination, InvalidTargetName, TargetArn, TargetName};

use crate::names::ObjectKey;

/// The version of the document that this program writes.
const VERSION: u8 = 1;

/// A bucket's rules, which are in order: see [`Rules::new`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    rules: Vec<Rule>,
}

/// One rule: these events of these keys go there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Unique among the bucket's rules; records have it as `configurationId`.
    pub id: String,
    pub destination: Destination,
    /// As it was given; empty for EventBridge.
    pub arn: String,
    pub target: TargetName,
    pub patterns: Vec<EventPattern>,
    pub filter: Filter,
    pub version: RecordVersion,
}

/// Which of AWS's versions records are written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RecordVersion {
    /// 2.1, and 2.3 for tags and access control lists: what AWS wrote until 2026, and what most consumers know.
    #[default]
    Classic,
    /// 2.5 for every event, as AWS has written since it has one version for all.
    Unified,
}

/// A stored document that this program does not understand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored rules of a bucket do not decode")]
pub struct UnreadableRules;

impl Rules {
    /// As bytes to be stored: a version, then postcard.
    pub fn encode(&self) -> Bytes {
        let bytes = postcard::to_extend(self, vec![VERSION]);
        Bytes::from(bytes.expect("a plain struct encodes into memory"))
    }

    /// Reads what [`Self::encode`] gave.
    pub fn decode(bytes: &[u8]) -> Result<Self, UnreadableRules> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => match postcard::take_from_bytes(rest) {
                Ok((rules, [])) => Ok(rules),
                _ => Err(UnreadableRules),
            },
            _ => Err(UnreadableRules),
        }
    }

    /// Every rule, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// The first rule by which this event is for the target.
    pub fn matching(&self, name: EventName, key: &ObjectKey, target: &TargetName) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.target == *target && rule.matches(name, key))
    }

    /// Whether some rule is for the target.
    pub fn names(&self, target: &TargetName) -> bool {
        self.rules.iter().any(|rule| rule.target == *target)
    }
}

impl Rule {
    /// The rule of a bucket that tells EventBridge: everything, to the endpoint [`TargetName::event_bridge`].
    pub fn event_bridge() -> Self {
        Self {
            id: "EventBridge".to_owned(),
            destination: Destination::EventBridge,
            arn: String::new(),
            target: TargetName::event_bridge(),
            patterns: vec![EventPattern::Every],
            filter: Filter::default(),
            version: RecordVersion::default(),
        }
    }

    /// Whether the rule is about this event.
    pub fn matches(&self, name: EventName, key: &ObjectKey) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(name)) && self.filter.matches(key)
    }
}

impl RecordVersion {
    /// The version by which configurations name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Classic => "2.1",
            Self::Unified => "2.5",
        }
    }

    /// Reads what [`Self::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Classic, Self::Unified].into_iter().find(|version| version.as_str() == text)
    }

    /// The `eventVersion` of a record of this event.
    pub fn of_event(self, name: EventName) -> &'static str {
        match (self, name) {
            (Self::Unified, _) => "2.5",
            (Self::Classic, EventName::TaggingPut | EventName::TaggingDelete | EventName::AclPut) => "2.3",
            (Self::Classic, _) => "2.1",
        }
    }
}

#[cfg(test)]
pub mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A rule for the queue `target`, about one pattern.
    pub fn rule(id: &str, target: &str, pattern: &str, filter: (&str, &str)) -> Rule {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Rule {
            id: id.to_owned(),
            destination: Destination::Queue,
            arn: format!("arn:aws:sqs:us-east-1:000000000000:{target}"),
            target: target.parse().unwrap(),
            patterns: vec![pattern.parse().unwrap()],
            filter: Filter { prefix: given(filter.0), suffix: given(filter.1) },
            version: RecordVersion::default(),
        }
    }

    pub fn rules() -> impl Strategy<Value = Vec<Rule>> {
        let destination =
            prop_oneof![Just(Destination::Topic), Just(Destination::Queue), Just(Destination::CloudFunction)];
        let pattern = prop::sample::select(vec!["s3:ObjectCreated:*", "s3:ObjectRemoved:Delete", "s3:ObjectAcl:Put"]);
        let patterns = prop::collection::vec(pattern.prop_map(|text| text.parse().unwrap()), 1..3);
        let value = || prop::option::of("[\u{1}-\u{ff}]{0,6}");
        let version = prop_oneof![Just(RecordVersion::Classic), Just(RecordVersion::Unified)];
        let one = (destination, "[a-z]{1,4}", patterns, (value(), value()), version);
        let one = one.prop_map(|(destination, name, patterns, (prefix, suffix), version)| Rule {
            id: String::new(),
            destination,
            arn: match destination {
                Destination::Topic => format!("arn:aws:sns:us-east-1:000000000000:{name}"),
                Destination::CloudFunction => format!("arn:aws:lambda:us-east-1:000000000000:function:{name}"),
                Destination::Queue | Destination::EventBridge => format!("arn:minio:sqs::{name}:webhook"),
            },
            target: name.parse().unwrap(),
            patterns,
            filter: Filter { prefix, suffix },
            version,
        });
        (prop::collection::vec(one, 1..5), any::<bool>()).prop_map(|(mut rules, bridge)| {
            rules.iter_mut().enumerate().for_each(|(at, rule)| rule.id = format!("rule {at}"));
            rules.extend(bridge.then(Rule::event_bridge));
            rules
        })
    }

    fn key(text: &str) -> ObjectKey {
        ObjectKey::parse(text).unwrap()
    }

    #[test]
    fn the_first_rule_of_the_target_that_is_about_the_event_counts() {
        let rules = Rules::new(vec![
            rule("a", "hooks", "s3:ObjectCreated:*", ("images/", "")),
            rule("b", "other", "s3:ObjectCreated:*", ("logs/", "")),
            rule("c", "hooks", "s3:ObjectRemoved:Delete", ("", "")),
            Rule::event_bridge(),
        ])
        .unwrap();
        let found = |name, text, target: &str| {
            rules.matching(name, &key(text), &target.parse().unwrap()).map(|rule| rule.id.as_str())
        };
        assert_eq!(found(EventName::CreatedPut, "images/a", "hooks"), Some("a"));
        assert_eq!(found(EventName::CreatedPut, "logs/a", "hooks"), None);
        assert_eq!(found(EventName::CreatedPut, "logs/a", "other"), Some("b"));
        assert_eq!(found(EventName::RemovedDelete, "logs/a", "hooks"), Some("c"));
        assert_eq!(found(EventName::RemovedDeleteMarkerCreated, "logs/a", "hooks"), None);
        assert_eq!(found(EventName::TaggingDelete, "x", "default"), Some("EventBridge"));
        assert!(rules.names(&"default".parse().unwrap()) && !rules.names(&"nobody".parse().unwrap()));
    }

    #[test]
    fn versions_are_those_of_aws() {
        assert_eq!(RecordVersion::default().of_event(EventName::CreatedPut), "2.1");
        assert_eq!(RecordVersion::Classic.of_event(EventName::AclPut), "2.3");
        assert_eq!(RecordVersion::Unified.of_event(EventName::AclPut), "2.5");
        assert_eq!(RecordVersion::parse("2.5"), Some(RecordVersion::Unified));
        assert_eq!(RecordVersion::parse("2.3"), None);
    }

    #[test]
    fn documents_of_other_programs_are_refused() {
        let whole = Rules::new(vec![Rule::event_bridge()]).unwrap().encode();
        assert!(Rules::decode(&whole).is_ok());
        assert_eq!(Rules::decode(&[]), Err(UnreadableRules));
        assert_eq!(Rules::decode(&whole[..whole.len() - 1]), Err(UnreadableRules));
        assert_eq!(Rules::decode(&[&whole[..], b"x"].concat()), Err(UnreadableRules));
        assert_eq!(Rules::decode(&[&[VERSION + 1], &whole[1..]].concat()), Err(UnreadableRules));
    }

    proptest! {
        #[test]
        fn rules_come_back_as_they_were_stored(rules in rules()) {
            let rules = Rules { rules };
            prop_assert_eq!(Rules::decode(&rules.encode()), Ok(rules));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let _ = (Rules::decode(&bytes), Rules::decode(&[&[VERSION][..], &bytes].concat()));
        }
    }
}
