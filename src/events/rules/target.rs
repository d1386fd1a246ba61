//! What a rule sends to: the kind of its destination, the ARN that was given, and the name that it comes down to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names::AccountId;

/// The longest name, as long as a topic's may be.
const MAX_NAME: usize = 256;

/// The name of the endpoint that gets what is for EventBridge.
const DEFAULT: &str = "default";

/// The partitions whose ARNs are all written alike.
const PARTITIONS: [&str; 4] = ["aws", "aws-cn", "aws-us-gov", "brim"];

/// The name of an endpoint or a topic of the bucket's account: 1 to 256 letters, digits, `-`, `_` and `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TargetName(String);

/// A text that is no name of an endpoint or a topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {MAX_NAME} letters, digits, hyphens, underscores and dots")]
pub struct InvalidTargetName;

/// How a rule names its destination. To Brim all are endpoints or topics; clients get back what they gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Destination {
    Topic,
    Queue,
    CloudFunction,
    EventBridge,
}

/// An ARN, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetArn {
    /// `None` where the ARN leaves it open.
    pub region: Option<String>,
    /// `None` where the ARN leaves it open: the bucket's.
    pub account: Option<AccountId>,
    pub name: TargetName,
}

impl TargetName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The endpoint that EventBridge stands for.
    pub fn event_bridge() -> Self {
        Self(DEFAULT.to_owned())
    }
}

impl FromStr for TargetName {
    type Err = InvalidTargetName;

    fn from_str(text: &str) -> Result<Self, InvalidTargetName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let valid = (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(allowed);
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidTargetName) }
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Destination {
    /// The service in the ARNs of this kind; none for EventBridge, which has no ARN.
    const fn service(self) -> Option<&'static str> {
        match self {
            Self::Topic => Some("sns"),
            Self::Queue => Some("sqs"),
            Self::CloudFunction => Some("lambda"),
            Self::EventBridge => None,
        }
    }
}

impl TargetArn {
    /// Reads an ARN of this kind: `arn:aws:sqs:REGION:ACCOUNT:NAME`, `sns` and `lambda` likewise (with or without `function:`
    /// before the name), the partition `brim` with region and account left open at will, and MinIO's
    /// `arn:minio:sqs:REGION:NAME:webhook`. `None` for any other text.
    pub fn parse(text: &str, destination: Destination) -> Option<Self> {
        let service = destination.service()?;
        match text.split(':').collect::<Vec<_>>().as_slice() {
            ["arn", "minio", "sqs", region, name, "webhook"] if destination == Destination::Queue => {
                Some(Self { region: open(region), account: None, name: name.parse().ok()? })
            }
            ["arn", partition, given, region, account, name] if *given == service => {
                Self::of(partition, region, account, name)
            }
            ["arn", partition, "lambda", region, account, "function", name] if service == "lambda" => {
                Self::of(partition, region, account, name)
            }
            _ => None,
        }
    }

    fn of(partition: &str, region: &str, account: &str, name: &str) -> Option<Self> {
        let may_be_open = partition == "brim";
        if !PARTITIONS.contains(&partition) || (!may_be_open && (region.is_empty() || account.is_empty())) {
            return None;
        }
        let account = open(account).map(|account| account.parse().map_err(drop)).transpose().ok()?;
        Some(Self { region: open(region), account, name: name.parse().ok()? })
    }
}

fn open(part: &str) -> Option<String> {
    (!part.is_empty()).then(|| part.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn arns_of_every_shape_come_down_to_a_name() {
        use Destination::{CloudFunction, Queue, Topic};
        for (text, destination, region, account, name) in [
            (
                "arn:aws:sqs:us-west-2:444455556666:s3notificationqueue",
                Queue,
                "us-west-2",
                "444455556666",
                "s3notificationqueue",
            ),
            ("arn:aws:sns:eu-central-1:000000000000:a.fifo", Topic, "eu-central-1", "000000000000", "a.fifo"),
            ("arn:aws:lambda:us-east-1:444455556666:function:f_1", CloudFunction, "us-east-1", "444455556666", "f_1"),
            (
                "arn:aws:lambda:us-east-1:444455556666:cloud-function-A",
                CloudFunction,
                "us-east-1",
                "444455556666",
                "cloud-function-A",
            ),
            ("arn:minio:sqs::PRIMARY:webhook", Queue, "", "", "PRIMARY"),
            ("arn:minio:sqs:us-east-1:1:webhook", Queue, "us-east-1", "", "1"),
            ("arn:brim:sqs:::hooks", Queue, "", "", "hooks"),
        ] {
            let parsed = TargetArn::parse(text, destination).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(parsed.region.unwrap_or_default(), region, "{text}");
            assert_eq!(parsed.account.map(|account| account.to_string()).unwrap_or_default(), account, "{text}");
            assert_eq!(parsed.name.as_str(), name, "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_arns_of_their_kind() {
        use Destination::{CloudFunction, EventBridge, Queue, Topic};
        for (text, destination) in [
            ("", Queue),
            ("invalid-queue", Queue),
            ("arn:aws:sns:us-east-1:444455556666:a", Queue),
            ("arn:aws:sqs:us-east-1:444455556666:a", Topic),
            ("arn:aws:sqs:us-east-1:444455556666:a", EventBridge),
            ("arn:aws:sqs:us-east-1:4444:a", Queue),
            ("arn:aws:sqs:us-east-1::a", Queue),
            ("arn:aws:sqs::444455556666:a", Queue),
            ("arn:aws:sqs:us-east-1:444455556666:", Queue),
            ("arn:aws:sqs:us-east-1:444455556666:a b", Queue),
            ("arn:aws:sqs:us-east-1:444455556666:a:b", Queue),
            ("arn:aws:lambda:us-east-1:444455556666:function:f:alias", CloudFunction),
            ("arn:other:sqs:us-east-1:444455556666:a", Queue),
            ("arn:minio:sqs::1:amqp", Queue),
            ("arn:minio:sqs::1:webhook", Topic),
        ] {
            assert_eq!(TargetArn::parse(text, destination), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(arn|aws|brim|minio|sqs|lambda|function|:|é|0){0,12}") {
            for destination in [Destination::Topic, Destination::Queue, Destination::CloudFunction] {
                if let Some(parsed) = TargetArn::parse(&text, destination) {
                    prop_assert!(text.contains(parsed.name.as_str()) && parsed.name.as_str().parse::<TargetName>().is_ok());
                }
            }
        }
    }
}
