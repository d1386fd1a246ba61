//! Host names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest host name, in bytes: RFC 1035 section 3.1, without the final dot.
pub const MAX_HOST_BYTES: usize = 253;
/// The longest label, in bytes: RFC 1035 section 2.3.4.
pub const MAX_LABEL_BYTES: usize = 63;

/// A host name in the one form in which names are compared: lower case, without a final dot, international names as
/// A-labels (`xn--`). Never an IP address, nor what browsers would take for one.
///
/// Rules: RFC 1123 section 2.1; <https://url.spec.whatwg.org/#ends-in-a-number-checker>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

/// What is wrong with a host name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHostName {
    #[error("a host name has 1 to 253 characters")]
    Length,
    #[error("a label of a host name has 1 to 63 characters")]
    Label,
    #[error("a host name has only letters, digits, dots and inner hyphens; international names are written as xn--...")]
    Character,
    #[error("a host name is no IP address, and its last label no number")]
    Address,
}

impl HostName {
    /// Reads a name in any case, with or without its final dot.
    pub fn parse(text: &str) -> Result<Self, InvalidHostName> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if !(1..=MAX_HOST_BYTES).contains(&text.len()) {
            return Err(InvalidHostName::Length);
        }
        for label in text.split('.') {
            check_label(label)?;
        }
        let last = text.rsplit('.').next().unwrap_or_default();
        if is_number(last) {
            return Err(InvalidHostName::Address);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before `domain` and its dot; `None` for `domain` itself and for what is not below it.
    pub fn below(&self, domain: &Self) -> Option<&str> {
        self.0.strip_suffix(&domain.0)?.strip_suffix('.')
    }
}

/// RFC 1123 section 2.1: letters, digits and inner hyphens.
fn check_label(label: &str) -> Result<(), InvalidHostName> {
    if !(1..=MAX_LABEL_BYTES).contains(&label.len()) {
        return Err(InvalidHostName::Label);
    }
    let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if inner && !label.starts_with('-') && !label.ends_with('-') { Ok(()) } else { Err(InvalidHostName::Character) }
}

/// Whether browsers take a name with this last label for an IPv4 address.
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

impl TryFrom<String> for HostName {
    type Error = InvalidHostName;

    fn try_from(text: String) -> Result<Self, InvalidHostName> {
        Self::parse(&text)
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_have_one_form() {
        for text in ["www.example.com", "WWW.Example.COM", "www.example.com."] {
            assert_eq!(HostName::parse(text).unwrap().as_str(), "www.example.com");
        }
        let longest = [&"a".repeat(63), ".", &"b".repeat(63), ".", &"c".repeat(63), ".", &"d".repeat(61)].concat();
        for text in ["localhost", "a", "1.a", "xn--bcher-kva.example", "a--b.c", "0x.a", longest.as_str()] {
            assert_eq!(HostName::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let too_long = format!("{}a", "a.".repeat(127));
        let long_label = format!("{}.example", "a".repeat(64));
        for (text, wrong) in [
            ("", InvalidHostName::Length),
            (".", InvalidHostName::Length),
            (too_long.as_str(), InvalidHostName::Length),
            ("a..b", InvalidHostName::Label),
            (".a", InvalidHostName::Label),
            ("a..", InvalidHostName::Label),
            (long_label.as_str(), InvalidHostName::Label),
            ("a_b.example", InvalidHostName::Character),
            ("-a.example", InvalidHostName::Character),
            ("a-.example", InvalidHostName::Character),
            ("a b.example", InvalidHostName::Character),
            ("a:80", InvalidHostName::Character),
            ("a@b", InvalidHostName::Character),
            ("*.example", InvalidHostName::Character),
            ("b\u{fc}cher.example", InvalidHostName::Character),
            ("a\0b", InvalidHostName::Character),
            ("[::1]", InvalidHostName::Character),
            ("127.0.0.1", InvalidHostName::Address),
            ("127.1", InvalidHostName::Address),
            ("www.example.0x7F", InvalidHostName::Address),
            ("0X", InvalidHostName::Address),
        ] {
            assert_eq!(HostName::parse(text), Err(wrong), "{text}");
        }
    }

    #[test]
    fn a_name_is_below_a_domain_at_a_dot() {
        let name = |text| HostName::parse(text).unwrap();
        assert_eq!(name("a.b.example.com").below(&name("example.com")), Some("a.b"));
        for other in ["a.b.example.com", "ample.com", "b.example.co", "x.a.b.example.com"] {
            assert_eq!(name("a.b.example.com").below(&name(other)), None, "{other}");
        }
    }

    #[test]
    fn names_from_elsewhere_are_checked_too() {
        let name: HostName = serde_json::from_str("\"A.example.\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"a.example\"");
        assert!(serde_json::from_str::<HostName>("\"a_b\"").is_err());
    }

    proptest! {
        #[test]
        fn reading_a_name_again_changes_nothing(text in "[a-zA-Z0-9.-]{0,70}") {
            if let Ok(name) = HostName::parse(&text) {
                prop_assert_eq!(HostName::parse(name.as_str()), Ok(name.clone()));
                prop_assert!(name.as_str().eq_ignore_ascii_case(text.strip_suffix('.').unwrap_or(&text)));
            }
        }
    }
}
