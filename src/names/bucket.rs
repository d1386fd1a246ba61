//! Bucket names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A valid general-purpose bucket name.
///
/// Rules: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BucketName(String);

/// What is wrong with a bucket name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBucketName {
    #[error("a bucket name has 3 to 63 characters")]
    Length,
    #[error(
        "a bucket name has only lowercase letters, digits, dots and hyphens, and starts and ends with a letter or digit"
    )]
    Character,
    #[error("a bucket name has no two dots in a row and no dot beside a hyphen")]
    Dots,
    #[error("a bucket name must not look like an IP address")]
    IpAddress,
    #[error("this prefix or suffix of a bucket name is reserved")]
    Reserved,
}

const RESERVED_PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

impl BucketName {
    pub fn parse(name: &str) -> Result<Self, InvalidBucketName> {
        if !(3..=63).contains(&name.len()) {
            return Err(InvalidBucketName::Length);
        }
        let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = name.as_bytes();
        let ends = [bytes[0], bytes[bytes.len() - 1]];
        let inner = bytes.iter().all(|&b| alphanumeric(b) || b == b'.' || b == b'-');
        if !inner || !ends.into_iter().all(alphanumeric) {
            return Err(InvalidBucketName::Character);
        }
        if ["..", ".-", "-."].iter().any(|pair| name.contains(pair)) {
            return Err(InvalidBucketName::Dots);
        }
        if name.parse::<std::net::Ipv4Addr>().is_ok() {
            return Err(InvalidBucketName::IpAddress);
        }
        let reserved = RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || RESERVED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
        if reserved {
            return Err(InvalidBucketName::Reserved);
        }
        Ok(Self(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_bucket_naming_rules() {
        let long = "a".repeat(63);
        for name in ["abc", "a.b-c", "0bucket9", "my.bucket.name", long.as_str()] {
            assert!(BucketName::parse(name).is_ok(), "{name}");
        }
        let too_long = "a".repeat(64);
        for (name, wrong) in [
            ("ab", InvalidBucketName::Length),
            (too_long.as_str(), InvalidBucketName::Length),
            ("Abc", InvalidBucketName::Character),
            ("-abc", InvalidBucketName::Character),
            ("abc.", InvalidBucketName::Character),
            ("a_c", InvalidBucketName::Character),
            ("a..c", InvalidBucketName::Dots),
            ("a.-c", InvalidBucketName::Dots),
            ("192.168.5.4", InvalidBucketName::IpAddress),
            ("xn--abc", InvalidBucketName::Reserved),
            ("abc-s3alias", InvalidBucketName::Reserved),
        ] {
            assert_eq!(BucketName::parse(name), Err(wrong), "{name}");
        }
    }
}
