//! The policy document of a form: until when it may be used, and what its fields must be.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::fields::Fields;
use crate::clock::Timestamp;
use crate::http::date;
use crate::s3::error::{Code, S3Error};

/// Fields that no condition has to name: what is signed, the signature itself, and the file.
const FREE: [&str; 5] = ["awsaccesskeyid", "file", "policy", "signature", "x-amz-signature"];
const FREE_PREFIX: &str = "x-ignore-";

/// A policy, read and not yet applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    expiration: Timestamp,
    conditions: Vec<Condition>,
    length: LengthRange,
}

/// How many bytes the file may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LengthRange {
    pub least: u64,
    pub most: u64,
}

/// What one field must be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    /// In lower case; `None` if it names no field, so that nothing meets it.
    field: Option<String>,
    test: Test,
    /// As S3 shows it.
    shown: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Equals(String),
    StartsWith(String),
}

impl LengthRange {
    pub const ANY: Self = Self { least: 0, most: u64::MAX };

    /// Refuses a file of `size` bytes that is too large or, once it is whole, too small.
    pub fn check(self, size: u64, whole: bool) -> Result<(), S3Error> {
        if size > self.most {
            return Err(S3Error::new(Code::EntityTooLarge)
                .detail("ProposedSize", size.to_string())
                .detail("MaxSizeAllowed", self.most.to_string()));
        }
        if whole && size < self.least {
            return Err(S3Error::new(Code::EntityTooSmall)
                .detail("ProposedSize", size.to_string())
                .detail("MinSizeAllowed", self.least.to_string()));
        }
        Ok(())
    }
}

impl Policy {
    /// Reads a policy as it stands in the form: JSON in base64.
    pub fn parse(text: &str) -> Result<Self, S3Error> {
        let document = BASE64.decode(text.trim()).map_err(|_| invalid("invalid Base64 encoding."))?;
        let document: Value = serde_json::from_slice(&document).map_err(|_| invalid("Invalid JSON."))?;
        let Value::Object(document) = document else { return Err(invalid("Invalid JSON.")) };
        if let Some(name) = document.keys().find(|name| !["expiration", "conditions"].contains(&name.as_str())) {
            return Err(invalid(&format!("Unexpected: {}", json(name))));
        }
        let expiration = document.get("expiration").ok_or_else(|| invalid("Policy missing expiration."))?;
        let conditions = document.get("conditions").ok_or_else(|| invalid("Policy missing conditions."))?;
        let Value::Array(conditions) = conditions else {
            return Err(invalid("Invalid 'conditions' value: must be a List."));
        };
        let mut policy = Self {
            expiration: parse_expiration(expiration)?,
            conditions: Vec::with_capacity(conditions.len()),
            length: LengthRange::ANY,
        };
        conditions.iter().try_for_each(|condition| policy.add(condition))?;
        Ok(policy)
    }

    /// How long the file may be: what all conditions about it leave.
    pub fn length(&self) -> LengthRange {
        self.length
    }

    /// Holds a form for `bucket` to the policy. `key` is the object's, with the file's name in it.
    pub fn check(&self, fields: &Fields, bucket: &str, key: &str, now: Timestamp) -> Result<(), S3Error> {
        if now >= self.expiration {
            return Err(denied("Policy expired."));
        }
        let value = |name: &str| match name {
            "bucket" => Some(bucket),
            "key" => Some(key),
            _ => fields.get(name),
        };
        for condition in &self.conditions {
            if !condition.is_met(value) {
                return Err(denied(&format!("Policy Condition failed: {}", condition.shown)));
            }
        }
        if fields.get("bucket").is_some_and(|given| given != bucket) {
            return Err(denied(&format!("Policy Condition failed: [\"eq\", \"$bucket\", {}]", json(bucket))));
        }
        self.check_extra(fields)
    }

    /// Every field is to be named by a condition, and so is the bucket: a policy without it would be good for any.
    fn check_extra(&self, fields: &Fields) -> Result<(), S3Error> {
        let named = |name: &str| self.conditions.iter().any(|condition| condition.field.as_deref() == Some(name));
        let free = |name: &str| FREE.contains(&name) || name.starts_with(FREE_PREFIX);
        let mut names = fields.names().chain(["bucket"]);
        match names.find(|name| !free(name) && !named(name)) {
            Some(name) => Err(denied(&format!("Extra input fields: {name}"))),
            None => Ok(()),
        }
    }

    fn add(&mut self, condition: &Value) -> Result<(), S3Error> {
        match condition {
            Value::Object(simple) => {
                let mut entries = simple.iter();
                let (Some((name, value)), None) = (entries.next(), entries.next()) else {
                    return Err(invalid(
                        "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
                    ));
                };
                let value = value.as_str();
                let value = value.ok_or_else(|| invalid("Invalid Simple-Condition: value must be a string."))?;
                self.conditions.push(Condition::new("eq", &format!("${name}"), value));
                Ok(())
            }
            Value::Array(list) => self.add_list(list),
            _ => Err(invalid("Invalid condition test: must be a List or Object.")),
        }
    }

    fn add_list(&mut self, list: &[Value]) -> Result<(), S3Error> {
        let Some(operation) = list.first().and_then(Value::as_str) else {
            return Err(invalid("Invalid Condition: missing operation identifier."));
        };
        let [_, first, second] = list else {
            return Err(invalid(&format!("Invalid {operation}: wrong number of arguments.")));
        };
        match operation.to_ascii_lowercase().as_str() {
            "content-length-range" => {
                let bound =
                    |value| parse_length(value).ok_or_else(|| invalid("Invalid content-length-range: invalid number."));
                self.length.least = self.length.least.max(bound(first)?);
                self.length.most = self.length.most.min(bound(second)?);
            }
            name @ ("eq" | "starts-with") => {
                let (Some(field), Some(value)) = (first.as_str(), second.as_str()) else {
                    return Err(invalid(&format!("Invalid {name}: arguments must be strings.")));
                };
                self.conditions.push(Condition::new(name, field, value));
            }
            _ => return Err(invalid(&format!("Invalid Condition: unknown operation '{operation}'."))),
        }
        Ok(())
    }
}

impl Condition {
    fn new(operation: &str, field: &str, value: &str) -> Self {
        let test = match operation {
            "starts-with" => Test::StartsWith(value.to_owned()),
            _ => Test::Equals(value.to_owned()),
        };
        Self {
            field: field.strip_prefix('$').map(str::to_ascii_lowercase),
            test,
            shown: format!("[\"{operation}\", {}, {}]", json(field), json(value)),
        }
    }

    /// A field that is not there meets nothing, not even a `starts-with` of nothing.
    fn is_met<'f>(&self, value: impl Fn(&str) -> Option<&'f str>) -> bool {
        let Some(name) = self.field.as_deref() else { return false };
        let Some(value) = value(name) else { return false };
        match &self.test {
            Test::Equals(expected) => value == expected,
            // Types may be given as a list, each of which is meant.
            Test::StartsWith(prefix) if name == "content-type" => {
                value.split(',').all(|part| part.trim().starts_with(prefix.as_str()))
            }
            Test::StartsWith(prefix) => value.starts_with(prefix.as_str()),
        }
    }
}

/// `2007-12-01T12:00:00.000Z`, with or without the milliseconds.
fn parse_expiration(value: &Value) -> Result<Timestamp, S3Error> {
    let text = value.as_str().filter(|text| text.as_bytes().get(10) == Some(&b'T') && text.ends_with('Z'));
    let time = text.and_then(date::parse_iso8601);
    time.ok_or_else(|| {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        invalid(&format!("Invalid 'expiration' value: '{shown}'"))
    })
}

/// A number, which some clients write as a text.
fn parse_length(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    }
}

fn json(text: &str) -> String {
    Value::from(text).to_string()
}

fn invalid(what: &str) -> S3Error {
    S3Error::with_message(Code::InvalidPolicyDocument, format!("Invalid Policy: {what}"))
}

fn denied(what: &str) -> S3Error {
    S3Error::with_message(Code::AccessDenied, format!("Invalid according to Policy: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 24 May 2013.
    const NOW: Timestamp = Timestamp::from_seconds(1_369_353_600);

    fn parse(document: &str) -> Result<Policy, S3Error> {
        Policy::parse(&BASE64.encode(document))
    }

    /// What a policy with these conditions says to a form with these fields.
    fn judged(conditions: &str, given: &[(&str, &str)]) -> Result<(), String> {
        let document = format!("{{\"expiration\": \"2013-05-25T00:00:00Z\", \"conditions\": [{conditions}]}}");
        let mut fields = Fields::default();
        for (name, value) in given {
            fields.push(name, (*value).to_owned()).unwrap();
        }
        let key = fields.key("name.txt").unwrap();
        let policy = parse(&document).unwrap();
        policy.check(&fields, "bucket", &key, NOW).map_err(|error| {
            assert_eq!(error.code, Code::AccessDenied);
            error.message.strip_prefix("Invalid according to Policy: ").unwrap().to_owned()
        })
    }

    const USUAL: &str = "{\"bucket\": \"bucket\"}, [\"starts-with\", \"$key\", \"user/\"]";

    #[test]
    fn fields_are_held_to_every_condition() {
        let key = ("key", "user/${filename}");
        assert_eq!(judged(USUAL, &[key]), Ok(()));
        for (condition, field, met) in [
            ("{\"acl\": \"private\"}", ("acl", "private"), true),
            ("{\"acl\": \"private\"}", ("acl", "public-read"), false),
            ("[\"eq\", \"$acl\", \"private\"]", ("acl", "private"), true),
            ("[\"EQ\", \"$aCl\", \"private\"]", ("ACL", "private"), true),
            ("[\"eq\", \"$acl\", \"private\"]", ("acl", "Private"), false),
            ("[\"starts-with\", \"$Content-Type\", \"image/\"]", ("Content-Type", "image/png"), true),
            ("[\"Starts-With\", \"$Content-Type\", \"image/\"]", ("content-type", "image/png, image/gif"), true),
            ("[\"starts-with\", \"$Content-Type\", \"image/\"]", ("Content-Type", "image/png,text/html"), false),
            ("[\"starts-with\", \"$x-amz-meta-a\", \"\"]", ("x-amz-meta-a", "anything"), true),
            ("[\"starts-with\", \"$x-amz-meta-a\", \"any\"]", ("x-amz-meta-a", "thing"), false),
            ("[\"starts-with\", \"x-amz-meta-a\", \"\"]", ("x-amz-meta-a", "no dollar"), false),
            ("{\"$x-amz-meta-a\": \"a\"}", ("x-amz-meta-a", "a"), false),
        ] {
            let judged = judged(&format!("{USUAL}, {condition}"), &[key, field]);
            assert_eq!(judged.is_ok(), met, "{condition} of {field:?}: {judged:?}");
        }
        assert_eq!(
            judged(&format!("{USUAL}, {{\"acl\": \"a\\\"b\"}}"), &[key, ("acl", "c")]),
            Err("Policy Condition failed: [\"eq\", \"$acl\", \"a\\\"b\"]".to_owned())
        );
        assert_eq!(
            judged(&format!("{USUAL}, [\"starts-with\", \"$acl\", \"\"]"), &[key]),
            Err("Policy Condition failed: [\"starts-with\", \"$acl\", \"\"]".to_owned()),
            "a missing field meets nothing"
        );
    }

    #[test]
    fn the_key_is_judged_with_the_file_s_name_in_it() {
        let conditions = "{\"bucket\": \"bucket\"}, {\"key\": \"a/name.txt\"}";
        assert_eq!(judged(conditions, &[("key", "a/${filename}")]), Ok(()));
        assert!(judged(conditions, &[("key", "a/name.txt.")]).is_err());
    }

    #[test]
    fn the_bucket_is_that_of_the_request() {
        let key = ("key", "user/a");
        assert_eq!(judged(USUAL, &[key, ("bucket", "bucket")]), Ok(()));
        assert!(judged(USUAL, &[key, ("bucket", "other")]).is_err());
        assert!(judged(&USUAL.replace("\"bucket\"}", "\"other\"}"), &[key, ("bucket", "other")]).is_err());
        let without = "[\"starts-with\", \"$key\", \"\"]";
        assert_eq!(judged(without, &[key]), Err("Extra input fields: bucket".to_owned()));
    }

    #[test]
    fn every_field_is_named_by_a_condition_or_free() {
        let key = ("key", "user/a");
        for name in ["AWSAccessKeyId", "Signature", "policy", "x-amz-signature", "x-ignore-submit"] {
            assert_eq!(judged(USUAL, &[key, (name, "value")]), Ok(()), "{name}");
        }
        for name in ["x-amz-meta-a", "acl", "x-amz-security-token", "x-amz-algorithm", "success_action_status"] {
            assert_eq!(judged(USUAL, &[key, (name, "value")]), Err(format!("Extra input fields: {name}")));
        }
        assert_eq!(judged("{\"bucket\": \"bucket\"}", &[key]), Err("Extra input fields: key".to_owned()));
    }

    #[test]
    fn a_policy_has_an_end() {
        let policy = parse("{\"expiration\": \"2013-05-24T00:00:00.000Z\", \"conditions\": []}").unwrap();
        let refused = policy.check(&Fields::default(), "b", "k", NOW).unwrap_err();
        assert_eq!(refused.message, "Invalid according to Policy: Policy expired.");
        let before = Timestamp::from_millis(NOW.as_millis() - 1);
        assert!(policy.check(&Fields::default(), "b", "k", before).unwrap_err().message.contains("Extra input fields"));
    }

    #[test]
    fn lengths_are_within_every_range() {
        let document = |range: &str| format!("{{\"expiration\": \"2013-05-25T00:00:00Z\", \"conditions\": [{range}]}}");
        let ranges = "[\"content-length-range\", 2, 10], [\"Content-Length-Range\", \"0\", \"8\"]";
        let length = parse(&document(ranges)).unwrap().length();
        assert_eq!(length, LengthRange { least: 2, most: 8 });
        assert!(length.check(8, true).is_ok() && length.check(1, false).is_ok());
        let (small, large) = (length.check(1, true).unwrap_err(), length.check(9, false).unwrap_err());
        assert_eq!(small.details, [("ProposedSize", "1".to_owned()), ("MinSizeAllowed", "2".to_owned())]);
        assert_eq!((small.code, large.code), (Code::EntityTooSmall, Code::EntityTooLarge));
        assert_eq!(large.details, [("ProposedSize", "9".to_owned()), ("MaxSizeAllowed", "8".to_owned())]);
        assert_eq!(parse(&document("")).unwrap().length(), LengthRange::ANY);
    }

    #[test]
    fn other_documents_are_refused_with_what_is_wrong() {
        let document =
            |conditions: &str| format!("{{\"expiration\": \"2013-05-25T00:00:00Z\", \"conditions\": {conditions}}}");
        for (text, what) in [
            ("".to_owned(), "Invalid JSON."),
            ("[]".to_owned(), "Invalid JSON."),
            ("{".to_owned(), "Invalid JSON."),
            ("[".repeat(10_000), "Invalid JSON."),
            ("{\"conditions\": []}".to_owned(), "Policy missing expiration."),
            ("{\"EXPIRATION\": \"2013-05-25T00:00:00Z\"}".to_owned(), "Unexpected: \"EXPIRATION\""),
            ("{\"expiration\": \"2013-05-25T00:00:00Z\"}".to_owned(), "Policy missing conditions."),
            (
                "{\"expiration\": \"2013-05-25 00:00:00Z\", \"conditions\": []}".to_owned(),
                "Invalid 'expiration' value: '2013-05-25 00:00:00Z'",
            ),
            ("{\"expiration\": 5, \"conditions\": []}".to_owned(), "Invalid 'expiration' value: '5'"),
            (document("{}"), "Invalid 'conditions' value: must be a List."),
            (document("[5]"), "Invalid condition test: must be a List or Object."),
            (document("[{}]"), "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."),
            (document("[{\"acl\": 5}]"), "Invalid Simple-Condition: value must be a string."),
            (document("[[]]"), "Invalid Condition: missing operation identifier."),
            (document("[[\"ends-with\", \"$key\", \"a\"]]"), "Invalid Condition: unknown operation 'ends-with'."),
            (document("[[\"eq\", \"$key\"]]"), "Invalid eq: wrong number of arguments."),
            (document("[[\"content-length-range\", 0]]"), "Invalid content-length-range: wrong number of arguments."),
            (document("[[\"content-length-range\", -1, 0]]"), "Invalid content-length-range: invalid number."),
            (document("[[\"eq\", \"$key\", 5]]"), "Invalid eq: arguments must be strings."),
        ] {
            let refused = parse(&text).unwrap_err();
            assert_eq!(refused.code, Code::InvalidPolicyDocument, "{text}");
            assert_eq!(refused.message, format!("Invalid Policy: {what}"), "{text}");
        }
        assert_eq!(Policy::parse("!").unwrap_err().message, "Invalid Policy: invalid Base64 encoding.");
    }
}
