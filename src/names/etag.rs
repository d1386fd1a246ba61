//! Entity tags as S3 makes them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An object's entity tag: the MD5 of its bytes, or of its parts' MD5s followed by `-` and their number.
///
/// Displayed without quotes; [`ETag::quoted`] is the form of headers and XML.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ETag {
    pub md5: [u8; 16],
    /// The number of parts of a multipart upload; `None` for a single PUT.
    pub parts: Option<u16>,
}

/// A text that is no entity tag of S3's shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an entity tag is 32 hex digits, for multipart uploads followed by - and the number of parts")]
pub struct InvalidETag;

impl ETag {
    pub const fn single(md5: [u8; 16]) -> Self {
        Self { md5, parts: None }
    }

    pub fn quoted(&self) -> String {
        format!("\"{self}\"")
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every answer has one: the digits stay on the stack.
        let mut digits = [0; 32];
        hex::encode_to_slice(self.md5, &mut digits).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)?;
        match self.parts {
            Some(parts) => write!(f, "-{parts}"),
            None => Ok(()),
        }
    }
}

impl FromStr for ETag {
    type Err = InvalidETag;

    /// Accepts the tag with or without quotes, as clients send both.
    fn from_str(text: &str) -> Result<Self, InvalidETag> {
        let text = text.trim();
        let bare = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
        let (digest, parts) = match bare.split_once('-') {
            Some((digest, parts)) => (digest, Some(parts.parse().map_err(|_| InvalidETag)?)),
            None => (bare, None),
        };
        let mut md5 = [0; 16];
        hex::decode_to_slice(digest, &mut md5).map_err(|_| InvalidETag)?;
        Ok(Self { md5, parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_round_trip_with_and_without_quotes() {
        for text in ["d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427e-10000"] {
            let tag: ETag = text.parse().unwrap();
            assert_eq!(tag.to_string(), text);
            assert_eq!(tag.quoted().parse(), Ok(tag));
        }
        for text in ["", "\"", "d41d8cd98f00b204e9800998ecf8427", "d41d8cd98f00b204e9800998ecf8427e-", "*"] {
            assert_eq!(text.parse::<ETag>(), Err(InvalidETag), "{text}");
        }
    }
}
