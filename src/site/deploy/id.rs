//! The identifiers of deploys.

use std::fmt;
use std::str::{self, FromStr};

use serde::{Deserialize, Serialize};

use super::base32;

/// How many characters an identifier has: 50 bits, so that nobody guesses one and it fits before a bucket's name.
pub const ID_LENGTH: usize = 10;

/// Names a deploy: 10 characters of lower-case base32 (`a` to `z`, `2` to `7`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeployId([u8; ID_LENGTH]);

/// A text that names no deploy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a deploy's id has {ID_LENGTH} characters, a to z and 2 to 7")]
pub struct InvalidDeployId;

impl DeployId {
    /// The identifier of these random bytes, of which five bits each count.
    pub fn from_random(random: [u8; ID_LENGTH]) -> Self {
        Self(random.map(|byte| base32::ALPHABET[usize::from(byte & 31)]))
    }

    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("it is made of characters of base32 alone, which are ASCII")
    }
}

impl fmt::Display for DeployId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for DeployId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeployId({self})")
    }
}

impl FromStr for DeployId {
    type Err = InvalidDeployId;

    fn from_str(text: &str) -> Result<Self, InvalidDeployId> {
        let id: [u8; ID_LENGTH] = text.as_bytes().try_into().map_err(|_| InvalidDeployId)?;
        if id.iter().all(|byte| base32::is_digit(*byte)) { Ok(Self(id)) } else { Err(InvalidDeployId) }
    }
}

impl TryFrom<String> for DeployId {
    type Error = InvalidDeployId;

    fn try_from(text: String) -> Result<Self, InvalidDeployId> {
        text.parse()
    }
}

impl From<DeployId> for String {
    fn from(id: DeployId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn random_bytes_become_an_identifier_that_reads_back(random: [u8; ID_LENGTH]) {
            let id = DeployId::from_random(random);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert!(id.as_str().bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')));
        }

        #[test]
        fn what_reads_as_an_identifier_is_written_the_same(text in "[a-z2-8A-Z]{9,11}") {
            if let Ok(id) = text.parse::<DeployId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn other_texts_are_no_identifiers() {
        for text in ["", "abcdefghi", "abcdefghijk", "ABCDEFGHIJ", "abcdefgh1j", "abcdefgh-j", "abcdefghé"] {
            assert_eq!(text.parse::<DeployId>(), Err(InvalidDeployId), "{text}");
        }
    }
}
