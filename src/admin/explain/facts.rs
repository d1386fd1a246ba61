//! The facts of a request that nobody made: those that were given, and of the rest what is the least.

use super::Error;
use crate::access::{Context, Value};
use crate::clock::Timestamp;
use crate::guard::existing_tags;

/// Conditions as they were given, in the kinds of their keys.
pub struct Facts {
    given: Vec<(String, Value<'static>)>,
    /// When the request is made.
    now: Timestamp,
}

impl Facts {
    /// Reads conditions. The request is made at `now` unless they say when.
    pub fn read(conditions: &[(String, String)], now: Timestamp) -> Result<Self, Error> {
        let mut facts = Self { given: Vec::with_capacity(conditions.len()), now };
        for (key, text) in conditions {
            if !Context::takes(key) {
                return Err(Error::Key(key.clone()));
            }
            let wrong = || Error::Value { key: key.clone(), value: text.clone() };
            match (key.to_ascii_lowercase().as_str(), Value::read(key, text).ok_or_else(wrong)?) {
                ("aws:currenttime", Value::Time(time)) => facts.now = time,
                ("aws:epochtime", Value::Number(seconds)) => {
                    facts.now = seconds.checked_mul(1000).map(Timestamp::from_millis).ok_or_else(wrong)?;
                }
                (_, value) => facts.given.push((key.clone(), value)),
            }
        }
        Ok(facts)
    }

    /// The context of the request, with the version that it names and those of the object's tags that were not given.
    pub fn context<'f>(&'f self, version: Option<&'f str>, tags: &'f [(String, String)]) -> Context<'f> {
        let mut context = Context::at(self.now);
        if !self.gives("aws:SecureTransport") {
            context.push("aws:SecureTransport", false);
        }
        if let Some(version) = version.filter(|_| !self.gives("s3:VersionId")) {
            context.push("s3:VersionId", version);
        }
        existing_tags(&mut context, tags);
        for (key, value) in &self.given {
            context.push(key.as_str(), value.clone());
        }
        context
    }

    /// Whether this tag of the object is given, so that the stored one does not count.
    pub fn gives_tag(&self, name: &str) -> bool {
        self.gives(&format!("s3:ExistingObjectTag/{name}"))
    }

    fn gives(&self, key: &str) -> bool {
        self.given.iter().any(|(given, _)| given.eq_ignore_ascii_case(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(conditions: &[(&str, &str)]) -> Result<Facts, Error> {
        let conditions: Vec<_> = conditions.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        Facts::read(&conditions, Timestamp::from_seconds(1))
    }

    #[test]
    fn a_request_is_made_now_and_without_tls_unless_it_is_said() {
        let facts = read(&[]).unwrap();
        let context = facts.context(Some("null"), &[]);
        assert_eq!(context.get("aws:EpochTime"), Some(&[Value::Number(1)][..]));
        assert_eq!(context.get("aws:SecureTransport"), Some(&[Value::Flag(false)][..]));
        assert_eq!(context.get("s3:VersionId"), Some(&[Value::from("null")][..]));
        assert_eq!(context.get("aws:SourceIp"), None);

        let facts = read(&[("aws:epochtime", "7"), ("AWS:securetransport", "true"), ("s3:prefix", "a")]).unwrap();
        let context = facts.context(None, &[]);
        assert_eq!(context.get("aws:CurrentTime"), Some(&[Value::Time(Timestamp::from_seconds(7))][..]));
        assert_eq!(context.get("aws:SecureTransport"), Some(&[Value::Flag(true)][..]));
        assert_eq!(context.get("s3:prefix"), Some(&[Value::from("a")][..]));
    }

    #[test]
    fn what_is_no_fact_of_a_request_is_refused() {
        for (key, value) in [
            ("aws:username", "bob"),
            ("prefix", "a"),
            ("aws:SourceIp", "10.0.0.0/8"),
            ("aws:EpochTime", "18446744073709551615"),
            ("aws:CurrentTime", "soon"),
        ] {
            assert!(read(&[(key, value)]).is_err(), "{key}={value}");
        }
    }
}
