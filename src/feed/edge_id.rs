//! Which edge is speaking.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// What an operator calls an edge: 1 to 64 letters, digits, `.`, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EdgeName(String);

/// A text that no edge is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name of an edge is 1 to {MAX_NAME_BYTES} letters, digits, dots, hyphens and underscores")]
pub struct InvalidEdgeName;

/// One run of an edge. Another run of the same name, a restarted edge or a careless copy of one, is another reader: each
/// holds what it has filled itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EdgeId {
    pub name: EdgeName,
    /// Chosen at random when the edge starts.
    pub run: u64,
}

impl EdgeName {
    pub fn parse(text: &str) -> Result<Self, InvalidEdgeName> {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        match (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(valid) {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidEdgeName),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EdgeName {
    type Error = InvalidEdgeName;

    fn try_from(text: String) -> Result<Self, InvalidEdgeName> {
        Self::parse(&text)
    }
}

impl From<EdgeName> for String {
    fn from(name: EdgeName) -> Self {
        name.0
    }
}

impl fmt::Display for EdgeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_words() {
        assert!(["a", "edge-1.fra", "E_2", "0"].into_iter().all(|name| EdgeName::parse(name).is_ok()));
        assert!(EdgeName::parse(&"a".repeat(64)).is_ok());
        for text in ["", "a b", "ä", "a/b", "a\n", &"a".repeat(65)] {
            assert_eq!(EdgeName::parse(text), Err(InvalidEdgeName), "{text}");
        }
        assert!(serde_json::from_str::<EdgeName>("\"a b\"").is_err());
    }
}
