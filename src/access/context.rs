//! What a request says of itself, for conditions and policy variables.

use std::borrow::Cow;
use std::net::IpAddr;

use super::condition::value;
use super::key::Key;
use crate::clock::Timestamp;

/// One value of a condition key. Typed ones are written out as text only where a condition compares text.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'r> {
    Text(Cow<'r, str>),
    Address(IpAddr),
    Time(Timestamp),
    Number(u64),
    Flag(bool),
}

/// The facts of a request by condition key: `aws:SourceIp`, `s3:prefix`, `s3:ExistingObjectTag/team`, ....
///
/// Keys are compared without regard to case. What the caller himself says (`aws:PrincipalArn`, `aws:username`, ...) comes
/// from the [`Caller`](super::Caller) and beats what is said here. A key that a request has no fact for must be absent:
/// conditions tell an absent key from an empty value.
#[derive(Debug, Clone, Default)]
pub struct Context<'r> {
    facts: Vec<(Cow<'r, str>, Vec<Value<'r>>)>,
}

impl<'r> Context<'r> {
    /// A context with `aws:CurrentTime` and `aws:EpochTime`.
    pub fn at(now: Timestamp) -> Self {
        let mut context = Self::default();
        context.push("aws:CurrentTime", Value::Time(now));
        context.push("aws:EpochTime", Value::Number(now.as_seconds()));
        context
    }

    /// Adds a fact; a key that is there already gets one more value.
    pub fn push(&mut self, key: impl Into<Cow<'r, str>>, value: impl Into<Value<'r>>) {
        let (key, value) = (key.into(), value.into());
        match self.facts.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&key)) {
            Some((_, values)) => values.push(value),
            None => self.facts.push((key, vec![value])),
        }
    }

    /// Adds a key with all of its values, which may be none (`s3:RequestObjectTagKeys` of a request without tags).
    pub fn push_all(&mut self, key: impl Into<Cow<'r, str>>, values: impl IntoIterator<Item = Value<'r>>) {
        self.facts.push((key.into(), values.into_iter().collect()));
    }

    /// Whether a request has facts for the key; `false` for those that the caller or the resource answers, and for what is
    /// no key.
    pub fn takes(key: &str) -> bool {
        matches!(Key::parse(key), Some(Key::Request(_)))
    }

    /// The values of a key; `None` where it is absent.
    pub fn get(&self, key: &str) -> Option<&[Value<'r>]> {
        self.facts.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, values)| values.as_slice())
    }
}

impl<'r> Value<'r> {
    /// The value of a condition key, written as a policy would write it; `None` where the key is of another kind.
    pub fn read(key: &str, text: &str) -> Option<Value<'static>> {
        let millis = || u64::try_from(value::date(text)?).ok();
        Some(match key.to_ascii_lowercase().as_str() {
            "aws:sourceip" => Value::Address(text.parse().ok()?),
            "aws:currenttime" => Value::Time(Timestamp::from_millis(millis()?)),
            "aws:epochtime" | "s3:signatureage" => Value::Number(text.parse().ok()?),
            "aws:securetransport" => Value::Flag(value::flag(text)?),
            _ => Value::Text(Cow::Owned(text.to_owned())),
        })
    }

    /// The value as a policy would write it.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Address(address) => Cow::Owned(address.to_string()),
            Self::Time(time) => Cow::Owned(time.to_string()),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Flag(true) => Cow::Borrowed("true"),
            Self::Flag(false) => Cow::Borrowed("false"),
        }
    }
}

impl<'r> From<&'r str> for Value<'r> {
    fn from(text: &'r str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<IpAddr> for Value<'_> {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_by_the_kind_of_their_key() {
        let flag = Value::Flag(true);
        assert_eq!(Value::read("AWS:SecureTransport", "TRUE"), Some(flag));
        assert_eq!(Value::read("aws:SourceIp", "::1"), Some(Value::Address("::1".parse().unwrap())));
        let time = Value::Time(Timestamp::from_seconds(1_700_000_000));
        assert_eq!(Value::read("aws:CurrentTime", "2023-11-14T22:13:20Z"), Some(time));
        assert_eq!(Value::read("aws:EpochTime", "17"), Some(Value::Number(17)));
        assert_eq!(Value::read("s3:prefix", "17"), Some(Value::Text("17".into())));
        for (key, text) in [
            ("aws:SourceIp", "10.0.0.0/8"),
            ("aws:CurrentTime", "now"),
            ("aws:EpochTime", "-1"),
            ("aws:SecureTransport", ""),
        ] {
            assert_eq!(Value::read(key, text), None, "{key} {text}");
        }
    }

    #[test]
    fn requests_have_facts_for_the_keys_that_nobody_else_answers() {
        assert!(Context::takes("s3:ExistingObjectTag/team") && Context::takes("aws:SourceIp"));
        assert!(!Context::takes("aws:username") && !Context::takes("aws:ResourceAccount") && !Context::takes("team"));
    }
}
