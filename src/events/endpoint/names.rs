//! What endpoints and topics are called.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::AccountId;

/// The longest name of an endpoint: that of a queue of SQS, which stands in the same place of an ARN.
pub const MAX_ENDPOINT_NAME_BYTES: usize = 80;
/// The longest name of a topic: SNS's.
pub const MAX_TOPIC_NAME_BYTES: usize = 256;

/// The name of an endpoint, unique in its account among endpoints and topics: 1 to 80 letters, digits, hyphens and
/// underscores.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EndpointName(String);

/// The name of a topic: 1 to 256 letters, digits, hyphens and underscores.
/// <https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicName(String);

/// Which endpoint: names mean something only together with their account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EndpointId {
    pub account: AccountId,
    pub name: EndpointName,
}

/// A text that is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {0} letters, digits, hyphens and underscores")]
pub struct InvalidName(usize);

impl EndpointName {
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        check(text, MAX_ENDPOINT_NAME_BYTES).map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TopicName {
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        check(text, MAX_TOPIC_NAME_BYTES).map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check(text: &str, most: usize) -> Result<String, InvalidName> {
    let valid =
        (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if valid { Ok(text.to_owned()) } else { Err(InvalidName(most)) }
}

impl TryFrom<String> for EndpointName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::parse(&text)
    }
}

impl TryFrom<String> for TopicName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::parse(&text)
    }
}

impl From<EndpointName> for String {
    fn from(name: EndpointName) -> Self {
        name.0
    }
}

impl From<TopicName> for String {
    fn from(name: TopicName) -> Self {
        name.0
    }
}

impl fmt::Display for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for EndpointId {
    /// `ACCOUNT/NAME`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_stand_in_an_arn() {
        for valid in ["1", "_", "my-hook_2", &"a".repeat(MAX_ENDPOINT_NAME_BYTES)] {
            assert_eq!(EndpointName::parse(valid).unwrap().as_str(), valid);
        }
        for wrong in ["", "a.b", "a:b", "a/b", "a b", "é", "hook.fifo", &"a".repeat(MAX_ENDPOINT_NAME_BYTES + 1)] {
            assert!(EndpointName::parse(wrong).is_err(), "{wrong}");
        }
        assert!(TopicName::parse(&"a".repeat(MAX_TOPIC_NAME_BYTES)).is_ok());
        assert!(serde_json::from_str::<EndpointName>("\"a:b\"").is_err());
    }
}
