//! The parameters of a request: names and texts, as the query protocol sends them in a form or in the URL.
//!
//! Lists are spelled `Name.member.1`, `Name.member.2`, structures `Name.Field`.
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>

use std::ops::RangeInclusive;

use super::error::{Code, QueryError};
use crate::http::percent;

/// The most parameters of a request, which bounds the work of looking through them.
pub const MAX_PARAMETERS: usize = 100;

/// Parameters of a query string that belong to the signature.
const SIGNATURE: &str = "X-Amz-";

/// The parameters of one request, each given once.
#[derive(Default)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the parameters of the URL's query, leaving out those of the signature, and of the body.
    pub fn parse(query: &str, body: &[u8]) -> Result<Self, QueryError> {
        let body = std::str::from_utf8(body).map_err(|_| malformed("the body is not UTF-8"))?;
        let mut parameters = Self::default();
        for pair in percent::parameters(query) {
            let name = decode(pair.name)?;
            if !name.starts_with(SIGNATURE) {
                parameters.add(name, decode(pair.value.unwrap_or_default())?)?;
            }
        }
        for pair in percent::parameters(body) {
            parameters.add(decode(pair.name)?, decode(pair.value.unwrap_or_default())?)?;
        }
        Ok(parameters)
    }

    fn add(&mut self, name: String, value: String) -> Result<(), QueryError> {
        if self.get(&name).is_some() {
            return Err(malformed(&format!("the parameter {name} is given more than once")));
        }
        if self.0.len() == MAX_PARAMETERS {
            return Err(malformed(&format!("there are more than {MAX_PARAMETERS} parameters")));
        }
        self.0.push((name, value));
        Ok(())
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that must be there.
    pub fn required(&self, name: &str) -> Result<&str, QueryError> {
        self.get(name).ok_or_else(|| invalid(&format!("Value null at '{}'", member(name)), "Member must not be null"))
    }

    /// A number within `range`.
    pub fn number(&self, name: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, QueryError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        // Java's parser at AWS takes a sign; nobody sends one.
        let number: i64 = text.parse().map_err(|_| {
            QueryError::with_message(Code::MalformedInput, format!("{text} is not an integer, at {}", member(name)))
        })?;
        let refused = |constraint: String| invalid(&shown(text, name), &constraint);
        if number < i64::from(*range.start()) {
            return Err(refused(format!("Member must have value greater than or equal to {}", range.start())));
        }
        match u32::try_from(number) {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(refused(format!("Member must have value less than or equal to {}", range.end()))),
        }
    }

    /// `true` or `false`.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, QueryError> {
        Ok(self.one_of(name, &["true", "false"])?.map(|word| word == "true"))
    }

    /// One of these words, given back as it stands in `allowed`.
    pub fn one_of<'a>(&self, name: &str, allowed: &[&'a str]) -> Result<Option<&'a str>, QueryError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let found = allowed.iter().find(|word| **word == text);
        let refused = || {
            let constraint = format!("Member must satisfy enum value set: [{}]", allowed.join(", "));
            invalid(&shown(text, name), &constraint)
        };
        found.copied().map(Some).ok_or_else(refused)
    }

    /// A text with so many characters, which must be there.
    pub fn required_text(&self, name: &str, length: RangeInclusive<usize>) -> Result<&str, QueryError> {
        let text = self.required(name)?;
        Ok(self.text(name, length)?.unwrap_or(text))
    }

    /// A text with so many characters.
    pub fn text(&self, name: &str, length: RangeInclusive<usize>) -> Result<Option<&str>, QueryError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let count = text.chars().count();
        let bound = match () {
            () if count < *length.start() => format!("greater than or equal to {}", length.start()),
            () if count > *length.end() => format!("less than or equal to {}", length.end()),
            () => return Ok(Some(text)),
        };
        Err(invalid(&shown(text, name), &format!("Member must have length {bound}")))
    }

    /// The members of a list in order: `name.member.1`, `name.member.2` and so on, with `field` behind it if that is not
    /// empty. They are numbered from 1 without gaps.
    pub fn members(&self, name: &str, field: &str) -> Result<Vec<&str>, QueryError> {
        let suffix = if field.is_empty() { String::new() } else { format!(".{field}") };
        let mut members = Vec::new();
        while let Some(value) = self.get(&format!("{name}.member.{}{suffix}", members.len() + 1)) {
            members.push(value);
        }
        let prefix = format!("{name}.member.");
        if self.names().filter(|given| given.starts_with(&prefix)).count() > members.len() {
            return Err(malformed(&format!("the members of {name} are not numbered from 1")));
        }
        Ok(members)
    }
}

/// The name with every number replaced by `N`: what tables call `Name.member.3`.
pub fn pattern(name: &str) -> String {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = name.split('.').map(|part| if is_number(part) { "N" } else { part }).collect();
    parts.join(".")
}

/// A ValidationError in the words of AWS.
fn invalid(what: &str, constraint: &str) -> QueryError {
    let message = format!("1 validation error detected: {what} failed to satisfy constraint: {constraint}");
    QueryError::with_message(Code::ValidationError, message)
}

/// The longest value that an error quotes, in characters.
const MAX_QUOTED: usize = 256;

fn shown(value: &str, name: &str) -> String {
    let quoted: String = value.chars().take(MAX_QUOTED).collect();
    format!("Value '{quoted}' at '{}'", member(name))
}

/// The member that a parameter sets, which AWS names with a small first letter.
fn member(name: &str) -> String {
    let mut characters = name.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

fn decode(text: &str) -> Result<String, QueryError> {
    let bytes = percent::decode_query(text).map_err(|error| malformed(&error.to_string()))?;
    String::from_utf8(bytes.into_owned()).map_err(|_| malformed("a parameter is not UTF-8"))
}

fn malformed(what: &str) -> QueryError {
    QueryError::with_message(Code::MalformedQueryString, format!("The query string is malformed: {what}."))
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    fn parsed(body: &str) -> Result<Parameters, Code> {
        Parameters::parse("", body.as_bytes()).map_err(|error| error.code)
    }

    fn refused<T: std::fmt::Debug>(result: Result<T, QueryError>) -> String {
        result.unwrap_err().message.into_owned()
    }

    #[test]
    fn url_and_body_give_parameters_and_the_signature_gives_none() {
        let query = "Action=GetUser&X-Amz-Signature=00&X-Amz-Security-Token=t";
        let parameters = Parameters::parse(query, b"UserName=a+b%2Bc&Path&&Empty=").unwrap();
        assert_eq!(Vec::from_iter(parameters.names()), ["Action", "UserName", "Path", "Empty"]);
        assert_eq!(parameters.get("UserName"), Some("a b+c"));
        assert_eq!(parameters.get("Path"), Some(""));
        assert_eq!(parameters.get("username"), None);
    }

    #[test]
    fn what_is_ambiguous_or_not_text_is_refused() {
        for body in ["A=1&A=1", "A=1&%41=2", "A=%", "A=%zz", "A=%ff", "%ff=1"] {
            assert_eq!(parsed(body).err(), Some(Code::MalformedQueryString), "{body}");
        }
        assert!(Parameters::parse("A=1", b"A=1").is_err() && Parameters::parse("", b"\xff").is_err());
        let many = |count: usize| (0..count).map(|number| format!("p{number}=x&")).collect::<String>();
        assert!(parsed(&many(MAX_PARAMETERS)).is_ok() && parsed(&many(MAX_PARAMETERS + 1)).is_err());
    }

    #[test]
    fn constraints_are_told_as_aws_words_them() {
        let parameters = parsed("MaxItems=0&Big=1001&Word=x&Status=active&Name=abc").unwrap();
        let prefix = "1 validation error detected: ";
        for (message, expected) in [
            (
                refused(parameters.required("UserName")),
                "Value null at 'userName' failed to satisfy constraint: Member must not be null",
            ),
            (
                refused(parameters.number("MaxItems", 1..=1000)),
                "Value '0' at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1",
            ),
            (
                refused(parameters.number("Big", 1..=1000)),
                "Value '1001' at 'big' failed to satisfy constraint: Member must have value less than or equal to 1000",
            ),
            (
                refused(parameters.one_of("Status", &["Active", "Inactive"])),
                "Value 'active' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive]",
            ),
            (
                refused(parameters.text("Name", 1..=2)),
                "Value 'abc' at 'name' failed to satisfy constraint: Member must have length less than or equal to 2",
            ),
        ] {
            assert_eq!(message, format!("{prefix}{expected}"));
        }
        assert_eq!(parameters.number("Word", 1..=2).unwrap_err().code, Code::MalformedInput);
        assert_eq!(parameters.number("Big", 1..=2000).unwrap(), Some(1001));
        assert_eq!(parameters.number("Absent", 1..=2).unwrap(), None);
        assert_eq!(parameters.text("Name", 3..=3).unwrap(), Some("abc"));
    }

    #[test]
    fn members_of_lists_are_numbered_from_one() {
        let parameters = parsed("P.member.2.arn=b&P.member.1.arn=a&Q.member.2=x").unwrap();
        assert_eq!(parameters.members("P", "arn").unwrap(), ["a", "b"]);
        assert!(parameters.members("R", "arn").unwrap().is_empty());
        assert_eq!(parameters.members("Q", "").unwrap_err().code, Code::MalformedQueryString);
        assert_eq!(parameters.members("P", "name").unwrap_err().code, Code::MalformedQueryString);
        assert_eq!(pattern("P.member.12.arn"), "P.member.N.arn");
        assert_eq!(pattern("P..1a.N"), "P..1a.N");
    }

    proptest! {
        #[test]
        fn forms_come_back_as_they_were_written(pairs in proptest::collection::btree_map("\\PC{0,8}", "\\PC{0,20}", 0..20)) {
            let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let body: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
            let parameters = parsed(&body.join("&")).unwrap();
            prop_assert_eq!(parameters.0.len(), pairs.len());
            for (name, value) in &pairs {
                prop_assert_eq!(parameters.get(name), Some(value.as_str()));
            }
        }

        #[test]
        fn no_body_makes_the_reader_panic(query in "[a=&%+X-]{0,20}", body: Vec<u8>) {
            let _ = Parameters::parse(&query, &body);
        }
    }
}
