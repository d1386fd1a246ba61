//! What a file's bytes are: their hash and their type.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::Error;

/// The longest content type, in bytes.
const MAX_CONTENT_TYPE_BYTES: usize = 255;

/// The SHA-256 of a file's bytes; displayed as 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentHash(pub [u8; 32]);

/// The value of a `Content-Type` header: visible ASCII and spaces, so that it cannot split an answer's head.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentType(String);

impl ContentHash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let hash = digest(&SHA256, bytes);
        let mut array = [0; 32];
        array.copy_from_slice(hash.as_ref());
        Self(array)
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for ContentHash {
    type Err = Error;

    /// Takes lower case only, so that a hash has one key.
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut hash = [0; 32];
        let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        match hex::decode_to_slice(text, &mut hash) {
            Ok(()) if lower => Ok(Self(hash)),
            _ => Err(Error::Hash),
        }
    }
}

impl TryFrom<String> for ContentHash {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<ContentHash> for String {
    fn from(hash: ContentHash) -> Self {
        hash.to_string()
    }
}

impl ContentType {
    pub fn parse(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        let visible = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        match visible && !text.trim().is_empty() && text.len() <= MAX_CONTENT_TYPE_BYTES {
            true => Ok(Self(text)),
            false => Err(Error::ContentType),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ContentType {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl From<ContentType> for String {
    fn from(content_type: ContentType) -> Self {
        content_type.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_has_one_text() {
        let hash = ContentHash::of(b"");
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hash.to_string(), text);
        assert_eq!(text.parse::<ContentHash>().unwrap(), hash);
        for wrong in ["", &text.to_uppercase(), &text[1..], &format!("{text}0"), &text.replace('e', "g"), "../../x"] {
            assert!(wrong.parse::<ContentHash>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn content_types_cannot_split_a_head() {
        assert_eq!(ContentType::parse("text/html; charset=utf-8").unwrap().as_str(), "text/html; charset=utf-8");
        for wrong in ["", " ", "text/html\r\nx: y", "text/\0", "text/é", &"x".repeat(256)] {
            assert!(ContentType::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
