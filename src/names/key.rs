//! Object keys.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest key, in bytes of UTF-8.
pub const MAX_KEY_BYTES: usize = 1024;

/// A valid object key: 1 to 1,024 bytes of UTF-8, any characters, never normalised.
///
/// Rules: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey(String);

/// What is wrong with an object key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidObjectKey {
    #[error("an object key has at least one byte")]
    Empty,
    #[error("an object key has at most {MAX_KEY_BYTES} bytes")]
    TooLong,
    #[error("an object key is UTF-8")]
    NotUtf8,
}

/// Keys below this are a site's own: its options, and the files and lists of its deploys.
pub const RESERVED_PREFIX: &str = ".brim/";

impl ObjectKey {
    pub fn parse(key: impl Into<Vec<u8>>) -> Result<Self, InvalidObjectKey> {
        let key = key.into();
        if key.is_empty() {
            return Err(InvalidObjectKey::Empty);
        }
        if key.len() > MAX_KEY_BYTES {
            return Err(InvalidObjectKey::TooLong);
        }
        String::from_utf8(key).map(Self).map_err(|_| InvalidObjectKey::NotUtf8)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_any_utf8_up_to_1024_bytes() {
        for key in ["a", "a//b/../c", "\u{1}\n", "日本/ é+%2F"] {
            assert_eq!(ObjectKey::parse(key).unwrap().as_str(), key);
        }
        assert!(ObjectKey::parse("x".repeat(1024)).is_ok());
        assert_eq!(ObjectKey::parse("x".repeat(1025)), Err(InvalidObjectKey::TooLong));
        assert_eq!(ObjectKey::parse(""), Err(InvalidObjectKey::Empty));
        assert_eq!(ObjectKey::parse(vec![0xff]), Err(InvalidObjectKey::NotUtf8));
    }
}
