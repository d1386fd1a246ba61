//! Where a reader of the change log is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::names::LogId;

/// A place in a log: everything up to and with the entry at `offset` was read. 0 is before the first entry.
///
/// Written as 32 hexadecimal digits, a colon and the offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub log: LogId,
    pub offset: u64,
}

/// A text that is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a position is 32 hexadecimal digits, a colon and a number")]
pub struct InvalidPosition;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.log, self.offset)
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (log, offset) = text.split_once(':').ok_or(InvalidPosition)?;
        let mut id = [0; 16];
        hex::decode_to_slice(log, &mut id).map_err(|_| InvalidPosition)?;
        let is_number = !offset.is_empty() && offset.bytes().all(|byte| byte.is_ascii_digit());
        let offset = offset.parse().ok().filter(|_| is_number).ok_or(InvalidPosition)?;
        Ok(Self { log: LogId(id), offset })
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn positions_read_back(log: [u8; 16], offset: u64) {
            let position = Position { log: LogId(log), offset };
            prop_assert_eq!(position.to_string().parse(), Ok(position));
            let json = serde_json::to_string(&position).unwrap();
            prop_assert_eq!(serde_json::from_str::<Position>(&json).unwrap(), position);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let log = "0".repeat(32);
        for text in [
            String::new(),
            log.clone(),
            format!("{log}:"),
            format!("{log}:+1"),
            format!("{log}:18446744073709551616"),
            format!("{log}0:1"),
            format!("{}g:1", &log[1..]),
        ] {
            assert_eq!(text.parse::<Position>(), Err(InvalidPosition), "{text}");
        }
    }
}
