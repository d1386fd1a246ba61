//! The tables of notifications, and the keys of their rows. The history of rules is the store's, which writes it.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `endpoints` | as `endpoint` says | endpoints, topics and their secrets |
//! | `cursors` | endpoint number | how far the endpoint's reader of the change log has come, and its counts |
//! | `deferred` | endpoint number, position, part | a message that is tried again |
//! | `dead_letters` | endpoint number, position, part | a message that was given up |
//! | `deliveries` | endpoint number, sequence | one attempt |
//! | `replays` | endpoint number, sequence | what is to be sent once more, and how far that has come |
//!
//! An endpoint's number is never given out again, so that what is left of one never comes to another.

use bytes::{BufMut, Bytes, BytesMut};

use crate::kv::{Profile, Table};

pub const ENDPOINTS: Table = Table { id: 20, name: "endpoints", profile: Profile::Records };
pub const CURSORS: Table = Table { id: 21, name: "cursors", profile: Profile::Records };
pub const DEFERRED: Table = Table { id: 22, name: "deferred", profile: Profile::Records };
pub const DEAD_LETTERS: Table = Table { id: 23, name: "dead_letters", profile: Profile::Records };
pub const DELIVERIES: Table = Table { id: 24, name: "deliveries", profile: Profile::Records };
pub const REPLAYS: Table = Table { id: 25, name: "replays", profile: Profile::Records };

/// Every table of notifications, for opening an engine.
pub const TABLES: [Table; 6] = [ENDPOINTS, CURSORS, DEFERRED, DEAD_LETTERS, DELIVERIES, REPLAYS];

/// The tables whose rows begin with an endpoint's number: what is removed with it.
pub const OF_ENDPOINT: [Table; 5] = [CURSORS, DEFERRED, DEAD_LETTERS, DELIVERIES, REPLAYS];

/// Where a message's row is among those of its endpoint: by the first of its changes, then by what tells messages apart that
/// are about the same position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageRow {
    pub position: u64,
    pub part: u64,
}

/// Where the rows of an endpoint start; in `cursors`, the row itself.
pub fn endpoint(number: u32) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}

/// Behind the rows of an endpoint; empty, the end of the table, for the last number.
pub fn behind_endpoint(number: u32) -> Bytes {
    number.checked_add(1).map_or_else(Bytes::new, endpoint)
}

/// The row of a message in `deferred` and in `dead_letters`.
pub fn message(number: u32, row: MessageRow) -> Bytes {
    let mut key = BytesMut::with_capacity(20);
    key.put_u32(number);
    key.put_u64(row.position);
    key.put_u64(row.part);
    key.freeze()
}

/// Reads a message's place back out of its row's key.
pub fn parse_message(key: &[u8]) -> Option<MessageRow> {
    let (_, rest) = key.split_first_chunk::<4>()?;
    let (position, part) = rest.split_first_chunk::<8>()?;
    let part = u64::from_be_bytes(part.try_into().ok()?);
    Some(MessageRow { position: u64::from_be_bytes(*position), part })
}

/// The row of an attempt in `deliveries`, or of a replay in `replays`.
pub fn numbered(number: u32, sequence: u64) -> Bytes {
    let mut key = BytesMut::with_capacity(12);
    key.put_u32(number);
    key.put_u64(sequence);
    key.freeze()
}

/// Reads the sequence back out of the key that [`numbered`] made.
pub fn parse_numbered(key: &[u8]) -> Option<u64> {
    let (_, rest) = key.split_first_chunk::<4>()?;
    Some(u64::from_be_bytes(rest.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_of_messages_sort_by_endpoint_then_position_then_part(
            a in any::<(u32, u64, u64)>(),
            b in any::<(u32, u64, u64)>(),
        ) {
            let key = |(number, position, part)| message(number, MessageRow { position, part });
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
            prop_assert_eq!(parse_message(&key(a)), Some(MessageRow { position: a.1, part: a.2 }));
            prop_assert_eq!(parse_numbered(&numbered(a.0, a.1)), Some(a.1));
        }
    }

    #[test]
    fn the_rows_of_an_endpoint_end_where_those_of_the_next_begin() {
        assert!(numbered(7, u64::MAX) < behind_endpoint(7));
        assert_eq!(behind_endpoint(7), endpoint(8));
        assert!(behind_endpoint(u32::MAX).is_empty());
    }
}
