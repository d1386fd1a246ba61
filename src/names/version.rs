//! The identifiers of versions.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::InvalidId;

/// How many bytes an identifier with a number has before it is text: 32 characters.
const BYTES: usize = 24;

/// Names a version of an object among those of its key.
///
/// To clients it is opaque. It says where the version's row is, so that finding a version costs one read, and has a random
/// part that the row has to confirm, so that a number that is given out again never means another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VersionId {
    /// The one version of a key that was made while versioning was not enabled; displayed as `null`.
    Null,
    /// Displayed as 32 characters of URL-safe base64.
    Numbered { ordinal: u64, random: [u8; 16] },
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Numbered { ordinal, random } = self else { return f.write_str("null") };
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&ordinal.to_be_bytes());
        bytes[8..].copy_from_slice(random);
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for VersionId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text == "null" {
            return Ok(Self::Null);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidId)?;
        let bytes: [u8; BYTES] = bytes.try_into().map_err(|_| InvalidId)?;
        let (ordinal, random) = bytes.split_first_chunk::<8>().ok_or(InvalidId)?;
        let random = random.try_into().map_err(|_| InvalidId)?;
        Ok(Self::Numbered { ordinal: u64::from_be_bytes(*ordinal), random })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn identifiers_are_32_characters_that_need_no_encoding_and_read_back(ordinal: u64, random: [u8; 16]) {
            let id = VersionId::Numbered { ordinal, random };
            let text = id.to_string();
            prop_assert!(text.len() == 32 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert_eq!(text.parse(), Ok(id));
        }

        #[test]
        fn what_reads_as_an_identifier_is_written_the_same(text in "[A-Za-z0-9_=-]{30,34}") {
            if let Ok(id) = text.parse::<VersionId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn the_null_version_has_a_name_and_other_texts_have_no_meaning() {
        assert_eq!("null".parse(), Ok(VersionId::Null));
        assert_eq!(VersionId::Null.to_string(), "null");
        for text in ["", "NULL", "nul", "7", "AAAA", &"A".repeat(31), &"A".repeat(33), &"+".repeat(32), &"é".repeat(16)]
        {
            assert_eq!(text.parse::<VersionId>(), Err(InvalidId), "{text}");
        }
    }
}
